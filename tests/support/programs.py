"""The programs of the product, each in a process of its own that is a copy (fork) of one that has imported them all.

A new interpreter takes longer to import a service than most tests take to say what they say.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import pkgutil
import runpy
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import guichet

_COPIES = multiprocessing.get_context("forkserver")
_COPIES.set_forkserver_preload(
    [
        *("intake.app", "compliance.app", "provisioning.app", "audit.app", "audit.signing.app", "guichet.stack.stack"),
        *(f"guichet.{each.name}" for each in pkgutil.iter_modules(guichet.__path__) if each.name != "__main__"),
    ]
)


class Program:
    """A running program, asked and told as a process of asyncio is."""

    def __init__(
        self,
        what: str | Path,
        *arguments: str,
        env: Mapping[str, str],
        stdin: Path | None = None,
        stdout: Path | None = None,
        stderr: Path | None = None,
    ) -> None:
        """Starts a module, as `python -m` does, or a file; `stdout` and `stderr` are appended to."""
        nothing = Path(os.devnull)
        places = (stdin or nothing, stdout or nothing, stderr or nothing)
        self._process = _COPIES.Process(target=_become, args=(what, arguments, dict(env), places), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, or the number of the signal that ended it with a minus, or None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """The exit code, when it has ended."""
        while (code := self.returncode) is None:  # noqa: ASYNC110 - multiprocessing tells by no event
            await asyncio.sleep(0.01)
        return code


def _become(what: str | Path, arguments: tuple[str, ...], env: Mapping[str, str], places: tuple[Path, ...]) -> None:
    flags = (os.O_RDONLY, *(os.O_WRONLY | os.O_CREAT | os.O_APPEND for _ in places[1:]))
    for number, (place, flag) in enumerate(zip(places, flags, strict=True)):
        opened = os.open(place, flag, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as an interpreter leaves it open
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [str(what), *arguments]
    if isinstance(what, Path):
        sys.path.insert(0, str(what.parent))
        runpy.run_path(str(what), run_name="__main__")
    else:
        runpy.run_module(what, run_name="__main__", alter_sys=True)


@dataclass(frozen=True)
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def run_guichet(*words: object, given: str = "", **variables: str) -> Ran:
    """The guichet command, with variables of its own beside ours."""
    with _files("given", "out", "err") as (stdin, stdout, stderr):
        stdin.write_text(given, "utf-8")
        env = os.environ | variables
        command = Program("guichet", *map(str, words), env=env, stdin=stdin, stdout=stdout, stderr=stderr)
        return Ran(await command.wait(), stdout.read_text("utf-8"), stderr.read_text("utf-8"))


@contextmanager
def _files(*names: str) -> Iterator[list[Path]]:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in names]
        for file in files:
            file.touch()
        yield files
