"""A hosting environment that is a PostgreSQL database: a schema for each workspace, a login for each person."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from chassis.errors import Kind, kind_of
from provisioning.environments import (
    Actual,
    Cohort,
    Deletion,
    Extraction,
    Login,
    Order,
    Refused,
    Superseded,
    Trouble,
    names,
    roles,
)
from provisioning.environments.extraction import copy_table, delete_persons, pseudonym, selection, sources
from provisioning.environments.manifest import manifest
from provisioning.environments.names import quoted
from provisioning.environments.rows import TYPES, Rows, copied_out
from provisioning.environments.scram import verifier
from provisioning.project import Grant, Permit, Table

CONNECT_SECONDS = 5
INVALID_AUTHORISATION = "28000"
"""The answer to a role that exists, has the right password, and may not log in."""
REFUSALS = (INVALID_AUTHORISATION, "28P01")
SESSION_ROUNDS = 5


class PostgresEnvironment:
    """Workspaces in the database at `workspaces_url`, filled from the holder's at `holder_url`.

    The user of `workspaces_url` owns the database and may create roles; it need not be a superuser. `backed_up` says
    whether someone makes backups of that database that outlive a workspace, `backups` how these are called:
    certificates tell it.
    """

    def __init__(
        self, holder_url: str, workspaces_url: str, *, backed_up: bool = False, backups: Sequence[str] = ()
    ) -> None:
        self._holder_url = holder_url
        self._workspaces_url = workspaces_url
        self._backed_up = backed_up or bool(backups)
        self._backups = tuple(backups)
        self._set_up = False

    async def prepare(self, order: Order) -> None:
        """See `Environment.prepare`."""
        async with self._working(order) as connection:
            await roles.make_group(connection, order.workspace_id)

    async def fill(self, order: Order, permit: Permit, grants: Sequence[Grant], cohort: Cohort) -> Extraction:
        """See `Environment.fill`. One transaction for each table, so that a long extraction never blocks long."""
        made: dict[Grant, tuple[Table, ...]] = {}
        met: set[bytes] = set()
        async with _edge(), self._connection(self._holder_url) as holder:
            for grant in grants:
                covered = await sources(holder, grant)
                await self.drop(order, [grant.dataset_id])
                tables = []
                for source in covered:
                    query = selection(source, covered, grant, permit)
                    table = f"{names.table_prefix(grant.dataset_id)}_{source.table}"
                    async with self._working(order) as connection:
                        schema = names.schema(order.workspace_id)
                        met |= await copy_table(holder, connection, query, schema, table, cohort)
                        place = f"{quoted(schema)}.{quoted(table)}"
                        await connection.execute(f"COMMENT ON TABLE {place} IS {names.literal(grant.dataset_id)}")
                        await roles.grant_tables(connection, order.workspace_id)
                        rows, digest = await manifest(connection, place)
                    tables.append(Table(grant.dataset_id, table, rows, digest))
                made[grant] = tuple(tables)
        return Extraction(made, len(met))

    async def drop(self, order: Order, dataset_ids: Sequence[str]) -> None:
        """See `Environment.drop`."""
        schema = names.schema(order.workspace_id)
        async with self._working(order) as connection:
            for dataset_id in dataset_ids:
                # Every table says in its comment which dataset it comes from.
                for row in await connection.fetch(
                    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace ="
                    " (SELECT oid FROM pg_namespace WHERE nspname = $1) AND obj_description(oid, 'pg_class') = $2",
                    schema,
                    dataset_id,
                ):
                    await connection.execute(f"DROP TABLE {quoted(schema)}.{quoted(row['relname'])}")

    async def remove(
        self, order: Order, refs: frozenset[str], tables: Sequence[Table], key: bytes
    ) -> tuple[Table, ...]:
        """See `Environment.remove`."""
        gone = [pseudonym(key, ref.encode()) for ref in sorted(refs)]
        after = []
        schema = quoted(names.schema(order.workspace_id))
        async with self._working(order) as connection:
            for table in tables:
                place = f"{schema}.{quoted(table.table)}"
                await connection.execute(delete_persons(place, gone))
                rows, digest = await manifest(connection, place)
                after.append(Table(table.dataset_id, table.table, rows, digest))
        return tuple(after)

    async def admit(self, order: Order, refs: Sequence[str], until: datetime, enter: bool) -> None:
        """See `Environment.admit`."""
        async with self._working(order) as connection:
            left_over = await roles.set_logins(connection, order.workspace_id, refs, until, enter)
        if left_over:
            await self._end_sessions(left_over)
            async with self._working(order) as connection:
                await roles.drop_logins(connection, left_over)

    async def open(self, order: Order, tables: Sequence[Table]) -> None:
        """See `Environment.open`. Nobody is let in while a login could reach anything beyond its own schema."""
        async with self._working(order) as connection:
            if await roles.ways_out(connection, order.workspace_id):
                raise Trouble("ISOLATION_NOT_MET")
            await roles.let_in(connection, order.workspace_id, True)
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
        async with self._working(order) as connection:
            await connection.execute(f"DROP SCHEMA IF EXISTS {quoted(group)} CASCADE")
            await roles.drop_logins(connection, [*logins, group])
        async with self._working(order) as connection:
            left = await roles.objects_left(connection, order.workspace_id)
        if left:
            raise Trouble("OBJECTS_LEFT")
        return Deletion(objects_left=left, covers_backups=not self._backed_up, backups=self._backups)

    async def connect(self, workspace_id: str, ref: str, until: datetime) -> str:
        """See `Environment.connect`. Earlier passwords of this person end with it."""
        login = names.login(workspace_id, ref)
        password = secrets.token_urlsafe(24)
        async with _edge(), self._connection(self._workspaces_url) as connection, connection.transaction():
            if not await connection.fetchval("SELECT rolcanlogin FROM pg_roles WHERE rolname = $1", login):
                raise Refused("LOGIN_NOT_OPEN")
            await connection.execute(f"ALTER ROLE {quoted(login)} VALID UNTIL {names.literal(until.isoformat())}")
            await roles.set_verifier(connection, login, verifier(password))
        return self._url(login, password)

    async def inspect(self, workspace_id: str) -> Actual:
        """See `Environment.inspect`."""
        schema, probe = names.schema(workspace_id), names.probe(workspace_id)
        async with _edge(), self._connection(self._workspaces_url) as connection:
            there = await connection.fetchval("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", schema)
            tables = await self._tables(connection, workspace_id)
            rows = await connection.fetch(
                "SELECT rolname, rolcanlogin, CASE WHEN isfinite(rolvaliduntil) THEN rolvaliduntil END AS until "
                "FROM pg_roles WHERE starts_with(rolname, $1) AND rolname <> $2 ORDER BY rolname",
                schema + "_",
                probe,
            )
            sessions = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE starts_with(usename::text, $1)", schema + "_"
            )
        logins = tuple(Login(row["rolname"], row["rolcanlogin"], row["until"]) for row in rows)
        return Actual(bool(there or logins), tables, logins, int(sessions))

    async def manifests(self, workspace_id: str) -> tuple[Table, ...]:
        """See `Environment.manifests`."""
        schema = quoted(names.schema(workspace_id))
        async with _edge(), self._connection(self._workspaces_url) as connection:
            found = await self._tables(connection, workspace_id)
            return tuple(
                [
                    Table(dataset_id, table, *await manifest(connection, f"{schema}.{quoted(table)}"))
                    for table, dataset_id in found.items()
                ]
            )

    @asynccontextmanager
    async def read(self, workspace_id: str, table: str) -> AsyncIterator[Rows]:
        """See `Environment.read`."""
        place = f"{quoted(names.schema(workspace_id))}.{quoted(table)}"
        async with _edge(), self._connection(self._workspaces_url) as connection:
            if table not in await self._tables(connection, workspace_id):
                raise Refused("TABLE_NOT_THERE")
            async with copied_out(connection, f"SELECT * FROM {place}") as rows:  # noqa: S608 - quoted identifiers
                yield rows

    async def load(self, order: Order, dataset_id: str, table: str, rows: Rows) -> Table:
        """See `Environment.load`."""
        schema = names.schema(order.workspace_id)
        place = f"{quoted(schema)}.{quoted(table)}"
        if any(column.type not in TYPES for column in rows.columns):
            raise Refused("COLUMN_TYPE_UNKNOWN")
        columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in rows.columns)
        async with self._working(order) as connection:
            await connection.execute(f"DROP TABLE IF EXISTS {place}")
            await connection.execute(f"CREATE TABLE {place} ({columns})")
            await connection.copy_to_table(table, schema_name=schema, source=rows.chunks)
            await connection.execute(f"COMMENT ON TABLE {place} IS {names.literal(dataset_id)}")
            await roles.grant_tables(connection, order.workspace_id)
            return Table(dataset_id, table, *await manifest(connection, place))

    async def _tables(self, connection: asyncpg.Connection, workspace_id: str) -> dict[str, str]:
        rows = await connection.fetch(
            "SELECT relname, coalesce(obj_description(oid, 'pg_class'), '') AS dataset_id FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) ORDER BY relname",
            names.schema(workspace_id),
        )
        return {row["relname"]: row["dataset_id"] for row in rows}

    def _url(self, login: str, password: str) -> str:
        parts = urlsplit(self._workspaces_url)
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{quote(login)}:{quote(password)}@{place}"))

    async def _keep_out(self, order: Order) -> list[str]:
        async with self._working(order) as connection:
            return await roles.let_in(connection, order.workspace_id, False)

    async def _end_sessions(self, logins: Sequence[str]) -> None:
        # A login that had been checked before it was forbidden may still arrive: hence more than one round.
        async with _edge(), self._connection(self._workspaces_url) as connection:
            for _ in range(SESSION_ROUNDS):
                if not await roles.end_sessions(connection, logins):
                    return
        raise Trouble("SESSIONS_LEFT")

    async def _count_as_probe(self, order: Order, tables: Sequence[Table]) -> list[int]:
        login = names.probe(order.workspace_id)
        schema = quoted(names.schema(order.workspace_id))
        password = secrets.token_urlsafe(24)
        async with self._working(order) as connection:
            await roles.set_verifier(connection, login, verifier(password))
        try:
            async with _edge(), self._connection(self._url(login, password)) as connection:
                return [
                    int(await connection.fetchval(f"SELECT count(*) FROM {schema}.{quoted(t.table)}"))  # noqa: S608 - quoted
                    for t in tables
                ]
        finally:
            async with self._working(order) as connection:
                await roles.set_verifier(connection, login, None)

    async def _probe_refused(self, order: Order, logins: Sequence[str]) -> None:
        """Tries each login with a password that is right: only then does a refusal say that the login is shut."""
        passwords = {login: secrets.token_urlsafe(24) for login in logins}
        async with self._working(order) as connection:
            there = set(await roles.all_logins(connection, order.workspace_id))
            passwords = {login: password for login, password in passwords.items() if login in there}
            for login, password in passwords.items():
                await roles.set_verifier(connection, login, verifier(password))
        try:
            for login, password in passwords.items():
                # The probe's login does not expire, so nothing but the shut door may be the reason.
                allowed = (INVALID_AUTHORISATION,) if login == names.probe(order.workspace_id) else REFUSALS
                if await self._answer(login, password) not in allowed:
                    raise Trouble("PROBE_NOT_REFUSED")
        finally:
            async with self._working(order) as connection:
                for login in passwords:
                    await roles.set_verifier(connection, login, None)

    async def _answer(self, login: str, password: str) -> str:
        try:
            async with self._connection(self._url(login, password)):
                return "in"
        except asyncpg.InvalidAuthorizationSpecificationError as refusal:
            return str(refusal.sqlstate)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise Trouble("PROBE_WITHOUT_ANSWER") from error

    @asynccontextmanager
    async def _working(self, order: Order) -> AsyncIterator[asyncpg.Connection]:
        """A transaction that nobody with an older lease can have after us, nor at the same time."""
        async with _edge(), self._connection(self._workspaces_url) as connection:
            if not self._set_up:
                async with connection.transaction():
                    await roles.set_up_database(connection)
                self._set_up = True
            async with connection.transaction():
                taken = await connection.fetchval(
                    "INSERT INTO guichet.fences AS held VALUES ($1, $2) ON CONFLICT (schema_name) DO UPDATE "
                    "SET fence = excluded.fence WHERE held.fence <= excluded.fence RETURNING fence",
                    names.schema(order.workspace_id),
                    order.fence,
                )
                if taken is None:
                    raise Superseded
                yield connection

    @asynccontextmanager
    async def _connection(self, url: str) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(
            url,
            timeout=CONNECT_SECONDS,
            server_settings={
                "application_name": "guichet-workspaces",
                "timezone": "UTC",
                "jit": "off",
                "lock_timeout": "5s",
                "createrole_self_grant": "inherit",
            },
        )
        try:
            yield connection
        finally:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await connection.close()
            except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError):
                connection.terminate()


@asynccontextmanager
async def _edge() -> AsyncIterator[None]:
    """What the database says becomes what an environment says; only the kind of an error crosses, never its text."""
    try:
        yield
    except asyncpg.PostgresError as error:
        raise Trouble(
            "ENVIRONMENT_UNAVAILABLE" if kind_of(error) is Kind.UNAVAILABLE else f"SQLSTATE_{error.sqlstate}"
        ) from error
    except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise Trouble("ENVIRONMENT_UNAVAILABLE") from error
