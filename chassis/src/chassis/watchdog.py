"""Notices a consumer that is dead while the broker answers; restarts it, and gives up when that is no cure."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from chassis.engine import Engine
from chassis.errors import SURROUNDINGS
from chassis.logs import logger
from chassis.metrics import Metrics
from chassis.supervision import GAVE_UP, wait_until

LOOK_SECONDS = 2.0
HANDLER_SECONDS = 60.0
"""A transaction ends after twenty seconds, so a handler that takes longer cannot be cancelled."""
STALL_SECONDS = 60.0
RESTARTS = 3
RESTART_SECONDS = 600.0
STEP_SECONDS = 15.0
DEAD_LOOKS = 3
ASK_SECONDS = 15.0

log = logger()


class Watchdog:
    """Looks at one engine's subscriber every two seconds.

    aiokafka ends its heartbeat task for ever at any answer it does not know, and nothing else shows it: `ping` says
    true, FastStream's task lives, nothing is consumed. Stopping and starting the subscriber heals that. The third time
    within ten minutes `give_up` is called with 70.
    """

    def __init__(
        self,
        engine: Engine,
        servers: Sequence[str],
        metrics: Metrics,
        give_up: Callable[[int], None],
        *,
        stall_seconds: float = STALL_SECONDS,
        handler_seconds: float = HANDLER_SECONDS,
    ) -> None:
        self._engine = engine
        self._servers = list(servers)
        self._metrics = metrics
        self._give_up = give_up
        self._stall_seconds = stall_seconds
        self._handler_seconds = handler_seconds
        self._restarts: deque[float] = deque(maxlen=RESTARTS)
        self._progress = -1
        self._progressed_at = time.monotonic()
        self._excused: dict[TopicPartition, int] = {}
        self._dead_looks = 0
        self._stopped = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Look, restart, and return when `stopping` is set or the consumer was given up."""
        while not await wait_until(stopping, LOOK_SECONDS):
            reason = "not-started" if self._stopped else await self._find_trouble()
            if reason is None:
                continue
            if reason == "handler-stuck":
                # It holds what a restart would wait for.
                return self._end(reason)
            if not self._stopped and self._is_third(time.monotonic()):
                return self._end(reason)
            await self._restart(reason)
        return None

    async def _find_trouble(self) -> str | None:
        consumer = self._engine.consumer
        if consumer is None:
            return None
        busy_since = self._engine.busy_since
        if busy_since is not None and time.monotonic() - busy_since > self._handler_seconds:
            return "handler-stuck"
        if busy_since is None and (dead := dead_task(consumer)):
            # Between two generations of the group a task is over for a moment.
            self._dead_looks += 1
            return dead if self._dead_looks >= DEAD_LOOKS else None
        self._dead_looks = 0
        return "stalled" if await self._is_stalled(consumer) else None

    async def _is_stalled(self, consumer: AIOKafkaConsumer) -> bool:
        """Whether readable records wait and nothing moves. Waiting for the database or the breaker is no stall."""
        now = time.monotonic()
        if self._engine.progress != self._progress or self._engine.paused or self._engine.busy_since is not None:
            self._progress, self._progressed_at = self._engine.progress, now
        if now - self._progressed_at < self._stall_seconds or not (places := sorted(self._engine.partitions)):
            return False
        self._progressed_at = now
        try:
            async with asyncio.timeout(ASK_SECONDS):
                ends = await consumer.end_offsets(places)
                behind = {p: end for p, end in ends.items() if await consumer.position(p) < end}
                for place, end in behind.items():
                    # Behind the last record may stand transaction markers alone; asked once for each end.
                    if self._excused.get(place) != end and await can_read(
                        self._servers, place, await consumer.position(place)
                    ):
                        return True
                    self._excused[place] = end
        except (KafkaError, OSError, TimeoutError):
            # A broker that is away makes no consumer dead.
            return False
        return False

    def _is_third(self, now: float) -> bool:
        self._restarts.append(now)
        return len(self._restarts) == RESTARTS and now - self._restarts[0] < RESTART_SECONDS

    async def _restart(self, reason: str) -> None:
        log.error("consumer_restarts", reason=reason, restarts=len(self._restarts))
        self._metrics.restarts.add("consumer")
        self._stopped = True
        await self._bounded("stop", self._engine.stop_consuming())
        if await self._bounded("start", self._engine.start_consuming()):
            self._stopped = False
            self._progressed_at = time.monotonic()

    async def _bounded(self, step: str, work: Awaitable[None]) -> bool:
        """Whether a step ended well in its time."""
        task = asyncio.current_task()
        cancelling = task.cancelling() if task is not None else 0
        try:
            async with asyncio.timeout(STEP_SECONDS):
                await work
        except asyncio.CancelledError:
            # aiokafka raises it by itself when a consumer is stopped during an outage; ours is to be obeyed.
            if task is not None and task.cancelling() > cancelling:
                raise
            return False
        except SURROUNDINGS as error:  # The next look tries again, or gives the consumer up.
            log.warning("consumer_restart_failed", step=step, error=error)
            return False
        return True

    def _end(self, reason: str) -> None:
        log.error("consumer_given_up", reason=reason)
        self._give_up(GAVE_UP)


def dead_task(consumer: AIOKafkaConsumer) -> str | None:
    """Which of the consumer's own tasks is over, by aiokafka's private names, which a canary test watches."""
    coordinator = consumer._coordinator
    if coordinator is None:
        return None
    heartbeat = coordinator._heartbeat_task
    if heartbeat is not None and heartbeat.done():
        return "heartbeat-dead"
    if coordinator._coordination_task.done():
        return "coordination-dead"
    return None


async def can_read(servers: Sequence[str], place: TopicPartition, offset: int) -> bool:
    """Whether a reader outside the group gets a record from this offset on."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=list(servers), group_id=None, isolation_level="read_committed", enable_auto_commit=False
    )
    try:
        await reader.start()
        reader.assign([place])
        reader.seek(place, offset)
        return bool(await reader.getmany(timeout_ms=3000))
    finally:
        await reader.stop()
