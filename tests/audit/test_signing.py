"""What was signed once stays: signer and witness refuse every other history, and say of which log and at which size."""

import asyncio
import contextlib
import secrets
import shutil
import socket
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import uvicorn
from tests.audit.conftest import NAME, Trail, tamper, until, verify

from audit import storage
from audit.growth import growth_of
from audit.resume import read_edge
from audit.signing.cosigning import Witness as Asked
from audit.signing.signer import Signer
from audit.signing.start import MayNotStart, check_start, initialise
from audit.signing.state import BROKEN, RECOVERING, SIGNING, Signed, SignerState
from chassis.database import Database
from guichet.stack.kafka import create_topics
from guichet_verify.checkpoints import Opened, open_checkpoint
from guichet_verify.keyfiles import make_key_file
from guichet_verify.leaves import Record
from guichet_verify.notes import SigningKey
from guichet_verify.policy import Policy
from guichet_verify.tiles import Edge
from guichet_verify.tree import leaf_hash, root_of
from guichet_witness.follow import Follower
from guichet_witness.server import build
from guichet_witness.state import State
from guichet_witness.witness import Witness
from threats import write_table


@dataclass
class Watched:
    """A trail with a signer and a witness, each with its own key and state."""

    trail: Trail
    folder: Path
    log_key: SigningKey
    witness_key: SigningKey
    state: SignerState
    witness_state: State
    witness_url: str

    @property
    def origin(self) -> str:
        return f"{NAME}/trail/{self.trail.topic}/0/1"

    def signer(self, state: SignerState | None = None) -> Signer:
        asked = Asked(self.witness_key.cosigner_key, self.witness_url)
        policy = Policy(witnesses={"w": asked.key}, quorum="w")
        return Signer([self.log_key], state or self.state, [asked], policy, republish_seconds=1e9)

    async def look(self, signer: Signer, url: str | None = None) -> Signed:
        """One round of the signer; what it then holds of partition 0."""
        connection = await asyncpg.connect(url or self.trail.url_of("audit_signer"))
        try:
            await signer.round(connection)
        finally:
            await connection.close()
        held = self.state.get(self.origin)
        assert held is not None
        return held

    async def signed(self) -> Signed:
        """Everything recorded is signed and cosigned."""
        signer = self.signer()

        async def fact() -> bool:
            await self.look(signer)
            (row,) = await self.trail.fetch(
                "SELECT tree_size FROM audit.head JOIN audit.log USING (log_id) WHERE origin = $1", self.origin
            )
            held = self.state.get(self.origin)
            return held is not None and held.witnessed and held.size == row["tree_size"]

        await until(fact)
        held = self.state.get(self.origin)
        assert held is not None
        return held

    async def leaves(self) -> list[bytes]:
        rows = await self.trail.fetch(
            "SELECT leaf FROM audit.entry JOIN audit.log USING (log_id) WHERE origin = $1 ORDER BY leaf_index",
            self.origin,
        )
        return [row["leaf"] for row in rows]

    def opened(self, held: Signed) -> Opened:
        return open_checkpoint(held.note.encode(), [self.log_key.log_key, self.witness_key.cosigner_key])

    def keep(self, name: str) -> None:
        """Copies the signer's state under this name."""
        with contextlib.closing(sqlite3.connect(self.folder / "signer.db")) as connection:
            connection.execute("VACUUM INTO ?", (str(self.folder / name),))

    def restored(self, name: str) -> SignerState:
        """The signer's state as it was when it was copied under this name."""
        path = self.folder / f"{name}.{secrets.token_hex(4)}"
        shutil.copy(self.folder / name, path)
        return SignerState(path)


@pytest.fixture
async def watched(trail, tmp_path, monkeypatch):
    announcements = f"announced.{secrets.token_hex(4)}"
    monkeypatch.setattr("guichet_witness.follow.TOPIC", announcements)
    await create_topics(trail.kafka, {announcements: 1})
    trail.topics = (trail.topic, announcements)
    await trail.open_logs()
    for row in await trail.fetch("SELECT * FROM chassis.facts ORDER BY event_id"):
        said = {"id": str(row["event_id"]), "type": row["type"], "source": row["source"], "subject": row["subject"]}
        headers = [(f"ce_{name}", value.encode()) for name, value in said.items()]
        await trail.producer.send_and_wait(announcements, row["body"], key=b"k", headers=headers)
    log_key, witness_key = (
        make_key_file(tmp_path / name, name) for name in (NAME.replace("/", "."), "witness.example")
    )
    log_key = SigningKey(NAME, log_key._private)
    state = State(tmp_path / "witness.db")
    follower = Follower([trail.kafka], state)
    following = asyncio.create_task(follower.run())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        app = build(Witness(witness_key, [log_key.log_key], state, follower), follower, state)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        server.install_signal_handlers = lambda: None
        serving = asyncio.create_task(server.serve([listening]))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        yield Watched(trail, tmp_path, log_key, witness_key, SignerState(tmp_path / "signer.db"), state, url)
        server.should_exit = True
        await serving
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    state.close()


