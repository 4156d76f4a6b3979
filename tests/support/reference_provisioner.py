"""A provisioner written from docs/provisioner.md alone: keeps workspaces in memory, and misbehaves when it is told to.

It imports nothing of Guichet, so that whatever the page does not say breaks a test.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import re
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Json = dict[str, Any]
PREFIX = "/guichet/v1"
WINDOW = 300
PAGE = 400


@dataclass
class Table:
    dataset_id: str
    columns: list[Json]
    rows: list[bytes]

    def measured(self, name: str) -> Json:
        total = sum(int.from_bytes(hashlib.sha256(line).digest(), "big") for line in self.rows)
        count = len(self.rows)
        digest = hashlib.sha256(f"{count}:{total % 2**256:064x}".encode()).hexdigest()
        return {"dataset_id": self.dataset_id, "table": name, "rows": count, "sha256": digest}


@dataclass
class Login:
    until: datetime | None
    verifier: str | None = None


@dataclass
class Workspace:
    state: str = "ready"
    fence: int = 0
    probe: str = ""
    enters: bool = False
    logins: dict[str, Login] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    uploads: dict[tuple[str, int], bytes] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    busy: int = 0


class Problem(Exception):
    def __init__(self, status: int, code: str) -> None:
        self.status, self.code = status, code


class Provisioner:
    """`misbehave` maps a kind of trouble to how many times it is still to happen.

    slow            an order is accepted and carried out later (202, `working`)
    silent          no answer at all
    broken          500, before anything was done
    forgetful       500, after everything was done
    forged          an answer with another key
    garbled         an answer that is JSON and not what it should be
    wrong-state     an opening or freezing that is claimed to have led elsewhere
    stays-open      says `frozen`, and lets people in
    keeps-sessions  freezes, and ends no session
    loses-rows      drops the last row of a table it was sent
    counts-wrong    tells the sender's manifest, and keeps one row less
    keeps-persons   does not take anybody out
    lies            says that a workspace is destroyed, and keeps it
    half-destroyed  says so, and keeps the tables
    """

    def __init__(self, key_id: str, secret: bytes) -> None:
        self.key_id, self.secret = key_id, secret
        self.workspaces: dict[str, Workspace] = {}
        self.misbehave: dict[str, int] = {}
        self.seen_nonces: dict[str, float] = {}
        self.orders: list[tuple[str, str, str]] = []
        self.asked = 0
        self.url = ""
        ws = PREFIX + "/workspaces/{workspace}"
        table = ws + "/tables/{table}"
        self.app = Starlette(
            routes=[
                self._route(ws, self.prepare, "PUT", orders=True),
                self._route(ws, self.status, "GET"),
                self._route(ws, self.destroy, "DELETE", orders=True),
                self._route(ws + "/access", self.access, "PUT", orders=True),
                self._route(ws + "/restore", self.restore, "POST", orders=True),
                self._route(ws + "/logins", self.admit, "PUT", orders=True),
                self._route(ws + "/logins/{login}/password", self.password, "PUT"),
                self._route(ws + "/uploads/{upload}/{chunk:int}", self.upload, "PUT", orders=True),
                self._route(table, self.load, "PUT", orders=True),
                self._route(table, self.table, "GET"),
                self._route(table, self.drop, "DELETE", orders=True),
                self._route(table + "/removals", self.remove, "POST", orders=True),
                self._route(table + "/rows", self.rows, "GET"),
                Route(ws + "/sessions", self.enter, methods=["POST"]),
                Route(ws + "/sessions/current", self.look, methods=["GET"]),
            ]
        )

    # What everybody must do: verify, refuse older fences, sign the answer.

    def _route(
        self, path: str, act: Callable[[Request, bytes], Awaitable[tuple[int, Any]]], method: str, orders: bool = False
    ) -> Route:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            if self._next("silent"):
                await asyncio.sleep(3600)
            try:
                self._verify(request, body)
                if self._next("broken"):
                    raise Problem(500, "broken")
                if orders:
                    self._obey(request)
                status, answer = await act(request, body)
                if orders and self._next("forgetful"):
                    raise Problem(500, "forgetful")
            except Problem as problem:
                status = problem.status
                answer = {"type": "about:blank", "title": problem.code, "status": status, "code": problem.code}
            return self._signed(request, status, answer)

        return Route(path, endpoint, methods=[method])

    def _verify(self, request: Request, body: bytes) -> None:
        covered = ["@method", "@path", "@query", "content-digest"]
        covered += [name for name in ("idempotency-key", "guichet-fence") if name in request.headers]
        found = re.fullmatch(
            r'guichet=(\(([^)]*)\);created=(\d+);keyid="([^"]*)";alg="hmac-sha256";nonce="([^"]*)";tag="([^"]*)")',
            request.headers.get("signature-input", ""),
        )
        given = re.fullmatch(r"guichet=:(.*):", request.headers.get("signature", ""))
        if found is None or given is None:
            raise Problem(401, "not-signed")
        params, names, created, key_id, nonce, tag = found.groups()
        if names != " ".join(f'"{name}"' for name in covered) or key_id != self.key_id or tag != "guichet-order":
            raise Problem(401, "not-authentic")
        values = {"@method": request.method, "@path": request.url.path, "@query": f"?{request.url.query}"}
        base = [f'"{name}": {values.get(name) or request.headers[name]}' for name in covered]
        expected = self._mac("\n".join([*base, f'"@signature-params": {params}']))
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if not hmac.compare_digest(expected, given[1]) or request.headers["content-digest"] != f"sha-256=:{digest}:":
            raise Problem(401, "not-authentic")
        now = time.time()
        self.seen_nonces = {n: at for n, at in self.seen_nonces.items() if now - at < 2 * WINDOW}
        if abs(now - int(created)) > WINDOW or nonce in self.seen_nonces:
            raise Problem(401, "not-fresh")
        self.seen_nonces[nonce] = now

    def _obey(self, request: Request) -> None:
        name, fence = request.path_params["workspace"], int(request.headers["guichet-fence"])
        known = self.workspaces.get(name)
        if known is not None:
            if fence < known.fence:
                raise Problem(409, "superseded")
            known.fence = fence
        self.orders.append((request.method, request.url.path, request.headers["idempotency-key"]))

    def _mac(self, base: str, secret: bytes | None = None) -> str:
        return base64.b64encode(hmac.digest(secret or self.secret, base.encode(), "sha256")).decode()

    def _signed(self, request: Request, status: int, answer: Any) -> Response:
        headers = {}
        if isinstance(answer, Page):
            body, media = answer.body, "text/tab-separated-values"
            if answer.following:
                headers["guichet-next"] = str(answer.following)
        else:
            body, media = json.dumps(answer).encode(), "application/json"
            if self._next("garbled"):
                body = b'{"rows": "many"}'
        headers["content-digest"] = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        asked = request.headers.get("signature", "").removeprefix("guichet=")
        lines = [
            ("@status", "", str(status)),
            ("content-digest", "", headers["content-digest"]),
            ("signature", ';req;key="guichet"', asked),
        ]
        lines += [("guichet-next", "", headers["guichet-next"])] if "guichet-next" in headers else []
        names = " ".join(f'"{name}"{params}' for name, params, _ in lines)
        params = (
            f'({names});created={int(time.time())};keyid="{self.key_id}";alg="hmac-sha256";'
            f'nonce="{uuid4()}";tag="guichet-answer"'
        )
        base = "\n".join([f'"{n}"{p}: {v}' for n, p, v in lines] + [f'"@signature-params": {params}'])
        secret = b"?" * 32 if self._next("forged") else self.secret
        headers |= {"signature-input": f"guichet={params}", "signature": f"guichet=:{self._mac(base, secret)}:"}
        return Response(body, status, headers, media_type=media)

    def _next(self, kind: str) -> bool:
        if self.misbehave.get(kind, 0) > 0:
            self.misbehave[kind] -= 1
            return True
        return False

    def _of(self, request: Request) -> Workspace:
        found = self.workspaces.get(request.path_params["workspace"])
        if found is None or found.state == "destroyed":
            raise Problem(404, "unknown-workspace")
        return found

    def _table(self, request: Request) -> Table:
        found = self._of(request).tables.get(request.path_params["table"])
        if found is None:
            raise Problem(404, "unknown-table")
        return found

    # What is asked

    async def prepare(self, request: Request, body: bytes) -> tuple[int, Any]:
        name = request.path_params["workspace"]
        known = self.workspaces.get(name)
        if known is None or known.state == "destroyed":
            known = self.workspaces[name] = Workspace(fence=int(request.headers["guichet-fence"]))
            known.probe = json.loads(body)["probe"]
        return self._done(name, known)

    async def status(self, request: Request, _: bytes) -> tuple[int, Any]:
        self.asked += 1
        name = request.path_params["workspace"]
        if name not in self.workspaces:
            raise Problem(404, "unknown-workspace")
        found = self.workspaces[name]
        if found.busy:
            found.busy -= 1
        return 200, self._shown(name, found)

    async def access(self, request: Request, body: bytes) -> tuple[int, Any]:
        found, wanted = self._of(request), json.loads(body)["access"]
        if found.state == "closed" and wanted != "closed":
            raise Problem(422, "wrong-order")
        found.state = wanted
        if self._next("wrong-state"):
            found.state = "frozen" if wanted == "open" else "open"
        found.enters = found.state == "open"
        lying = wanted != "open" and self._next("stays-open")
        if not found.enters and not self._next("keeps-sessions"):
            found.sessions.clear()
        answer = self._done(request.path_params["workspace"], found)
        found.enters |= lying
        return answer

    async def restore(self, request: Request, _: bytes) -> tuple[int, Any]:
        return self._done(request.path_params["workspace"], self._of(request))

    async def admit(self, request: Request, body: bytes) -> tuple[int, Any]:
        found, wanted = self._of(request), json.loads(body)
        before = found.logins
        found.logins = {}
        for each in wanted["logins"]:
            login = before.get(each["login"], Login(None))
            login.until = datetime.fromisoformat(each["until"])
            found.logins[each["login"]] = login
        found.sessions = {token: login for token, login in found.sessions.items() if login in found.logins}
        found.enters = bool(wanted["enter"])
        return self._done(request.path_params["workspace"], found)

    async def password(self, request: Request, body: bytes) -> tuple[int, Any]:
        found, name, wanted = self._of(request), request.path_params["login"], json.loads(body)
        if name == found.probe:
            found.logins.setdefault(name, Login(None))
        login = found.logins.get(name)
        if login is None:
            raise Problem(404, "unknown-login")
        if "guichet-fence" not in request.headers and not found.enters:
            raise Problem(409, "login-not-open")
        login.verifier = wanted["verifier"]
        if "until" in wanted:
            login.until = datetime.fromisoformat(wanted["until"])
        if name == found.probe and login.verifier is None:
            del found.logins[name]
            found.sessions = {token: who for token, who in found.sessions.items() if who != name}
        return 200, {}

    async def upload(self, request: Request, body: bytes) -> tuple[int, Any]:
        self._of(request).uploads[request.path_params["upload"], request.path_params["chunk"]] = body
        return 200, {}

    async def load(self, request: Request, body: bytes) -> tuple[int, Any]:
        found, name, wanted = self._of(request), request.path_params["table"], json.loads(body)
        parts = [found.uploads.get((wanted["upload"], n)) for n in range(wanted["chunks"])]
        if None in parts:
            raise Problem(409, "chunks-missing")
        rows = [line for part in parts if part for line in part.split(b"\n")[:-1]]
        made = Table(wanted["dataset_id"], wanted["columns"], rows)
        if self._next("loses-rows"):
            rows.pop()
        measured = made.measured(name)
        if (measured["rows"], measured["sha256"]) == (wanted["rows"], wanted["sha256"]):
            found.tables[name] = made
            found.uploads.clear()
        if self._next("counts-wrong"):
            made.rows.pop()
        return 200, measured

    async def table(self, request: Request, _: bytes) -> tuple[int, Any]:
        found = self._table(request)
        return 200, {**found.measured(request.path_params["table"]), "columns": found.columns}

    async def drop(self, request: Request, _: bytes) -> tuple[int, Any]:
        self._of(request).tables.pop(request.path_params["table"], None)
        return 200, {}

    async def remove(self, request: Request, body: bytes) -> tuple[int, Any]:
        found, gone = self._table(request), set(json.loads(body)["pseudonyms"])
        if not self._next("keeps-persons"):
            found.rows = [line for line in found.rows if line.split(b"\t")[0].decode() not in gone]
        return 200, {}

    async def rows(self, request: Request, _: bytes) -> tuple[int, Any]:
        found, start = self._table(request), int(request.query_params["from"])
        page = found.rows[start : start + PAGE]
        body = b"".join(line + b"\n" for line in page)
        return 200, Page(body, start + PAGE if start + PAGE < len(found.rows) else None)

    async def destroy(self, request: Request, _: bytes) -> tuple[int, Any]:
        name = request.path_params["workspace"]
        found = self.workspaces.get(name)
        gone = {"workspace_id": name, "state": "destroyed", "objects_left": 0, "covers_backups": True}
        if found is None or self._next("lies"):
            return 200, gone
        if self._next("half-destroyed"):
            found.logins.clear()
            found.sessions.clear()
            return 200, gone
        if self._next("slow"):
            return 202, gone | {"state": "working"}
        self.workspaces[name] = Workspace("destroyed", found.fence)
        return 200, gone

    # The door, as persons find it

    async def enter(self, request: Request) -> Response:
        found = self.workspaces.get(request.path_params["workspace"])
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        with contextlib.suppress(ValueError):
            name, _, password = base64.b64decode(given).decode().partition(":")
            login = found.logins.get(name) if found else None
            over = login is not None and login.until is not None and login.until <= datetime.now(UTC)
            if kind == "Basic" and found and found.enters and login and not over and right(login.verifier, password):
                token = secrets.token_urlsafe(24)
                found.sessions[token] = name
                return Response(json.dumps({"token": token}), 201, media_type="application/json")
        return Response(status_code=401)

    async def look(self, request: Request) -> Response:
        found = self.workspaces.get(request.path_params["workspace"])
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if found is None or token not in found.sessions:
            return Response(status_code=401)
        tables = [{"table": name, "rows": len(table.rows)} for name, table in sorted(found.tables.items())]
        return Response(json.dumps({"tables": tables}), media_type="application/json")

    # Answers

    def _done(self, name: str, found: Workspace) -> tuple[int, Any]:
        if self._next("slow"):
            found.busy = 2
            return 202, self._shown(name, found)
        return 200, self._shown(name, found)

    def _shown(self, name: str, found: Workspace) -> Json:
        now = datetime.now(UTC)
        logins = [
            {
                "login": each,
                "enters": found.enters and not (login.until and login.until <= now),
                **({"until": login.until.astimezone(UTC).isoformat().replace("+00:00", "Z")} if login.until else {}),
            }
            for each, login in sorted(found.logins.items())
            if each != found.probe
        ]
        return {
            "workspace_id": name,
            "state": "working" if found.busy else found.state,
            "tables": [{"dataset_id": t.dataset_id, "table": n} for n, t in sorted(found.tables.items())],
            "logins": logins,
            "sessions": len(found.sessions),
        }

    def report(self, environment: str, workspace: str, state: str, **more: Any) -> tuple[Json, bytes, dict[str, str]]:
        """A signed report: its content, its body and its headers, for `POST /environments/{environment}/reports`."""
        at = more.pop("at", datetime.now(UTC))
        created = int(more.pop("created", time.time()))
        secret = more.pop("secret", self.secret)
        key_id = more.pop("key_id", self.key_id)
        content = {
            "report_id": str(uuid4()),
            "workspace_id": workspace,
            "state": state,
            "at": at.isoformat().replace("+00:00", "Z"),
        } | more
        body = json.dumps(content).encode()
        digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        lines = [("@method", "POST"), ("@path", f"/environments/{environment}/reports"), ("@query", "?")]
        lines.append(("content-digest", digest))
        names = " ".join(f'"{name}"' for name, _ in lines)
        params = (
            f'({names});created={created};keyid="{key_id}";alg="hmac-sha256";nonce="{uuid4()}";tag="guichet-report"'
        )
        base = "\n".join([f'"{name}": {value}' for name, value in lines] + [f'"@signature-params": {params}'])
        headers = {
            "content-type": "application/json",
            "content-digest": digest,
            "signature-input": f"guichet={params}",
            "signature": f"guichet=:{self._mac(base, secret)}:",
        }
        return content, body, headers


@dataclass
class Page:
    body: bytes
    following: int | None


def right(verifier: str | None, password: str) -> bool:
    """Whether a password belongs to a SCRAM-SHA-256 verifier (RFC 5802, 3; RFC 5803)."""
    if verifier is None:
        return False
    _, cost, keys = verifier.split("$")
    iterations, salt = cost.split(":")
    stored = base64.b64decode(keys.split(":")[0])
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    return hmac.compare_digest(hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest(), stored)


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@contextlib.asynccontextmanager
async def serving(provisioner: Provisioner) -> AsyncIterator[str]:
    """The provisioner on a free port of this machine; its base URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        provisioner.app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False,
        timeout_graceful_shutdown=0,
    )  # fmt: skip
    server = _Uvicorn(config)
    task = asyncio.create_task(server.serve([listening]))
    provisioner.url = f"http://127.0.0.1:{listening.getsockname()[1]}{PREFIX}"
    try:
        yield provisioner.url
    finally:
        server.should_exit = True
        await task


__all__ = ["Provisioner", "serving", "timedelta"]
