"""Transactions that meet at one workspace and its step take turns: none is ever ended as the victim of a deadlock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
from tests.provisioning.conftest import Bench, permit, running

from contracts.compliance import PermitRevoked
from contracts.identity import permit_id, workspace_id
from guichet.stack.postgres import Postgres
from provisioning import storage
from provisioning.events import Step
from provisioning.storage import Ticket


@asynccontextmanager
async def transaction(bench: Bench) -> AsyncIterator[asyncpg.Connection]:
    async with bench.runtime.database.transaction() as connection:
        yield connection


async def waiting(bench: Bench, blocked: asyncpg.Connection) -> None:
    """Until the server says that a session waits for a lock: then the two transactions have met."""
    async with asyncio.timeout(60), bench.runtime.database.connection() as connection:
        pid = blocked.get_server_pid()
        while not await connection.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)


async def leased(bench: Bench) -> Ticket:
    """A worker's step that is no longer the one that is due: the permit was revoked meanwhile."""
    await bench.tell(permit(bench.request_id))
    async with transaction(bench) as connection:
        ticket = await storage.lease(connection, 60)
    assert ticket is not None
    ended = PermitRevoked(
        request_id=bench.request_id, on=permit(bench.request_id).on, permit_id=permit_id(bench.request_id), reasons=()
    )
    await bench.tell(ended)
    return ticket


async def test_a_worker_that_lets_its_step_go_and_a_fact_about_the_workspace_never_deadlock(
    postgres: Postgres, holder_url: str
) -> None:
    async with running(postgres, holder_url, steps=False) as bench:
        ticket = await leased(bench)
        async with transaction(bench) as fact:
            await storage.lock_workspace(fact, ticket.workspace_id)
            async with transaction(bench) as worker:
                # The worker has the step, the fact has the workspace and now wants the step as well.
                await storage.renew(worker, ticket, 60)
                deciding = asyncio.create_task(storage.schedule(fact, ticket.workspace_id, Step.DESTROY))
                await waiting(bench, fact)
                # A second UPDATE in one transaction has the foreign key checked again: it must not wait for the fact.
                await storage.put_off(worker, ticket, 0, None)
            await deciding
        async with transaction(bench) as connection:
            row = await storage.step_row(connection, ticket.workspace_id)
        assert row is not None
        assert (row["step"], row["running"]) == ("destroy", None)


async def test_renewing_a_lease_ends_it_when_another_step_has_become_due(postgres: Postgres, holder_url: str) -> None:
    async with running(postgres, holder_url, steps=False) as bench:
        ticket = await leased(bench)
        async with transaction(bench) as connection:
            assert await storage.renew(connection, ticket, 60) is Step.CLOSE
        async with transaction(bench) as connection:
            following = await storage.lease(connection, 60)
        assert following is not None
        assert following.step is Step.CLOSE
        async with transaction(bench) as connection:
            assert await storage.renew(connection, ticket, 60) is None


async def test_what_takes_access_away_is_done_before_whatever_waits_longer(postgres: Postgres, holder_url: str) -> None:
    async with running(postgres, holder_url, steps=False) as bench:
        due = [Step.FILL, Step.COPY, Step.SWITCH, Step.OPEN, Step.CLOSE, Step.FREEZE]
        for step in due:
            await bench.tell(permit(request := str(uuid4())))
            async with transaction(bench) as connection:
                await storage.schedule(connection, workspace_id(request), step)
        taken = []
        async with transaction(bench) as connection:
            while ticket := await storage.lease(connection, 60):
                taken.append(ticket.step)
        assert taken == [Step.FREEZE, Step.CLOSE, Step.OPEN, Step.SWITCH, Step.FILL, Step.COPY]


async def test_only_one_transaction_at_a_time_has_a_workspace(postgres: Postgres, holder_url: str) -> None:
    async with running(postgres, holder_url, steps=False) as bench:
        await bench.tell(permit(bench.request_id))
        async with transaction(bench) as second:
            async with transaction(bench) as first:
                before = await storage.lock_workspace(first, bench.workspace_id)
                locking = asyncio.create_task(storage.lock_workspace(second, bench.workspace_id))
                await waiting(bench, second)
            assert await locking == before
