"""The one writer: reads every topic as raw bytes and appends what was read, each batch in one transaction."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from audit import storage
from audit.fitness import unfit_topics
from audit.growth import Growth, Log, growth_of
from audit.resume import Inconsistent, check_last_leaves, read_edge
from audit.watching import Watch
from chassis.database import Connection, Database
from chassis.ends import Ends, Span
from chassis.logs import logger
from chassis.metrics import Metrics
from chassis.supervision import wait_until
from contracts.topics import TOPICS
from guichet_verify.leaves import NotALeaf, Record, parse
from guichet_verify.tiles import Edge
from guichet_verify.tree import SIZE_LIMIT

BATCH_RECORDS = 5_000
BATCH_SECONDS = 0.2
LINGER_SECONDS = 0.05
"""How long a small batch waits for more: a commit costs the same for one record as for a hundred."""
LOOK_SECONDS = 5.0
"""How often the logs of the broker are looked at: partitions that were not there, records that are no longer there."""
REMEMBERED = 2_000
"""Leaves at the end of each log from which producers' numbers are taken up after a start."""
UNKNOWN = -1

log = logger(component="ingest")
Batch = dict[TopicPartition, list[ConsumerRecord]]


@dataclass(frozen=True, slots=True)
class Halt:
    """Why a partition is not read on until a person decides; offsets [since, until) are what it is about."""

    code: str
    since: int
    until: int


