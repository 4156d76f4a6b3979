"""Processes of a stack: started in their own session, known by pid and start time, stopped by nothing else."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "GUICHET_STACK_MEMBER"
"""Every process of a stack carries its home folder in this variable, so that none can be left behind unseen."""


@dataclass(frozen=True, slots=True)
class Process:
    """A started process; the start time (seconds of the epoch) tells it from a later one with the same pid."""

    name: str
    pid: int
    started: float

    def handle(self) -> psutil.Process | None:
        """The running process, or None when it has ended (a zombie has ended)."""
        try:
            found = psutil.Process(self.pid)
            return None if abs(found.create_time() - self.started) > 0.05 or _has_ended(found) else found
        except psutil.Error:
            return None

    def alive(self) -> bool:
        """Whether this very process is running."""
        return self.handle() is not None

    def send(self, number: int) -> None:
        """Sends a signal to this very process; nothing happens when it has ended."""
        found = self.handle()
        if found is not None:
            try:
                found.send_signal(number)
            except psutil.Error:
                return

    def stop(self, gently: int = signal.SIGTERM, seconds: float = 15.0) -> bool:
        """Asks the process to end, kills it when it has not within `seconds`; whether it ended when asked."""
        self.send(gently)
        if self.ended_within(seconds):
            return True
        self.send(signal.SIGKILL)
        self.ended_within(5.0)
        return False

    def ended_within(self, seconds: float) -> bool:
        """Waits until the process has ended; False when it still runs after `seconds`."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > deadline:
                return False
            _reap(self.pid)
            time.sleep(0.02)
        _reap(self.pid)
        return True


def _has_ended(found: psutil.Process) -> bool:
    """A zombie with threads that have still to end holds its ports and files until they have."""
    return found.status() == psutil.STATUS_ZOMBIE and found.num_threads() <= 1


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def of_pid(name: str, pid: int) -> Process | None:
    """The process that has this pid now."""
    try:
        return Process(name, pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def spawn(
    name: str,
    command: Sequence[str],
    *,
    home: Path,
    log: Path,
    environment: Mapping[str, str] | None = None,
    user: tuple[int, int] | None = None,
    folder: Path | None = None,
) -> Process:
    """Starts a process in its own session, its output appended to `log`, marked as belonging to the stack at `home`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    full = {**(os.environ if environment is None else environment), MARK: str(home)}
    uid, gid = user or (None, None)
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=full,
            cwd=folder or home,
            start_new_session=True,
            user=uid,
            group=gid,
            extra_groups=[] if user else None,
        )
    child.returncode = 0  # It is followed by pid and start time from here on, by whichever process supervises it.
    return of_pid(name, child.pid) or Process(name, child.pid, 0.0)


def members(home: Path) -> Iterator[Process]:
    """Every running process that carries the mark of the stack at `home`, or lives in its folder as PostgreSQL does."""
    wanted = str(home)
    inside = str(home / "postgres")
    for found in psutil.process_iter():
        try:
            if found.pid == os.getpid() or found.status() == psutil.STATUS_ZOMBIE:
                continue
            # PostgreSQL's children overwrite their environment with their title, but stay in the data folder.
            if found.environ().get(MARK) == wanted or (found.name() == "postgres" and found.cwd() == inside):
                yield Process(found.name(), found.pid, found.create_time())
        except psutil.Error:
            continue


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log file; empty when there is none."""
    try:
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""
