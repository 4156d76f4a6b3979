"""A hosting environment that is somebody else's provisioner, spoken to over HTTP as docs/provisioner.md has it.

Nothing is believed for being said: what a table holds is compared with what was sent, an open door is entered, a shut
one is tried with a password that is right, and after a destruction everything that could be left is asked for.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from provisioning.environments import (
    Actual,
    Cohort,
    Deletion,
    Extraction,
    Login,
    Order,
    Refused,
    Trouble,
    names,
)
from provisioning.environments import (
    http_wire as wire,
)
from provisioning.environments.extraction import Pseudonyms, pseudonym, selection, shuffled, sources
from provisioning.environments.http_client import Answer, Client, Host
from provisioning.environments.http_rows import (
    NotRows,
    Tally,
    copy_of_row,
    json_chunks,
    rows_of_copy,
    rows_of_json,
)
from provisioning.environments.rows import Column, Rows, copied_out
from provisioning.environments.scram import verifier
from provisioning.project import Grant, Permit, Table

NEXT = "guichet-next"
"""The header of a page of rows that says where the next one begins."""
FIRST_POLL, LONGEST_POLL = 0.2, 5.0


class HttpEnvironment:
    """Workspaces at a provisioner, filled by us from the holder's database at `holder_url`."""

    def __init__(self, host: Host, holder_url: str) -> None:
        self._host = host
        self._holder_url = holder_url

    async def prepare(self, order: Order) -> None:
        """See `Environment.prepare`."""
        async with Client(self._host) as client:
            body = wire.Place(probe=names.probe(order.workspace_id))
            await self._settle(
                client, order, await client.must("PUT", _of(order), body, order=_under(order, "prepare"))
            )

    async def fill(self, order: Order, permit: Permit, grants: Sequence[Grant], cohort: Cohort) -> Extraction:
        """See `Environment.fill`. Rows are shuffled at the holder's: its order would join two projects row by row."""
        made: dict[Grant, tuple[Table, ...]] = {}
        met: set[bytes] = set()
        async with _holder(self._holder_url) as holder:
            for grant in grants:
                covered = await sources(holder, grant)
                await self.drop(order, [grant.dataset_id])
                tables = []
                for source in covered:
                    query = await shuffled(holder, selection(source, covered, grant, permit))
                    name = f"{names.table_prefix(grant.dataset_id)}_{source.table}"
                    rewriting = Pseudonyms(cohort)
                    async with (
                        copied_out(holder, query) as rows,
                        aclosing(_rewritten(rows.chunks, rewriting)) as chunks,
                    ):
                        tables.append(await self.load(order, grant.dataset_id, name, Rows(rows.columns, chunks)))
                    met |= rewriting.met
                made[grant] = tuple(tables)
        return Extraction(made, len(met))

    async def drop(self, order: Order, dataset_ids: Sequence[str]) -> None:
        """See `Environment.drop`."""
        gone = set(dataset_ids)
        async with Client(self._host) as client:
            there = (await self._status(client, order.workspace_id)).tables
            for table in there:
                if table.dataset_id in gone:
                    path = f"{_of(order)}/tables/{table.table}"
                    await client.send("DELETE", path, order=_under(order, "drop"), absent_is_fine=True)
            left = {table.dataset_id for table in (await self._status(client, order.workspace_id)).tables}
        if left & gone:
            raise Trouble("TABLES_LEFT")

    async def remove(
        self, order: Order, refs: frozenset[str], tables: Sequence[Table], key: bytes
    ) -> tuple[Table, ...]:
        """See `Environment.remove`. Each table is read again: nobody who was taken out may stand in it."""
        names_gone = sorted(pseudonym(key, ref.encode()).decode() for ref in refs)
        after = []
        async with Client(self._host) as client:
            for table in tables:
                path = f"{_of(order)}/tables/{table.table}"
                await client.must(
                    "POST",
                    f"{path}/removals",
                    wire.Removal(pseudonyms=tuple(names_gone)),
                    order=_under(order, "remove"),
                )
                found = (await client.must("GET", path)).read(wire.Columns)
                tally = Tally()
                async for row in _pages(client, path, found):
                    if row and row[0] in names_gone:
                        raise Trouble("PERSONS_LEFT")
                    tally.add(row)
                if (tally.rows, tally.sha256) != (found.rows, found.sha256) or tally.rows > table.rows:
                    raise Trouble("MANIFEST_DIFFERS")
                after.append(Table(table.dataset_id, table.table, tally.rows, tally.sha256))
        return tuple(after)

    async def admit(self, order: Order, refs: Sequence[str], until: datetime, enter: bool) -> None:
        """See `Environment.admit`."""
        wanted = {names.login(order.workspace_id, ref) for ref in refs}
        body = wire.Admission(
            logins=tuple(wire.Admitted(login=login, until=until) for login in sorted(wanted)), enter=enter
        )
        async with Client(self._host) as client:
            answer = await client.must("PUT", f"{_of(order)}/logins", body, order=_under(order, "admit"))
            status = await self._settle(client, order, answer)
        if {login.login for login in status.logins} != wanted:
            raise Trouble("LOGINS_DIFFER")

    async def open(self, order: Order, tables: Sequence[Table]) -> None:
        """See `Environment.open`."""
        async with Client(self._host) as client:
            status = await self._turn(client, order, "open")
            try:
                if status.beyond:
                    raise Trouble("ISOLATION_NOT_MET")
                seen = await self._count_as_probe(client, order)
                if seen != {table.table: table.rows for table in tables}:
                    raise Trouble("PROBE_COUNTED_OTHERWISE")
            except (Refused, Trouble, TimeoutError):
                await self._turn(client, order, "frozen")
                raise

    async def freeze(self, order: Order) -> None:
        """See `Environment.freeze`."""
        async with Client(self._host) as client:
            if await self._is_there(client, order):
                await self._turn(client, order, "frozen")
                await self._probe_refused(client, order, [names.probe(order.workspace_id)])

    async def close(self, order: Order) -> None:
        """See `Environment.close`."""
        async with Client(self._host) as client:
            if await self._is_there(client, order):
                status = await self._turn(client, order, "closed")
                logins = [login.login for login in status.logins]
                await self._probe_refused(client, order, [*logins, names.probe(order.workspace_id)])

    async def destroy(self, order: Order) -> Deletion:
        """See `Environment.destroy`. A provisioner that says so and has not done it is found out where it can be."""
        async with Client(self._host) as client:
            before = await client.send("GET", _of(order), absent_is_fine=True)
            there = before.read(wire.Status) if before else None
            said = await self._destroyed(client, order)
            after = await client.send("GET", _of(order), absent_is_fine=True)
            left = said.objects_left
            if after is not None:
                status = after.read(wire.Status)
                left += len(status.tables) + len(status.logins) + status.sessions + (status.state != "destroyed")
            for table in there.tables if there else ():
                path = f"{_of(order)}/tables/{table.table}"
                for each, query in ((path, ""), (f"{path}/rows", "from=0")):
                    left += await client.send("GET", each, query=query, absent_is_fine=True) is not None
        if left:
            raise Trouble("OBJECTS_LEFT")
        return Deletion(objects_left=0, covers_backups=said.covers_backups)

    async def connect(self, workspace_id: str, ref: str, until: datetime) -> str:
        """See `Environment.connect`. The password is made here; the provisioner gets what it is checked against."""
        login, password = names.login(workspace_id, ref), secrets.token_urlsafe(24)
        async with Client(self._host) as client:
            path = f"/workspaces/{workspace_id}/logins/{login}/password"
            body = wire.Password(verifier=verifier(password), until=until)
            if await client.send("PUT", path, body, absent_is_fine=True) is None:
                raise Refused("LOGIN_NOT_OPEN")
        parts = urlsplit(self._host.url)
        place = f"{quote(login)}:{quote(password)}@{parts.netloc}"
        return urlunsplit(parts._replace(netloc=place, path=f"{parts.path}/workspaces/{workspace_id}/sessions"))

    async def inspect(self, workspace_id: str) -> Actual:
        """See `Environment.inspect`."""
        async with Client(self._host) as client:
            answer = await client.send("GET", f"/workspaces/{workspace_id}", absent_is_fine=True)
        status = answer.read(wire.Status) if answer else None
        if status is None or status.state == "destroyed":
            return Actual(False, {}, (), 0)
        logins = tuple(Login(each.login, each.enters, each.until) for each in status.logins)
        return Actual(True, {t.table: t.dataset_id for t in status.tables}, logins, status.sessions)

    async def restore(self, order: Order, tables: Sequence[Table]) -> None:
        """See `Environment.restore`. Rights inside are the provisioner's affair: none are reported, none set."""

    async def manifests(self, workspace_id: str) -> tuple[Table, ...]:
        """See `Environment.manifests`."""
        found = []
        async with Client(self._host) as client:
            answer = await client.send("GET", f"/workspaces/{workspace_id}", absent_is_fine=True)
            for table in answer.read(wire.Status).tables if answer else ():
                one = await client.must("GET", f"/workspaces/{workspace_id}/tables/{table.table}")
                its = one.read(wire.Columns)
                found.append(Table(its.dataset_id, its.table, its.rows, its.sha256))
        return tuple(sorted(found, key=lambda table: table.table))

    @asynccontextmanager
    async def read(self, workspace_id: str, table: str) -> AsyncIterator[Rows]:
        """See `Environment.read`."""
        path = f"/workspaces/{workspace_id}/tables/{table}"
        async with Client(self._host) as client:
            answer = await client.send("GET", path, absent_is_fine=True)
            if answer is None:
                raise Refused("TABLE_NOT_THERE")
            found = answer.read(wire.Columns)
            async with aclosing(_copy_chunks(client, path, found)) as chunks:
                yield Rows(tuple(Column(column.name, column.type) for column in found.columns), chunks)

    async def load(self, order: Order, dataset_id: str, table: str, rows: Rows) -> Table:
        """See `Environment.load`. Counted and hashed on the way out; the provisioner must find the same."""
        tally, upload, chunks = Tally(), str(uuid4()), 0
        async with Client(self._host) as client:
            async with aclosing(json_chunks(rows_of_copy(rows.chunks), tally)) as sending:
                async for chunk in sending:
                    path = f"{_of(order)}/uploads/{upload}/{chunks}"
                    await client.must("PUT", path, chunk, order=_under(order, "upload", f"{upload}-{chunks}"))
                    chunks += 1
            body = wire.Upload(
                dataset_id=dataset_id,
                columns=tuple(
                    wire.TableColumn.model_validate({"name": column.name, "type": column.type})
                    for column in rows.columns
                ),
                upload=upload,
                chunks=chunks,
                rows=tally.rows,
                sha256=tally.sha256,
            )
            path = f"{_of(order)}/tables/{table}"
            answer = await client.must("PUT", path, body, order=_under(order, "load", upload))
            if answer.status == HTTPStatus.ACCEPTED:
                await self._settle(client, order, answer)
                answer = await client.must("GET", path)
            found = answer.read(wire.TableFound)
        if (found.dataset_id, found.table, found.rows, found.sha256) != (dataset_id, table, tally.rows, tally.sha256):
            raise Trouble("MANIFEST_DIFFERS")
        return Table(dataset_id, table, tally.rows, tally.sha256)

    async def _turn(self, client: Client, order: Order, access: wire.Access) -> wire.Status:
        answer = await client.must("PUT", f"{_of(order)}/access", wire.Door(access=access), order=_under(order, access))
        status = await self._settle(client, order, answer)
        if status.state != access:
            raise Trouble("WRONG_STATE")
        if access != "open" and any(login.enters for login in status.logins):
            raise Trouble("LOGINS_OPEN")
        if access != "open" and status.sessions:
            raise Trouble("SESSIONS_LEFT")
        return status

    async def _destroyed(self, client: Client, order: Order) -> wire.Destroyed:
        pause = FIRST_POLL
        while True:
            said = (await client.must("DELETE", _of(order), order=_under(order, "destroy"))).read(wire.Destroyed)
            if said.state == "destroyed":
                return said
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(LONGEST_POLL, pause * 2)

    async def _settle(self, client: Client, order: Order, answer: Answer) -> wire.Status:
        """The state after an order, waited for while the provisioner works; the step's time limit ends the wait."""
        pause = FIRST_POLL
        status = answer.read(wire.Status)
        while status.workspace_id == order.workspace_id:
            if status.failed is not None:
                raise Trouble(f"PROVISIONER_{status.failed}"[:64])
            if status.state != "working":
                return status
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(LONGEST_POLL, pause * 2)
            status = await self._status(client, order.workspace_id)
        raise Trouble("WRONG_WORKSPACE")

    async def _is_there(self, client: Client, order: Order) -> bool:
        answer = await client.send("GET", _of(order), absent_is_fine=True)
        return answer is not None and answer.read(wire.Status).state != "destroyed"

    async def _status(self, client: Client, workspace_id: str) -> wire.Status:
        return (await client.must("GET", f"/workspaces/{workspace_id}")).read(wire.Status)

    async def _count_as_probe(self, client: Client, order: Order) -> dict[str, int]:
        login, password = names.probe(order.workspace_id), secrets.token_urlsafe(24)
        await self._set_password(client, order, login, password)
        try:
            sessions = f"{_of(order)}/sessions"
            entered = await client.knock(sessions, login=login, password=password)
            if entered.status != HTTPStatus.CREATED:
                raise Trouble("PROBE_NOT_LET_IN")
            seen = await client.look(f"{sessions}/current", entered.read(wire.Entered).token)
            if seen.status != HTTPStatus.OK:
                raise Trouble("PROBE_NOT_LET_IN")
            return {table.table: table.rows for table in seen.read(wire.Seen).tables}
        finally:
            await self._set_password(client, order, login, None)

    async def _probe_refused(self, client: Client, order: Order, logins: Sequence[str]) -> None:
        """Tries each login with a password that is right: only then does a refusal say that the login is shut."""
        for login in logins:
            password = secrets.token_urlsafe(24)
            await self._set_password(client, order, login, password)
            try:
                answer = await client.knock(f"{_of(order)}/sessions", login=login, password=password)
                if answer.status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                    raise Trouble("PROBE_NOT_REFUSED")
            finally:
                await self._set_password(client, order, login, None)

    async def _set_password(self, client: Client, order: Order, login: str, password: str | None) -> None:
        body = wire.Password(verifier=None if password is None else verifier(password))
        await client.must("PUT", f"{_of(order)}/logins/{login}/password", body, order=_under(order, "probe", login))


