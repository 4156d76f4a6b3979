"""Many permits amended, suspended, resumed, revoked and expired, while the environment fails and workers die."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from tests.provisioning.conftest import Bench, dataset, permit, person, running
from tests.provisioning.workers import answer, answering, persist, worker

from chassis.service import Timer
from contracts.compliance import PermitAmended, PermitExpired, PermitResumed, PermitRevoked, PermitSuspended
from contracts.facts import Fact
from contracts.identity import permit_id, workspace_id
from guichet.stack.postgres import Postgres
from programs import Program
from provisioning.progress import DELETION

pytestmark = pytest.mark.long

PERMITS = int(os.environ.get("GUICHET_TEST_PERMITS", "4"))
"""How many; 200 for the proof."""
LIMIT = 300 + 12 * PERMITS
ON = date(2026, 9, 1)


@pytest.mark.timeout(3 * LIMIT)
async def test_every_workspace_ends_open_gone_or_with_a_person_and_none_is_unknown(
    postgres: Postgres, holder_url: str
) -> None:
    dice = random.Random(20261126)
    requests = [str(uuid4()) for _ in range(PERMITS)]
    amended = requests[: PERMITS * 3 // 10]
    suspended = requests[PERMITS * 3 // 10 : PERMITS // 2]
    revoked = requests[PERMITS // 2 : PERMITS * 7 // 10]
    expired = [*requests[PERMITS * 7 // 10 :], *suspended[::2]]
    absent = requests[0]
    async with running(postgres, holder_url, steps=False) as bench:
        over = asyncio.Event()
        chaos = [
            asyncio.create_task(killing(bench, dice, over)),
            asyncio.create_task(failing(bench, dice, over)),
            asyncio.create_task(answering(bench, over, absent)),
        ]

        def about(request_id: str) -> dict[str, Any]:
            return {"request_id": request_id, "on": ON, "permit_id": permit_id(request_id)}

        async def tell(to: list[str], fact: Callable[[str], Fact]) -> None:
            for request_id in to:
                await persist(partial(bench.tell, fact(request_id)))

        await tell(requests, lambda r: permit(r, datasets=(dataset("snds-main"), dataset("eds-chu-nord", ("a",)))))
        for request_id in requests:
            await bench.until("workspace.opened", request_id=request_id, seconds=LIMIT)
        await tell(suspended, lambda r: PermitSuspended(**about(r), reasons=()))
        await tell(revoked, lambda r: PermitRevoked(**about(r), reasons=()))
        # One share gets a dataset that its holder does not have: that takes a person.
        await tell(
            amended,
            lambda r: PermitAmended(
                **about(r),
                version=2,
                persons=(person("p-pi"), person("p-new")),
                datasets=(dataset("snds-main"), dataset("eds-nowhere" if r == absent else "eds-chu-sud", ("a",))),
                persons_added=(),
                persons_removed=(),
                datasets_added=(),
                datasets_removed=(),
            ),
        )
        await tell(suspended, lambda r: PermitResumed(**about(r), reasons=()))
        await tell(expired, lambda r: PermitExpired(**about(r)))
        for request_id in [*revoked, *expired]:
            await bench.until("workspace.closed", request_id=request_id, seconds=LIMIT)
            await persist(partial(due, bench, workspace_id(request_id)))
        over.set()
        await asyncio.gather(*chaos)

        last = await worker(bench)
        try:
            await bench.quiet(LIMIT)
            await answer(bench, absent)
            await bench.quiet(LIMIT)
            async with bench.desk() as desk:
                lines = {line["request_id"]: line for line in await desk.list_workspaces()}
        finally:
            last.terminate()
            await last.wait()

        wanted = dict.fromkeys(requests, "open") | dict.fromkeys([*revoked, *expired], "destroyed")
        wanted[absent] = "person-needed"
        assert {request_id: line["state"] for request_id, line in lines.items()} == wanted
        assert (lines[absent]["step"], lines[absent]["code"]) == ("fill", "DATASET_NOT_AT_HOLDER")
        for request_id in requests:
            said = await bench.said(request_id)
            if wanted[request_id] == "destroyed":
                assert [name for name, _ in said].count("workspace.destroyed") == 1
                assert [name for name, _ in said][-1] == "deletion.certified"
        for request_id in amended:
            if request_id != absent:
                assert lines[request_id]["persons"] == ["p-new", "p-pi"]
        assert await actual(bench) == {
            workspace_id(r): len(lines[r]["persons"]) for r in requests if wanted[r] != "destroyed"
        }
        assert Counter(wanted.values())["destroyed"] == len(revoked) + len(expired)


Processes = list[Program]


async def progress(bench: Bench, events: int, over: asyncio.Event, workers: Processes | None = None) -> None:
    """Until so many more events have happened, however slow the machine is; or a worker has ended, or all is over."""
    count = "SELECT count(*) FROM events"
    async with bench.runtime.database.connection() as connection:
        before = await connection.fetchval(count)
        while not over.is_set() and await connection.fetchval(count) < before + events:
            if any(each.returncode is not None for each in workers or ()):
                return
            await asyncio.sleep(0.1)


async def killing(bench: Bench, dice: random.Random, over: asyncio.Event) -> None:
    """Two workers, of which one is killed again and again, or ends at a crash point, and is followed by another."""
    crashes = [None, "step_fill_done", "step_open_done", "step_freeze_done", "step_close_done", "step_destroy_done"]
    workers = [await worker(bench), await worker(bench, "step_prepare_done:3")]
    try:
        while not over.is_set():
            await persist(partial(progress, bench, dice.randint(PERMITS // 2, PERMITS), over, workers))
            victim = next((each for each in workers if each.returncode is not None), workers[0])
            workers.remove(victim)
            if victim.returncode is None:
                victim.send_signal(signal.SIGKILL)
            await victim.wait()
            workers.append(await worker(bench, dice.choice(crashes)))
    finally:
        for process in workers:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.wait()


async def failing(bench: Bench, dice: random.Random, over: asyncio.Event) -> None:
    """The environment loses all its sessions again and again, in the middle of whatever it does."""
    admin = await asyncpg.connect(bench.workspaces_url)
    while not over.is_set():
        await persist(partial(progress, bench, dice.randint(3, 12), over))
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'guichet-workspaces' AND pid <> pg_backend_pid()"
        )
    await admin.close()


async def due(bench: Bench, name: str) -> None:
    """The time to keep a closed workspace is over."""
    act = bench.runtime.service.on_timer
    assert act is not None
    async with bench.runtime.transaction() as transaction:
        await act(transaction, Timer(name, DELETION, transaction.now))


async def actual(bench: Bench) -> dict[str, int]:
    """{workspace id: persons who can log in} of what really stands in the environment."""
    from provisioning.environments.postgres import PostgresEnvironment

    environment = PostgresEnvironment(bench.holder_url, bench.workspaces_url)
    found = {}
    async with bench.runtime.database.connection() as connection:
        names = [str(row["workspace_id"]) for row in await connection.fetch("SELECT workspace_id FROM workspaces")]
    for name in names:
        has = await environment.inspect(name)
        if has.there:
            found[name] = sum(login.enters for login in has.logins)
        else:
            assert not has.logins and not has.tables
    return found
