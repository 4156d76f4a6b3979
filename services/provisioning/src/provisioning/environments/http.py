"""A hosting environment that is somebody else's provisioner, spoken to over HTTP as docs/provisioner.md has it.

Nothing is believed for being said: what a table holds is compared with what was sent, an open door is entered, a shut
one is tried with a password that is right, and after a destruction everything that could be left is asked for.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

from pydantic import ValidationError

from provisioning.environments import Actual, Cohort, Deletion, Extraction, Login, Order, Refused, Trouble, names
from provisioning.environments import http_wire as wire
from provisioning.environments.extraction import pseudonym
from provisioning.environments.http_client import Client, Host
from provisioning.environments.http_filling import fill
from provisioning.environments.http_rows import bodies
from provisioning.environments.http_workspace import Remote, remote
from provisioning.environments.manifest import Manifest
from provisioning.environments.rows import Column, Rows
from provisioning.environments.scram import verifier
from provisioning.project import Grant, Permit, Table

NO_ORDER = 0
"""The fence of a look, which is no order."""


class HttpEnvironment:
    """Workspaces at a provisioner, filled by us from the holder's database at `holder_url`."""

    def __init__(self, host: Host, holder_url: str) -> None:
        self._host = host
        self._holder_url = holder_url

    async def prepare(self, order: Order) -> None:
        """See `Environment.prepare`."""
        async with remote(self._host, order) as there:
            place = wire.Place(probe=names.probe(order.workspace_id))
            await there.settled(await there.order("prepare", "PUT", body=place))

    async def fill(self, order: Order, permit: Permit, grants: Sequence[Grant], cohort: Cohort) -> Extraction:
        """See `Environment.fill`."""
        return await fill(self, self._holder_url, order, permit, grants, cohort)

    async def drop(self, order: Order, dataset_ids: Sequence[str]) -> None:
        """See `Environment.drop`."""
        async with remote(self._host, order) as there:
            for table in await _tables_of(there, dataset_ids):
                await there.drop(table)
            if await _tables_of(there, dataset_ids):
                raise Trouble("TABLES_LEFT")

    async def remove(
        self, order: Order, refs: frozenset[str], tables: Sequence[Table], key: bytes
    ) -> tuple[Table, ...]:
        """See `Environment.remove`. Each table is read again: nobody who was taken out may stand in it."""
        gone = sorted(pseudonym(key, ref.encode()).decode() for ref in refs)
        async with remote(self._host, order) as there:
            return tuple([await _without(there, gone, table) for table in tables])

    async def admit(self, order: Order, refs: Sequence[str], until: datetime, enter: bool) -> None:
        """See `Environment.admit`."""
        wanted = sorted({names.login(order.workspace_id, ref) for ref in refs})
        body = wire.Admission(logins=tuple(wire.Admitted(login=each, until=until) for each in wanted), enter=enter)
        async with remote(self._host, order) as there:
            status = await there.settled(await there.order("admit", "PUT", "/logins", body))
        if sorted(login.login for login in status.logins) != wanted:
            raise Trouble("LOGINS_DIFFER")

    async def open(self, order: Order, tables: Sequence[Table]) -> None:
        """See `Environment.open`."""
        async with remote(self._host, order) as there:
            try:
                if (await there.turn("open")).beyond:
                    raise Trouble("ISOLATION_NOT_MET")
                if await there.counted_by_probe() != {table.table: table.rows for table in tables}:
                    raise Trouble("PROBE_COUNTED_OTHERWISE")
            except (Refused, Trouble, TimeoutError):
                if await there.status() is not None:
                    await there.turn("frozen")
                raise

    async def freeze(self, order: Order) -> None:
        """See `Environment.freeze`."""
        async with remote(self._host, order) as there:
            if await there.status() is not None:
                await there.turn("frozen")
                await there.refuses([names.probe(order.workspace_id)])

    async def close(self, order: Order) -> None:
        """See `Environment.close`."""
        async with remote(self._host, order) as there:
            if await there.status() is not None:
                status = await there.turn("closed")
                await there.refuses([*(login.login for login in status.logins), names.probe(order.workspace_id)])

    async def destroy(self, order: Order) -> Deletion:
        """See `Environment.destroy`. A provisioner that says so and has not done it is found out where it can be."""
        async with remote(self._host, order) as there:
            before = await there.status()
            said = await there.destroyed()
            left = said.objects_left + (await there.status() is not None)
            for table in before.tables if before else ():
                left += await there.ask(f"/tables/{table.table}") is not None
                left += await there.ask(f"/tables/{table.table}/rows", "from=0") is not None
        if left:
            raise Trouble("OBJECTS_LEFT")
        return Deletion(objects_left=0, covers_backups=said.covers_backups, backups=said.backups)

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
        async with remote(self._host, Order(workspace_id, NO_ORDER)) as there:
            status = await there.status()
        if status is None:
            return Actual(False, {}, (), 0)
        logins = tuple(Login(each.login, each.enters, each.until) for each in status.logins)
        tables = {table.table: table.dataset_id for table in status.tables}
        return Actual(True, tables, logins, status.sessions, status.unread, status.beyond)

    async def restore(self, order: Order, tables: Sequence[Table]) -> None:
        """See `Environment.restore`. What a right is there, the provisioner knows."""
        async with remote(self._host, order) as there:
            rights = wire.Rights(tables=tuple(table.table for table in tables))
            status = await there.settled(await there.order("restore", "POST", "/restore", rights))
        if status.beyond or status.unread:
            raise Trouble("RIGHTS_NOT_RESTORED")

    async def manifests(self, workspace_id: str) -> tuple[Table, ...]:
        """See `Environment.manifests`."""
        async with remote(self._host, Order(workspace_id, NO_ORDER)) as there:
            status = await there.status()
            found = [await _measured(there, table.table) for table in status.tables] if status else []
        return tuple(
            sorted((Table(t.dataset_id, t.table, t.rows, t.sha256) for t in found if t), key=lambda t: t.table)
        )

    @asynccontextmanager
    async def read(self, workspace_id: str, table: str) -> AsyncIterator[Rows]:
        """See `Environment.read`."""
        async with remote(self._host, Order(workspace_id, NO_ORDER)) as there:
            found = await _measured(there, table)
            if found is None:
                raise Refused("TABLE_NOT_THERE")
            async with aclosing(there.chunks(found)) as chunks:
                yield Rows(tuple(Column(column.name, column.type) for column in found.columns), chunks)

    async def load(self, order: Order, dataset_id: str, table: str, rows: Rows) -> Table:
        """See `Environment.load`. Counted and hashed on the way out; the provisioner must find the same."""
        sent, upload, count = Manifest(), str(uuid4()), 0
        columns = _columns(rows)
        async with remote(self._host, order) as there:
            async with aclosing(bodies(rows.chunks, sent)) as sending:
                async for body in sending:
                    await there.order("upload", "PUT", f"/uploads/{upload}/{count}", body, part=f"{upload}-{count}")
                    count += 1
            made = Table(dataset_id, table, sent.rows, sent.digest())
            whole = wire.Upload(
                dataset_id=dataset_id,
                columns=columns,
                upload=upload,
                chunks=count,
                rows=made.rows,
                sha256=made.sha256,
            )
            answer = await there.order("load", "PUT", f"/tables/{table}", whole, part=upload)
            if answer.status == HTTPStatus.ACCEPTED:
                await there.settled(answer)
                found: wire.Columns | wire.TableFound | None = await _measured(there, table)
            else:
                found = answer.read(wire.TableFound)
        if found is None or Table(found.dataset_id, found.table, found.rows, found.sha256) != made:
            raise Trouble("MANIFEST_DIFFERS")
        return made