async def send(trail: Trail, numbers: range) -> None:
    for number in numbers:
        await trail.producer.send(trail.topic, b"%d" % number, key=b"k", partition=0)
    await trail.producer.flush()
    await trail.record()


async def test_what_was_recorded_is_signed_by_the_log_and_cosigned_by_whoever_read_the_same(watched):
    await send(watched.trail, range(300))
    first = await watched.signed()
    opened = watched.opened(first)
    assert {each.key for each in opened.verified} == {watched.log_key.log_key, watched.witness_key.cosigner_key}
    leaves = await watched.leaves()
    assert opened.checkpoint == (watched.origin, 301, root_of([leaf_hash(leaf) for leaf in leaves]))
    again = await watched.look(watched.signer())
    assert again.revision == first.revision, "what did not grow is not signed again"
    await send(watched.trail, range(300, 600))
    second = await watched.signed()  # By a signer that starts from its state and the stored tiles.
    assert (second.size, second.state) == (601, SIGNING)
    state = SignerState(watched.folder / "empty.db")
    connection = watched.trail.url_of("audit_signer")
    with pytest.raises(MayNotStart, match="a witness has cosigned"):
        await check_start(state, connection, [watched.log_key.log_key], [watched.witness_url])
    async with watched.trail.database.connection() as writing:
        await writing.execute(
            "INSERT INTO audit.checkpoint SELECT log_id, $2, $3 FROM audit.log WHERE origin = $1",
            watched.origin,
            second.size,
            second.note,
        )
    with pytest.raises(MayNotStart, match="1 logs have checkpoints"):
        await check_start(state, connection, [watched.log_key.log_key], [])
    row = ("the signer's state deleted", "root, signer's state", "refused", "does not start without two persons")
    write_table([row], afresh="root, signer's state")
    with pytest.raises(MayNotStart, match="two different persons"):
        await initialise(state, connection, [watched.log_key.log_key], ["one", "one"])
    await send(watched.trail, range(600, 602))
    third = await watched.signed()
    with pytest.raises(MayNotStart, match=f"behind what was signed: .*{watched.origin} at size {third.size} .witness."):
        await initialise(state, connection, [watched.log_key.log_key], ["one", "two"], [watched.witness_url])
    assert await initialise(state, connection, [watched.log_key.log_key], ["one", "two"]) == 1
    begun = state.get(watched.origin)
    assert begun is not None and (begun.size, begun.root) == (second.size, second.root)


