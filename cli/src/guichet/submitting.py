"""Sending dossiers through intake's HTTP door, and following what becomes of them."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from chassis.ids import new_event_id
from contracts.envelope import STRUCTURED, write_time
from contracts.identity import request_id
from contracts.portals import RequestSubmitted
from guichet.stack.errors import StackError
from guichet.stack.quiet import client
from guichet.stack.state import StackState

AT_ONCE = 16
ANSWERS = {202: "accepted", 200: "accepted", 409: "conflict"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What intake said to one dossier."""

    where: str
    request_id: str
    portal_reference: str
    portal: str
    verdict: str
    problems: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    @property
    def taken(self) -> bool:
        """Whether the dossier is a request now."""
        return self.verdict == "accepted"


def _portal(state: StackState, where: str, dossier: Mapping[str, object]) -> tuple[str, str, str]:
    portal, reference = dossier.get("portal"), dossier.get("portal_reference")
    if not isinstance(portal, str) or not isinstance(reference, str):
        raise StackError(f"{where} names no portal and portal_reference", "see the schema: guichet contracts sample")
    if portal not in state.portals:
        raise StackError(f"{where}: this stack has no portal {portal}", f"one of {', '.join(state.portals)}")
    return portal, reference, state.portals[portal].token


def submission(dossier: Mapping[str, object], portal: str, reference: str, at: datetime) -> bytes:
    """The structured CloudEvent with which a portal submits a dossier at an instant."""
    event = {
        "specversion": "1.0",
        "id": new_event_id(),
        "type": RequestSubmitted.event_type,
        "source": f"/portals/{portal}",
        "subject": request_id(portal, reference),
        "time": write_time(at),
        "datacontenttype": "application/json",
        "data": {"dossier": dossier},
    }
    return json.dumps(event, ensure_ascii=False).encode()


async def submit(state: StackState, dossiers: Sequence[tuple[str, Mapping[str, object]]], at: datetime) -> list[Answer]:
    """Sends each dossier once as its portal, at most sixteen at a time, and returns the answers in the same order.

    Waits as long as intake asks (Retry-After); raises StackError when it cannot be reached for half a minute.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async with client(30) as asking:

        async def send(where: str, dossier: Mapping[str, object]) -> Answer:
            portal, reference, token = _portal(state, where, dossier)
            body = submission(dossier, portal, reference, at)
            async with gate:
                response = await _post(asking, f"{state.service('intake').url}/events", body, token)
            verdict = ANSWERS.get(response.status_code, "refused")
            return Answer(where, request_id(portal, reference), reference, portal, verdict, _problems(response))

        return list(await asyncio.gather(*(send(where, dossier) for where, dossier in dossiers)))


async def _post(asking: httpx.AsyncClient, url: str, body: bytes, token: str) -> httpx.Response:
    headers = {"content-type": STRUCTURED, "authorization": f"Bearer {token}"}
    deadline = time.monotonic() + 30
    while True:
        pause = 0.5
        try:
            response = await asking.post(url, content=body, headers=headers)
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise StackError("intake does not answer", "guichet status; guichet up") from None
        else:
            if response.status_code not in (429, 503) or time.monotonic() > deadline:
                return response
            pause = min(5.0, float(response.headers.get("retry-after", "1")))
        await asyncio.sleep(pause)


def _problems(response: httpx.Response) -> Sequence[Mapping[str, Any]]:
    if response.status_code in (200, 202):
        return ()
    try:
        body = response.json()
    except ValueError:
        body = {}
    found = body.get("problems") or body.get("errors") if isinstance(body, dict) else None
    if isinstance(found, list) and found:
        return found
    title = body.get("title") if isinstance(body, dict) else None
    return ({"code": str(title or f"HTTP {response.status_code}")},)


async def public_state(
    asking: httpx.AsyncClient, state: StackState, request: str, portal: str
) -> dict[str, Any] | None:
    """What intake shows of a request to its portal; None while it shows nothing."""
    headers = {"authorization": f"Bearer {state.portals[portal].token}"}
    try:
        response = await asking.get(f"{state.service('intake').url}/requests/{request}", headers=headers)
    except httpx.HTTPError:
        return None
    if response.status_code != 200:
        return None
    body = response.json()
    progress = body.pop("progress", {})
    return {**body, **progress}


def stands(shown: Mapping[str, Any], wanted: str) -> bool:
    """Whether a public state is in the wanted state.

    `decided` is a status, `GRANTED` an outcome, `open` a workspace's; `permit:closed` and `workspace:closed` tell
    apart what has the same name.
    """
    states = {
        "status": shown.get("status"),
        "outcome": shown.get("outcome"),
        "permit": (shown.get("permit") or {}).get("status"),
        "workspace": (shown.get("workspace") or {}).get("state"),
    }
    kind, _, value = wanted.rpartition(":")
    return states.get(kind) == value if kind else wanted in states.values()


async def wait_for(state: StackState, answers: Sequence[Answer], wanted: str, timeout: float) -> list[dict[str, Any]]:
    """Returns the public states once every request is in the wanted one; raises StackError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    async with client(10) as asking:
        while True:
            shown = [await public_state(asking, state, each.request_id, each.portal) or {} for each in answers]
            behind = [each for each, found in zip(answers, shown, strict=True) if not stands(found, wanted)]
            if not behind:
                return shown
            if time.monotonic() > deadline:
                names = ", ".join(each.portal_reference for each in behind[:5])
                raise StackError(
                    f"{len(behind)} not {wanted} within {timeout:.0f} s: {names}",
                    "guichet trace ID tells how far each is",
                )
            await asyncio.sleep(0.2)
