"""What provisioning answers over HTTP: which workspaces there are, and how they stand."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from chassis.runtime import Runtime
from chassis.server import problem
from provisioning import storage, views
from provisioning.certificate_keys import Signers
from provisioning.registry import local_day


def routes(runtime: Runtime, signers: Signers | None) -> Sequence[BaseRoute]:
    """GET /workspaces, /workspaces/{id} and /environments, for operators; ids and codes only.

    GET /certificate-keys, for whoever verifies a certificate: which key signs from when.
    """

    async def workspaces(request: Request) -> Response:
        async with runtime.database.connection() as connection:
            return JSONResponse({"workspaces": await views.show_all(connection, request.query_params.get("state"))})

    async def workspace(request: Request) -> Response:
        async with runtime.database.connection() as connection:
            found = await storage.find_workspace(connection, request.path_params["workspace_id"])
            shown = await views.show(connection, found) if found else None
        if shown is None:
            return problem(404, "no such workspace", code="unknown-workspace")
        return JSONResponse(shown)

    async def environments(_: Request) -> Response:
        async with runtime.database.connection() as connection:
            shown = await views.show_environments(connection, local_day(runtime.clock.now()))
        return JSONResponse({"environments": shown})

    async def certificate_keys(_: Request) -> Response:
        if signers is None:
            return problem(404, "certificates are not signed here", code="no-certificate-key")
        return PlainTextResponse(signers.published())

    return [
        Route("/certificate-keys", certificate_keys),
        Route("/workspaces", workspaces),
        Route("/workspaces/{workspace_id}", workspace),
        Route("/environments", environments),
    ]
