"""A worker killed at any step: another process goes on, nothing is done twice, nothing is left half done."""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import date
from typing import Any

import asyncpg
import pytest
from tests.provisioning.conftest import Bench, permit, running
from tests.provisioning.workers import KILLED, ended, worker

from contracts.compliance import PermitClosed, PermitResumed, PermitSuspended
from contracts.identity import permit_id
from guichet.stack.postgres import Postgres
from provisioning.events import Step
from provisioning.synthetic import fill_holder

pytestmark = pytest.mark.long


def about(bench: Bench) -> dict[str, Any]:
    return {"request_id": bench.request_id, "on": date(2026, 9, 1), "permit_id": permit_id(bench.request_id)}


async def test_a_worker_killed_at_each_step_is_followed_by_one_that_goes_on(
    postgres: Postgres, holder_url: str
) -> None:
    async with running(postgres, holder_url, steps=False) as bench:
        # What makes each step due, and the fact that says the last one was done, the how-many-eth time.
        story: list[tuple[Any, list[Step], str, int]] = [
            (permit(bench.request_id), [Step.CLEAR, Step.PREPARE, Step.FILL, Step.ADMIT, Step.OPEN], "opened", 1),
            (PermitSuspended(**about(bench), reasons=()), [Step.FREEZE], "frozen", 1),
            (PermitResumed(**about(bench), reasons=()), [Step.OPEN], "opened", 2),
            (PermitClosed(**about(bench)), [Step.CLOSE, Step.DESTROY], "destroyed", 1),
        ]
        for fact, steps, last, times in story:
            await bench.tell(fact)
            for step in steps:
                for point in ("leased",) if step is Step.CLEAR else ("leased", "done"):
                    process = await worker(bench, f"step_{step.value}_{point}")
                    assert await ended(process) == KILLED, (step, point)
            survivor = await worker(bench)
            await bench.until(f"workspace.{last}", times=times)
            survivor.terminate()
            await ended(survivor)
        await bench.quiet()
        assert [name for name, _ in await bench.said()] == [
            "workspace.requested",
            "environment.cleared",
            "optout-filter.applied",
            "workspace.provisioned",
            "workspace.opened",
            "workspace.reported",
            "workspace.frozen",
            "workspace.reported",
            "workspace.opened",
            "workspace.reported",
            "workspace.closed",
            "workspace.reported",
            "workspace.destroyed",
            "deletion.certified",
        ]


async def test_a_worker_killed_in_the_middle_of_an_extraction_leaves_no_half_table(postgres: Postgres) -> None:
    holder_url = await postgres.create_database()
    await fill_holder(holder_url, persons=20_000, datasets=frozenset({"snds-main"}))
    async with running(postgres, holder_url, steps=False) as bench:
        await bench.tell(permit(bench.request_id))
        process = await worker(bench)
        admin = await asyncpg.connect(bench.workspaces_url)
        deadline = time.monotonic() + 60
        copying = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND datname = $1"
        schema = "ws_" + bench.workspace_id.replace("-", "")[:16]
        while not await admin.fetchval(copying, schema):
            assert time.monotonic() < deadline, "the extraction never began"
            await asyncio.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        await ended(process)
        assert "workspace.provisioned" not in [name for name, _ in await bench.said()]
        after = await worker(bench)
        try:
            tables = (await bench.until("workspace.provisioned", seconds=300))["tables"]
            await bench.until("workspace.opened", seconds=300)
            inside = await asyncpg.connect(bench.workspaces_url, database=schema)
            for table in tables:
                assert await inside.fetchval(f"SELECT count(*) FROM {schema}.{table['table']}") == table["rows"]
            await inside.close()
        finally:
            after.terminate()
            await ended(after)
            await admin.close()


async def test_a_worker_that_died_after_opening_leaves_no_door_open_to_a_suspended_permit(
    postgres: Postgres, holder_url: str
) -> None:
    async with running(postgres, holder_url, steps=False) as bench:
        await bench.tell(permit(bench.request_id))
        assert await ended(await worker(bench, "step_open_done")) == KILLED
        await bench.tell(PermitSuspended(**about(bench), reasons=()))
        survivor = await worker(bench)
        await bench.until("workspace.frozen")
        survivor.terminate()
        await ended(survivor)
        assert "workspace.opened" not in [name for name, _ in await bench.said()]


async def test_a_worker_that_died_while_opening_again_leaves_no_door_open_to_a_second_suspension(
    postgres: Postgres, holder_url: str
) -> None:
    async with running(postgres, holder_url, steps=False) as bench:
        first = await worker(bench)
        await bench.tell(permit(bench.request_id))
        await bench.until("workspace.opened")
        await bench.tell(PermitSuspended(**about(bench), reasons=()))
        await bench.until("workspace.frozen")
        first.terminate()
        await ended(first)
        await bench.tell(PermitResumed(**about(bench), reasons=()))
        assert await ended(await worker(bench, "step_open_done")) == KILLED
        await bench.tell(PermitSuspended(**about(bench), reasons=()))
        survivor = await worker(bench)
        await bench.until("workspace.frozen", times=2)
        survivor.terminate()
        await ended(survivor)
        admin = await asyncpg.connect(bench.workspaces_url)
        prefix = "ws_" + bench.workspace_id.replace("-", "")[:16] + "_"
        may_enter = "SELECT count(*) FROM pg_roles WHERE starts_with(rolname, $1) AND rolcanlogin"
        assert await admin.fetchval(may_enter, prefix) == 0
        await admin.close()


async def test_what_a_dead_worker_began_to_make_is_destroyed_with_the_rest(postgres: Postgres, holder_url: str) -> None:
    async with running(postgres, holder_url, steps=False) as bench:
        await bench.tell(permit(bench.request_id))
        assert await ended(await worker(bench, "step_prepare_done")) == KILLED
        await bench.tell(PermitClosed(**about(bench)))
        survivor = await worker(bench)
        await bench.until("workspace.destroyed")
        survivor.terminate()
        await ended(survivor)
        admin = await asyncpg.connect(bench.workspaces_url)
        schema = "ws_" + bench.workspace_id.replace("-", "")[:16]
        assert await admin.fetchval("SELECT count(*) FROM pg_roles WHERE starts_with(rolname, $1)", schema) == 0
        assert await admin.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", schema) == 0
        await admin.close()
