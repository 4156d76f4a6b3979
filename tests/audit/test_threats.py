"""Threats to the trail that no other page shows, and that each of them is shown somewhere."""

import asyncio
import re
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.audit.test_signing import recompute, send, watched  # noqa: F401  # watched is a fixture

from audit import growth, storage
from audit.exporting import Wanted
from audit.resume import read_edge
from audit.signing.state import BROKEN, RECOVERING
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.leaves import Record
from guichet_verify.manifest import ALL
from guichet_verify.notes import SigningKey, sign_note
from guichet_verify.verification import Asked, verify_bundle
from signed_trails import KEY, POLICY, export, sign
from threats import THREATS, write_table

TESTS = Path(__file__).parents[1]


def test_every_threat_is_shown_by_a_test():
    marked = re.compile(r"^@pytest\.mark\.threat\(([0-9]+)\)$", re.MULTILINE)
    shown = {int(number) for file in TESTS.rglob("test_*.py") for number in marked.findall(file.read_text("utf-8"))}
    assert shown == THREATS.keys()


@pytest.mark.threat(4)
async def test_a_bit_that_flips_in_the_writers_memory_is_signed_by_nobody(watched, monkeypatch):  # noqa: F811
    await send(watched.trail, range(5))
    held = await watched.signed()
    true = growth.leaf_hash

    def flipped(leaf):
        found = true(leaf)
        return bytes([found[0] ^ 1]) + found[1:] if leaf.endswith(b"7") else found

    monkeypatch.setattr("audit.growth.leaf_hash", flipped)
    await send(watched.trail, range(5, 9))
    found = await watched.look(watched.signer())
    assert (found.state, found.size, found.note) == (BROKEN, held.size, held.note)
    assert found.reason == "head-differs-from-the-leaves"


@pytest.mark.threat(8)
async def test_a_checkpoint_that_somebody_else_signed_is_refused_by_whoever_takes_it_away(trail, tmp_path):
    await trail.send(b"1")
    await trail.record()
    await sign(trail)
    await trail.send(b"2")
    await trail.record()
    (row,) = await trail.fetch(
        "SELECT log_id, origin, tree_size, root FROM audit.head JOIN audit.log USING (log_id) WHERE part = 0"
    )
    stranger = SigningKey(KEY.log_key.name, Ed25519PrivateKey.generate())
    text = Checkpoint(row["origin"], row["tree_size"], row["root"]).text()
    note = sign_note(text, [stranger.sign(text)]).decode()
    insert = "INSERT INTO audit.checkpoint (log_id, tree_size, note, published_at) VALUES ($1, $2, $3, now())"
    async with trail.database.connection() as connection:
        await connection.execute(insert, row["log_id"], row["tree_size"], note)
    await export(trail, tmp_path / "bundle", Wanted(ALL))
    report = verify_bundle(tmp_path / "bundle", Asked(POLICY))
    assert (report.exit_code, report.failures[0].log) == (11, row["origin"])
    by = f"guichet-verify: L1 {report.failures[0].reason}"
    write_table([("checkpoint row signed by another key", "forger", "detected", by)], afresh="forger")


@pytest.mark.threat(2)
async def test_offsets_that_somebody_commits_for_the_writer_have_no_effect(trail):
    await trail.send(b"1")
    await trail.send(b"2")
    await trail.record()
    for group in ("audit", "guichet-audit"):
        consumer = AIOKafkaConsumer(bootstrap_servers=trail.kafka, group_id=group, enable_auto_commit=False)
        await consumer.start()
        consumer.assign([TopicPartition(trail.topic, 0)])
        await consumer.commit({TopicPartition(trail.topic, 0): 0})
        await consumer.stop()
    await trail.send(b"3")
    await trail.record()
    assert [leaf[-1:] for leaf in (await trail.leaves())[1:]] == [b"1", b"2", b"3"]
    row = ("offsets of consumer groups reset", "root, broker", "no effect", "the position is in the trail's database")
    write_table([row], afresh="root, broker")


async def append(trail, *values):
    """What a writer would that reads these values after all that is recorded, whatever the broker says."""
    async with trail.database.connection() as connection:
        log = next(each for each in await storage.read_logs(connection) if each.origin.endswith("/0/1"))
        edge = await read_edge(connection, log)
    said = [Record(trail.topic, 0, log.next_offset + at, 0, 1, b"k", (), value) for at, value in enumerate(values)]
    async with trail.database.transaction() as connection:
        await storage.append(connection, [growth.growth_of(log, edge, said, log.next_offset + len(said), 0)])


