"""Every log that was announced, wherever that is still known: whoever builds a trail again begins the same trees."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition

from audit.ingest import record_from
from audit.signing.announced import said_by
from contracts.topics import CHECKPOINTS
from guichet_verify.attributes import attributes_of
from guichet_verify.leaves import FirstLeaf, NotALeaf, Record, parse

if TYPE_CHECKING:
    from chassis.database import Connection

TYPE = "guichet.epoch.opened.v1"
SECONDS = 60.0
"""How long the broker may say nothing."""


async def read_announced(
    connection: Connection, kafka: Sequence[str], name: str, topic: str = CHECKPOINTS
) -> dict[str, FirstLeaf]:
    """The first leaf of every log of the installation `name`, by its origin: as recorded, else as the broker has it.

    A log begins once: what is announced of it a second time is not followed.
    """
    found: dict[str, FirstLeaf] = {}
    ours = re.compile(re.escape(name) + r"/[a-z]+/[^/]+/[0-9]+/[0-9]+")
    for records in (await _recorded(connection), await _on_the_broker(kafka, topic)):
        for record in records:
            first = said_by(record)
            if first is not None and ours.fullmatch(first.origin):
                found.setdefault(first.origin, first)
    return found


async def _recorded(connection: Connection) -> list[Record]:
    rows = await connection.fetch(
        "SELECT leaf FROM audit.entry WHERE event_type = $1 ORDER BY log_id, leaf_index", TYPE
    )
    return list(_records(row["leaf"] for row in rows))


def _records(leaves: Iterable[bytes]) -> Iterable[Record]:
    for leaf in leaves:
        try:
            record = parse(leaf)
        except NotALeaf:
            continue  # Found by a verification; no announcement.
        if isinstance(record, Record):
            yield record


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
            consumer.assign(places)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(places)
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    announced = (record_from(each) for each in records)
                    found += [each for each in announced if attributes_of(each).type == TYPE]
    finally:
        await consumer.stop()
    return found
