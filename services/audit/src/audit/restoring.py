"""A trail whose database was lost or set back, brought to where it was: by the same records, to the same roots."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from audit.ingest import Ingest
from chassis.database import Database
from chassis.metrics import Metrics
from contracts.topics import TOPICS
from guichet_verify.leaves import NotALeaf, Record, parse

if TYPE_CHECKING:
    from chassis.database import Connection

OWN = "/guichet/audit"


class NotCaughtUp(TimeoutError):
    """Records are still unread, or a partition was halted; the text says which."""


async def catch_up(
    url: str, kafka: Sequence[str], name: str, topics: Iterable[str] = TOPICS, seconds: float = 3600
) -> None:
    """Reads on from where the database is until nothing is left to read; `url` is the writer's. Raises NotCaughtUp."""
    database = Database(url, service="audit")
    await database.open()
    writer, stopping = Ingest(database, kafka, name, Metrics(), topics), asyncio.Event()
    task = asyncio.create_task(writer.run(stopping))
    deadline = time.monotonic() + seconds
    try:
        while not (writer.following and not any((await writer.lag()).values())):
            if task.done():
                await task
            if writer.halted or time.monotonic() > deadline:
                halted = ", ".join(
                    f"{place.topic}/{place.partition} {why.code}" for place, why in writer.halted.items()
                )
                raise NotCaughtUp(halted or "records are still unread")
            await asyncio.sleep(0.1)
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


def _epoch(leaf: bytes) -> int:
    try:
        record = parse(leaf)
    except NotALeaf:
        return 0
    said = dict(record.headers).get("ce_producerepoch") if isinstance(record, Record) else None
    return int(said) if said is not None and said.isdigit() else 0
