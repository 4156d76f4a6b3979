"""Roles, sessions and rights of a workspace: the SQL that lets people in and keeps them out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from provisioning.environments import names
from provisioning.environments.names import literal, quoted

CONNECTION_LIMIT = 4
STATEMENT_TIMEOUT = "5min"

# Functions with which a login could leave objects behind in the common database.
_LARGE_OBJECTS = """
    SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', p.oid::regprocedure)
    FROM pg_proc AS p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname IN
        ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_put')
      AND has_function_privilege('public', p.oid, 'EXECUTE')
"""
_DATABASES_OPEN_TO_ALL = """
    SELECT datname FROM pg_database AS d
    WHERE datallowconn AND datname <> current_database() AND EXISTS (
        SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba)))
        WHERE grantee = 0 AND privilege_type = 'CONNECT'
    )
"""
_LOGINS = "SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1) ORDER BY rolname"


async def set_up_database(connection: asyncpg.Connection) -> None:
    """Closes the database of the workspaces to everybody who is not given a way in; repeating it changes nothing.

    Only a superuser can also close what belongs to the server: other databases, large objects.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(7232)")
    if await connection.fetchval("SELECT to_regclass('guichet.fences')") is None:
        database = quoted(await connection.fetchval("SELECT current_database()"))
        await connection.execute(f"""
            REVOKE ALL ON DATABASE {database} FROM PUBLIC;
            REVOKE ALL ON SCHEMA public FROM PUBLIC;
            CREATE SCHEMA guichet;
            CREATE TABLE guichet.fences (schema_name text PRIMARY KEY, fence bigint NOT NULL);
        """)
    group = await connecting_group(connection)
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", group):
        await connection.execute(f"CREATE ROLE {quoted(group)} NOLOGIN")
        database = quoted(await connection.fetchval("SELECT current_database()"))
        await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {quoted(group)}")
    if await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        for row in await connection.fetch(_LARGE_OBJECTS):
            await connection.execute(row[0])
        for row in await connection.fetch(_DATABASES_OPEN_TO_ALL):
            await connection.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {quoted(row['datname'])} FROM PUBLIC")


async def connecting_group(connection: asyncpg.Connection) -> str:
    """The group that may connect to this database; roles belong to the whole server, so its name has the database's."""
    oid = await connection.fetchval("SELECT oid FROM pg_database WHERE datname = current_database()")
    return f"guichet_enters_{oid}"


async def make_group(connection: asyncpg.Connection, workspace_id: str) -> None:
    """The schema, the group that reads it, and the probe's login, all closed."""
    group = names.schema(workspace_id)
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(group)}")
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", group):
        await connection.execute(f"CREATE ROLE {quoted(group)} NOLOGIN")
        await connection.execute(f"GRANT USAGE ON SCHEMA {quoted(group)} TO {quoted(group)}")
    await _make_login(connection, workspace_id, names.probe(workspace_id))


async def _make_login(connection: asyncpg.Connection, workspace_id: str, login: str) -> None:
    if await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", login):
        return
    group = names.schema(workspace_id)
    enters = await connecting_group(connection)
    await connection.execute(f"""
        CREATE ROLE {quoted(login)} NOLOGIN NOCREATEDB NOCREATEROLE INHERIT CONNECTION LIMIT {CONNECTION_LIMIT};
        GRANT {quoted(group)}, {quoted(enters)} TO {quoted(login)} WITH INHERIT TRUE, SET FALSE;
        ALTER ROLE {quoted(login)} SET search_path = {quoted(group)};
        ALTER ROLE {quoted(login)} SET statement_timeout = {literal(STATEMENT_TIMEOUT)};
        ALTER ROLE {quoted(login)} SET idle_in_transaction_session_timeout = '5min';
        ALTER ROLE {quoted(login)} SET default_transaction_read_only = on;
    """)


async def all_logins(connection: asyncpg.Connection, workspace_id: str) -> list[str]:
    """The logins that the server has for a workspace, the probe's among them."""
    rows = await connection.fetch(_LOGINS, names.schema(workspace_id) + "_")
    return [row["rolname"] for row in rows]