CUT = [
    f"DELETE FROM audit.{table} WHERE log_id = 1 AND {column} >= 11"
    for table, column in (("entry", "leaf_index"), ("batch", "first_index"))
]


@pytest.mark.threat(12)
async def test_an_old_backup_into_which_two_events_are_read_the_other_way_round_is_a_fork(watched):  # noqa: F811
    trail = watched.trail
    await send(trail, range(10))
    await watched.signed()
    await send(trail, range(10, 12))
    held = await watched.signed()
    await trail.tamper(*CUT, "UPDATE audit.source SET next_offset = 10 WHERE part = 0")
    await recompute(trail.url)
    await append(trail, b"11", b"10")
    found = await watched.look(watched.signer())
    assert (found.state, found.reason, found.size) == (BROKEN, "another-root-at-the-signed-size", held.size)


@pytest.mark.threat(13)
async def test_a_machine_set_back_as_a_whole_is_told_by_the_witness_that_more_was_cosigned(watched):  # noqa: F811
    trail = watched.trail
    await send(trail, range(10))
    early = await watched.signed()
    watched.keep("backup.db")
    await send(trail, range(10, 30))
    held = await watched.signed()
    await trail.tamper(*CUT, "UPDATE audit.source SET next_offset = 10 WHERE part = 0")
    await recompute(trail.url)
    state = watched.restored("backup.db")
    signer = watched.signer(state)
    connection = await asyncpg.connect(trail.url_of("audit_signer"))
    try:
        await signer.round(connection)
        assert state.get(watched.origin).size == early.size, "database and signer agree with one another"
        await append(trail, b"what is said instead")
        await signer.round(connection)
    finally:
        await connection.close()
    found = state.get(watched.origin)
    assert (found.state, found.reason) == (RECOVERING, "witness-ahead")
    assert found.note == early.note, "nothing new was signed that anybody sees"
    assert watched.witness_state.held(watched.origin).size == held.size
    row = ("database and signer's state restored together", "root, set back", "detected", "witness: 409")
    write_table([row], afresh="root, set back")


@pytest.fixture
async def rejected(postgres):
    """Two connections to a database in which a trail is kept as it must not be."""
    url = await postgres.create_database()
    both = [await asyncpg.connect(url) for _ in range(2)]
    await both[0].execute("CREATE TABLE kept (id bigserial PRIMARY KEY, before text, said jsonb)")
    yield both
    for each in both:
        await each.close()


@pytest.mark.threat(22)
async def test_whoever_follows_a_serial_number_misses_what_is_committed_late(rejected):
    slow, quick = rejected
    late = slow.transaction()
    await late.start()
    await slow.execute("INSERT INTO kept (said) VALUES ('1')")
    await quick.execute("INSERT INTO kept (said) VALUES ('2')")
    newest = await quick.fetchval("SELECT max(id) FROM kept")
    await late.commit()
    assert await quick.fetchval("SELECT count(*) FROM kept WHERE id > $1", newest) == 0
    assert await quick.fetchval("SELECT count(*) FROM kept WHERE id <= $1", newest) == 2, "one of them was never seen"


@pytest.mark.threat(22)
async def test_a_chain_that_nobody_locks_has_two_successors(rejected):
    await rejected[0].execute("INSERT INTO kept (before) VALUES ('root')")
    follow = "INSERT INTO kept (before) SELECT id::text FROM kept ORDER BY id DESC LIMIT 1"
    begun = [each.transaction() for each in rejected]
    for each in begun:
        await each.start()
    await asyncio.gather(*(each.execute(follow) for each in rejected))
    for each in begun:
        await each.commit()
    links = await rejected[0].fetch("SELECT before, count(*) FROM kept WHERE before <> 'root' GROUP BY 1")
    assert [tuple(each) for each in links] == [("1", 2)]


@pytest.mark.threat(22)
async def test_jsonb_does_not_keep_what_was_said(rejected):
    said = '{"b": 1, "a": 1.0,  "a": 1.00}'
    await rejected[0].execute("INSERT INTO kept (said) VALUES ($1)", said)
    assert await rejected[0].fetchval("SELECT said::text FROM kept") == '{"a": 1.00, "b": 1}'
