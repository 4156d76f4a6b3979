"""Checkpoints, proofs, entries and bundles over HTTP; every proof is against a signed size, never against the head."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from audit import exporting, holdings, reading
from audit.accesses import BUNDLE, ENTRIES, PROOF, Accesses
from audit.askable import LONGEST_NAME, askable
from audit.growth import LONGEST_COLUMN
from audit.proving import prove_consistency, prove_event
from audit.readers import ANYONE, reader_of, restricted
from audit.settings import AuditSettings
from audit.signed import read_signed, read_signed_size
from audit.tile_addresses import NotAnAddress, read_address
from chassis.database import Connection, close_connection
from chassis.logs import logger
from chassis.runtime import Runtime
from chassis.server import problem
from guichet_verify.encoding import read_decimal, write_hashes
from guichet_verify.manifest import LOG, SUBJECT
from guichet_verify.tiles import WIDTH
from guichet_verify.tree import SIZE_LIMIT

LARGEST_BODY = 1 << 20
BUNDLES_AT_ONCE = 2
NOTE = "text/plain; charset=utf-8"

log = logger(component="proofs")


class _Asked(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


_Name = Annotated[str, Field(max_length=LONGEST_NAME, pattern=r"^[^\x00-\x1f\x7f]*$")]


class _Held(_Asked):
    origin: _Name
    size: int = Field(ge=0, le=SIZE_LIMIT)


class _Scope(_Asked):
    kind: Literal["all", "log", "subject"] = "all"
    value: _Name | None = None


class BundleAsked(_Asked):
    """What `POST /bundle` is sent."""

    scope: _Scope = _Scope()
    range: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]] | None = Field(default=None, strict=False)
    as_of: Annotated[AwareDatetime, Field(strict=False)] | None = None
    since: list[_Held] = Field(default=[], max_length=4096)

    def wanted(self) -> exporting.Wanted:
        """As the exporter takes it; raises NotExported for a scope without its value."""
        kind, value = self.scope.kind, self.scope.value
        if (kind in (LOG, SUBJECT)) != (value is not None):
            raise exporting.NotExported("scope", "a log or a subject has to be named, and everything has no name")
        if self.range is not None and kind != LOG:
            raise exporting.NotExported("range", "a range is that of a log")
        since = {held.origin: held.size for held in self.since}
        return exporting.Wanted(kind, value, self.range, self.as_of, since)


def proof_routes(runtime: Runtime, settings: AuditSettings, accesses: Accesses) -> Sequence[BaseRoute]:
    """The routes, most of them named by C2SP tlog-tiles."""
    bundling = asyncio.Semaphore(BUNDLES_AT_ONCE)

    async def checkpoint(request: Request) -> Response:
        if not askable(request.path_params["origin"]):
            return problem(404, "No checkpoint of this log yet", code="unknown-log")
        async with runtime.database.connection() as connection:
            found = await read_signed(connection, request.path_params["origin"])
        if not found:
            return problem(404, "No checkpoint of this log yet", code="unknown-log")
        return Response(found[0].note, media_type=NOTE, headers={"Cache-Control": "no-cache"})

    async def entries(request: Request) -> Response:
        if (reader := reader_of(request, settings)) is None:
            return restricted()
        try:
            number, width = read_address(request.path_params["number"])
        except NotAnAddress:
            return problem(400, "Not the address of a tile", code="tile-address")
        if not askable(request.path_params["origin"]):
            return problem(404, "No such entries are signed yet", code="unknown-tile")
        async with runtime.database.connection() as connection:
            signed = await read_signed(connection, request.path_params["origin"])
            if not signed or number * WIDTH + width > signed[0].size:
                return problem(404, "No such entries are signed yet", code="unknown-tile")
            if signed[0].dropped:
                return problem(410, "The records of this epoch were dropped", code="dropped")
            leaves = await holdings.read_leaves(connection, signed[0], number * WIDTH, width)
        await accesses.record(ENTRIES, reader, request.path_params["origin"])
        return Response(exporting.write_entries(leaves), media_type="application/octet-stream")

    async def inclusion(request: Request) -> Response:
        event_id = request.query_params.get("event_id", "")
        if not event_id or not askable(event_id, LONGEST_COLUMN):
            return problem(400, "event_id is needed", code="event-id")
        async with runtime.database.connection() as connection:
            proofs = await prove_event(connection, event_id)
            recorded = proofs or await reading.read_by_event(connection, event_id, 1)
        if not recorded:
            return problem(404, "No event of this id is recorded", code="unknown-event")
        if not proofs:
            retry = {"Retry-After": "2"}
            return problem(404, "Recorded, and in no signed checkpoint yet", code="unsigned-event", headers=retry)
        await accesses.record(PROOF, reader_of(request, settings) or ANYONE, event_id)
        return Response(proofs[0].write(), media_type=NOTE, headers={"X-Recorded": str(len(proofs))})

    async def consistency(request: Request) -> Response:
        try:
            old, new = (read_decimal(request.query_params.get(name, "")) for name in ("from", "to"))
        except ValueError:
            return problem(400, "origin, from and to are needed", code="sizes")
        origin = request.query_params.get("origin", "")
        async with runtime.database.connection() as connection:
            signed = await read_signed_size(connection, origin, new) if askable(origin) else None
            if signed is None:
                return problem(404, "This size of this log was not signed", code="unsigned-size")
            if not 1 <= old <= new:
                return problem(400, "from is between 1 and to: everything begins with nothing", code="sizes")
            hashes = await prove_consistency(connection, signed, old)
        return Response(write_hashes(hashes), media_type=NOTE)

    async def bundle(request: Request) -> Response:
        if (reader := reader_of(request, settings)) is None:
            return restricted()
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > LARGEST_BODY:
                return problem(413, "At most 1 MiB", code="too-large")
        try:
            wanted = BundleAsked.model_validate_json(body or b"{}").wanted()
        except ValidationError as error:
            return _unfit([f"{'.'.join(map(str, each['loc']))}: {each['type']}" for each in error.errors()])
        except exporting.NotExported as error:
            return _unfit([f"{error.code}: {error}"])
        if bundling.locked():
            return problem(429, "Other bundles are being made", code="busy", headers={"Retry-After": "10"})
        pieces = _bundle(runtime, bundling, wanted, accesses, reader)
        try:
            first = await anext(pieces)
        except exporting.NotExported as error:
            return problem(404, str(error), code=error.code)
        return StreamingResponse(
            _after(first, pieces),
            media_type="application/zip",
            headers={"Content-Disposition": 'attachment; filename="trail.auditbundle"'},
        )

    return [
        Route("/proof/inclusion", inclusion),
        Route("/proof/consistency", consistency),
        Route("/bundle", bundle, methods=["POST"]),
        Route("/{origin:path}/checkpoint", checkpoint),
        Route("/{origin:path}/tile/entries/{number:path}", entries),
    ]


async def _bundle(
    runtime: Runtime, bundling: asyncio.Semaphore, wanted: exporting.Wanted, accesses: Accesses, reader: str
) -> AsyncGenerator[bytes, None]:
    """The bytes of a bundle, over a connection of its own that sees one state of the trail."""
    async with bundling:
        connection: Connection = await runtime.database.connect(
            command_seconds=None, statement_timeout="0", idle_in_transaction_session_timeout="120s"
        )
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                decided = await exporting.plan(connection, wanted)
                await accesses.record(BUNDLE, reader, wanted.value, bundle=decided.digest)
                for gap in decided.gaps:
                    log.warning("story_incomplete", gap=gap)
                async with aclosing(exporting.stream(connection, decided, lambda leaves: None)) as pieces:
                    async for piece in pieces:
                        yield piece
        finally:
            await close_connection(connection)


async def _after(first: bytes, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(pieces):
        yield first
        async for piece in pieces:
            yield piece


def _unfit(problems: list[str]) -> Response:
    body = {
        "type": "urn:guichet:problem:not-a-bundle-request",
        "title": "Not a request for a bundle",
        "status": 422,
        "problems": problems,
    }
    return JSONResponse(body, 422, media_type="application/problem+json")
