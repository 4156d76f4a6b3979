"""Talking to a running stack as its users do: portals over HTTP, operators over the database."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from contracts.identity import request_id
from guichet.stack.state import StackState

Json = dict[str, Any]
StartStack = Callable[[], Awaitable[tuple[Path, StackState]]]
"""Brings up a stack of the test's own: its home folder and its state."""


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
