"""What can be asked about the trail over HTTP: logs, hash tiles, stories and events."""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from audit import reading
from audit.accesses import EVENT, STORY, Accesses
from audit.askable import askable
from audit.dropped import read_dropped
from audit.growth import LONGEST_COLUMN
from audit.proof_routes import proof_routes
from audit.readers import reader_of, restricted
from audit.settings import AuditSettings
from audit.signed import read_signed
from audit.stories import begins_later, event_body, read_recorded, read_story
from audit.tile_addresses import NotAnAddress, read_address
from chassis.runtime import Runtime
from chassis.server import problem
from contracts.topics import REQUESTS

_LEVEL = re.compile(r"0|[1-9][0-9]?", re.ASCII)


def routes(runtime: Runtime, settings: AuditSettings) -> Sequence[BaseRoute]:
    """The routes of the audit service. Hashes are for any auditor; the bytes they stand for are not."""

    accesses = Accesses(runtime.transaction)

    async def logs(_: Request) -> Response:
        async with runtime.database.connection() as connection:
            heads = await reading.read_heads(connection)
            signed = {log.origin: log.size for log in await read_signed(connection)}
        return _json({"signed": bool(signed), "logs": [_log_body(head, signed.get(head.origin)) for head in heads]})

    async def story(request: Request) -> Response:
        if (reader := reader_of(request, settings)) is None:
            return restricted()
        if not askable(request.path_params["id"], LONGEST_COLUMN):
            return problem(404, "Nothing is recorded about this id", code="unknown-id")
        async with runtime.database.connection() as connection:
            found = await read_story(connection, request.path_params["id"])
            dropped = begins_later(found.events) and (await read_dropped(connection)).of_stream(REQUESTS)
        if not found.events:
            return problem(404, "Nothing is recorded about this id", code="unknown-id")
        await accesses.record(STORY, reader, found.request_id or request.path_params["id"])
        events = [event_body(event) for event in found.events]
        body = {"request_id": found.request_id, "subjects": found.subjects, "events": events}
        return _json(body | {"dropped_before": dropped})

    async def event(request: Request) -> Response:
        if (reader := reader_of(request, settings)) is None:
            return restricted()
        if not askable(request.path_params["id"], LONGEST_COLUMN):
            return problem(404, "No event of this id is recorded", code="unknown-event")
        async with runtime.database.connection() as connection:
            found = await read_recorded(connection, request.path_params["id"])
        if not found:
            return problem(404, "No event of this id is recorded", code="unknown-event")
        await accesses.record(EVENT, reader, request.path_params["id"])
        return _json({"events": [event_body(each) for each in found]})

    async def tile(request: Request) -> Response:
        level = request.path_params["level"]
        try:
            number, width = read_address(request.path_params["number"])
        except NotAnAddress:
            number = -1
        if number < 0 or not _LEVEL.fullmatch(level):
            return problem(400, "Not the address of a tile", code="tile-address")
        if not askable(request.path_params["origin"]):
            return problem(404, "No such tile yet", code="unknown-tile")
        async with runtime.database.connection() as connection:
            hashes = await reading.read_tile(connection, request.path_params["origin"], int(level), number)
        if hashes is None or len(hashes) < 32 * width:
            return problem(404, "No such tile yet", code="unknown-tile")
        return Response(
            hashes[: 32 * width],
            media_type="application/octet-stream",
            headers={"Cache-Control": "public, max-age=31536000, immutable"},
        )

    return [
        *proof_routes(runtime, settings, accesses),
        Route("/logs", logs),
        Route("/stories/{id}", story),
        Route("/events/{id}", event),
        Route("/{origin:path}/tile/{level}/{number:path}", tile),
    ]


def _log_body(head: reading.Head, signed: int | None) -> dict[str, object]:
    return {
        "origin": head.origin,
        "topic": head.topic,
        "partition": head.part,
        "epoch": head.epoch,
        "state": head.state,
        "size": head.size,
        "root": head.root.hex(),
        "signed_size": signed,
    }


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
