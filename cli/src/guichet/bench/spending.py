"""What the processes of a stack spend: processor time, and the memory they hold."""

from collections.abc import Iterator
from contextlib import suppress

import psutil

from guichet.stack.state import StackState


def _family(top: psutil.Process) -> Iterator[psutil.Process]:
    yield top
    with suppress(psutil.Error):
        yield from top.children(recursive=True)


def spent(state: StackState) -> float:
    """Processor seconds of every process of the stack since it started, of children that ended too."""
    total = 0.0
    for process in state.processes():
        top = process.handle()
        for each in () if top is None else _family(top):
            with suppress(psutil.Error):
                times = each.cpu_times()
                total += times.user + times.system
                if each is top:
                    total += times.children_user + times.children_system
    return total


def resident(state: StackState) -> dict[str, int]:
    """Resident MiB of each process of the four services, by its name."""
    found: dict[str, int] = {}
    for process in state.processes():
        top = process.handle()
        if top is not None and (process.name in state.services or process.name.rpartition("-")[0] in state.services):
            with suppress(psutil.Error):
                found[process.name] = int(top.memory_info().rss) >> 20
    return found
