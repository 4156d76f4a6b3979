"""Closes a PostgreSQL database so that a login in it learns nothing of other sessions, and leaves nothing behind.

PostgreSQL lets everybody read who is connected, under which application name, and which advisory locks they hold, in
all databases of the server: two logins that must not know of each other could talk through them. Only a superuser can
close this, database by database; a database made from a closed template is closed.
"""

from __future__ import annotations

import asyncpg

SHARED_VIEWS = (
    "pg_stat_activity",
    "pg_stat_database",
    "pg_locks",
    "pg_prepared_xacts",
    "pg_roles",
    "pg_user",
    "pg_group",
    "pg_auth_members",
    "pg_database",
    "pg_db_role_setting",
    "pg_shdescription",
)
"""What shows sessions, roles and databases of the whole server, and what others write about them."""

FUNCTIONS = (
    "pg_stat_get_activity",
    "pg_stat_get_backend_idset",
    "pg_lock_status",
    "pg_prepared_xact",
    "pg_logical_emit_message",
    "lo_creat",
    "lo_create",
    "lo_from_bytea",
    "lo_put",
)
"""The same through functions, and those that leave something behind."""

_OPEN_FUNCTIONS = """
    SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc AS p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY($1::text[])
      AND has_function_privilege('public', p.oid, 'EXECUTE')
"""
_OPEN_VIEWS = """
    SELECT c.relname FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relname = ANY($1::text[])
      AND has_table_privilege('public', c.oid, 'SELECT')
"""


async def close_database(connection: asyncpg.Connection) -> None:
    """Closes the database of this connection, which is a superuser's. Repeating it changes nothing."""
    for row in await connection.fetch(_OPEN_VIEWS, list(SHARED_VIEWS)):
        await connection.execute(f"REVOKE SELECT ON pg_catalog.{row[0]} FROM PUBLIC")  # noqa: S608 - constants
    for row in await connection.fetch(_OPEN_FUNCTIONS, list(FUNCTIONS)):
        await connection.execute(f"REVOKE EXECUTE ON FUNCTION {row[0]} FROM PUBLIC")
    await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")


async def left_open(connection: asyncpg.Connection) -> list[str]:
    """The views and functions of this database that everybody may still use."""
    views = await connection.fetch(_OPEN_VIEWS, list(SHARED_VIEWS))
    functions = await connection.fetch(_OPEN_FUNCTIONS, list(FUNCTIONS))
    return sorted({row[0] for row in (*views, *functions)})
