"""The signer over HTTP: its notes for whoever asks, and how it stands."""

from __future__ import annotations

import base64
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from audit.signing.signer import Signer
from audit.signing.state import Signed, SignerState, Stamped
from chassis.server import problem

PAGE = 200


def routes(signer: Signer, state: SignerState, is_signing: Callable[[], bool]) -> list[Route]:
    """`/checkpoints?since=REVISION` (JSON), `/ORIGIN/checkpoint` (the note), `/readyz`, `/livez`."""

    async def checkpoints(request: Request) -> Response:
        since = request.query_params.get("since", "0")
        if not since.isdecimal() or len(since) > 18:
            return problem(400, "A revision is a number", code="revision")
        found: list[Signed | Stamped] = [*state.since(int(since)), *state.stamps_since(int(since))]
        return JSONResponse(
            {"checkpoints": [_body(each) for each in sorted(found, key=lambda each: each.revision)[:PAGE]]}
        )

    async def checkpoint(request: Request) -> Response:
        found = state.get(request.path_params["origin"])
        if found is None or not found.note:
            return problem(404, "No such log was signed", code="unknown-log")
        return PlainTextResponse(found.note)

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        troubled = signer.states()
        checks = {"signing": is_signing(), "no_log_in_trouble": not troubled}
        fine = all(checks.values())
        body = {"status": "ok" if fine else "failing", "checks": checks, "logs": troubled}
        return JSONResponse(body, 200 if fine else 503)

    return [
        Route("/checkpoints", checkpoints),
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/{origin:path}/checkpoint", checkpoint),
    ]


def _body(each: Signed | Stamped) -> dict[str, object]:
    """A checkpoint as it was signed; one with a token is that of its size, which need not be the newest."""
    body: dict[str, object] = {
        "origin": each.origin,
        "size": each.size,
        "root": each.root.hex(),
        "note": each.note,
        "revision": each.revision,
    }
    if isinstance(each, Stamped):
        return body | {"token": base64.b64encode(each.token).decode()}
    return body | {"witnessed": each.witnessed}
