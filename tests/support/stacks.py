"""A running stack, and talking to it as its users do: portals over HTTP, operators over the database."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from contracts.identity import request_id
from guichet.stack.stack import Stack
from guichet.stack.state import StackState, new_home

Json = dict[str, Any]
StartStack = Callable[[], Awaitable[tuple[Path, StackState]]]
"""Brings up a stack of the test's own: its home folder and its state."""

START = datetime(2026, 6, 30, 6, 0, tzinfo=UTC)
"""Before the first day of any case."""


@asynccontextmanager
async def stack_of(kind: str) -> AsyncIterator[tuple[Path, StackState]]:
    """A supervised stack and its home, that stands while the context is open; it leaves neither process nor folder."""
    home = new_home(kind)
    try:
        yield home, await Stack.start(home, sandbox_start=START, throwaway=True)
    finally:
        left = await Stack(home).down()
        shutil.rmtree(home, ignore_errors=True)
    assert left == []


def submission(dossier: Json, at: datetime, event_id: str | None = None) -> Json:
    """A structured CloudEvent that submits a dossier."""
    return {
        "specversion": "1.0",
        "id": event_id or str(uuid4()),
        "type": "guichet.request.submitted.v1",
        "source": f"/portals/{dossier['portal']}",
        "subject": request_id(dossier["portal"], dossier["portal_reference"]),
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        "data": {"dossier": dossier},
    }


async def post(client: httpx.AsyncClient, state: StackState, event: Json, token: str | None = None) -> httpx.Response:
    """One event through intake's HTTP door, as portal-hdh."""
    return await client.post(
        f"{state.services['intake'].url}/events",
        content=json.dumps(event),
        headers={
            "content-type": "application/cloudevents+json",
            "authorization": f"Bearer {token or state.portals['portal-hdh'].token}",
        },
    )


async def insist(client: httpx.AsyncClient, state: StackState, event: Json, seconds: float = 300) -> httpx.Response:
    """The same, as a portal that tries again while the window is closed (no answer, 429, 502, 503)."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = await post(client, state, event)
            if answer.status_code not in (429, 500, 502, 503):
                return answer
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline, "the window stayed closed"
        await asyncio.sleep(0.2)


async def query(state: StackState, service: str, sql: str, *arguments: object) -> list[asyncpg.Record]:
    """Rows of a service's database, as its owner."""
    connection = await asyncpg.connect(state.services[service].database_url, timeout=10)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
        return rows
    finally:
        await connection.close(timeout=5)


async def until(fact: Callable[[], Awaitable[bool]], what: str, seconds: float = 180) -> None:
    """Return when `fact` holds; fail naming what did not come."""
    deadline = time.monotonic() + seconds
    while not await fact():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:.0f} s"
        await asyncio.sleep(0.2)
