"""Watches the processes of a stack and starts again those that died, with growing pauses for what keeps dying."""

import asyncio
import signal
import sys
import time
from pathlib import Path

from guichet.stack.errors import StackError
from guichet.stack.state import load

LOOK_SECONDS = 0.5
LONGEST_PAUSE = 30.0
CALM_SECONDS = 120.0
"""A process that has run this long has its past deaths forgiven."""


class Pauses:
    """How long to wait before each process is started again."""

    def __init__(self) -> None:
        self._pause: dict[str, float] = {}
        self._not_before: dict[str, float] = {}

    def over(self, name: str, now: float) -> bool:
        """Whether a dead process may be started now."""
        return now >= self._not_before.get(name, 0.0)

    def started(self, name: str, now: float) -> None:
        """Notes a start; the next one waits twice as long, unless the process stays up for CALM_SECONDS."""
        calm = now - self._not_before.get(name, -CALM_SECONDS) > CALM_SECONDS
        self._pause[name] = 1.0 if calm else min(LONGEST_PAUSE, self._pause.get(name, 0.5) * 2)
        self._not_before[name] = now + self._pause[name]


async def supervise(home: Path, stopping: asyncio.Event) -> None:
    """Runs until `stopping` is set; what cannot be started is tried again later, never given up."""
    pauses = Pauses()
    while not stopping.is_set():
        state = load(home)
        now = time.monotonic()
        dead = [each.name for each in state.processes() if each.name != "supervisor" and not each.alive()]
        due = [name for name in dead if pauses.over(name, now)]
        if due:
            await _repair(home, due, pauses)
        try:
            await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)
        except TimeoutError:
            continue


async def _repair(home: Path, due: list[str], pauses: Pauses) -> None:
    # Kept out of memory until something has died.
    import asyncpg
    from aiokafka.errors import KafkaError

    from guichet.stack.stack import Stack

    # What is repaired may be killed again under the repair; the next look finds it.
    killed_again = (StackError, OSError, TimeoutError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError)

    sys.stdout.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} starting again: {', '.join(due)}\n")
    sys.stdout.flush()
    try:
        await Stack(home).repair(due)
    except (*killed_again, asyncpg.InternalClientError) as error:
        sys.stdout.write(f"could not: {type(error).__name__} {error if isinstance(error, StackError) else ''}\n")
        sys.stdout.flush()
    for name in due:
        pauses.started(name, time.monotonic())


async def main(home: Path) -> int:
    """The supervisor of one stack, until SIGTERM."""
    stopping = asyncio.Event()
    watching = asyncio.create_task(supervise(home, stopping))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, watching.cancel)
    try:
        await watching
    except asyncio.CancelledError:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]))))
