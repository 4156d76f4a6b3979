"""The service as a process of its own, to be killed. It has no broker: its steps do not need one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial

import asyncpg
from tests.provisioning.conftest import Bench

from chassis.supervision import wait_until
from programs import Program

KILLED = 137


async def worker(bench: Bench, crash_point: str | None = None) -> Program:
    """A process that does the steps of a bench, and ends at a crash point if one is named."""
    settings = bench.settings
    given = {name: value for name, value in os.environ.items() if not name.startswith("GUICHET_")}
    given |= {
        "GUICHET_KAFKA": "127.0.0.1:1",
        "GUICHET_DATABASE_URL": settings.database_url,
        "GUICHET_HOLDER_URL": bench.holder_url,
        "GUICHET_WORKSPACES_URL": bench.workspaces_url,
        "GUICHET_POSTGRES_ENVIRONMENTS": ",".join(settings.postgres_environments),
        "GUICHET_HTTP_PORT": "0",
        "GUICHET_LEASE_SECONDS": "1",
        "GUICHET_STEP_ATTEMPTS": str(settings.step_attempts),
    }
    if crash_point:
        given["GUICHET_CRASH_POINT"] = crash_point
    return Program("provisioning", env=given)


async def ended(process: Program) -> int:
    """The exit code of a process that is about to end."""
    async with asyncio.timeout(90):
        return await process.wait()


async def answer(bench: Bench, but: str | None = None) -> None:
    """Attempts that ran out while workers died: a person asks for another, but for one request."""
    async with bench.desk() as desk:
        for line in await desk.list_workspaces("person-needed"):
            if line["request_id"] != but:
                await desk.retry(line["workspace_id"])


async def answering(bench: Bench, over: asyncio.Event, but: str | None = None) -> None:
    """The same again and again."""
    while not over.is_set():
        await persist(partial(answer, bench, but))
        await wait_until(over, 1)


async def persist(act: Callable[[], Awaitable[None]]) -> None:
    """What the engine does when a row is locked for too long: the same message again."""
    for attempt in range(20):
        try:
            return await act()
        except (asyncpg.PostgresError, TimeoutError):
            assert attempt < 19
    return None