def _columns(rows: Rows) -> tuple[wire.TableColumn, ...]:
    try:
        return tuple(wire.TableColumn.model_validate({"name": each.name, "type": each.type}) for each in rows.columns)
    except ValidationError:
        raise Refused("COLUMN_TYPE_UNKNOWN") from None


async def _tables_of(there: Remote, dataset_ids: Sequence[str]) -> list[str]:
    status = await there.status()
    return [table.table for table in status.tables if table.dataset_id in dataset_ids] if status else []


async def _measured(there: Remote, table: str) -> wire.Columns | None:
    answer = await there.ask(f"/tables/{table}")
    return answer.read(wire.Columns) if answer else None


async def _without(there: Remote, gone: Sequence[str], table: Table) -> Table:
    """The manifest of a table after these pseudonyms were taken out of it, as we read it ourselves."""
    await there.order("remove", "POST", f"/tables/{table.table}/removals", wire.Removal(pseudonyms=tuple(gone)))
    told = await _measured(there, table.table)
    if told is None:
        raise Refused("TABLE_NOT_THERE")
    read, taken_out = Manifest(), {pseudonym.encode() for pseudonym in gone}
    async with aclosing(there.pages(told)) as pages:
        async for lines in pages:
            if not taken_out.isdisjoint(line.partition(b"\t")[0] for line in lines):
                raise Trouble("PERSONS_LEFT")
            read.add(lines)
    if (read.rows, read.digest()) != (told.rows, told.sha256) or read.rows > table.rows:
        raise Trouble("MANIFEST_DIFFERS")
    return Table(table.dataset_id, table.table, told.rows, told.sha256)
