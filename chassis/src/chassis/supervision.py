"""Loops that are started again when they crash, and a process that ends when one of them keeps crashing."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable

from chassis.errors import Kind, kind_of
from chassis.logs import logger
from chassis.metrics import Metrics

GAVE_UP = 70
"""Exit code of a process in which something stayed broken (EX_SOFTWARE of sysexits.h)."""
CRASHES = 3
CRASH_SECONDS = 600

log = logger()


def backoff_seconds(tries: int, *, first: float = 0.2, most: float = 10) -> float:
    """How long to wait after the n-th failure in a row (1, 2, …): doubled each time, with jitter of a half."""
    return float(min(most, first * 2 ** min(tries - 1, 16)) * random.uniform(0.5, 1))


async def wait_until(event: asyncio.Event, seconds: float) -> bool:
    """Waits for the event for so long at most; whether it is set."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
    return event.is_set()


class Supervisor:
    """Keeps loops going until `stopping` is set.

    Unavailable surroundings are waited for, however long. Anything else is a crash: the loop is started again with
    back-off, and the third crash of one loop in ten minutes calls `give_up` with 70.
    """

    def __init__(self, stopping: asyncio.Event, metrics: Metrics, give_up: Callable[[int], None]) -> None:
        self._stopping = stopping
        self._metrics = metrics
        self._give_up = give_up
        self._tasks: list[asyncio.Task[None]] = []

    def keep(self, name: str, start: Callable[[], Awaitable[object]]) -> None:
        """Runs the loop that `start` makes, again and again until it ends by itself."""
        self._tasks.append(asyncio.create_task(self._keep(name, start), name=name))

    async def stop(self) -> None:
        """Lets the loops end by themselves for three seconds, then cancels them; the caller bounds the whole."""
        if not self._tasks:
            return
        _, running = await asyncio.wait(self._tasks, timeout=3)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _keep(self, name: str, start: Callable[[], Awaitable[object]]) -> None:
        crashes: deque[float] = deque(maxlen=CRASHES)
        tries = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                await start()
            except Exception as error:  # noqa: BLE001 - a loop may fail in any way, and none may fail unseen
                if self._stopping.is_set():
                    return
                now = time.monotonic()
                tries = 1 if now - began > 60 else tries + 1
                unavailable = kind_of(error) is Kind.UNAVAILABLE
                if unavailable:
                    self._metrics.retries.add(name)
                    log.warning("loop_waits", loop=name, tries=tries, error=error)
                else:
                    crashes.append(now)
                    self._metrics.restarts.add(name)
                    log.error("loop_crashed", loop=name, crashes=len(crashes), error=error)
                    if len(crashes) == CRASHES and now - crashes[0] < CRASH_SECONDS:
                        self._give_up(GAVE_UP)
                        return
            else:
                return
            await wait_until(self._stopping, backoff_seconds(tries))
