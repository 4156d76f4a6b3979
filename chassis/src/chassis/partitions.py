"""The partitions this process has: where each begins, which wait, how far Kafka has been told we are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from chassis import positions
from chassis.crash import crash_point
from chassis.database import Database
from chassis.errors import SURROUNDINGS, Kind, kind_of
from chassis.logs import logger
from chassis.messages import Record
from chassis.metrics import Metrics
from chassis.supervision import backoff_seconds

ASK_SECONDS = 10
COMMIT_SECONDS = 5

log = logger()


class Log(Protocol):
    """What is needed of aiokafka's consumer."""

    def seek(self, partition: TopicPartition, offset: int) -> None: ...
    def pause(self, *partitions: TopicPartition) -> None: ...
    def resume(self, *partitions: TopicPartition) -> None: ...
    async def position(self, partition: TopicPartition) -> int: ...
    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None: ...
    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]: ...
    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]: ...


def place_of(record: Record) -> TopicPartition:
    """The partition a record stands on."""
    return TopicPartition(record.topic, record.partition)


class Partitions:
    """What is assigned, from `begin` to `end`. A partition is ready once it was sought to the database's offset."""

    def __init__(self, consumer: str, database: Database, metrics: Metrics) -> None:
        self._consumer = consumer
        self._database = database
        self._metrics = metrics
        self._ready: set[TopicPartition] = set()
        self._held: dict[TopicPartition, float] = {}
        self._untold: dict[TopicPartition, int] = {}
        self._suspects: dict[TopicPartition, tuple[int, int]] = {}
        self._unprepared: frozenset[TopicPartition] = frozenset()
        self._tries = 0
        self._due = 0.0
        self.log: Log | None = None

    @property
    def ready(self) -> frozenset[TopicPartition]:
        """Partitions that are read from the right place."""
        return frozenset(self._ready)

    @property
    def waiting(self) -> bool:
        """Whether a partition is paused, or not prepared yet."""
        return bool(self._held)

    def end(self) -> None:
        """Forget the assignment; nothing that was read under it is acted upon any more."""
        self._unprepared, self._tries, self._due = frozenset(), 0, 0.0
        for known in (self._ready, self._held, self._untold, self._suspects):
            known.clear()

    async def begin(self, assigned: Iterable[TopicPartition], log: Log | None) -> None:
        """Find out where to begin, now or, if the database or the broker is away, when `prepare` is called again."""
        self.end()
        self.log = log
        self._unprepared = frozenset(assigned)
        self._held = dict.fromkeys(self._unprepared, float("inf"))
        self._pause(self._unprepared)
        await self.prepare()

    async def prepare(self) -> None:
        """Seek what was assigned to the database's offsets and read on; nothing to do once that has succeeded.

        What is away is waited for: a call before the pause is over changes nothing. Raises what is a bug.
        """
        wanted = self._unprepared
        if not wanted or time.monotonic() < self._due:
            return
        self._tries += 1
        self._due = time.monotonic() + 2 * ASK_SECONDS  # Nobody else tries meanwhile.
        try:
            async with asyncio.timeout(ASK_SECONDS):
                starts = await self._find_starts(sorted(wanted))
        except SURROUNDINGS as error:
            # What a consumer refuses that was taken its partitions meanwhile is no bug, but no class of its own either.
            if kind_of(error) is Kind.BUG and not isinstance(error, KafkaError):
                raise
            self._metrics.retries.add("assignment")
            log.warning("assignment_waits", tries=self._tries, partitions=len(wanted), error=error)
            if self._unprepared is wanted:
                self._due = time.monotonic() + backoff_seconds(self._tries)
            return
        if self._unprepared is not wanted:  # Assigned anew while we asked.
            return
        self._unprepared = frozenset()
        for place, start in starts.items():
            if self.log is not None:
                with suppress(IllegalStateError):
                    self.log.seek(place, start)
                    self._ready.add(place)
            self._held.pop(place, None)
        self._resume_places(starts)
        log.info("partitions_ready", partitions=len(self._ready))

    async def current(self, records: Sequence[Record]) -> list[Record]:
        """Drop records that were fetched before the last seek: their partition stands at or below them again."""
        last = {place_of(record): record.offset for record in records}
        stale = {place for place, offset in last.items() if await self._is_stale(place, offset)}
        return [record for record in records if place_of(record) not in stale] if stale else list(records)

    def hold(self, records: Sequence[Record], seconds: float) -> None:
        """Go back to the first of these records of each partition, and read on after so many seconds."""
        first: dict[TopicPartition, int] = {}
        for record in records:
            first.setdefault(place_of(record), record.offset)
        for place, offset in first.items():
            if self.log is not None and place in self._ready:
                with suppress(IllegalStateError):
                    self.log.seek(place, offset)
        self.rest(first, seconds)

    def rest(self, places: Iterable[TopicPartition], seconds: float) -> None:
        """Read nothing from these partitions for so many seconds."""
        resting = self._ready.intersection(places)
        until = time.monotonic() + seconds
        for place in resting:
            self._held[place] = max(until, self._held.get(place, until))
        self._pause(resting)
        asyncio.get_running_loop().call_later(seconds + 0.001, self._resume)

    def acted_upon(self, records: Sequence[Record], was: Mapping[TopicPartition, int]) -> None:
        """Records were committed whose partitions stood at `was`."""
        first: dict[TopicPartition, int] = {}
        for record in records:
            place = place_of(record)
            first.setdefault(place, record.offset)
            self._untold[place] = record.offset + 1
        for place, offset in first.items():
            # Holes are normal, transaction markers leave them; whether one is a loss, the log's start tells.
            if offset > was[place]:
                self._suspects[place] = (was[place], offset)

    async def tell(self) -> None:
        """Tell Kafka how far we are: advice for whoever watches the group. A failure is superseded by the next."""
        if self.log is None or not self._untold:
            return
        told, self._untold = self._untold, {}
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(COMMIT_SECONDS):
                await self.log.commit(told)
            crash_point("told")

    async def look_for_losses(self) -> None:
        """Alarm when a hole before records we got is one that retention made: they left the log unread."""
        if self.log is None or not self._suspects:
            return
        suspects = dict(self._suspects)
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(ASK_SECONDS):
                starts = await self.log.beginning_offsets(list(suspects))
            for place, (was, first) in suspects.items():
                if was < starts[place]:
                    self._alarm("records_lost", place, was, min(first, starts[place]))
                if self._suspects.get(place) == (was, first):
                    del self._suspects[place]

    async def _is_stale(self, place: TopicPartition, offset: int) -> bool:
        if place not in self._ready or self.log is None:
            return True
        try:
            # A ready partition has a position, so this answers at once.
            return await self.log.position(place) <= offset
        except IllegalStateError:
            return True

    async def _find_starts(self, wanted: list[TopicPartition]) -> dict[TopicPartition, int]:
        """The offsets to begin at: the database's, unless the log has no such place any more, which is an alarm."""
        if self.log is None:
            return {}
        async with self._database.connection() as connection:
            known = await positions.read(connection, self._consumer, wanted)
        firsts, ends = await self.log.beginning_offsets(wanted), await self.log.end_offsets(wanted)
        starts = {}
        for place in wanted:
            start = known.get(place, firsts[place])
            if start < firsts[place]:
                self._alarm("records_lost", place, start, firsts[place])
                start = firsts[place]
            elif start > ends[place]:
                self._alarm("log_shortened", place, ends[place], start)
                async with self._database.connection() as connection:
                    await positions.step_back(connection, self._consumer, place, start, ends[place])
                start = ends[place]
            starts[place] = start
        return starts

    def _alarm(self, event: str, place: TopicPartition, first: int, beyond: int) -> None:
        self._metrics.records_lost.add(place.topic, beyond - first)
        log.error(event, topic=place.topic, partition=place.partition, first=first, beyond=beyond)

    def _pause(self, places: Iterable[TopicPartition]) -> None:
        for place in places:
            if self.log is not None:
                with suppress(IllegalStateError):
                    self.log.pause(place)

    def _resume(self) -> None:
        now = time.monotonic()
        due = [place for place, until in self._held.items() if until <= now]
        for place in due:
            del self._held[place]
        self._resume_places(due)

    def _resume_places(self, places: Iterable[TopicPartition]) -> None:
        for place in places:
            if self.log is not None:
                with suppress(IllegalStateError):
                    self.log.resume(place)
