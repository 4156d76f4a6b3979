"""How far a consumer has read: the truth is here, the offset in Kafka is advice."""

from collections.abc import Iterable, Mapping

from aiokafka import TopicPartition

from chassis.database import Connection


async def advance(
    connection: Connection, consumer: str, ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Move the offsets to `ends`, never back, and give what they were: 0 for a partition not read before.

    Comes first in a transaction and in sorted order: the row lock makes two owners of one partition take turns, and
    the second one learns here that its records are old.
    """
    places = sorted(ends)
    rows = await connection.fetch(
        """
        INSERT INTO chassis.offsets AS kept (consumer, topic, part, next_offset)
        SELECT $1, * FROM unnest($2::text[], $3::int[], $4::bigint[])
        ON CONFLICT (consumer, topic, part)
        DO UPDATE SET next_offset = greatest(kept.next_offset, excluded.next_offset)
        RETURNING topic, part, coalesce(old.next_offset, 0) AS was
        """,
        consumer,
        [place.topic for place in places],
        [place.partition for place in places],
        [ends[place] for place in places],
    )
    return {TopicPartition(row["topic"], row["part"]): row["was"] for row in rows}


async def read(
    connection: Connection, consumer: str, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, int]:
    """The next offsets of these partitions; one that was never read is left out."""
    places = sorted(partitions)
    rows = await connection.fetch(
        """
        SELECT topic, part, next_offset FROM chassis.offsets
        JOIN unnest($2::text[], $3::int[]) AS wanted (topic, part) USING (topic, part)
        WHERE consumer = $1
        """,
        consumer,
        [place.topic for place in places],
        [place.partition for place in places],
    )
    return {TopicPartition(row["topic"], row["part"]): row["next_offset"] for row in rows}


async def step_back(connection: Connection, consumer: str, partition: TopicPartition, was: int, end: int) -> None:
    """Follow a log that lost its tail, or every new record below the old offset would be taken for an old one.

    The inbox recognises what comes again. Does nothing if the offset moved meanwhile.
    """
    await connection.execute(
        """
        UPDATE chassis.offsets SET next_offset = $5
        WHERE consumer = $1 AND topic = $2 AND part = $3 AND next_offset = $4
        """,
        consumer,
        partition.topic,
        partition.partition,
        was,
        end,
    )