def _of(order: Order) -> str:
    return f"/workspaces/{order.workspace_id}"


def _under(order: Order, step: str, part: str = "") -> Mapping[str, str]:
    """The headers of an order: the same key for every attempt at it, and the fence of this one."""
    key = ":".join(word for word in (order.workspace_id, step, str(order.occasion), part) if word)
    return {"idempotency-key": key, "guichet-fence": str(order.fence)}


async def _rewritten(chunks: AsyncIterator[bytes], rewriting: Pseudonyms) -> AsyncGenerator[bytes, None]:
    async for chunk in chunks:
        if rows := rewriting.rewrite(chunk):
            yield b"\n".join(rows) + b"\n"


async def _pages(client: Client, path: str, table: wire.Columns) -> AsyncGenerator[list[str | None], None]:
    start = "0"
    while True:
        page = await client.must("GET", f"{path}/rows", query=f"from={start}")
        try:
            for row in rows_of_json(page.body, len(table.columns)):
                yield row
        except NotRows:
            raise Trouble("ANSWER_NOT_UNDERSTOOD") from None
        following = page.headers.get(NEXT, "")
        if not following:
            return
        if not following.isdigit() or int(following) <= int(start):
            raise Trouble("ANSWER_NOT_UNDERSTOOD")
        start = following


async def _copy_chunks(client: Client, path: str, table: wire.Columns) -> AsyncGenerator[bytes, None]:
    lines: list[bytes] = []
    async with aclosing(_pages(client, path, table)) as rows:
        async for row in rows:
            lines.append(copy_of_row(row))
            if len(lines) == 1000:
                yield b"".join(lines)
                lines = []
    if lines:
        yield b"".join(lines)


@asynccontextmanager
async def _holder(url: str) -> AsyncIterator[asyncpg.Connection]:
    try:
        connection = await asyncpg.connect(url, timeout=5, server_settings={"timezone": "UTC", "jit": "off"})
        try:
            yield connection
        finally:
            connection.terminate()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise Trouble("HOLDER_UNAVAILABLE") from error
