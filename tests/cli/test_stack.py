"""Whole stacks, killed in every part: the supervisor or the next `up` brings them back, `down` leaves nothing."""

import asyncio
import os
import shutil
import signal
import socket
import stat
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from guichet.publishing import clock_now
from guichet.stack import processes
from guichet.stack.ports import is_free
from guichet.stack.quiet import wait_quiet
from guichet.stack.report import report
from guichet.stack.stack import Stack
from guichet.stack.state import SERVICES, WATCHERS, StackState, load
from guichet.stack.state import new_home as fresh_home

pytestmark = pytest.mark.journey

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
NewHome = Callable[[], Path]


@pytest.fixture
async def new_home() -> AsyncIterator[NewHome]:
    """Folders of this test alone; whatever stands there is ended afterwards, and nothing may be left."""
    homes: list[Path] = []

    def make() -> Path:
        homes.append(fresh_home("stack"))
        return homes[-1]

    yield make
    for home in homes:
        left = await Stack(home).down()
        found = list(processes.members(home))
        shutil.rmtree(home, ignore_errors=True)
        assert left == [] and found == []


@pytest.fixture(scope="module")
async def standing_home() -> AsyncIterator[Path]:
    """The folder of a stack that several tests kill and bring back: none of them needs it new."""
    home = fresh_home("stack")
    yield home
    left = await Stack(home).down()
    shutil.rmtree(home, ignore_errors=True)
    assert left == []


@pytest.fixture
async def standing(standing_home: Path) -> StackState:
    """It stands, ready and supervised, whatever the test before left of it."""
    return await Stack.start(standing_home, sandbox_start=START, throwaway=True)


async def until(fact: Callable[[], Awaitable[bool]], what: str, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not await fact():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.1)


def process(home: Path, name: str) -> processes.Process:
    return next(each for each in load(home).processes() if each.name == name)


async def until_ready_again(home: Path, name: str, old: int) -> StackState:
    async def ready() -> bool:
        state = load(home)
        return process(home, name).pid != old and bool((await report(home, state))["ready"])

    await until(ready, f"{name} is back and all are ready")
    return load(home)


async def test_a_stack_comes_up_keeps_its_secrets_and_goes_down_without_a_trace(new_home: NewHome) -> None:
    home = new_home()
    state = await Stack.start(home, sandbox_start=START)
    found = await report(home, state)
    assert found["ready"] and found["supervised"]
    assert set(found["http"]) == set(SERVICES)
    assert found["rss_total"] < 1536 << 20
    assert stat.S_IMODE((home / "stack.json").stat().st_mode) == 0o600
    now = await clock_now(state)
    assert now.date() == START.date()
    assert {each["name"] for each in found["processes"]} >= {"postgres", "kafka-1", "supervisor", *SERVICES, *WATCHERS}
    assert await Stack(home).down() == []
    assert not any(psutil.pid_exists(each["pid"]) and _is_ours(each["pid"], home) for each in found["processes"])
    assert list(processes.members(home)) == []

    again = await Stack(home).up()
    assert again.passwords == state.passwords and again.cluster_id == state.cluster_id
    await wait_quiet(again)


def _is_ours(pid: int, home: Path) -> bool:
    return any(each.pid == pid for each in processes.members(home))


async def test_the_supervisor_brings_back_whatever_is_killed(standing: StackState) -> None:
    home = standing.home
    for name in ("compliance", "kafka-1", "postgres"):
        victim = process(home, name)
        victim.send(signal.SIGKILL)
        state = await until_ready_again(home, name, victim.pid)
        await wait_quiet(state, 120)


async def test_up_recovers_a_stack_of_which_everything_was_killed(standing: StackState) -> None:
    state = standing
    before = await clock_now(state)
    for each in reversed(state.processes()):
        each.send(signal.SIGKILL)
    recovered = await Stack.start(state.home)
    assert (await report(state.home, recovered))["ready"]
    assert recovered.kafka == state.kafka and recovered.postgres.port == state.postgres.port
    assert await clock_now(recovered) >= before
    assert recovered.supervisor and state.supervisor and recovered.supervisor.pid != state.supervisor.pid


async def test_services_are_told_when_a_port_that_was_taken_is_chosen_anew(standing: StackState) -> None:
    home, state = standing.home, standing
    for each in reversed(state.processes()):  # The supervisor first: it would bring back the others.
        each.send(signal.SIGKILL)
        each.ended_within(10)
    with socket.create_server(("127.0.0.1", state.brokers[0].port)):
        recovered = await Stack.start(home, supervised=False)
    assert recovered.kafka != state.kafka
    await wait_quiet(recovered)

    victim = process(home, "compliance")
    victim.send(signal.SIGKILL)
    assert victim.ended_within(10)
    with socket.create_server(("127.0.0.1", recovered.services["compliance"].instances[0].port)):
        await Stack(home).repair(["compliance"])
    assert load(home).service_urls() != recovered.service_urls()
    await wait_quiet(recovered)  # By a state from before that.


async def test_two_stacks_stand_side_by_side(new_home: NewHome, standing: StackState) -> None:
    one, other = new_home(), standing.home
    first = await Stack.start(one, supervised=False, sandbox_start=START, throwaway=True)
    second = standing
    assert first.kafka != second.kafka and first.postgres.port != second.postgres.port
    assert set(first.service_urls()).isdisjoint(second.service_urls())
    assert await Stack(one).down() == []
    assert (await report(other, load(other)))["ready"]


async def test_a_process_that_no_file_knows_is_ended_by_down(new_home: NewHome) -> None:
    home = new_home()
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    stray = processes.spawn("stray", command, home=home, log=home / "logs" / "stray.log")
    environment = {**os.environ, "GUICHET_HOME": str(home)}
    bystander = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        assert await Stack(home).down() == []
        assert not stray.alive()
        assert bystander.returncode is None
    finally:
        bystander.kill()
        await bystander.wait()


HALF_ENDED = """
import ctypes, socket, sys, threading
listening = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=lambda: sys.stdin.read(1)).start()
print(listening.getsockname()[1], flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""
"""Ends its first thread, and listens until it is told to end altogether."""


async def test_a_process_whose_first_thread_has_ended_holds_its_port_until_the_others_have() -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HALF_ENDED, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout and child.stdin
    port = int(await child.stdout.readline())
    found = processes.of_pid("half-ended", child.pid)
    assert found is not None

    async def leader_has_ended() -> bool:
        return psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE

    await until(leader_has_ended, "the first thread has ended")
    assert found.alive() and not is_free(port)
    child.stdin.close()
    assert await asyncio.to_thread(found.ended_within, 60)
    assert is_free(port)


async def test_three_brokers_serve_four_services(new_home: NewHome) -> None:
    home = new_home()
    state = await Stack.start(home, brokers=3, sandbox_start=START, throwaway=True)
    assert len(state.kafka.split(",")) == 3
    victim = process(home, "kafka-2")
    victim.send(signal.SIGKILL)
    await wait_quiet(await until_ready_again(home, "kafka-2", victim.pid), 120)
