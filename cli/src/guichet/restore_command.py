"""`guichet audit backup`, `restore`, `rebuild`, `drill`, `break`: a trail saved, lost, and brought back."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated

import asyncpg
import typer

from audit import deployment, storage
from audit.accesses import BACKUP
from audit.anchors import Anchor, differences, read_published
from audit.announcements import read_announced
from audit.breaking import NotBroken, break_log
from audit.bundled import NotCovered, Piece, join, open_bundles
from audit.checks import DRILLED
from audit.dropping import NotDropped
from audit.reading import read_heads
from audit.refilling import refill
from audit.restoring import NotCaughtUp, begin_as_announced, catch_up, drop_again, take_up_checkpoints, take_up_numbers
from chassis.ends import Ends, Span
from contracts.topics import TOPICS
from guichet import console
from guichet.held import held_for_sure, signed_up_to, trusted_keys
from guichet.stack import databases, services
from guichet.stack.errors import StackError
from guichet.stack.postgres import binaries
from guichet.stack.state import StackState, alone, home_folder, load, save
from guichet.stack.watchers import policy_text
from guichet.trail import connected, record_access, record_check
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.policy import NotAPolicy, read_policy

BESIDE = "audit_rebuilt"
"""Where a trail is built before it takes the place of the one that is there."""

By = Annotated[list[str], typer.Option("--by", help="A person who asks for it; two different ones are needed.")]
SignerIsLost = Annotated[
    bool, typer.Option("--signer-is-lost", help="Go on without what the signer signed: its state is gone for good.")
]


def backup(file: Annotated[Path, typer.Argument(help="Where to write it; readable by its owner alone.")]) -> None:
    """Save the database of the trail. The states of signer and witness are never in it, and never restored with it.

    Example: guichet audit backup trail.dump
    """
    state = load(home_folder())
    asyncio.run(record_access(None, BACKUP))
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
        asyncio.run(_run("pg_dump", "--format=custom", "--dbname", state.postgres.url("audit"), stdout=target))
    console.say(f"{file}: {file.stat().st_size:,} bytes")


def restore(
    file: Annotated[Path, typer.Argument(help="A backup.", exists=True)], by: By, signer_is_lost: SignerIsLost = False
) -> None:
    """Put a backup in the place of the trail's database, and read on from Kafka to where it was.

    The trail is built beside the one that is there, and takes its place only when it is as large as what signer and
    witness hold, with the same roots.

    Example: guichet audit restore trail.dump --by operator-1 --by auditor-2
    """
    _two(by)
    asyncio.run(_replace(file, signer_is_lost=signer_is_lost))


def rebuild(
    by: By,
    bundles: Annotated[
        list[Path] | None,
        typer.Option(
            "--bundle", help="An exported bundle to begin with, such as of --all; several may join.", exists=True
        ),
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Whom you trust: a tlog-policy file; the stack's own.")] = None,
    signer_is_lost: SignerIsLost = False,
) -> None:
    """Build the database of the trail again from Kafka, or from bundles and then Kafka, when there is no backup.

    From Kafka alone while the topics still have each log's first record. With bundles, what they hold is taken from
    them: each is verified first, and together they must reach from each log's first leaf to where the broker goes on.
    The roots come out the same as what signer and witness hold, or nothing is replaced.

    Example: guichet audit rebuild --bundle whole.auditbundle --by operator-1 --by auditor-2
    """
    _two(by)
    with _opened(bundles or [], policy) as pieces:
        asyncio.run(_replace(pieces=pieces, signer_is_lost=signer_is_lost))


def drill(
    backup: Annotated[Path | None, typer.Option(help="A backup to begin with.", exists=True)] = None,
    bundles: Annotated[
        list[Path] | None, typer.Option("--bundle", help="An exported bundle to begin with.", exists=True)
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Whom you trust: a tlog-policy file; the stack's own.")] = None,
) -> None:
    """Build the trail again beside the one at work, compare every log with it, and drop it; once a month.

    From a backup, from bundles, or from Kafka alone. Nothing is stopped and nothing replaced. Exit code 0 when what
    would be brought back is what is there, and what signer and witness hold.

    Example: guichet audit drill --backup trail.dump
    """
    if backup is not None and bundles:
        raise typer.BadParameter("a backup or bundles")
    with _opened(bundles or [], policy) as pieces:
        asyncio.run(_drill(backup, pieces))


@contextmanager
def _opened(bundles: list[Path], policy: Path | None) -> Iterator[Sequence[Piece]]:
    """What verified bundles hold; nothing when there are none."""
    if not bundles:
        yield ()
        return
    try:
        trusted = read_policy(policy.read_bytes() if policy else policy_text(home_folder()))
        with console.counted(None, "leaves checked") as tell, open_bundles(bundles, trusted, tell) as pieces:
            yield pieces
    except NotAPolicy as error:
        raise StackError(f"not a policy: {error}", "name whom you trust: --policy FILE") from None
    except NotCovered as error:
        remedy = "guichet audit export --all writes a bundle that covers everything signed"
        raise StackError(
            "not from these bundles:" + "".join(f"\n  {each}" for each in error.problems), remedy
        ) from None


def break_(
    origin: Annotated[str, typer.Argument(metavar="ORIGIN", help="As `guichet audit logs` names it.")],
    by: By,
    unreadable_before: Annotated[
        int, typer.Option(help="Give up the offsets below this one, because no consumer can read them.")
    ] = 0,
    signer_is_lost: SignerIsLost = False,
) -> None:
    """End a log whose bytes are lost for good, and begin its next epoch, whose first leaf names the lost offsets.

    Never another root for a signed size: the old log stays as far as it was signed. What was recorded after that is
    read again into the next epoch, or named as lost when the broker has it no more.

    Example: guichet audit break guichet.example/audit/trail/guichet.portal/3/1 --by operator-1 --by auditor-2
    """
    _two(by)
    asyncio.run(_break(origin, by, unreadable_before, signer_is_lost))


def _two(by: list[str]) -> None:
    if len(set(by)) < 2:
        raise StackError("two different persons are needed", "--by PERSON --by OTHER-PERSON")


async def _break(origin: str, by: list[str], unreadable_before: int, signer_is_lost: bool) -> None:
    async with without_writer() as state:
        topic, part = origin.split("/")[-3:-1] if origin.count("/") > 2 else ("", "")
        span = (await _spans(state)).get((topic, int(part) if part.isdecimal() else -1))
        if span is None:
            raise StackError(f"the broker knows no partition of {origin}", "guichet audit logs")
        home = home_folder()
        held = await held_for_sure(home, state, signer_is_lost)
        connection = await deployment.connect(state.postgres.url("postgres"))
        try:
            recorded = {log.origin: log.size for log in await storage.read_logs(connection)}
            # What can still be signed is not given up.
            if not signer_is_lost and await signed_up_to(state, origin, recorded.get(origin, 0)):
                held = await held_for_sure(home, state, signer_is_lost)
            opened, lost = await break_log(
                connection,
                databases.AUDIT_NAME,
                origin,
                span,
                by,
                held.newest(origin),
                trusted_keys(home),
                unreadable_before,
            )
        except NotBroken as error:
            raise StackError(str(error), "guichet audit logs") from None
        finally:
            await connection.close(timeout=5)
    gone = ", ".join(f"{since} to {until - 1}" for since, until in lost) or "none"
    console.say(f"{origin} is broken; {opened.origin} goes on at offset {opened.next_offset}; lost offsets: {gone}")
    console.say(f"said by {', '.join(sorted(set(by)))}")


async def _replace(file: Path | None = None, pieces: Sequence[Piece] = (), *, signer_is_lost: bool = False) -> None:
    """The database built beside the one that is there, from a backup, from bundles or from nothing, read on to the end
    of the topics, and put in its place when it is what was signed."""
    async with without_writer() as state:
        held = await held_for_sure(home_folder(), state, signer_is_lost)
        async with _beside(state) as server:
            size = await _build(state, file, pieces, held.anchors)
            await server.execute(f"DROP DATABASE IF EXISTS {deployment.DATABASE} WITH (FORCE)")
            await server.execute(f"ALTER DATABASE {BESIDE} RENAME TO {deployment.DATABASE}")
    console.say(f"{size:,} leaves; now: guichet audit verify, and guichet status for the signer")


async def _drill(file: Path | None, pieces: Sequence[Piece]) -> None:
    state = load(home_folder())
    held = await held_for_sure(home_folder(), state, signer_is_lost=False)
    async with connected(None) as connection:
        heads = await read_heads(connection)
    live = [Anchor("live trail", Checkpoint(head.origin, head.size, head.root)) for head in heads]
    async with _beside(state):
        try:
            size = await _build(state, file, pieces, [*held.anchors, *live])
        except StackError:
            await record_check(DRILLED, 1)
            raise
    await record_check(DRILLED, 0)
    console.say(
        f"{size:,} leaves in {len(live)} logs are what is there, and what signer and witness hold; dropped again"
    )


@asynccontextmanager
async def _beside(state: StackState) -> AsyncIterator[asyncpg.Connection]:
    """An empty database beside the trail's, dropped on leaving unless it was renamed; a superuser's connection."""
    server = await asyncpg.connect(state.postgres.url("postgres"), timeout=10)
    try:
        await server.execute(f"DROP DATABASE IF EXISTS {BESIDE} WITH (FORCE)")
        await deployment.ensure_database(server, BESIDE)
        try:
            yield server
        finally:
            # Where the trail's own is gone, what was built is all that there is.
            if await server.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", deployment.DATABASE):
                await server.execute(f"DROP DATABASE IF EXISTS {BESIDE} WITH (FORCE)")
    finally:
        await server.close(timeout=5)


async def _build(state: StackState, file: Path | None, pieces: Sequence[Piece], held: Sequence[Anchor]) -> int:
    """How many leaves the trail has; raises StackError when it is not what is held of it."""
    kafka, name = state.kafka.split(","), databases.AUDIT_NAME
    # What the bundles lack is found before anything is built.
    wholes = join(name, pieces, await _spans(state)) if pieces else []
    if file is not None:
        await _run("pg_restore", "--exit-on-error", "--dbname", state.postgres.url(BESIDE), str(file))
    connection = await deployment.connect(state.postgres.url("postgres"), BESIDE)
    try:
        await deployment.ensure_tables(connection)
        with console.counted(sum(each.size for each in wholes), "leaves written", quiet=not wholes) as tell:
            await refill(connection, name, wholes, tell)
        announced = await read_announced(connection, kafka, name)
        await begin_as_announced(connection, name, *announced)
        # What was announced before is not announced again: the trail has it, and every reader knows it.
        await deployment.ensure_logs(connection, kafka, name, announce=False)
        console.say("reading the topics")
        await catch_up(connection, databases.url(state, deployment.INGEST, BESIDE), kafka, name, announced.opened)
        await take_up_numbers(connection)
        await take_up_checkpoints(connection, trusted_keys(home_folder()))
        published = await read_published(connection, trusted_keys(home_folder()))
        if missing := await differences(connection, [*held, *published]):
            raise StackError(
                "what was built is not the trail that was signed, and nothing was replaced:"
                + "".join(f"\n  {each.anchor.checkpoint.origin}: {each.reason()}" for each in missing),
                "a newer backup or bundle; --signer-is-lost leaves out the signer, and no witness",
            )
        for origin, leaves in (await drop_again(connection, [*held, *published])).items():
            console.say(f"{origin} was dropped before: its {leaves:,} leaves are dropped again")
        return int(await connection.fetchval("SELECT sum(tree_size) FROM audit.head"))
    except NotDropped as error:
        raise StackError(f"not dropped again: {error}", "guichet audit verify") from None
    except NotCaughtUp as error:
        raise StackError(f"not caught up: {error}", "guichet audit logs, guichet audit break") from None
    finally:
        await connection.close(timeout=5)


async def _spans(state: StackState) -> dict[tuple[str, int], Span]:
    """What the broker still has of each partition."""
    ends = Ends(state.kafka.split(","), tuple(TOPICS))
    try:
        asked = await ends.ask()
    finally:
        await ends.close()
    if unknown := sorted(topic for topic, spans in asked.items() if spans is None):
        raise StackError(f"the broker says nothing of {', '.join(unknown)}", "guichet status")
    return {(topic, part): span for topic, spans in asked.items() for part, span in (spans or {}).items()}


@asynccontextmanager
async def without_writer() -> AsyncIterator[StackState]:
    """The stack with its audit service stopped; it is started again afterwards, whatever happened."""
    home = home_folder()
    async with alone(home):
        state = load(home)
        for instance in state.service("audit").instances:
            if instance.running:
                await asyncio.to_thread(instance.running.process("audit").stop)
        try:
            yield state
        finally:
            services.start(home, state, ["audit"])
            save(home, state)


async def _run(program: str, *arguments: str, stdout: object = None) -> None:
    process = await asyncio.create_subprocess_exec(
        str(binaries() / program),
        *arguments,
        stdout=stdout,  # type: ignore[arg-type]  # a file or nothing
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await process.communicate()
    if process.returncode:
        raise StackError(f"{program} failed: {error.decode(errors='replace').strip()[-300:]}", "guichet status")
