"""The witness over HTTP."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from guichet_witness.follow import Follower
from guichet_witness.protocol import BODY_LIMIT, Refused
from guichet_witness.state import State
from guichet_witness.witness import Witness


def build(witness: Witness, follower: Follower, state: State) -> Starlette:
    """The application."""

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > BODY_LIMIT:
                return PlainTextResponse("longer than a submission\n", 413)
        try:
            return PlainTextResponse(await witness.add_checkpoint(body))
        except Refused as refused:
            if refused.size is not None:
                return Response(f"{refused.size}\n", refused.status, media_type="text/x.tlog.size")
            return PlainTextResponse(f"{refused.rule}\n", refused.status)

    async def logs(_: Request) -> Response:
        found = []
        for reading in state.readings():
            held = state.held(reading.origin)
            found.append({"origin": reading.origin, "size": held.size, "root": held.root.hex(), "read": reading.size})
        return JSONResponse({"logs": found})

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        fine = follower.following
        return JSONResponse(
            {"status": "ok" if fine else "failing", "checks": {"following": fine}}, 200 if fine else 503
        )

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/logs", logs),
            Route("/livez", livez),
            Route("/readyz", readyz),
        ]
    )
