"""The HTTP server of a service, in the same event loop, without signal handlers of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.errors import Kind, fingerprint_of, kind_of
from chassis.logs import logger

HEALTH = frozenset({"/livez", "/readyz", "/startupz", "/metrics", "/status"})

log = logger()


def problem(status: int, title: str, *, code: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error answer as RFC 9457 has it; `title` and `code` name rules, never values."""
    body = {"type": f"urn:guichet:problem:{code}", "title": title, "status": status}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


async def answer_error(_: Request, error: Exception) -> Response:
    """503 when what a route needs is away, 500 with a fingerprint when the route is wrong."""
    if kind_of(error) is Kind.UNAVAILABLE:
        return problem(503, "Temporarily unavailable", code="unavailable", headers={"Retry-After": "2"})
    return problem(500, f"Internal error {fingerprint_of(error)}", code="internal")


class Guard:
    """Keeps routes closed until the service has started, and what they raise out of the server's own log."""

    def __init__(self, app: ASGIApp, is_open: Callable[[], bool]) -> None:
        self._app = app
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if not self._is_open() and scope["path"] not in HEALTH:
            closed = problem(503, "Not started yet", code="not-started", headers={"Retry-After": "2"})
            return await closed(scope, receive, send)
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - answered already (see `answer_error`), and raised again for us
            if kind_of(error) is Kind.UNAVAILABLE:
                log.warning("request_postponed", error=error)
            else:
                log.error("request_failed", error=error)
        return None


def build_app(routes: Sequence[BaseRoute], is_open: Callable[[], bool]) -> ASGIApp:
    """The application over all routes; but for the five of health they answer 503 until `is_open`."""
    return Guard(Starlette(routes=list(routes), exception_handlers={Exception: answer_error}), is_open)


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # The runtime has the signals, and stops things in order.


class Server:
    """Listens from `start` to `stop`."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=20,
            timeout_graceful_shutdown=3,
        )
        self._server = _Uvicorn(config)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to answer."""
        self._task = asyncio.create_task(self._server.serve([self._socket]), name="http")

    async def stop(self) -> None:
        """Stops listening and gives requests in flight three seconds."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=512)
    listening.setblocking(False)
    return listening
