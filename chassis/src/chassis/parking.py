"""Keys that wait behind a dead letter, and the records that wait with them, in order."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.database import Connection
from chassis.messages import Record, header_columns, headers_of

Place = tuple[str, bytes]
"""A topic and a key. Order exists within one topic only, so a key waits on the topic where it is blocked."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A waiting record under the number that keeps its order."""

    number: int
    record: Record


async def lock_blocked(connection: Connection, consumer: str, places: Collection[Place]) -> set[Place]:
    """Which of these keys wait. Locks them, so that a release and a new record of one key take turns."""
    wanted = sorted(places)
    rows = await connection.fetch(
        """
        SELECT topic, key FROM chassis.blocked_keys
        JOIN unnest($2::text[], $3::bytea[]) AS wanted (topic, key) USING (topic, key)
        WHERE consumer = $1 ORDER BY topic, key FOR UPDATE OF blocked_keys
        """,
        consumer,
        [topic for topic, _ in wanted],
        [key for _, key in wanted],
    )
    return {(row["topic"], row["key"]) for row in rows}


async def block(connection: Connection, consumer: str, place: Place, letter_id: str, now: datetime) -> None:
    """Make a key wait until this letter is settled."""
    await connection.execute(
        """
        INSERT INTO chassis.blocked_keys (consumer, topic, key, letter_id, blocked_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (consumer, topic, key) DO UPDATE SET letter_id = excluded.letter_id, draining = false
        """,
        consumer,
        *place,
        letter_id,
        now,
    )


async def begin_release(connection: Connection, letter_ids: Sequence[str]) -> None:
    """Let the records behind these letters go, in order, as soon as an engine comes by; new ones join the queue."""
    await connection.execute(
        "UPDATE chassis.blocked_keys SET draining = true WHERE letter_id = ANY($1::uuid[])", letter_ids
    )


async def next_release(connection: Connection, consumer: str) -> Place | None:
    """A key to let go, locked; one that another process is letting go is passed over."""
    row = await connection.fetchrow(
        """
        SELECT topic, key FROM chassis.blocked_keys WHERE consumer = $1 AND draining
        ORDER BY blocked_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        consumer,
    )
    return None if row is None else (row["topic"], row["key"])


async def end_release(connection: Connection, consumer: str, place: Place) -> None:
    """The last waiting record of a key is gone: the next one goes straight through."""
    await connection.execute(
        "DELETE FROM chassis.blocked_keys WHERE consumer = $1 AND topic = $2 AND key = $3", consumer, *place
    )


async def park(connection: Connection, consumer: str, records: Iterable[Record]) -> None:
    """Put records at the end of their keys' queues."""
    await connection.copy_records_to_table(
        "parked",
        schema_name="chassis",
        columns=("consumer", "topic", "part", "record_offset", "key", "value", "header_names", "header_values"),
        records=[
            (
                consumer,
                record.topic,
                record.partition,
                record.offset,
                record.key,
                record.value,
                *header_columns(record.headers),
            )
            for record in records
        ],
    )


async def waiting(connection: Connection, consumer: str, place: Place, limit: int) -> list[Parked]:
    """The first records that wait under a key."""
    rows = await connection.fetch(
        """
        SELECT id, topic, part, record_offset, key, value, header_names, header_values FROM chassis.parked
        WHERE consumer = $1 AND topic = $2 AND key = $3 ORDER BY id LIMIT $4
        """,
        consumer,
        *place,
        limit,
    )
    return [
        Parked(
            row["id"],
            Record(
                row["topic"],
                row["part"],
                row["record_offset"],
                row["key"],
                row["value"],
                headers_of(row["header_names"], row["header_values"]),
            ),
        )
        for row in rows
    ]


async def unpark(connection: Connection, numbers: Sequence[int]) -> None:
    """Take records out of their queues that were acted upon or set aside."""
    await connection.execute("DELETE FROM chassis.parked WHERE id = ANY($1::bigint[])", numbers)
