"""Everything is killed in turn while requests flow; every request ends where it should, once, and the trail agrees."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import pytest

from audit.report import Report
from audit.verification import verify_live
from dossiers import dossier, id_of
from guichet.publishing import clock_now
from guichet.stack import processes
from guichet.stack.prepare import set_clock
from guichet.stack.quiet import client, wait_quiet
from guichet.stack.stack import Stack
from guichet.stack.state import SERVICES, WATCHERS, StackState, load
from stacks import StartStack, insist, query, submission, until

REQUESTS = 500
AFTER_THE_FORMALITIES = datetime(2026, 9, 10, 8, tzinfo=UTC)
OPENED = 20
"""So many ask for an environment that opens a workspace; the rest stop at a permit without one, or before."""


def wanted(number: int) -> tuple[str, dict[str, object]]:
    """Which dossier the n-th request is: a case and what is changed in it."""
    if number < OPENED:
        return "F02a", {}
    return ("N-no-environment", {}) if number % 2 else ("F01b", {})


def pid_of(home: Path, name: str) -> int:
    for process in load(home).processes():
        if process.name == name:
            return process.pid
    raise AssertionError(f"{name} is not running")


async def answers(home: Path) -> bool:
    """Whether intake takes dossiers again: what is killed before it does could keep it from ever taking one."""
    try:
        async with client(5) as asking:
            return (await asking.get(f"{load(home).services['intake'].url}/livez")).status_code == 200
    except httpx.HTTPError:
        return False


async def kill_in_turn(home: Path, done: asyncio.Event) -> Counter[str]:
    """kill -9 of one after the other, each after the one before is back, until the requests are in and all were hit."""
    killed: Counter[str] = Counter()
    names = [*SERVICES, *WATCHERS, "kafka-1", "postgres"]
    while not (done.is_set() and all(killed[name] for name in names)):
        for name in names:
            victim = pid_of(home, name)
            os.kill(victim, signal.SIGKILL)
            killed[name] += 1

            async def is_back(name: str = name, victim: int = victim) -> bool:
                process = next((each for each in load(home).processes() if each.name == name), None)
                return process is not None and process.pid != victim and process.alive()

            await until(is_back, f"{name} again")
            if killed[name] > 1:  # Every one was hit while others were still starting; now the requests must get in.
                await until(lambda: answers(home), "intake at its door")
    return killed


@pytest.mark.timeout(900)
async def test_five_hundred_requests_survive_kill_9_of_everything(start_stack: StartStack) -> None:
    home, state = await start_stack()
    await set_clock(state, AFTER_THE_FORMALITIES)
    now = await clock_now(state)
    made = [
        dossier(name, f"KILL-{number}", **changes) for number in range(REQUESTS) for name, changes in [wanted(number)]
    ]
    sent = asyncio.Event()
    killer = asyncio.create_task(kill_in_turn(home, sent))
    gate = asyncio.Semaphore(8)

    async with httpx.AsyncClient(timeout=15) as portal:

        async def send(one: dict[str, object]) -> None:
            async with gate:
                answer = await insist(portal, load(home), submission(one, now))
                assert answer.status_code == 202, answer.text
                assert answer.json()["request_id"] == id_of(one)

        await asyncio.gather(*(send(one) for one in made))
    sent.set()
    killed = await killer
    state = load(home)
    await wait_quiet(state, 300)
    assert set(killed) == {*SERVICES, *WATCHERS, "kafka-1", "postgres"}

    await each_ended_where_it_should(state, made)
    await no_fact_was_said_twice(state)
    report = await verified(state)
    assert report.holds, report.failures


async def verified(state: StackState) -> Report:
    """What `guichet audit verify` finds."""
    connection = await asyncpg.connect(state.services["audit"].database_url)
    try:
        return await verify_live(connection)
    finally:
        await connection.close()


async def each_ended_where_it_should(state: StackState, made: list[dict[str, object]]) -> None:
    rows = await query(
        state,
        "compliance",
        "SELECT request_id::text AS id, assessment::json->>'status' AS status FROM compliance.cases",
    )
    ended = {row["id"]: row["status"] for row in rows}
    assert len(ended) == REQUESTS
    for number, one in enumerate(made):
        expected = "awaiting_formality" if wanted(number)[0] == "F01b" else "decided"
        assert ended[id_of(one)] == expected, number
    states = await query(state, "provisioning", "SELECT state, count(*) AS n FROM provisioning.workspaces GROUP BY 1")
    opened = {row["state"]: row["n"] for row in states}
    assert opened.get("open") == OPENED, opened


async def no_fact_was_said_twice(state: StackState) -> None:
    """In the trail one request has one acceptance, one permit and one opening."""
    rows = await query(
        state,
        "audit",
        "SELECT subject, event_type, count(DISTINCT event_id) AS n FROM audit.entry "
        "WHERE event_type LIKE ANY ('{guichet.request.accepted.%,guichet.permit.issued.%,guichet.workspace.opened.%}') "
        "GROUP BY 1, 2 HAVING count(DISTINCT event_id) > 1",
    )
    assert rows == []


async def test_down_leaves_no_process_and_up_after_kill_9_of_everything_loses_nothing(start_stack: StartStack) -> None:
    home, state = await start_stack()
    made = [dossier("N-no-environment", f"DOWN-{number}") for number in range(20)]
    now = await clock_now(state)
    async with httpx.AsyncClient(timeout=15) as client:
        for one in made:
            assert (await insist(client, state, submission(one, now))).status_code == 202
    everything = list(processes.members(home))
    for process in everything:
        process.send(signal.SIGKILL)
    await until(lambda: _none_of(everything), "the end of every process")

    state = await Stack.start(home)
    await wait_quiet(state)
    rows = await query(
        state, "compliance", "SELECT request_id::text AS id FROM compliance.cases WHERE assessment IS NOT NULL"
    )
    assert {row["id"] for row in rows} == {id_of(one) for one in made}
    report = await verified(state)
    assert report.holds, report.failures

    assert await Stack(home).down() == []
    assert list(processes.members(home)) == []


async def _none_of(everything: list[processes.Process]) -> bool:
    return not any(process.alive() for process in everything)