async def recompute(url: str, log_id: int = 1) -> None:
    """Tiles and head as they follow from the leaves that are there now: what a careful operator does."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT leaf FROM audit.entry WHERE log_id = $1 ORDER BY leaf_index", log_id)
        edge, tiles = Edge().extend([leaf_hash(row["leaf"]) for row in rows])
        await connection.execute("DELETE FROM audit.tile WHERE log_id = $1", log_id)
        await connection.executemany(
            "INSERT INTO audit.tile VALUES ($1, $2, $3, $4, $5)",
            [(log_id, tile.level, tile.number, tile.width, tile.hashes) for tile in tiles],
        )
        await connection.execute(
            "UPDATE audit.head SET tree_size = $2, root = $3 WHERE log_id = $1", log_id, edge.size, edge.root()
        )
    finally:
        await connection.close()


REWRITE = (
    "UPDATE audit.entry SET leaf = overlay(leaf PLACING '\\x39' FROM length(leaf)) WHERE log_id = 1 AND leaf_index = 7"
)


@pytest.mark.threat(9)
@pytest.mark.threat(15)
async def test_a_careful_operator_who_rewrites_one_event_is_found_by_the_held_checkpoint_signer_and_witness(watched):
    await send(watched.trail, range(20))
    held = await watched.signed()
    await tamper(watched.trail.url, REWRITE)
    await recompute(watched.trail.url)
    report = await watched.trail.verify()
    assert report.holds, "nothing inside the database shows it"
    leaves = await watched.leaves()
    assert root_of([leaf_hash(leaf) for leaf in leaves[: held.size]]) != held.root, "FORK, says the held checkpoint"
    found = await watched.look(watched.signer())
    assert (found.state, found.reason, found.size) == (BROKEN, "another-root-at-the-signed-size", held.size)

    accomplice = SignerState(watched.folder / "accomplice.db")
    await watched.look(watched.signer(accomplice))  # He has the log's key, and begins with an empty state.
    other = accomplice.get(watched.origin)
    assert other is not None and other.root != held.root
    assert (other.state, other.reason, other.note) == (BROKEN, "witness-refuses", "")
    assert watched.witness_state.held(watched.origin).root == held.root
    by = "held checkpoint: FORK; signer: another root; witness: 422"
    row = ("one event rewritten, tiles and head recomputed", "superuser, careful", "detected", by)
    write_table([row], afresh="superuser, careful")


@pytest.mark.threat(10)
@pytest.mark.threat(12)
@pytest.mark.threat(13)
async def test_a_tail_that_was_cut_is_waited_for_and_an_old_backup_comes_to_the_same_roots(watched):
    trail = watched.trail
    await send(trail, range(10))
    await watched.signed()
    watched.keep("older.db")
    backup = (await trail.postgres.create_database()).rpartition("/")[2]
    name = trail.url.rpartition("/")[2]
    await trail.database.close()
    await trail.postgres.execute(f'DROP DATABASE "{backup}"')
    await trail.postgres.execute(f'CREATE DATABASE "{backup}" TEMPLATE "{name}"')
    await trail.postgres.execute(f'GRANT CONNECT ON DATABASE "{backup}" TO audit_ingest, audit_signer')
    await trail.database.open()
    await send(trail, range(10, 25))
    held = await watched.signed()
    await trail.database.close()

    trail.url = trail.url.replace(name, backup)  # The old backup is restored, and knows nothing of 15 events.
    trail.database = Database(trail.url_of("audit_ingest"), service="audit")
    await trail.database.open()
    signer = watched.signer()
    set_back = await watched.look(signer)
    assert (set_back.state, set_back.size) == (RECOVERING, held.size)
    await trail.record()
    recovered = await watched.look(signer)
    assert (recovered.state, recovered.size, recovered.root) == (SIGNING, held.size, held.root)
    assert (await verify(trail.url)).holds

    older = watched.restored("older.db")  # The whole machine is set back, with the signer's state.
    cut = [
        f"DELETE FROM audit.{table} WHERE log_id = 1 AND {column} >= 6"
        for table, column in (("entry", "leaf_index"), ("batch", "first_index"))
    ]
    await tamper(trail.url, *cut)
    await recompute(trail.url)
    connection = await asyncpg.connect(trail.url_of("audit_signer"))
    forgetful = watched.signer(older)
    try:
        await forgetful.round(connection)
        short = older.get(watched.origin)
        assert short is not None and (short.state, short.reason) == (RECOVERING, "smaller-than-signed")
    finally:
        await connection.close()
    fresh = SignerState(watched.folder / "fresh.db")
    await watched.look(watched.signer(fresh))
    ahead = fresh.get(watched.origin)
    assert ahead is not None and (ahead.state, ahead.reason, ahead.note) == (RECOVERING, "witness-ahead", "")
    rows = [
        ("old backup restored", "superuser, set back", "detected", "signer: recovering, then the same roots"),
        ("tail cut, tiles and head recomputed", "superuser, set back", "detected", "signer: smaller than signed"),
        ("the same with the signer's state lost", "superuser, set back", "detected", "witness: 409, nothing published"),
    ]
    write_table(rows, afresh="superuser, set back")


async def edit_catalogue(url: str) -> str:
    """Puts every guard out of action without a definition; the statement that did it."""
    statement = "UPDATE pg_catalog.pg_trigger SET tgenabled = 'D' WHERE NOT tgisinternal"
    connection = await asyncpg.connect(url, server_settings={"allow_system_table_mods": "on"})
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
    return statement


SUPERUSER = {
    "a leaf removed behind an edited catalogue": (
        ["DELETE FROM audit.entry WHERE log_id = 1 AND leaf_index = 15"],
        "leaf-missing",
    ),
    "a leaf removed": (["DELETE FROM audit.entry WHERE log_id = 1 AND leaf_index = 15"], "leaf-missing"),
    "the stored hash replaced": (
        [
            "ALTER TABLE audit.entry ALTER COLUMN leaf_hash DROP EXPRESSION",
            "UPDATE audit.entry SET leaf_hash = sha256('x') WHERE log_id = 1 AND leaf_index = 15",
        ],
        "leaf-differs-from-its-hash",
    ),
    "a leaf rewritten, nothing recomputed": (
        [REWRITE.replace("= 7", "= 15")],
        "head-differs-from-the-leaves",
    ),
    "a tile rewritten": (
        [
            "UPDATE audit.tile SET hashes = set_byte(hashes, 39, get_byte(hashes, 39) # 255)"
            " WHERE log_id = 1 AND level = 0"
        ],
        "does-not-extend-what-was-signed",
    ),
    "leaves exchanged": (
        ["UPDATE audit.entry SET kafka_offset = 3 WHERE log_id = 1 AND leaf_index = 15"],
        "offset-does-not-rise",
    ),
}


@pytest.mark.threat(8)
async def test_what_a_superuser_does_crudely_is_not_signed(watched):
    await send(watched.trail, range(9))
    await watched.signed()
    await send(watched.trail, range(9, 20))
    watched.keep("before.db")
    name = watched.trail.url.rpartition("/")[2]
    superuser = await asyncpg.connect(watched.trail.url)
    try:
        await superuser.execute("SET session_replication_role = replica")
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="H2"):
            await superuser.execute("DELETE FROM audit.entry WHERE leaf_index = 15")
    finally:
        await superuser.close()
    seen = [("SET session_replication_role = replica; DELETE FROM audit.entry", "superuser", "refused", "H9, H2")]
    await watched.trail.database.close()
    for number, (what, (statements, code)) in enumerate(SUPERUSER.items()):
        copy = f"{name}_{number}"
        await watched.trail.postgres.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}"')
        url = watched.trail.url.replace(name, copy)
        before = "ALTER TABLE … DISABLE TRIGGER USER"
        if what == "a leaf removed behind an edited catalogue":
            before = await edit_catalogue(url)
            connection = await asyncpg.connect(url)
            await connection.execute(*statements)
            await connection.close()
        else:
            await tamper(url, *statements)
        state = watched.restored("before.db")
        connection = await asyncpg.connect(url)
        try:
            await watched.signer(state).round(connection)
        finally:
            await connection.close()
        found = state.get(watched.origin)
        assert found is not None
        assert (what, found.state, found.reason, found.size) == (what, BROKEN, code, 10)
        report = await verify(url)
        assert not report.holds
        state.close()
        by = f"signer: {code}; audit verify: {report.failures[0].reason}"
        seen.append(("; ".join([before, *statements]), "superuser", "detected", by))
    write_table(seen, afresh="superuser")
    await watched.trail.database.open()


@pytest.mark.threat(6)
async def test_a_leaf_that_the_writer_forged_is_signed_by_nobody_who_read_the_topic(watched):
    trail = watched.trail
    await send(trail, range(5))
    held = await watched.signed()
    async with trail.database.connection() as connection:
        log = next(each for each in await storage.read_logs(connection) if each.origin == watched.origin)
        edge = await read_edge(connection, log)
    forged = Record(trail.topic, 0, log.next_offset, 0, 1795514401000, None, (), b"never said")
    async with trail.database.transaction() as connection:
        await storage.append(connection, [growth_of(log, edge, [forged], 100, 0)])
    assert (await trail.verify()).holds
    signer = watched.signer()
    await watched.look(signer)
    alone = await watched.look(signer)
    assert (alone.size, alone.witnessed) == (held.size + 1, False)
    await trail.producer.send_and_wait(trail.topic, b"the true sixth", key=b"k", partition=0)

    async def read():
        reading = watched.witness_state.reading(watched.origin)
        return reading is not None and reading.size > held.size

    await until(read)
    refused = await watched.look(watched.signer())
    assert (refused.state, refused.reason) == (BROKEN, "witness-refuses")
    assert watched.witness_state.held(watched.origin).size == held.size