async def set_logins(
    connection: asyncpg.Connection, workspace_id: str, refs: Sequence[str], until: datetime, enter: bool
) -> list[str]:
    """Makes the logins of exactly these persons; gives those that are there and should not be.

    Taking them away is left to `drop_logins`, after the commit: sessions end at once, whatever the transaction does.
    """
    wanted = {names.login(workspace_id, ref) for ref in refs}
    there = set(await all_logins(connection, workspace_id)) - {names.probe(workspace_id)}
    for login in sorted(wanted):
        await _make_login(connection, workspace_id, login)
        may = "LOGIN" if enter else "NOLOGIN"
        await connection.execute(f"ALTER ROLE {quoted(login)} {may} VALID UNTIL {literal(until.isoformat())}")
    for login in sorted(there - wanted):
        await connection.execute(f"ALTER ROLE {quoted(login)} NOLOGIN PASSWORD NULL")
    return sorted(there - wanted)


async def drop_logins(connection: asyncpg.Connection, logins: Sequence[str]) -> None:
    """Drops logins whose sessions have ended, with whatever they own in this database."""
    for login in logins:
        if await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", login):
            await connection.execute(f"DROP OWNED BY {quoted(login)}")
            await connection.execute(f"DROP ROLE {quoted(login)}")


async def let_in(connection: asyncpg.Connection, workspace_id: str, may: bool) -> list[str]:
    """Lets every login of a workspace in, or none, and gives them."""
    logins = await all_logins(connection, workspace_id)
    for login in logins:
        await connection.execute(f"ALTER ROLE {quoted(login)} {'LOGIN' if may else 'NOLOGIN'}")
    return logins


async def grant_tables(connection: asyncpg.Connection, workspace_id: str) -> None:
    """Lets the group read every table of its schema, and nothing else."""
    group = quoted(names.schema(workspace_id))
    await connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {group} TO {group}")


async def end_sessions(connection: asyncpg.Connection, logins: Sequence[str]) -> int:
    """Ends the sessions of these logins and gives the number that were still there a second later."""
    await connection.execute(
        "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE usename = ANY($1::text[])", list(logins)
    )
    return int(
        await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE usename = ANY($1::text[])", list(logins))
    )


async def set_verifier(connection: asyncpg.Connection, login: str, verifier: str | None) -> None:
    """Sets the SCRAM verifier of a login's password, or takes the password away."""
    await connection.execute(f"ALTER ROLE {quoted(login)} PASSWORD {'NULL' if verifier is None else literal(verifier)}")


async def ways_out(connection: asyncpg.Connection, workspace_id: str) -> int:
    """How many databases, schemas and memberships the group of a workspace could reach beyond its own."""
    group = names.schema(workspace_id)
    probe = names.probe(workspace_id)
    databases = await connection.fetchval(
        "SELECT count(*) FROM pg_database WHERE datallowconn AND datname <> current_database() "
        "AND has_database_privilege($1, oid, 'CONNECT')",
        probe,
    )
    schemas = await connection.fetchval(
        "SELECT count(*) FROM pg_namespace WHERE nspname NOT IN ($1, 'pg_catalog', 'information_schema') "
        "AND NOT starts_with(nspname, 'pg_') AND (has_schema_privilege($2, oid, 'USAGE') "
        "OR has_schema_privilege($2, oid, 'CREATE'))",
        group,
        probe,
    )
    enters = await connecting_group(connection)
    memberships = await connection.fetchval(
        "SELECT count(*) FROM pg_auth_members WHERE member IN (SELECT oid FROM pg_roles WHERE rolname = $1 OR "
        "starts_with(rolname, $1 || '_')) AND roleid NOT IN (SELECT oid FROM pg_roles WHERE rolname IN ($1, $2))",
        group,
        enters,
    )
    return int(databases) + int(schemas) + int(memberships)


async def objects_left(connection: asyncpg.Connection, workspace_id: str) -> int:
    """How many schemas, tables, roles and sessions of a workspace the server still knows."""
    name = names.schema(workspace_id)
    return int(
        await connection.fetchval(
            "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = $1) "
            "+ (SELECT count(*) FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)) "
            "+ (SELECT count(*) FROM pg_roles WHERE rolname = $1 OR starts_with(rolname, $1 || '_')) "
            "+ (SELECT count(*) FROM pg_stat_activity WHERE usename = $1 OR starts_with(usename::text, $1 || '_'))",
            name,
        )
    )
