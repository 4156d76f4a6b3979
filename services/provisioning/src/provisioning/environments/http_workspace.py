"""One workspace at a provisioner: orders under a lease, waits while it works, probes at its door, pages of rows."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus

from contracts.facts import Shape
from provisioning.environments import Order, Trouble, names
from provisioning.environments import http_wire as wire
from provisioning.environments.http_client import Answer, Client, Host
from provisioning.environments.http_rows import NotRows, lines_of
from provisioning.environments.scram import verifier

NEXT = "guichet-next"
"""The header of a page of rows that says where the next one begins."""
FIRST_POLL, LONGEST_POLL = 0.2, 5.0


class Remote:
    """What can be asked and ordered of a workspace during one step; orders raise what an `Environment` raises."""

    def __init__(self, client: Client, order: Order) -> None:
        self._client = client
        self._order = order
        self._path = f"/workspaces/{order.workspace_id}"

    async def order(
        self, step: str, method: str, path: str = "", body: Shape | bytes = b"", *, part: str = ""
    ) -> Answer:
        """The answer to an order about something that must be there."""
        return await self._client.must(method, self._path + path, body, order=self._under(step, part))

    async def drop(self, table: str) -> None:
        """Takes a table away, which may be gone already."""
        path = f"{self._path}/tables/{table}"
        await self._client.send("DELETE", path, order=self._under("drop", table), absent_is_fine=True)

    async def ask(self, path: str = "", query: str = "") -> Answer | None:
        """What is there; None when nothing is."""
        return await self._client.send("GET", self._path + path, query=query, absent_is_fine=True)

    async def status(self) -> wire.Status | None:
        """What is there of the workspace; None when nothing is."""
        answer = await self.ask()
        found = answer.read(wire.Status) if answer else None
        return None if found is None or found.state == "destroyed" else self._about_this(found)

    async def settled(self, answer: Answer) -> wire.Status:
        """The state after an order, waited for while the provisioner works; the step's time limit ends the wait."""
        status = self._about_this(answer.read(wire.Status))
        async for _ in _pauses():
            if status.failed is not None:
                raise Trouble(f"PROVISIONER_{status.failed}"[:64])
            if status.state != "working":
                break
            status = self._about_this((await self._client.must("GET", self._path)).read(wire.Status))
        return status

    async def turn(self, access: wire.Access) -> wire.Status:
        """Opens or shuts the door, and sees that it is so."""
        status = await self.settled(await self.order(access, "PUT", "/access", wire.Door(access=access)))
        if status.state != access:
            raise Trouble("WRONG_STATE")
        if access != "open" and any(login.enters for login in status.logins):
            raise Trouble("LOGINS_OPEN")
        if access != "open" and status.sessions:
            raise Trouble("SESSIONS_LEFT")
        return status

    async def destroyed(self) -> wire.Destroyed:
        """What the provisioner says when it has destroyed."""
        said = (await self.order("destroy", "DELETE")).read(wire.Destroyed)
        async for _ in _pauses():
            if said.state == "destroyed":
                break
            said = (await self.order("destroy", "DELETE")).read(wire.Destroyed)
        return said

    async def counted_by_probe(self) -> dict[str, int]:
        """The tables and rows that somebody sees who comes in as a person does."""
        async with self._password(names.probe(self._order.workspace_id)) as (login, password):
            entered = await self._client.knock(f"{self._path}/sessions", login=login, password=password)
            if entered.status != HTTPStatus.CREATED:
                raise Trouble("PROBE_NOT_LET_IN")
            token = entered.read(wire.Entered).token
            seen = await self._client.look(f"{self._path}/sessions/current", token)
            if seen.status != HTTPStatus.OK:
                raise Trouble("PROBE_NOT_LET_IN")
            return {table.table: table.rows for table in seen.read(wire.Seen).tables}

    async def refuses(self, logins: Sequence[str]) -> None:
        """Tries each login with a password that is right: only then does a refusal say that the login is shut."""
        for each in logins:
            async with self._password(each) as (login, password):
                answer = await self._client.knock(f"{self._path}/sessions", login=login, password=password)
                if answer.status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                    raise Trouble("PROBE_NOT_REFUSED")

    async def pages(self, table: wire.Columns) -> AsyncGenerator[list[bytes], None]:
        """Every line of a table, without its end."""
        start = 0
        while True:
            path = f"{self._path}/tables/{table.table}/rows"
            page = await self._client.must("GET", path, query=f"from={start}")
            try:
                yield lines_of(page.body, len(table.columns))
            except NotRows:
                raise Trouble("ANSWER_NOT_UNDERSTOOD") from None
            following = page.headers.get(NEXT)
            if following is None:
                return
            if not following.isdigit() or int(following) <= start:
                raise Trouble("ANSWER_NOT_UNDERSTOOD")
            start = int(following)

    async def chunks(self, table: wire.Columns) -> AsyncGenerator[bytes, None]:
        """The same as chunks of whole lines."""
        async with aclosing(self.pages(table)) as pages:
            async for lines in pages:
                yield b"".join(line + b"\n" for line in lines)

    @asynccontextmanager
    async def _password(self, login: str) -> AsyncIterator[tuple[str, str]]:
        """A login and a password that is right for as long as it is needed."""
        password = secrets.token_urlsafe(24)
        path = f"/logins/{login}/password"
        await self.order("probe", "PUT", path, wire.Password(verifier=verifier(password)), part=secrets.token_hex(4))
        try:
            yield login, password
        finally:
            await self.order("probe", "PUT", path, wire.Password(verifier=None), part=secrets.token_hex(4))

    def _about_this(self, status: wire.Status) -> wire.Status:
        if status.workspace_id != self._order.workspace_id:
            raise Trouble("WRONG_WORKSPACE")
        return status

    def _under(self, step: str, part: str) -> Mapping[str, str]:
        """The headers of an order: the same key for every attempt at it, and the fence of this one."""
        order = self._order
        key = ":".join(word for word in (order.workspace_id, step, str(order.occasion), part) if word)
        return {"idempotency-key": key, "guichet-fence": str(order.fence)}


@asynccontextmanager
async def remote(host: Host, order: Order) -> AsyncIterator[Remote]:
    """A workspace at a provisioner, for the length of a step."""
    async with Client(host) as client:
        yield Remote(client, order)


async def _pauses() -> AsyncGenerator[None, None]:
    """One turn at once, then one after each pause: doubled up to a limit, with jitter of a half."""
    pause = FIRST_POLL
    while True:
        yield
        await asyncio.sleep(pause * random.uniform(0.5, 1))
        pause = min(LONGEST_POLL, pause * 2)
