"""Every log that was announced, and every one that was dropped, wherever that is still known: whoever builds a trail
again begins the same trees, and brings back nothing that had to go."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from audit import reading
from audit.dropped import TYPE as DROPPED
from audit.dropped import Dropped, DroppedEpochs, gathered
from audit.dropped import said_by as said_dropped
from audit.ingest import record_from
from audit.reading import Entry
from audit.signing import announced
from audit.stories import record_of
from contracts.topics import CHECKPOINTS
from guichet_verify.attributes import attributes_of
from guichet_verify.leaves import FirstLeaf, NotALeaf, Record

if TYPE_CHECKING:
    from chassis.database import Connection

OPENED = "guichet.epoch.opened.v1"
SECONDS = 60.0
"""How long the broker may say nothing."""


class Announced(NamedTuple):
    """The first leaf of each log by its origin, and those whose records were dropped."""

    opened: dict[str, FirstLeaf]
    dropped: DroppedEpochs


async def read_announced(
    connection: Connection, kafka: Sequence[str], name: str, topic: str = CHECKPOINTS
) -> Announced:
    """What is known of the logs of the installation `name`: as recorded, else as the broker has it.

    A log begins once: what is announced of it a second time is not followed.
    """
    opened: dict[str, FirstLeaf] = {}
    dropped: list[Dropped] = []
    ours = re.compile(re.escape(name) + r"/[a-z]+/[^/]+/[0-9]+/[0-9]+")
    for records in (await _recorded(connection), await _on_the_broker(kafka, topic)):
        for record in records:
            first, gone = announced.said_by(record), said_dropped(record)
            if first is not None and ours.fullmatch(first.origin):
                opened.setdefault(first.origin, first)
            if gone is not None and ours.fullmatch(gone[0].origin):
                dropped.append(Dropped(*gone))
    return Announced(opened, gathered(dropped))


async def _recorded(connection: Connection) -> list[Record]:
    return list(_records(await reading.read_by_type(connection, [OPENED, DROPPED])))


def _records(entries: Iterable[Entry]) -> Iterable[Record]:
    for entry in entries:
        try:
            yield record_of(entry)
        except (NotALeaf, TypeError):
            continue  # Found by a verification; no announcement.


async def _on_the_broker(kafka: Sequence[str], topic: str) -> list[Record]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(kafka),
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
    )
    found: list[Record] = []
    try:
        async with asyncio.timeout(SECONDS):
            await consumer.start()
            await consumer._client.force_metadata_update()
            cluster = await consumer._client.fetch_all_metadata()
            places = [TopicPartition(topic, part) for part in sorted(cluster.partitions_for_topic(topic) or ())]
            if not places:
                raise OSError(f"the broker knows no topic {topic}")
            ends = await consumer.end_offsets(places)
            for place in places:
                consumer.assign([place])
                await consumer.seek_to_beginning(place)
                async for records in _readable(consumer, place, ends[place]):
                    announced = (record_from(each) for each in records)
                    found += [each for each in announced if attributes_of(each).type in (OPENED, DROPPED)]
    finally:
        await consumer.stop()
    return found


async def _readable(consumer: AIOKafkaConsumer, place: TopicPartition, end: int) -> AsyncIterator[list[ConsumerRecord]]:
    """The records of a partition up to an offset. One that no consumer can read (a header name that is not UTF-8) has
    no leaf and announces nothing; what is written after it does."""
    most: int | None = None
    while (position := await consumer.position(place)) < end:
        try:
            yield (await consumer.getmany(place, timeout_ms=1000, max_records=most)).get(place, [])
        except UnicodeDecodeError:
            # What was taken with it is not given: read again one by one up to it, and on after it.
            consumer.seek(place, position if most is None else position + 1)
            most = 1 if most is None else None
