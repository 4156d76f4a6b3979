"""Publishes what the outbox points to, in order for each key, at least once, and deletes the pointers afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from chassis import pages, shards
from chassis.crash import crash_point
from chassis.database import Connection, Database, close_connection
from chassis.errors import SURROUNDINGS, Kind, kind_of
from chassis.logs import logger
from chassis.metrics import Metrics
from chassis.pages import Outgoing, Page
from chassis.producer import abandon, key_hash, start_producer, stop_producer
from chassis.supervision import backoff_seconds, wait_until

SEND_SECONDS = 20
SHARE_SECONDS = 1.0
SHORTEST_POLL, LONGEST_POLL = 0.005, 0.2
"""How soon to look again when nobody woke us: another process may have written for one of our shards."""
REBUILD_SECONDS = 24 * 3600
"""A producer is replaced daily: its sequence numbers end at 2^31 for each partition."""

log = logger()


@dataclass(slots=True)
class _Session:
    """One connection with its locks, one producer with its epoch: given up together on any error."""

    connection: Connection
    producer: AIOKafkaProducer
    epoch: int
    began: float = field(default_factory=time.monotonic)
    owned: list[int] = field(default_factory=list)
    shared_at: float = 0.0
    sequences: dict[TopicPartition, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What the broker has acknowledged in an epoch: the last number on each partition."""

    epoch: int
    sequences: Mapping[TopicPartition, int]


class Relay:
    """The loop from the outbox to the broker. Any number may run; each shard has one owner at a time.

    Order holds because every sender's stream begins at the first pointer not yet deleted and has no holes: after any
    error the producer is abandoned and the outbox is read again from its first row.
    """

    def __init__(self, database: Database, servers: Sequence[str], metrics: Metrics) -> None:
        self._database = database
        self._servers = tuple(servers)
        self._metrics = metrics
        self._woken = asyncio.Event()
        self._session: _Session | None = None
        self._failures = 0
        self.acknowledged: Acknowledged | None = None

    def wake(self) -> None:
        """Look at once: something was committed, or the process stops."""
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until `stopping` is set; whatever is away is waited for, and a bug is raised after the clean-up."""
        pause = SHORTEST_POLL
        while not stopping.is_set():
            self._woken.clear()
            try:
                published = await self._try()
            except SURROUNDINGS as error:
                if kind_of(error) is Kind.BUG and not isinstance(error, KafkaError):
                    raise
                self._failures += 1
                self._metrics.retries.add("relay")
                log.warning("relay_waits", tries=self._failures, error=error)
                await wait_until(stopping, backoff_seconds(self._failures, most=5))
                continue
            self._failures = 0
            if published:
                pause = SHORTEST_POLL
            elif not await wait_until(self._woken, pause):
                pause = min(pause * 2, LONGEST_POLL)

    async def stop(self) -> None:
        """Stop the producer, which holds nothing between rounds, and give the shards back."""
        session, self._session = self._session, None
        if session is not None:
            await stop_producer(session.producer)
            await close_connection(session.connection)

    async def _begin(self) -> _Session:
        # A stopped process would keep its locks for ever: the server ends a session that is idle for so long.
        connection = await self._database.connect(idle_session_timeout="8s")
        try:
            await shards.join(connection)
            epoch = await connection.fetchval("UPDATE chassis.producer SET epoch = epoch + 1 RETURNING epoch")
            producer = await start_producer(self._servers)
        except BaseException:
            await close_connection(connection)
            raise
        self._session = _Session(connection, producer, epoch)
        self.acknowledged = Acknowledged(epoch, {})
        log.info("relay_started", epoch=epoch)
        return self._session

    async def _try(self) -> int:
        """One round; after any that fails nothing of the session is left, neither locks nor what a producer holds."""
        try:
            return await self._round(self._session or await self._begin())
        except BaseException:
            await self._give_up()
            raise

    async def _give_up(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await abandon(session.producer)
            session.connection.terminate()

    async def _round(self, session: _Session) -> int:
        """Publish the next page of our shards; the number of records acknowledged."""
        if time.monotonic() - session.shared_at >= SHARE_SECONDS:
            session.owned = await shards.share_out(session.connection, session.owned)
            session.shared_at = time.monotonic()
        if time.monotonic() - session.began > REBUILD_SECONDS:
            await self.stop()
            return 0
        began = time.perf_counter()
        if not session.owned:
            return 0
        page = await pages.read(session.connection, session.owned)
        if not page.rows:
            return 0
        crash_point("relay-read")
        # Bounds both: send_batch waits when the partition's queue is full, and an acknowledgement may never come.
        async with asyncio.timeout(SEND_SECONDS):
            await self._publish(session, page)
        self.acknowledged = Acknowledged(session.epoch, dict(session.sequences))
        crash_point("relay-acknowledged")
        await pages.delete(session.connection, page.rows)
        crash_point("relay-deleted")
        self._metrics.publish_seconds.observe(time.perf_counter() - began)
        return len(page.records)

    async def _publish(self, session: _Session, page: Page) -> None:
        """Send a page in batches made for each partition, all at once, and await every acknowledgement."""
        placed = await _place(session.producer, page.records)
        futures: list[asyncio.Future[object]] = []
        try:
            for place, records in placed.items():
                futures += await self._send(session, place, records)
            crash_point("relay-sent")
            await asyncio.gather(*futures)
        finally:
            for future in futures:
                if not future.cancel() and not future.cancelled():
                    future.exception()
        for place, records in placed.items():
            self._metrics.published.add(place.topic, len(records))

    async def _send(
        self, session: _Session, place: TopicPartition, records: Sequence[Outgoing]
    ) -> list[asyncio.Future[object]]:
        futures = []
        producer = session.producer
        batch = producer.create_batch()
        for record in records:
            number = session.sequences.get(place, 0) + 1
            headers = pages.stamp(record, self._database.service, session.epoch, number)
            while batch.append(key=record.key, value=record.value, timestamp=None, headers=headers) is None:
                futures.append(await producer.send_batch(batch, place.topic, partition=place.partition))
                batch = producer.create_batch()
            if record.stamped:
                session.sequences[place] = number
        batch.close()
        futures.append(await producer.send_batch(batch, place.topic, partition=place.partition))
        return futures


async def _place(producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> dict[TopicPartition, list[Outgoing]]:
    """Records by partition, in order: where they say, or where every client puts their key."""
    counts: dict[str, int] = {}
    placed: dict[TopicPartition, list[Outgoing]] = {}
    for record in records:
        partition = record.partition
        if partition is None:
            if record.topic not in counts:
                counts[record.topic] = len(await producer.partitions_for(record.topic))
            partition = key_hash(record.key or b"") % counts[record.topic]
        placed.setdefault(TopicPartition(record.topic, partition), []).append(record)
    return placed
