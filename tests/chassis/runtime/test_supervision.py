"""Loops: started again when they crash, waited for when something is away, given up when they keep crashing."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from chassis.metrics import Metrics
from chassis.supervision import GAVE_UP, Supervisor, backoff_seconds


class Kept:
    """A supervisor that remembers the code with which it gave up."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.metrics = Metrics()
        self.codes: list[int] = []
        self.supervisor = Supervisor(self.stopping, self.metrics, self.give_up)

    def give_up(self, code: int) -> None:
        self.codes.append(code)
        self.stopping.set()

    async def until_stopped(self) -> None:
        async with asyncio.timeout(30):
            await self.stopping.wait()
        await self.supervisor.stop()


def failing(error: Exception, times: int, then: Callable[[], None]) -> Callable[[], object]:
    """A loop that raises so many times, then calls `then` and ends."""
    left = times

    async def loop() -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise error
        then()

    return loop


async def test_a_loop_that_crashes_is_started_again() -> None:
    kept = Kept()
    kept.supervisor.keep("loop", failing(ZeroDivisionError(), 2, kept.stopping.set))
    await kept.until_stopped()
    assert kept.codes == []
    assert b'guichet_restarts_total{who="loop"} 2.0' in kept.metrics.text()


async def test_the_third_crash_in_ten_minutes_gives_up() -> None:
    kept = Kept()
    kept.supervisor.keep("loop", failing(ZeroDivisionError(), 3, kept.stopping.set))
    await kept.until_stopped()
    assert kept.codes == [GAVE_UP]


@pytest.mark.parametrize("error", [ConnectionResetError(), TimeoutError(), asyncpg.CannotConnectNowError()], ids=repr)
async def test_what_is_away_is_waited_for_however_often(error: Exception) -> None:
    kept = Kept()
    kept.supervisor.keep("loop", failing(error, 4, kept.stopping.set))
    await kept.until_stopped()
    assert kept.codes == []
    assert b'guichet_retries_total{who="loop"} 4.0' in kept.metrics.text()


async def test_a_loop_that_ends_by_itself_is_not_started_again() -> None:
    kept, ended = Kept(), asyncio.Event()
    kept.supervisor.keep("loop", failing(ZeroDivisionError(), 0, ended.set))
    await ended.wait()
    kept.stopping.set()
    await kept.until_stopped()
    assert b"guichet_restarts_total{" not in kept.metrics.text()


async def test_loops_that_do_not_end_are_cancelled() -> None:
    kept = Kept()
    began = asyncio.Event()

    async def loop() -> None:
        began.set()
        await asyncio.Event().wait()

    kept.supervisor.keep("loop", loop)
    await began.wait()
    kept.stopping.set()
    await kept.until_stopped()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "loop"]


def test_waiting_grows_and_has_a_limit() -> None:
    waits = [backoff_seconds(tries, first=0.2, most=10) for tries in range(1, 30)]
    assert all(0.1 <= wait <= 10 for wait in waits)
    assert max(waits[:2]) <= 0.4
    assert min(waits[8:]) >= 5
