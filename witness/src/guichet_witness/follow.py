"""The witness's own reading of the topics: every record becomes a leaf of a tree that nobody else has touched."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from guichet_verify.leaves import Record, encode_first, leaf_of
from guichet_verify.tiles import Edge, Tile
from guichet_verify.tree import leaf_hash
from guichet_witness.announcements import TOPIC, Announced, read_announcement
from guichet_witness.state import Reading, State

POLL_MS = 500
BATCH = 2_000

log = logging.getLogger("guichet.witness")


class Follower:
    """Reads announcements and records, and grows the trees in the state; `grown` is set after every batch."""

    def __init__(self, kafka: Sequence[str], state: State) -> None:
        self._kafka = list(kafka)
        self._state = state
        self._edges: dict[str, Edge] = {}
        self._followed: dict[TopicPartition, Reading] = {}
        self._waiting: dict[tuple[int, int], Announced] = {}
        """Logs announced that go on from what is not read so far, by partition and offset of the announcement."""
        self.grown = asyncio.Condition()
        self.following = False

    async def run(self) -> None:
        """One life, until it is cancelled; raises whatever the broker's absence raises."""
        self._edges.clear()
        self._waiting.clear()
        self._followed = {TopicPartition(each.topic, each.part): each for each in self._readings()}
        announcements, records = self._consumer(), self._consumer()
        try:
            await announcements.start()
            await records.start()
            await self._seek_announcements(announcements)
            while True:
                if await self._announcements(announcements) or records.assignment() != set(self._followed):
                    records.assign(list(self._followed))
                    for place, reading in self._followed.items():
                        records.seek(place, reading.next_offset)
                self.following = True
                if self._followed:  # Without an assignment a consumer waits for one, for ever.
                    await self._records(records)
        finally:
            self.following = False
            await announcements.stop()
            await records.stop()

    def _readings(self) -> list[Reading]:
        return [each for each in self._state.readings() if each.state == "followed"]

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._kafka,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=POLL_MS,
        )

    async def _seek_announcements(self, consumer: AIOKafkaConsumer) -> None:
        await consumer._client.force_metadata_update()
        cluster = await consumer._client.fetch_all_metadata()
        places = [TopicPartition(TOPIC, part) for part in sorted(cluster.partitions_for_topic(TOPIC) or ())]
        if not places:
            raise OSError(f"the broker knows no topic {TOPIC}")
        consumer.assign(places)
        read = self._state.announced()
        for place, first in (await consumer.beginning_offsets(places)).items():
            consumer.seek(place, max(first, read.get(place.partition, first)))

    async def _announcements(self, consumer: AIOKafkaConsumer) -> bool:
        """Takes up what was announced since; whether a log is new."""
        polled, unreadable = await _poll(consumer, 0 if self._followed else POLL_MS)
        for place, offset in unreadable.items():
            log.error("announcement cannot be read: %s/%d offset %d", place.topic, place.partition, offset)
            consumer.seek(place, offset + 1)
        for place, batch in polled.items():
            for record in batch:
                announced = read_announcement(_record(record))
                if announced is not None:
                    self._waiting[place.partition, record.offset] = announced
        new = [self._begin(where, announced) for where, announced in list(self._waiting.items())]
        for place, batch in polled.items():
            # What waits is read again after a start.
            waiting = [offset for part, offset in self._waiting if part == place.partition]
            self._state.note_announced(place.partition, min([*waiting, batch[-1].offset + 1]))
        return any(new)

    def _begin(self, where: tuple[int, int], announced: Announced) -> bool:
        """Begins a log, refuses it for good, or lets it wait; whether it began."""
        first = announced.first
        if self._state.reading(first.origin) is not None:
            del self._waiting[where]  # A log begins once; whoever announces another beginning is not followed.
            return False
        continues = self._continues(announced)
        if continues is None:
            return False
        del self._waiting[where]
        if not continues:
            log.error("epoch refused: what it goes on from is not what was read: %s", first.origin)
            return False
        edge, tiles = Edge().extend([leaf_hash(encode_first(first))])
        self._state.begin(first, announced.topic, announced.part, edge, tiles)
        self._edges[first.origin] = edge
        self._followed[TopicPartition(announced.topic, announced.part)] = Reading(
            first.origin, announced.topic, announced.part, edge.size, first.first_offset, "followed"
        )
        return True

    def _continues(self, announced: Announced) -> bool | None:
        """Whether a log goes on from what was read and cosigned; None while that cannot be told.

        One log follows another once, and drops nothing that was cosigned. When the broker removed the end of the old
        log before it was read, nothing here speaks for that end or against it: the old log is cosigned no more, and
        the new one is followed from its first leaf on, as it is by a witness that starts late.
        """
        first = announced.first
        if not first.previous_origin:
            read = {(each.topic, each.part) for each in self._readings()}
            return (announced.topic, announced.part) not in read
        before = self._state.reading(first.previous_origin)
        if before is None:
            return None  # Announcements of several partitions have no order.
        if before.state != "followed" or self._state.held(before.origin).size > first.previous_size:
            return False
        if before.size < first.previous_size:
            read_on = self._followed.get(TopicPartition(before.topic, before.part))
            return None if read_on is not None and read_on.origin == before.origin else True
        return self._state.root_at(before, first.previous_size) == first.previous_root

    async def _records(self, consumer: AIOKafkaConsumer) -> None:
        try:
            polled, unreadable = await _poll(consumer, POLL_MS, BATCH)
        except OffsetOutOfRangeError as error:
            for place in error.args[0]:  # Records were removed before they were read: this log can be cosigned no more.
                log.error("records lost before they were read: %s", self._followed.pop(place).origin)
            return
        for place, offset in unreadable.items():  # A header name that is not UTF-8 has no leaf.
            log.error("record cannot be read: %s offset %d", self._followed[place].origin, offset)
        grown: list[tuple[Reading, Sequence[Tile]]] = []
        for place, batch in polled.items():
            reading = self._followed[place]
            edge = self._edges.get(reading.origin) or self._state.edge(reading)
            edge, tiles = edge.extend([leaf_hash(leaf_of(_record(record)).leaf) for record in batch])
            self._edges[reading.origin] = edge
            reading = reading._replace(size=edge.size, next_offset=batch[-1].offset + 1)
            self._followed[place] = reading
            grown.append((reading, tiles))
        for place in unreadable:
            del self._followed[place]
        if grown:
            self._state.grow(grown)
            async with self.grown:
                self.grown.notify_all()


async def _poll(
    consumer: AIOKafkaConsumer, wait_ms: int, most: int | None = None
) -> tuple[dict[TopicPartition, list[ConsumerRecord]], dict[TopicPartition, int]]:
    """What was read, and the offsets of records that no consumer can read, with which reading a partition ends."""
    positions = {place: await consumer.position(place) for place in consumer.assignment()}
    try:
        return await consumer.getmany(timeout_ms=wait_ms, max_records=most), {}
    except UnicodeDecodeError:
        for place, offset in positions.items():  # The positions have passed what was taken and is not given.
            consumer.seek(place, offset)
    read: dict[TopicPartition, list[ConsumerRecord]] = {}
    unreadable: dict[TopicPartition, int] = {}
    for place in positions:
        start = read[place] = []
        try:
            while len(start) < BATCH and (polled := await consumer.getmany(place, timeout_ms=POLL_MS, max_records=1)):
                start += polled[place]
        except UnicodeDecodeError:
            unreadable[place] = await consumer.position(place)
    return {place: records for place, records in read.items() if records}, unreadable


def _record(record: ConsumerRecord) -> Record:
    return Record(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp_type,
        record.timestamp,
        record.key,
        record.headers,
        record.value,
    )
