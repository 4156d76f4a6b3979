"""Events already acted upon: what makes a repeated delivery harmless."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from asyncpg.pgproto.pgproto import UUID

from chassis.database import Connection

Identity = tuple[str, str]
"""The id of an event and its source: an id is unique within its source only (CloudEvents 1.0, 3.1)."""

PARTITION_LOCK = 45


async def enter(connection: Connection, identities: Sequence[Identity]) -> set[int]:
    """Enter events, no two the same, and give the indexes of those that were not there before.

    Sorted, so that two batches with common events wait for one another instead of ending in a deadlock.
    """
    keyed = sorted((inbox_id(event_id).bytes, source, index) for index, (event_id, source) in enumerate(identities))
    rows = await connection.fetch(
        """
        INSERT INTO chassis.inbox (event_id, source)
        SELECT * FROM unnest($1::uuid[], $2::text[])
        ON CONFLICT DO NOTHING RETURNING event_id, source
        """,
        [UUID(key) for key, _, _ in keyed],
        [source for _, source, _ in keyed],
    )
    if len(rows) == len(keyed):
        return set(range(len(keyed)))
    entered = {(row["event_id"].bytes, row["source"]) for row in rows}
    return {index for key, source, index in keyed if (key, source) in entered}


async def forget(connection: Connection, identities: Sequence[Identity]) -> None:
    """Take events out again that were set aside or parked: they are still to be acted upon."""
    await connection.execute(
        """
        DELETE FROM chassis.inbox USING unnest($1::uuid[], $2::text[]) AS gone (event_id, source)
        WHERE inbox.event_id = gone.event_id AND inbox.source = gone.source
        """,
        [inbox_id(event_id) for event_id, _ in identities],
        [source for _, source in identities],
    )


def inbox_id(event_id: str) -> UUID:
    """The id under which an event is remembered; foreign ids need not be UUIDs."""
    try:
        return UUID(event_id)
    except ValueError:
        return UUID(uuid5(NAMESPACE_URL, event_id).bytes)


async def keep_partitions(connection: Connection, today: datetime, *, ahead: int = 3, keep_months: int = 6) -> None:
    """Make the partitions of the coming months, drop those older than `keep_months`.

    Keep longer than the longest retention of a topic plus the longest outage, or a replayed record acts twice.
    Processes of one service take turns.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1, 0)", PARTITION_LOCK)
    this = today.year * 12 + today.month - 1
    for month in range(this, this + ahead + 1):
        name = f"inbox_{month // 12:04}_{month % 12 + 1:02}"
        if await connection.fetchval("SELECT to_regclass($1) IS NULL", f"chassis.{name}"):
            lower, upper = (_first_id(month + plus) for plus in (0, 1))
            # Rows that came early stand in the last partition, and would have to be moved: then it takes the month.
            early = await connection.fetchval(
                "SELECT EXISTS (SELECT FROM chassis.inbox_others WHERE event_id >= $1 AND event_id < $2)", lower, upper
            )
            if not early:
                bounds = f"FOR VALUES FROM ('{lower}') TO ('{upper}')"
                await connection.execute(f"CREATE TABLE chassis.{name} PARTITION OF chassis.inbox {bounds}")
    oldest = this - keep_months
    names = await connection.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'chassis.inbox'::regclass"
    )
    limit = f"inbox_{oldest // 12:04}_{oldest % 12 + 1:02}"
    for row in names:
        name = row["name"].rpartition(".")[2]
        if name != "inbox_others" and name < limit:
            await connection.execute(f"DROP TABLE chassis.{name}")


def _first_id(month: int) -> str:
    """The smallest UUIDv7 of a month, counted from year 0."""
    first = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
    text = f"{int(first.timestamp() * 1000):012x}"
    return f"{text[:8]}-{text[8:]}-0000-0000-000000000000"
