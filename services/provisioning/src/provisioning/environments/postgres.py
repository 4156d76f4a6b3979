"""A hosting environment that is a PostgreSQL server: a database for each workspace, a login for each person."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

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
    databases,
    names,
    rights,
    roles,
)
from provisioning.environments.extraction import copy_table, delete_persons, pseudonym, selection, sources
from provisioning.environments.manifest import manifest
from provisioning.environments.names import quoted
from provisioning.environments.rows import TYPES, Rows, copied_out
from provisioning.environments.scram import verifier
from provisioning.environments.server import Server, connected, edge
from provisioning.project import Grant, Permit, Table

INVALID_AUTHORISATION = "28000"
"""The answer to a role that exists, has the right password, and may not log in."""
REFUSALS = (INVALID_AUTHORISATION, "28P01")
SESSION_ROUNDS = 5


class PostgresEnvironment:
    """Workspaces on the server of `workspaces_url`, filled from the holder's database at `holder_url`.

    The user of `workspaces_url` owns that database and may create roles and databases; it need not be a superuser.
    `backed_up` says whether someone makes backups that outlive a workspace, `backups` how these are called:
    certificates tell it.
    """

    def __init__(
        self, holder_url: str, workspaces_url: str, *, backed_up: bool = False, backups: Sequence[str] = ()
    ) -> None:
        self._holder_url = holder_url
        self._server = Server(workspaces_url)
        self._backed_up = backed_up or bool(backups)
        self._backups = tuple(backups)

    async def prepare(self, order: Order) -> None:
        """See `Environment.prepare`."""
        async with self._server.working(order) as control:
            await roles.make_group(control, order.workspace_id)
        # A database cannot be made in a transaction; the lease is held by one beside it.
        async with self._server.working(order), self._server.looking() as connection:
            await databases.make(connection, order.workspace_id)
        async with self._server.inside(order) as inside:
            await databases.shut(inside, order.workspace_id)

    async def fill(self, order: Order, permit: Permit, grants: Sequence[Grant], cohort: Cohort) -> Extraction:
        """See `Environment.fill`. One transaction for each table, so that a long extraction never blocks long."""
        made: dict[Grant, tuple[Table, ...]] = {}
        met: set[bytes] = set()
        async with edge(), connected(self._holder_url) as holder:
            for grant in grants:
                covered = await sources(holder, grant)
                await self.drop(order, [grant.dataset_id])
                tables = []
                for source in covered:
                    query = selection(source, covered, grant, permit)
                    table = f"{names.table_prefix(grant.dataset_id)}_{source.table}"
                    async with self._server.inside(order) as inside:
                        schema = names.schema(order.workspace_id)
                        copied = await copy_table(holder, inside, query, schema, table, cohort)
                        place = f"{quoted(schema)}.{quoted(table)}"
                        await inside.execute(f"COMMENT ON TABLE {place} IS {names.literal(grant.dataset_id)}")
                        await roles.grant_tables(inside, order.workspace_id, [table])
                    met |= copied.met
                    tables.append(Table(grant.dataset_id, table, copied.rows, copied.sha256))
                made[grant] = tuple(tables)
        return Extraction(made, len(met))

    async def drop(self, order: Order, dataset_ids: Sequence[str]) -> None:
        """See `Environment.drop`."""
        async with self._server.inside(order) as inside:
            for table, dataset_id in (await self._tables(inside, order.workspace_id)).items():
                if dataset_id in dataset_ids:
                    await inside.execute(f"DROP TABLE {quoted(names.schema(order.workspace_id))}.{quoted(table)}")

    async def remove(
        self, order: Order, refs: frozenset[str], tables: Sequence[Table], key: bytes
    ) -> tuple[Table, ...]:
        """See `Environment.remove`."""
        gone = [pseudonym(key, ref.encode()) for ref in sorted(refs)]
        after = []
        schema = quoted(names.schema(order.workspace_id))
        async with self._server.inside(order) as inside:
            for table in tables:
                place = f"{schema}.{quoted(table.table)}"
                await inside.execute(delete_persons(place, gone))
                rows, digest = await manifest(inside, place)
                after.append(Table(table.dataset_id, table.table, rows, digest))
        return tuple(after)

    async def admit(self, order: Order, refs: Sequence[str], until: datetime, enter: bool) -> None:
        """See `Environment.admit`."""
        async with self._server.working(order) as control:
            left_over = await roles.set_logins(control, order.workspace_id, refs, until, enter)
        if left_over:
            await self._end_sessions(left_over)
            await self._take_rights_back(order, left_over)
            async with self._server.working(order) as control:
                await roles.drop_logins(control, left_over)

    async def open(self, order: Order, tables: Sequence[Table]) -> None:
        """See `Environment.open`. Nobody is let in while a login could reach anything beyond its own schema."""
        async with self._server.working(order) as control, self._server.visiting(order.workspace_id) as inside:
            if (await rights.look(control, inside, order.workspace_id)).beyond:
                raise Trouble("ISOLATION_NOT_MET")
            await roles.let_in(control, order.workspace_id, True)
        try:
            counted = await self._count_as_probe(order, tables)
        except (Refused, Trouble, TimeoutError):
            await self._keep_out(order)
            raise
        if counted != [table.rows for table in tables]:
            await self._keep_out(order)
            raise Trouble("PROBE_COUNTED_OTHERWISE")

    async def freeze(self, order: Order) -> None:
        """See `Environment.freeze`."""
        logins = await self._keep_out(order)
        await self._end_sessions(logins)
        await self._probe_refused(order, [names.probe(order.workspace_id)])

    async def close(self, order: Order) -> None:
        """See `Environment.close`."""
        logins = await self._keep_out(order)
        await self._end_sessions(logins)
        await self._probe_refused(order, logins)

    async def destroy(self, order: Order) -> Deletion:
        """See `Environment.destroy`. The fence stays: it is what refuses a worker that comes back late."""
        group = names.schema(order.workspace_id)
        logins = await self._keep_out(order)
        await self._end_sessions(logins)
        await self._take_rights_back(order, [*logins, group])
        async with self._server.working(order), self._server.looking() as connection:
            await databases.drop(connection, order.workspace_id)
        async with self._server.working(order) as control:
            await roles.drop_logins(control, [*logins, group])
        async with self._server.working(order) as control:
            left = await roles.objects_left(control, order.workspace_id)
        if left:
            raise Trouble("OBJECTS_LEFT")
        return Deletion(objects_left=left, covers_backups=not self._backed_up, backups=self._backups)

    async def connect(self, workspace_id: str, ref: str, until: datetime) -> str:
        """See `Environment.connect`. Earlier passwords of this person end with it."""
        login = names.login(workspace_id, ref)
        password = secrets.token_urlsafe(24)
        async with self._server.looking() as control, control.transaction():
            if not await control.fetchval("SELECT rolcanlogin FROM pg_roles WHERE rolname = $1", login):
                raise Refused("LOGIN_NOT_OPEN")
            await control.execute(f"ALTER ROLE {quoted(login)} VALID UNTIL {names.literal(until.isoformat())}")
            await roles.set_verifier(control, login, verifier(password))
        return self._server.url_of(workspace_id, login, password)

    async def inspect(self, workspace_id: str) -> Actual:
        """See `Environment.inspect`."""
        prefix = names.schema(workspace_id)
        async with self._server.looking() as control:
            rows = await control.fetch(
                "SELECT rolname, rolcanlogin, CASE WHEN isfinite(rolvaliduntil) THEN rolvaliduntil END AS until "
                "FROM pg_roles WHERE starts_with(rolname, $1) AND rolname <> $2 ORDER BY rolname",
                prefix + "_",
                names.probe(workspace_id),
            )
            logins = tuple(Login(row["rolname"], row["rolcanlogin"], row["until"]) for row in rows)
            sessions = await control.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE starts_with(usename::text, $1)", prefix + "_"
            )
            if not await databases.exists(control, workspace_id):
                return Actual(bool(logins), {}, logins, int(sessions))
            async with self._server.visiting(workspace_id) as inside:
                tables = await self._tables(inside, workspace_id)
                found = await rights.look(control, inside, workspace_id)
        return Actual(True, tables, logins, int(sessions), found.unread, found.beyond)

    async def restore(self, order: Order, tables: Sequence[Table]) -> None:
        """See `Environment.restore`. What a login possesses is left to a person: taking it away could destroy it."""
        workspace_id = order.workspace_id
        async with self._server.working(order) as control:
            await databases.set_up(control)
            await rights.put_right_on_server(control, workspace_id)
        group = names.schema(workspace_id)
        async with self._server.working(order) as control, self._server.visiting(workspace_id) as inside:
            logins = [group, *await roles.all_logins(control, workspace_id)]
            if (await rights.look(control, inside, workspace_id)).owned:
                return
        await self._take_rights_back(order, logins)
        async with self._server.inside(order) as inside:
            await rights.put_right_inside(inside, workspace_id, logins, [table.table for table in tables])

    async def manifests(self, workspace_id: str) -> tuple[Table, ...]:
        """See `Environment.manifests`."""
        schema = quoted(names.schema(workspace_id))
        async with self._server.looking() as control:
            if not await databases.exists(control, workspace_id):
                return ()
        async with self._server.visiting(workspace_id) as inside:
            found = await self._tables(inside, workspace_id)
            return tuple(
                [
                    Table(dataset_id, table, *await manifest(inside, f"{schema}.{quoted(table)}"))
                    for table, dataset_id in found.items()
                ]
            )

    @asynccontextmanager
    async def read(self, workspace_id: str, table: str) -> AsyncIterator[Rows]:
        """See `Environment.read`."""
        place = f"{quoted(names.schema(workspace_id))}.{quoted(table)}"
        async with self._server.visiting(workspace_id) as inside:
            if table not in await self._tables(inside, workspace_id):
                raise Refused("TABLE_NOT_THERE")
            async with copied_out(inside, f"SELECT * FROM {place}") as rows:  # noqa: S608 - quoted identifiers
                yield rows

    async def load(self, order: Order, dataset_id: str, table: str, rows: Rows) -> Table:
        """See `Environment.load`."""
        schema = names.schema(order.workspace_id)
        place = f"{quoted(schema)}.{quoted(table)}"
        if any(column.type not in TYPES for column in rows.columns):
            raise Refused("COLUMN_TYPE_UNKNOWN")
        columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in rows.columns)
        async with self._server.inside(order) as inside:
            await inside.execute(f"DROP TABLE IF EXISTS {place}")
            await inside.execute(f"CREATE TABLE {place} ({columns})")
            await inside.copy_to_table(table, schema_name=schema, source=rows.chunks)
            await inside.execute(f"COMMENT ON TABLE {place} IS {names.literal(dataset_id)}")
            await roles.grant_tables(inside, order.workspace_id, [table])
            return Table(dataset_id, table, *await manifest(inside, place))

    async def _tables(self, connection: asyncpg.Connection, workspace_id: str) -> dict[str, str]:
        rows = await connection.fetch(
            "SELECT relname, coalesce(obj_description(oid, 'pg_class'), '') AS dataset_id FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) ORDER BY relname",
            names.schema(workspace_id),
        )
        return {row["relname"]: row["dataset_id"] for row in rows}

    async def _keep_out(self, order: Order) -> list[str]:
        async with self._server.working(order) as control:
            return await roles.let_in(control, order.workspace_id, False)

    async def _end_sessions(self, logins: Sequence[str]) -> None:
        # A login that had been checked before it was forbidden may still arrive: hence more than one round.
        async with self._server.looking() as control:
            for _ in range(SESSION_ROUNDS):
                if not await roles.end_sessions(control, logins):
                    return
        raise Trouble("SESSIONS_LEFT")

    async def _take_rights_back(self, order: Order, logins: Sequence[str]) -> None:
        """In whatever database of ours somebody gave them one; a role with a right anywhere cannot be dropped."""
        workspace_id = order.workspace_id
        async with self._server.working(order) as control:
            there = await rights.known(control, logins)
            entered = await databases.exists(control, workspace_id)
            places = await rights.elsewhere(control, workspace_id)
            await rights.take_back(control, workspace_id, there, entered=entered)
        for database in places:
            async with self._server.working(order), edge(), connected(self._server.url_to(database)) as other:
                await rights.take_back(other, workspace_id, there, entered=entered)

    async def _count_as_probe(self, order: Order, tables: Sequence[Table]) -> list[int]:
        login = names.probe(order.workspace_id)
        schema = quoted(names.schema(order.workspace_id))
        password = secrets.token_urlsafe(24)
        async with self._server.working(order) as control:
            await roles.set_verifier(control, login, verifier(password))
        try:
            async with edge(), connected(self._server.url_of(order.workspace_id, login, password)) as session:
                return [
                    int(await session.fetchval(f"SELECT count(*) FROM {schema}.{quoted(t.table)}"))  # noqa: S608 - quoted
                    for t in tables
                ]
        finally:
            async with self._server.working(order) as control:
                await roles.set_verifier(control, login, None)

    async def _probe_refused(self, order: Order, logins: Sequence[str]) -> None:
        """Tries each login with a password that is right: only then does a refusal say that the login is shut."""
        passwords = {login: secrets.token_urlsafe(24) for login in logins}
        async with self._server.working(order) as control:
            there = set(await roles.all_logins(control, order.workspace_id))
            passwords = {login: password for login, password in passwords.items() if login in there}
            for login, password in passwords.items():
                await roles.set_verifier(control, login, verifier(password))
        try:
            for login, password in passwords.items():
                # The probe's login does not expire, so nothing but the shut door may be the reason.
                allowed = (INVALID_AUTHORISATION,) if login == names.probe(order.workspace_id) else REFUSALS
                if await self._answer(order.workspace_id, login, password) not in allowed:
                    raise Trouble("PROBE_NOT_REFUSED")
        finally:
            async with self._server.working(order) as control:
                for login in passwords:
                    await roles.set_verifier(control, login, None)

    async def _answer(self, workspace_id: str, login: str, password: str) -> str:
        try:
            async with connected(self._server.url_of(workspace_id, login, password)):
                return "in"
        except asyncpg.InvalidAuthorizationSpecificationError as refusal:
            return str(refusal.sqlstate)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise Trouble("PROBE_WITHOUT_ANSWER") from error
