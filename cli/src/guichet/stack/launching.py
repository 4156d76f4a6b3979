"""Starts the services of a stack as copies (fork) of one process that has imported what they share.

A thousand modules are imported once and not six times, while PostgreSQL and Kafka are still on their way up, and their
code stays in memory once. Each copy then runs its own module, in a session of its own, as `python -m MODULE` would.
"""

import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from guichet.stack.errors import StackError
from guichet.stack.processes import MARK, Process, of_pid, tail


@dataclass(frozen=True, slots=True)
class Start:
    """A process to start: what it is called, the module it runs, where it writes, and all the variables it is given."""

    name: str
    module: str
    log: str
    environment: Mapping[str, str]


class Launcher:
    """The process that copies are made of; it imports from now on, and ends when it has launched or is left."""

    def __init__(self, home: Path, modules: Iterable[str]) -> None:
        self._home = home
        self._log = home / "logs" / "launcher.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        fixed = {
            MARK: str(home),
            "PYTHONUNBUFFERED": "1",
            # glibc keeps an arena for each thread otherwise, and never gives them back.
            "MALLOC_ARENA_MAX": "2",
            # A title takes the place of the arguments only: the mark stays readable.
            "SPT_NOENV": "1",
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "guichet.stack.launching", *sorted(set(modules))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | fixed,
                cwd=home,
                start_new_session=True,
            )

    def launch(self, starts: Sequence[Start]) -> dict[str, Process]:
        """Starts them all and returns them by name; raises StackError when it cannot."""
        told, _ = self._process.communicate("".join(f"{json.dumps(asdict(each))}\n" for each in starts).encode())
        pids = [int(line) for line in told.split()]
        if len(pids) != len(starts):
            raise StackError(f"the services could not be started: {tail(self._log, 3)}", f"read {self._log}")
        return {
            each.name: of_pid(each.name, pid) or Process(each.name, pid, 0.0)
            for each, pid in zip(starts, pids, strict=True)
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it, also when it has not started anything."""
        if self._process.returncode is None:
            self._process.communicate()


def main(modules: Sequence[str]) -> None:
    """Imports, then becomes one process for each line of standard input, whose pids it prints."""
    for module in modules:
        importlib.import_module(f"{module}.__main__")
        del sys.modules[f"{module}.__main__"]  # It is to run, not only to be known.
    gc.freeze()  # Objects that the collector does not touch stay shared.
    while line := sys.stdin.buffer.readline():
        pid = os.fork()
        if not pid:
            _become(Start(**json.loads(line)))
            return
        sys.stdout.write(f"{pid}\n")


def _become(start: Start) -> None:
    from setproctitle import setproctitle

    os.setsid()
    nothing, log = os.open(os.devnull, os.O_RDONLY), os.open(start.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for given, place in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(given, place)
        os.set_inheritable(place, True)
    os.close(nothing)
    os.close(log)
    setproctitle(f"guichet {start.name}")
    os.environ.clear()
    os.environ.update(start.environment)
    sys.argv = [start.module]
    runpy.run_module(start.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
