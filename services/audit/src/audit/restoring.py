"""A trail whose database was lost or set back, brought to where it was: by the same records, to the same roots."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from aiokafka import TopicPartition

from audit import storage
from audit.anchors import Anchor, stream_published
from audit.dropped import NOTHING, DroppedEpochs, read_said
from audit.dropping import drop_records, unsigned
from audit.growth import Log
from audit.ingest import Halt, Ingest
from audit.openings import open_again
from audit.publication import gained_lines
from audit.signing.trail import read_nodes
from chassis.database import Database
from chassis.metrics import Metrics
from contracts.topics import TOPICS
from guichet_verify.leaves import BREAK, FirstLeaf, NotALeaf, Record, parse
from guichet_verify.notes import Key

if TYPE_CHECKING:
    from chassis.database import Connection

OWN = "/guichet/audit"


class NotCaughtUp(TimeoutError):
    """Records are still unread, or a partition was halted; the text says which."""


async def begin_as_announced(
    connection: Connection, name: str, announced: Mapping[str, FirstLeaf], dropped: DroppedEpochs = NOTHING
) -> None:
    """Opens the first epoch of each partition that has none, as it was opened before, or the first after those that
    were dropped; over a superuser's connection.

    From the broker's oldest record on, which is not always the first, it would be another tree.
    """
    known = {(row["topic"], row["part"]) for row in await connection.fetch("SELECT topic, part FROM audit.source")}
    for origin, first in sorted(announced.items()):
        topic, part, _ = origin.rsplit("/", 3)[1:]
        begins = not first.previous_origin or first.previous_origin in dropped.by_origin
        if begins and origin not in dropped.by_origin and (topic, int(part)) not in known:
            await open_again(connection, name, first)


async def drop_again(connection: Connection, anchors: Iterable[Anchor]) -> dict[str, int]:
    """What was dropped and came back with an older backup or bundle is dropped again; how many leaves each log had.

    As far as `anchors`, from which the trail was found not to differ, sign that it was said. Over a superuser's
    connection.
    """
    held: dict[str, int] = {}
    for _, (origin, size, _) in anchors:
        held[origin] = max(size, held.get(origin, 0))
    rows = await connection.fetch("SELECT origin FROM audit.log WHERE state IN ('frozen', 'broken')")
    there = [row["origin"] for row in rows]
    said = {each.fact.origin for each in await read_said(connection, there) if each.was_due()}
    ready = sorted(said - {*await unsigned(connection, sorted(said), held)})
    if not ready or await unsigned(connection, ready, held):
        return {}
    return await drop_records(connection, ready, held)


async def catch_up(
    connection: Connection,
    url: str,
    kafka: Sequence[str],
    name: str,
    announced: Mapping[str, FirstLeaf],
    topics: Iterable[str] = TOPICS,
    seconds: float = 3600,
) -> None:
    """Reads on from where the database is until nothing is left to read, each log no further than where it ended, and
    on into the epochs that were announced. What the next epoch of a broken log names as lost is not waited for.

    `url` is the writer's, `connection` a superuser's: he alone opens a log. Raises NotCaughtUp.
    """
    after = {first.previous_origin: first for first in announced.values() if first.previous_origin}
    until = {origin: first.previous_size for origin, first in after.items()}
    topics = tuple(topics)
    while True:
        halted = await _read_on(url, kafka, name, topics, seconds, until)
        logs = {TopicPartition(log.topic, log.part): log for log in await storage.read_logs(connection)}
        lost = [logs[place] for place, halt in halted.items() if _is_named(halt, after.get(logs[place].origin))]
        until |= {log.origin: log.size for log in lost}
        if len(lost) < len(halted):
            named = ", ".join(
                f"{place.topic}/{place.partition} {halt.code}: offsets {halt.since} to {halt.until - 1}"
                for place, halt in halted.items()
                if logs[place] not in lost
            )
            raise NotCaughtUp(named)
        if lost:
            continue
        ended = [log for log in await storage.read_logs(connection) if log.origin in after]
        for log in ended:
            await _check_end(connection, log, after[log.origin])
            await open_again(connection, name, after[log.origin])
        if not ended:
            return


async def _check_end(connection: Connection, log: Log, following: FirstLeaf) -> None:
    """A log that ended as planned is read up to its end and has the root there that the next epoch names; one that was
    broken has what could be read of it."""
    if following.reason == BREAK:
        return
    (root,) = await read_nodes(connection, log.log_id, [(0, following.previous_size)])
    if (log.size, root) != (following.previous_size, following.previous_root):
        what = "another root" if log.size == following.previous_size else f"{log.size} leaves"
        raise NotCaughtUp(f"{log.origin} ended at size {following.previous_size}, and has {what}")


def _is_named(halt: Halt, following: FirstLeaf | None) -> bool:
    """Whether the first leaf of the next epoch says that what cannot be read is lost."""
    if following is None or following.reason != BREAK:
        return False
    until = min(halt.until, following.first_offset)
    return any(since <= halt.since and until <= end for since, end in following.lost)


async def _read_on(
    url: str, kafka: Sequence[str], name: str, topics: Iterable[str], seconds: float, until: Mapping[str, int]
) -> Mapping[TopicPartition, Halt]:
    """Reads until nothing is left, or a partition is halted: which are, and why."""
    database = Database(url, service="audit")
    await database.open()
    writer, stopping = Ingest(database, kafka, name, Metrics(), topics, until), asyncio.Event()
    task = asyncio.create_task(writer.run(stopping))
    deadline = time.monotonic() + seconds
    try:
        while not (writer.following and not any((await writer.lag()).values())):
            if task.done():
                await task
            if writer.halted:
                return dict(writer.halted)
            if time.monotonic() > deadline:
                raise NotCaughtUp("records are still unread")
            await asyncio.sleep(0.1)
        return {}
    finally:
        stopping.set()
        await asyncio.gather(task, return_exceptions=True)
        await database.close()


async def take_up_numbers(connection: Connection) -> None:
    """What the audit service itself said is numbered on from what the trail has: what was said since the backup too.

    Before its service starts, or it gives numbers out a second time. `connection` is the writer's or a superuser's.
    """
    async with connection.transaction():
        await connection.execute(
            """
            INSERT INTO chassis.sequences AS kept (source, subject, last)
            SELECT source, subject, max(sequence) FROM audit.entry
            WHERE source = $1 AND subject IS NOT NULL AND sequence IS NOT NULL GROUP BY source, subject
            ON CONFLICT (subject, source) DO UPDATE SET last = greatest(kept.last, excluded.last)
            """,
            OWN,
        )
        epoch = 0
        async for row in connection.cursor("SELECT leaf FROM audit.entry WHERE source = $1", OWN, prefetch=1000):
            epoch = max(epoch, _epoch(row["leaf"]))
        await connection.execute("UPDATE chassis.producer SET epoch = greatest(epoch, $1)", epoch)


async def take_up_checkpoints(connection: Connection, keys: Sequence[Key]) -> int:
    """The checkpoints that the trail recorded as published are entered again, each at the time at which it was said,
    so that "as of" means what it did; how many there are. Over the writer's connection or a superuser's.

    One that its log does not lead to is left out: it is found when the trail is held against what was published.
    """
    logs = {row["origin"]: row for row in await connection.fetch(_HEADS)}
    known = {
        (row["log_id"], row["tree_size"]): row["note"]
        for row in await connection.fetch("SELECT log_id, tree_size, note FROM audit.checkpoint")
    }
    async with connection.transaction():
        async for checkpoint, note, said_at in stream_published(connection, keys):
            log = logs.get(checkpoint.origin)
            if log is None or checkpoint.size > log["tree_size"]:
                continue
            place = log["log_id"], checkpoint.size
            if place not in known:
                if (await read_nodes(connection, place[0], [(0, checkpoint.size)]))[0] == checkpoint.root:
                    known[place] = note
                    await connection.execute(_ENTER, *place, note, said_at)
            elif gained := gained_lines(known[place], note):
                known[place] += gained
                await connection.execute(_SIGNED_AGAIN, *place, gained)
    return len(known)


_HEADS = "SELECT log_id, origin, tree_size FROM audit.log JOIN audit.head USING (log_id)"
_ENTER = "INSERT INTO audit.checkpoint (log_id, tree_size, note, published_at) VALUES ($1, $2, $3, $4)"
_SIGNED_AGAIN = "UPDATE audit.checkpoint SET note = note || $3 WHERE log_id = $1 AND tree_size = $2"


def _epoch(leaf: bytes) -> int:
    try:
        record = parse(leaf)
    except NotALeaf:
        return 0
    said = dict(record.headers).get("ce_producerepoch") if isinstance(record, Record) else None
    return int(said) if said is not None and said.isdigit() else 0
