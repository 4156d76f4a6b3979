"""What hosts report over HTTP: `POST /environments/{id}/reports`, signed with the key shared with that environment.

A host speaks only for its own environment, about workspaces that stand there. What it says is put on the record as its
word; it opens nothing and ends nothing here: what is done about it is decided by a look at the environment, which a
report that contradicts what we know prompts at once.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final
from uuid import uuid4

from pydantic import JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from chassis.logs import logger
from chassis.runtime import Runtime
from chassis.transaction import Transaction
from contracts.facts import Fact
from contracts.hosts import DeletionCertified, WorkspaceReported
from provisioning import storage
from provisioning.domain import project_of
from provisioning.environments import http_wire as wire
from provisioning.environments.http_signing import (
    Keys,
    NotAuthentic,
    answer_components,
    content_digest,
    request_components,
    sign,
    signature_of,
    verify,
)
from provisioning.looks import Looks, contradicts
from provisioning.places import place_of
from provisioning.storage import Workspace

PROBLEM: Final = "application/problem+json"
LARGEST: Final = 16 * 1024
SKEW: Final = timedelta(minutes=5)

TITLES: Final[Mapping[str, str]] = {
    "not-authentic": "The signature is not that of this environment, or not from now",
    "too-large": "The body is too large",
    "not-acceptable": "The report cannot be taken in",
    "unknown-workspace": "No such workspace in this environment",
    "report-conflict": "Another report came under this id",
}
"""Every problem of this door, as `urn:guichet:problem:<code>`, with its title."""

log = logger()


class _TurnedBack(Exception):
    """Ends a transaction of which nothing is to be kept."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class Reports:
    """The door for hosts, over the keys of each environment."""

    def __init__(self, runtime: Runtime, keys: Mapping[str, Keys], looks: Looks) -> None:
        self._runtime = runtime
        self._keys = keys
        self._looks = looks

    def routes(self) -> Sequence[BaseRoute]:
        """One route."""
        return [Route("/environments/{environment_id}/reports", self.post, methods=["POST"])]

    async def post(self, request: Request) -> Response:
        """Take a report in: 202 when it is on the record, 200 when it was before."""
        environment_id = request.path_params["environment_id"]
        keys = self._keys.get(environment_id)
        try:
            body = await _read(request)
            signed = _verified(request, body, keys)
        except _TurnedBack as turned_back:
            log.info("report_refused", code=turned_back.code)
            return _problem(turned_back.status, turned_back.code)
        try:
            report = wire.Report.model_validate_json(body)
        except ValidationError as error:
            answer: Response = _not_acceptable(_faults(error))
        else:
            ahead = report.at - datetime.now(UTC) > SKEW
            answer = (
                _not_acceptable([("clock-skew", "/at")]) if ahead else await self._take(environment_id, report, body)
            )
        log.info("report_answered", environment_id=environment_id, status=answer.status_code)
        return _signed(answer, signed, request.headers)

    async def _take(self, environment_id: str, report: wire.Report, body: bytes) -> Response:
        source = f"/hosts/{environment_id}"
        try:
            async with self._runtime.transaction("take_report") as transaction:
                fresh = await transaction.seen(report.report_id, source)
                digest = hashlib.sha256(body).hexdigest()
                if not await transaction.seen(f"{report.report_id}:{digest}", source):
                    return JSONResponse({"outcome": "known"}, HTTPStatus.OK)
                if not fresh:
                    raise _TurnedBack(HTTPStatus.CONFLICT, "report-conflict")
                workspace = await self._note(transaction, environment_id, report, source)
        except _TurnedBack as turned_back:
            return _problem(turned_back.status, turned_back.code)
        if contradicts(workspace.state, report.state):
            # Believed or not, it is not what we know: the sweep looks now instead of later.
            self._looks.ask(workspace.workspace_id)
        return JSONResponse({"outcome": "taken"}, HTTPStatus.ACCEPTED)

    async def _note(self, transaction: Transaction, environment_id: str, report: wire.Report, source: str) -> Workspace:
        # The host knows it under the id of the place to which a move brought it; one that it has left is not its own.
        name = await storage.workspace_at(transaction.connection, report.workspace_id)
        workspace = None if name is None else await storage.lock_workspace(transaction.connection, name)
        project = project_of(workspace.state) if workspace else None
        here = project and place_of(workspace.workspace_id, project.place) if workspace else None
        if workspace is None or workspace.environment_id != environment_id or here != report.workspace_id:
            raise _TurnedBack(HTTPStatus.NOT_FOUND, "unknown-workspace")
        # A provisioner's clock is the real one; ours may be a sandbox's.
        age = max(timedelta(), datetime.now(UTC) - report.at)
        fact: Fact = DeletionCertified(scope="all")
        if report.state != "destroyed":
            fact = WorkspaceReported(state=report.state)
        transaction.say(
            fact,
            subject=workspace.request_id,
            key=workspace.request_id,
            cause=workspace.cause,
            time=transaction.now - age,
            source=source,
        )
        return workspace


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise _TurnedBack(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large")
    return bytes(body)


def _verified(request: Request, body: bytes, keys: Keys | None) -> tuple[Keys, str]:
    path = request.scope.get("raw_path", request.url.path.encode()).partition(b"?")[0].decode("ascii", "replace")
    components = request_components(request.method, path, request.url.query, request.headers)
    try:
        if keys is None:
            raise NotAuthentic("unknown-environment")
        verify(keys, components, request.headers, body, tag="guichet-report", now=time.time())
        return keys, signature_of(request.headers)
    except NotAuthentic:
        # Which rule failed is nobody's business but the log's; an environment that we do not know answers the same.
        raise _TurnedBack(HTTPStatus.UNAUTHORIZED, "not-authentic") from None


def _signed(answer: Response, signed: tuple[Keys, str], headers: Mapping[str, str]) -> Response:
    keys, signature = signed
    digest = {"content-digest": content_digest(bytes(answer.body))}
    components = answer_components(answer.status_code, digest, signature)
    answer.headers.update(digest)
    answer.headers.update(sign(keys, components, tag="guichet-answer", created=int(time.time()), nonce=str(uuid4())))
    return answer


def _problem(status: int, code: str, problems: list[JsonValue] | None = None) -> Response:
    body: dict[str, JsonValue] = {
        "type": f"urn:guichet:problem:{code}",
        "title": TITLES[code],
        "status": int(status),
        "code": code,
    }
    if problems is not None:
        body["problems"] = problems
    return JSONResponse(body, status, media_type=PROBLEM)


def _not_acceptable(faults: Sequence[tuple[str, str]]) -> Response:
    """422 with everything that is wrong, each with its rule and its place (RFC 6901), never a value."""
    problems: list[JsonValue] = [{"code": code, "pointer": pointer} for code, pointer in faults]
    return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "not-acceptable", problems)


def _faults(error: ValidationError) -> list[tuple[str, str]]:
    known = set(wire.Report.model_fields)
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        (fault["type"].replace("_", "-"), "".join(f"/{part}" for part in fault["loc"] if part in known))
        for fault in faults
    ]
