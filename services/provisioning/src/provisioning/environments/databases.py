"""The databases of a hosting environment: one that knows the leases, and one for each workspace."""

from __future__ import annotations

import asyncpg

from chassis.closing import close_database
from provisioning.environments import names
from provisioning.environments.names import quoted

TEMPLATE = "_template"
"""A workspace's database is made from the one that is named like the environment's, or its owner, and this."""

_OPEN_TO_ALL = """
    SELECT datname FROM pg_database AS d
    WHERE datallowconn AND datname <> current_database() AND EXISTS (
        SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba)))
        WHERE grantee = 0 AND privilege_type = 'CONNECT'
    )
"""


async def set_up(connection: asyncpg.Connection) -> None:
    """Closes the environment's own database to everybody, and makes the table of leases; repeating changes nothing.

    Only a superuser can also close the other databases of the server: where we are none, its administrator does.
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
    if await _is_superuser(connection):
        for row in await connection.fetch(_OPEN_TO_ALL):
            await connection.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {quoted(row['datname'])} FROM PUBLIC")


async def exists(connection: asyncpg.Connection, workspace_id: str) -> bool:
    """Whether a workspace has its database."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", names.schema(workspace_id)
        )
    )


async def make(connection: asyncpg.Connection, workspace_id: str) -> None:
    """Makes the database of a workspace where it is missing. The connection is in no transaction."""
    if await exists(connection, workspace_id):
        return
    template = await connection.fetchval(
        "SELECT datname FROM pg_database WHERE datname IN (current_database() || $1, current_user || $1) "
        "ORDER BY datname = current_database() || $1 DESC LIMIT 1",
        TEMPLATE,
    )
    database = quoted(names.schema(workspace_id))
    await connection.execute(f"CREATE DATABASE {database} TEMPLATE {quoted(template or 'template1')}")


async def shut(inside: asyncpg.Connection, workspace_id: str) -> None:
    """Lets only the workspace's own group into its database, and there into nothing but its schema."""
    group = quoted(names.schema(workspace_id))
    if await _is_superuser(inside):
        await close_database(inside)
    await inside.execute(f"""
        REVOKE ALL ON DATABASE {group} FROM PUBLIC;
        GRANT CONNECT ON DATABASE {group} TO {group};
        CREATE SCHEMA IF NOT EXISTS {group};
        GRANT USAGE ON SCHEMA {group} TO {group};
    """)


async def drop(connection: asyncpg.Connection, workspace_id: str) -> None:
    """Drops the database of a workspace and whoever is in it. The connection is in no transaction."""
    if await exists(connection, workspace_id):
        await connection.execute(f"DROP DATABASE {quoted(names.schema(workspace_id))} WITH (FORCE)")


async def _is_superuser(connection: asyncpg.Connection) -> bool:
    return bool(await connection.fetchval("SELECT current_setting('is_superuser')::boolean"))