class Ingest:
    """What the writer follows, how far, and where it halted.

    It is fenced by the database alone: there is no consumer group, and Kafka stores no offset of ours. `until` has the
    size at which a log ends, by its origin, when a later epoch of it was announced: it is never read past that.
    """

    def __init__(
        self,
        database: Database,
        kafka: Sequence[str],
        name: str,
        metrics: Metrics,
        topics: Iterable[str] = TOPICS,
        until: Mapping[str, int] | None = None,
    ) -> None:
        self._database = database
        self._kafka = list(kafka)
        self._name = name
        self._metrics = metrics
        self._topics = tuple(topics)
        self._until = until or {}
        self._ends = Ends(self._kafka, self._topics)
        self._followed: dict[TopicPartition, tuple[Log, Edge]] = {}
        self._spans: dict[TopicPartition, Span] = {}
        self._looked = 0.0
        self._checked: set[str] = set()
        self.unfit: list[str] = []
        self.unlogged: set[TopicPartition] = set()
        self.watch = Watch()
        self.halted: dict[TopicPartition, Halt] = {}
        self.following = False

    async def run(self, stopping: asyncio.Event) -> None:
        """One life: memory is filled from the database, then records are appended until `stopping` is set.

        Raises whatever goes wrong, for the supervisor to wait or give up: nothing in memory outlives an error, so a
        commit whose outcome is unknown is settled by reading it. `storage.Fenced` when another writer is ahead.
        """
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._kafka,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=500,
            max_partition_fetch_bytes=4 << 20,
            request_timeout_ms=15_000,
        )
        try:
            await self._load()
            async with asyncio.timeout(15):
                await consumer.start()
            while not stopping.is_set():
                await self._round(consumer, stopping)
        finally:
            self.following = False
            # Stopping may hang while the broker is away, and may raise a cancellation of its own.
            with suppress(KafkaError, OSError, TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(5):
                    await consumer.stop()
            await self._ends.close()

    async def lag(self) -> Mapping[str, int]:
        """Records on each topic that are not in the trail; -1 for a topic that nobody can tell about."""
        behind: dict[str, int] = {}
        for topic, spans in (await self._ends.ask()).items():
            if spans is None or not self.following:
                behind[topic] = UNKNOWN
                continue
            behind[topic] = 0
            for part, (first, end) in spans.items():
                followed = self._followed.get(TopicPartition(topic, part))
                if followed is None or self._room(followed[0]):
                    behind[topic] += max(0, end - (followed[0].next_offset if followed else first))
        return behind

    def unread(self) -> Mapping[tuple[str, int], tuple[int, int, int]]:
        """First offset, the next to be read, and the end of each partition followed, as last looked at."""
        found = {}
        for partition, (each, _) in self._followed.items():
            if partition in self._spans and partition not in self.halted:
                first, end = self._spans[partition]
                found[partition.topic, partition.partition] = first, each.next_offset, end
        return found

    async def _load(self) -> None:
        async with self._database.connection() as connection:
            logs = await storage.read_logs(connection)
            self._followed.clear()
            self.halted.clear()
            self.unfit.clear()
            self._checked.clear()
            self._looked = 0.0
            for each in logs:
                await self._follow(connection, each)

    async def _follow(self, connection: Connection, each: Log) -> None:
        """Takes a stored log into memory, or halts its partition when what is stored contradicts itself."""
        partition = TopicPartition(each.topic, each.part)
        try:
            edge = await read_edge(connection, each)
            await check_last_leaves(connection, each)
        except Inconsistent as error:
            self._halt(partition, Halt(error.code, each.next_offset, each.next_offset), each.origin)
        else:
            self._followed[partition] = each, edge
            first = max(0, each.size - REMEMBERED)
            leaves = await storage.read_leaves(connection, each.log_id, first, each.size)
            whole, now = first == 0 and each.origin.endswith("/1"), time.monotonic()
            self.watch.begin((each.topic, each.part), _records(leaves), whole=whole, now=now)

    async def _round(self, consumer: AIOKafkaConsumer, stopping: asyncio.Event) -> None:
        if time.monotonic() - self._looked > LOOK_SECONDS:
            await self._look(consumer)
        if not consumer.assignment():
            await wait_until(stopping, BATCH_SECONDS)
            return
        try:
            batch = await _poll(consumer)
        except OffsetOutOfRangeError:
            self._looked = 0.0  # The next look says which partition, and which offsets.
            self._seek(consumer)
            await wait_until(stopping, BATCH_SECONDS)
        except UnicodeDecodeError:
            await self._halt_unreadable(consumer)
        else:
            if batch:
                await self._append(consumer, batch)

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        """Finds the logs of new partitions, halts those that lost records, and reads all others on."""
        asked = await self._ends.ask()
        if all(spans is None for spans in asked.values()):
            raise KafkaUnreachable
        self._spans = {
            TopicPartition(topic, part): span for topic, spans in asked.items() for part, span in (spans or {}).items()
        }
        if self.halted or self._spans.keys() - self._followed.keys():
            await self._find_logs()
        if topics := {partition.topic for partition in self._spans} - self._checked:
            self.unfit += await unfit_topics(self._kafka, sorted(topics))
            self._checked |= topics
            for setting in self.unfit:
                log.error("topic_unfit", setting=setting)
        for partition, (each, _) in list(self._followed.items()):
            first, end = self._spans.get(partition, (each.next_offset, each.next_offset))
            if not self._room(each):
                continue
            if first > each.next_offset:
                self._metrics.records_lost.add(partition.topic, first - each.next_offset)
                self._halt(partition, Halt("records-lost", each.next_offset, first), each.origin)
            elif end < each.next_offset:
                self._halt(partition, Halt("log-shorter", end, each.next_offset), each.origin)
        readable = self._readable()
        if readable != consumer.assignment():
            consumer.assign(list(readable))
            self._seek(consumer)
        self._looked = time.monotonic()
        self.following = True

    async def _find_logs(self) -> None:
        """Takes up what was opened since: logs of new partitions, and the next epoch of halted ones."""
        async with self._database.connection() as connection:
            for each in await storage.read_logs(connection):
                partition = TopicPartition(each.topic, each.part)
                known = self._followed.get(partition)
                if partition in self._spans and (known[0].log_id if known else None) != each.log_id:
                    self.halted.pop(partition, None)
                    await self._follow(connection, each)
        for partition in sorted(self._spans.keys() - self._followed.keys() - self.halted.keys() - self.unlogged):
            log.error("log_missing", topic=partition.topic, partition=partition.partition)
        self.unlogged = self._spans.keys() - self._followed.keys() - self.halted.keys()

    async def _append(self, consumer: AIOKafkaConsumer, batch: Batch) -> None:
        read = {
            partition: [record_from(record) for record in records[:room]]
            for partition, records in batch.items()
            if (room := self._room(self._followed[partition][0]))
        }
        if not read:
            self._looked = 0.0  # The next look reads on without them.
            return
        growths = [
            growth_of(
                *self._followed[partition],
                records,
                consumer.highwater(partition) or records[-1].offset + 1,
                self._spans[partition][0],
            )
            for partition, records in read.items()
        ]
        began = time.monotonic()
        async with self._database.transaction() as connection:
            await storage.append(connection, growths)
        self._metrics.batch_seconds.observe(time.monotonic() - began)
        self._metrics.batch_records.observe(sum(growth.n for growth in growths))
        for growth in growths:
            self._metrics.processed.add(growth.log.topic, growth.n)
        self._remember(growths)
        now = time.monotonic()
        for partition, records in read.items():
            self.watch.add((partition.topic, partition.partition), records, now)

    def _remember(self, growths: Sequence[Growth]) -> None:
        for growth in growths:
            self._followed[TopicPartition(growth.log.topic, growth.log.part)] = growth.grown, growth.edge

    def _room(self, each: Log) -> int:
        """How many leaves a log still takes."""
        return max(0, self._until.get(each.origin, SIZE_LIMIT) - each.size)

    def _readable(self) -> set[TopicPartition]:
        there = self._followed.keys() & self._spans.keys() - self.halted.keys()
        return {partition for partition in there if self._room(self._followed[partition][0])}

    def _seek(self, consumer: AIOKafkaConsumer) -> None:
        """Back to where the trail ends: after an error the consumer's own positions may have passed unread records."""
        for partition in consumer.assignment():
            consumer.seek(partition, self._followed[partition][0].next_offset)

    def _halt(self, partition: TopicPartition, halt: Halt, origin: str) -> None:
        if partition not in self.halted:
            self.halted[partition] = halt
            log.error("partition_halted", log=origin, code=halt.code, since=halt.since, until=halt.until)

    def _may_have_more(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> bool:
        """Whether the broker may have records of an assigned partition that are not in its log yet."""
        end = self._followed[partition][0].next_offset
        return self._spans[partition][1] > end or consumer.highwater(partition) != end

    async def _halt_unreadable(self, consumer: AIOKafkaConsumer) -> None:
        """Finds the partitions with a record that no consumer can read: a header name that is not UTF-8 has no leaf.

        What can be read before it is recorded, so that the halt names the record and a person can give it up.
        """
        self._looked = 0.0
        for partition in [each for each in consumer.assignment() if self._may_have_more(consumer, each)]:
            each, _ = self._followed[partition]
            consumer.assign([partition])
            consumer.seek(partition, each.next_offset)
            read: list[ConsumerRecord] = []
            unreadable = False
            try:
                while len(read) < BATCH_RECORDS:
                    polled = await consumer.getmany(partition, timeout_ms=1000, max_records=1)
                    if not polled:
                        break
                    read += polled[partition]
            except UnicodeDecodeError:
                unreadable = True
            if read:
                await self._append(consumer, {partition: read})
            if unreadable:
                since = self._followed[partition][0].next_offset
                self._halt(partition, Halt("header-name-not-utf8", since, since + 1), each.origin)
        consumer.assign([])


class KafkaUnreachable(OSError):
    """The broker answered no question about any topic."""


async def _poll(consumer: AIOKafkaConsumer) -> Batch:
    """What has arrived, waited for briefly; a small batch waits a little for more."""
    batch: Batch = {}
    deadline = time.monotonic() + BATCH_SECONDS
    wanted, wait = BATCH_RECORDS, BATCH_SECONDS
    while wanted > 0 and wait > 0:
        polled = await consumer.getmany(timeout_ms=int(wait * 1000), max_records=wanted)
        if not polled:
            break
        if not batch:
            deadline = time.monotonic() + LINGER_SECONDS
        for partition, records in polled.items():
            batch.setdefault(partition, []).extend(records)
            wanted -= len(records)
        wait = deadline - time.monotonic()
    return batch


def _records(leaves: Iterable[bytes]) -> Iterator[Record]:
    """The records among leaves; large ones are left out, since their bytes are elsewhere."""
    for leaf in leaves:
        with suppress(NotALeaf):
            found = parse(leaf)
            if isinstance(found, Record):
                yield found


def record_from(record: ConsumerRecord) -> Record:
    """What the broker delivered, as a leaf holds it."""
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
