"""How the command speaks: results on standard output, progress and errors on standard error, JSON when asked."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


WIDTH = 140
"""Columns of a table that goes into a file or a pipe."""


@cache
def out() -> "Console":
    """Where results for people go."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


@cache
def err() -> "Console":
    """Where progress and errors go."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else WIDTH)


def show_json(value: object, *, compact: bool = False) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=None if compact else 2) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One line on standard output, as it is."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def fail(problem: str, remedy: str | None = None) -> None:
    """An error on standard error: what is wrong, and what to do."""
    sys.stderr.write(f"guichet: {problem}\n" + (f"  → {remedy}\n" if remedy else ""))
    sys.stderr.flush()


def cancel_when_terminated() -> None:
    """Makes SIGTERM cancel the running task as Ctrl-C does, so that what it started is ended before it."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


@contextmanager
def progress(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Gives a function that shows what is being done: a spinner for people, a line each where nobody watches."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with err().status("…") as status:
            yield lambda text: status.update(f"{text} …")
    else:
        yield lambda text: print(f"{text} …", file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def counted(total: int | None, what: str, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Gives a function that is told how many more are done: a bar for people where the total is known."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=err(), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)
