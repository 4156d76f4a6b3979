"""Consumes: each batch in one database transaction with its offsets, whatever fails around it."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from faststream.kafka import KafkaBroker
from faststream.kafka.subscriber.usecase import BatchSubscriber

from chassis import inbox, parking, positions
from chassis.batch import ClockCaughtUp, Outcome, process
from chassis.breaker import Breaker, Limits
from chassis.clock import Clock, SystemClock
from chassis.crash import crash_point
from chassis.database import Connection, Database
from chassis.errors import Kind, kind_of
from chassis.logs import logger
from chassis.messages import Message, Record
from chassis.metrics import Metrics
from chassis.partitions import Partitions, place_of
from chassis.reading import Consumer
from chassis.subscription import subscribe
from chassis.supervision import backoff_seconds, wait_until
from chassis.transaction import Transaction
from contracts.system import ClockSet
from contracts.topics import CLOCK

BATCH = 500
RELEASE = 200
TICK_SECONDS = 1.0
ASK_SECONDS = 5
INBOX_SECONDS = 6 * 3600

log = logger()


class Engine(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One consuming group in this process: the listener and the handler of a raw batch subscriber.

    The offset in the database is the truth, the one in Kafka advice. Infrastructure trouble pauses; data trouble is
    set aside in the same transaction as the good neighbours. `committed` hears after each commit how many records the
    relay has to publish.
    """

    def __init__(
        self,
        consumer: Consumer,
        topics: Sequence[str],
        database: Database,
        clock: Clock,
        metrics: Metrics,
        *,
        committed: Callable[[int], None],
        limits: Limits | None = None,
        session_seconds: float = 15,
        keeps_inbox: bool = True,
    ) -> None:
        self.name = consumer.name
        self.topics = tuple(topics)
        self._consumer = consumer
        self._clock_setter = Consumer(
            name=consumer.name, facts={ClockSet.event_type: ClockSet}, handle=self._set_clock, release=consumer.release
        )
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._committed = committed
        self._breaker = Breaker(limits or Limits())
        self._partitions = Partitions(consumer.name, database, metrics)
        self._lock = asyncio.Lock()
        self._release_due = asyncio.Event()
        self._subscriber: BatchSubscriber | None = None
        self._session_seconds = session_seconds
        self._size = BATCH
        self._failures = 0
        self._inbox_due = 0.0 if keeps_inbox else math.inf
        self.busy_since: float | None = None
        self.progress = 0

    def attach(self, broker: KafkaBroker) -> None:
        """Register the subscriber on a broker that is not started yet; replaces an earlier one."""
        self._partitions.end()
        self._subscriber = subscribe(
            broker, self.topics, self.name, self.handle, self, batch=BATCH, session_seconds=self._session_seconds
        )

    async def start_consuming(self) -> None:
        """Start the subscriber again after `stop_consuming`, with a new consumer."""
        if self._subscriber is not None:
            await self._subscriber.start()

    async def stop_consuming(self) -> None:
        """Let the batch in flight end, then leave the group. May raise CancelledError of aiokafka's own in an outage,
        and may hang: to be bounded."""
        await self.finish()
        if self._subscriber is not None:
            await self._subscriber.stop()

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        """aiokafka's consumer while there is one."""
        return None if self._subscriber is None else self._subscriber.consumer

    @property
    def partitions(self) -> frozenset[TopicPartition]:
        """The partitions this process reads."""
        return self._partitions.ready

    @property
    def assigned(self) -> bool:
        """Whether this process has partitions and knows where to begin in each."""
        return bool(self._partitions.ready)

    @property
    def paused(self) -> bool:
        """Whether partitions wait: for something unavailable, or for the breaker."""
        return self._partitions.waiting or self._breaker.remaining > 0

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let the batch in flight end; committing is still legal here."""
        await self.finish()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin where the database says; nothing is acted upon before that is known."""
        async with self._lock:
            await self._partitions.begin(assigned, self.consumer)

    async def finish(self) -> None:
        """Let the batch in flight end, tell Kafka, and act upon nothing more until partitions are assigned again."""
        async with self._lock:
            await self._partitions.tell()
            self._partitions.end()

    async def handle(self, records: Sequence[Record]) -> None:
        """Act upon a batch as it came from the broker. Raises nothing but its own cancellation."""
        async with self._lock:
            self.busy_since = time.monotonic()
            try:
                await self._handle(await self._partitions.current(records))
            finally:
                self.busy_since = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Make partitions ready, tell Kafka how far we are, let blocked keys go; until `stopping` is set."""
        while not stopping.is_set():
            await wait_until(self._release_due, TICK_SECONDS)
            self._release_due.clear()
            await self._partitions.prepare()
            await self._keep_inbox()
            await self._partitions.tell()
            await self._partitions.look_for_losses()
            while not stopping.is_set() and await self._release(RELEASE):
                pass

    async def _keep_inbox(self) -> None:
        """Make and drop partitions of the inbox, now and then. Ids hold the time of the machine, not the sandbox's."""
        if time.monotonic() < self._inbox_due:
            return
        async with self._database.transaction() as connection:
            await inbox.keep_partitions(connection, datetime.now(UTC))
        self._inbox_due = time.monotonic() + INBOX_SECONDS

    async def _handle(self, records: list[Record]) -> None:
        # The clock goes ahead: what happened after it was set must not be read at the time before.
        records.sort(key=_after_the_clock)
        done = 0
        try:
            while done < len(records) and not self._breaker.remaining:
                part = self._next_part(records, done)
                await self._settle(part)
                done += len(part)
                self._size = min(BATCH, self._size * 2)
                self._failures = 0
        except Exception as error:  # noqa: BLE001 - FastStream drops the batch of a handler that raises; held, it comes again
            if isinstance(error, TimeoutError):
                # A batch that took too long would take too long again.
                self._size = max(1, self._size // 2)
            self._failures += 1
            self._metrics.retries.add("consumer")
            log.warning("batch_waits", tries=self._failures, records=len(records) - done, error=error)
            self._partitions.hold(records[done:], backoff_seconds(self._failures))
        else:
            if seconds := self._breaker.remaining:
                self._partitions.hold(records[done:], seconds)
                self._partitions.rest(self._partitions.ready, seconds)

    def _next_part(self, records: Sequence[Record], done: int) -> Sequence[Record]:
        part = records[done : done + self._size]
        clock = sum(record.topic == CLOCK for record in part)
        return part[:clock] if 0 < clock < len(part) else part

    async def _settle(self, records: Sequence[Record]) -> None:
        """Act upon records; if something shows only when all is written, halve until the culprit is alone."""
        try:
            await self._transact(records)
        except Exception as error:  # whatever a service's code raises over one message must not stop all the others
            if kind_of(error) is Kind.UNAVAILABLE:
                raise
            log.error("batch_failed", records=len(records), error=error)
            if len(records) > 1:
                middle = len(records) // 2
                await self._settle(records[:middle])
                await self._settle(records[middle:])
            else:
                await self._transact(records, because=error)

    async def _transact(self, records: Sequence[Record], because: Exception | None = None) -> None:
        """One transaction: offsets, inbox, the handler's work, letters, what was said. `because` condemns them all."""
        began = time.perf_counter()
        ends = {place_of(record): record.offset + 1 for record in records}
        consumer = self._clock_setter if records[0].topic == CLOCK else self._consumer
        crash_point("batch-received")
        async with self._database.transaction() as connection:
            was = await positions.advance(connection, self.name, ends)
            crash_point("fenced")
            fresh = [record for record in records if record.offset >= was[place_of(record)]]
            transaction = Transaction(connection, await self._clock.read(connection), self.name)
            outcome = await process(transaction, fresh, consumer, self._caught_up(connection), because=because)
            said = await transaction.flush()
            crash_point("before-commit")
        crash_point("committed")
        self._partitions.acted_upon(records, was)
        outcome.passed_over["fenced"] += len(records) - len(fresh)
        self._count(records, outcome, time.perf_counter() - began)
        self._committed(said)

    async def _release(self, limit: int, because: Exception | None = None) -> bool:
        """Let the first records of one blocked key go; whether there may be more to let go."""
        try:
            async with self._database.transaction() as connection:
                place = await parking.next_release(connection, self.name)
                if place is None:
                    return False
                queue = await parking.waiting(connection, self.name, place, limit)
                transaction = Transaction(connection, await self._clock.read(connection), self.name)
                records = [parked.record for parked in queue]
                caught_up = self._caught_up(connection)
                outcome = await process(
                    transaction, records, self._consumer, caught_up, releasing=place, because=because
                )
                gone = [parked.number for index, parked in enumerate(queue) if index not in outcome.parked]
                await parking.unpark(connection, gone)
                blocked_again = any(verdict.blocks_key for verdict in outcome.set_aside)
                if len(queue) < limit and not blocked_again:
                    await parking.end_release(connection, self.name, place)
                said = await transaction.flush()
                crash_point("released")
        except Exception as error:  # noqa: BLE001 - as in `_settle`: a service's code, and one message to blame
            if kind_of(error) is Kind.UNAVAILABLE or because is not None:
                log.warning("release_waits", error=error)
                return False
            return await self._release(1, because=error if limit == 1 else None)
        self._count(records, outcome, 0.0)
        self._committed(said)
        return True

    async def _set_clock(self, transaction: Transaction, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message.fact, ClockSet):
                await self._clock.apply(transaction.connection, message.fact)

    def _caught_up(self, connection: Connection) -> ClockCaughtUp:
        """Whether every setting of the clock that was published is known here: else nothing may be called skewed."""

        async def caught_up() -> bool:
            if isinstance(self._clock, SystemClock) or self._partitions.log is None:
                return True
            place = TopicPartition(CLOCK, 0)
            async with asyncio.timeout(ASK_SECONDS):
                end = (await self._partitions.log.end_offsets([place]))[place]
            known = await positions.read(connection, self.name, [place])
            return known.get(place, 0) >= end

        return caught_up

    def _count(self, records: Sequence[Record], outcome: Outcome, seconds: float) -> None:
        self.progress += 1
        metrics = self._metrics
        for topic, count in Counter([record.topic for record in records]).items():
            metrics.consumed.add(topic, count)
        for topic, count in Counter([message.topic for message in outcome.handled]).items():
            metrics.processed.add(topic, count)
        for reason, count in outcome.passed_over.items():
            metrics.skipped.add(reason, count)
        if outcome.parked:
            metrics.skipped.add("parked", len(outcome.parked))
        for verdict in outcome.set_aside:
            metrics.dead_lettered.add(verdict.code)
        metrics.batch_seconds.observe(seconds)
        metrics.batch_records.observe(len(records))
        if outcome.resolved:
            self._release_due.set()
        log.debug(
            "batch_committed",
            records=len(records),
            handled=len(outcome.handled),
            parked=len(outcome.parked),
            set_aside=len(outcome.set_aside),
        )
        if self._breaker.count(len(records), len(outcome.set_aside)):
            log.error("breaker_opened", letters=len(outcome.set_aside), seconds=self._breaker.remaining)


def _after_the_clock(record: Record) -> bool:
    return record.topic != CLOCK
