"""The routes of intake: POST /events, GET /requests/{id}, GET /openapi.json."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from uuid import UUID

from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from chassis import outbox
from chassis.metrics import CountedBy
from chassis.runtime import Runtime
from contracts.envelope import BATCH, JSON, Unreadable
from intake import answers, storage
from intake.answers import Result
from intake.desk import state_after
from intake.door import Door
from intake.events import batched_events, binary_event, media_type, structured_event
from intake.files import Closed, Unheard
from intake.openapi import document
from intake.portals import Buckets, Portals
from intake.public import PublicRequest
from intake.settings import LARGEST_BATCH, LARGEST_BODY, IntakeSettings

LINGER_BYTES, LINGER_SECONDS = 4 * 1024 * 1024, 2.0
"""How much more of a body that is too large is thrown away, and for how long, before its sender is cut off."""
OUTBOX_SECONDS = 1.0
"""How long a look at the outbox is good for."""


class _Pressure:
    """How old the oldest unpublished record is, looked up once a second at most."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._age = 0.0
        self._looked_at = float("-inf")

    async def age_seconds(self) -> float:
        if time.monotonic() - self._looked_at > OUTBOX_SECONDS:
            async with self._runtime.database.connection() as connection:
                self._age = (await outbox.waiting(connection)).age_seconds
            self._looked_at = time.monotonic()
        return self._age


class Routes:
    """The handlers of one process, with what they share."""

    def __init__(self, runtime: Runtime, settings: IntakeSettings) -> None:
        self._runtime = runtime
        self._settings = settings
        self._portals = Portals(settings.portals_file)
        self._buckets = Buckets(settings.events_per_second, settings.events_at_once)
        self._pressure = _Pressure(runtime)
        counter = Counter(
            "guichet_door_answers", "Answers of the HTTP door, by code.", ["code"], registry=runtime.metrics.registry
        )
        self._door = Door(runtime, settings.transactions_at_once, CountedBy(counter).add)

    def all(self) -> Sequence[BaseRoute]:
        """The routes."""
        return [
            Route("/events", self.post_events, methods=["POST"]),
            Route("/requests/{request_id}", self.get_request, methods=["GET"]),
            Route("/openapi.json", self.get_openapi, methods=["GET"]),
        ]

    async def post_events(self, request: Request) -> Response:
        """One event, or a batch of which each event has an answer of its own."""
        portal = self._portals.named_by(request.headers.get("authorization"))
        if portal is None:
            return self._refuse("", _unauthorized())
        try:
            media = media_type(request.headers.get("content-type", ""))
            body = await _read_body(request)
            if media == BATCH:
                return await self._post_batch(portal, body)
            if (held := await self._hold_back(portal, 1)) is not None:
                return self._refuse(portal, held)
            event = binary_event(request.headers.raw, body) if media == JSON else structured_event(body)
        except Unreadable as error:
            return self._refuse(portal, answers.unreadable(error))
        return (await self._door.take(portal, *event)).response()

    async def _post_batch(self, portal: str, body: bytes) -> Response:
        events = batched_events(body)
        if len(events) > LARGEST_BATCH:
            too_many = answers.problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "batch-too-large")
            return self._refuse(portal, too_many)
        if (held := await self._hold_back(portal, len(events))) is not None:
            return self._refuse(portal, held)
        results = []
        for event in events:
            if isinstance(event, Unreadable):
                result = answers.unreadable(event)
                self._door.note(portal, result)
                results.append({"status": result.status, "event_id": None, **result.body})
            else:
                result = await self._door.take(portal, *event)
                results.append({"status": result.status, "event_id": event[0].id, **result.body})
        return JSONResponse({"results": results}, HTTPStatus.MULTI_STATUS)

    async def get_request(self, request: Request) -> Response:
        """The public state of a request, for the portal it belongs to."""
        portal = self._portals.named_by(request.headers.get("authorization"))
        if portal is None:
            return self._refuse("", _unauthorized())
        if (seconds := self._buckets.take(portal, 1)) > 0:
            return self._refuse(portal, answers.wait("rate-limited", seconds))
        found = await self._public_request(portal, request.path_params["request_id"])
        if found is None:
            return self._refuse(portal, answers.problem(HTTPStatus.NOT_FOUND, "not-found"))
        return Response(found.wire(), media_type="application/json", headers={"Cache-Control": "no-store"})

    async def get_openapi(self, _: Request) -> Response:
        """This interface, described."""
        return JSONResponse(document(self._runtime.settings.release))

    async def _public_request(self, portal: str, text: str) -> PublicRequest | None:
        try:
            request_id = str(UUID(text))
        except ValueError:
            return None
        async with self._runtime.database.connection() as connection:
            steps = await storage.read_steps(connection, [request_id])
            progress = await storage.read_progress(connection, request_id)
        state = state_after(steps[request_id])
        if isinstance(state, Unheard) or state.file.portal != portal:
            return None
        return PublicRequest(
            request_id=request_id,
            portal=state.file.portal,
            portal_reference=state.file.portal_reference,
            revision=state.file.latest.revision,
            withdrawn=isinstance(state, Closed),
            progress=progress,
        )

    async def _hold_back(self, portal: str, events: int) -> Result | None:
        if (seconds := self._buckets.take(portal, events)) > 0:
            return answers.wait("rate-limited", seconds)
        if await self._pressure.age_seconds() > self._settings.outbox_seconds:
            return answers.wait("back-pressure", 5)
        return None

    def _refuse(self, portal: str, result: Result) -> Response:
        self._door.note(portal, result)
        return result.response()


def _unauthorized() -> Result:
    return answers.problem(HTTPStatus.UNAUTHORIZED, "unauthorized", headers={"WWW-Authenticate": "Bearer"})


async def _read_body(request: Request) -> bytes:
    """The body, given up as soon as it is known to be too large, however much of it is still to come."""
    announced = request.headers.get("content-length", "")
    stream = request.stream()
    body = bytearray()
    too_large = announced.isdigit() and int(announced[:20]) > LARGEST_BODY
    while not too_large and (chunk := await anext(stream, None)) is not None:
        body += chunk
        too_large = len(body) > LARGEST_BODY
    if too_large:
        await _let_finish(stream)
        raise Unreadable("too-large", f"a body of more than {LARGEST_BODY} bytes")
    return bytes(body)


async def _let_finish(stream: AsyncIterator[bytes]) -> None:
    """Throw away a little more of what comes: a sender who is cut off while sending may never see the answer."""
    thrown_away = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while thrown_away < LINGER_BYTES and (chunk := await anext(stream, None)) is not None:
                thrown_away += len(chunk)
