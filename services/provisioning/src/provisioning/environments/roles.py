"""Roles, sessions and rights of a workspace: the SQL that lets people in and keeps them out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from provisioning.environments import names
from provisioning.environments.names import literal, quoted

CONNECTION_LIMIT = 4
LIMITS = {
    "statement_timeout": "5min",
    "idle_in_transaction_session_timeout": "5min",
    "idle_session_timeout": "12h",
    "work_mem": "32MB",
    "default_transaction_read_only": "on",
}
"""What every session of a login begins with."""
TEMPORARY_FILES = "10GB"
"""Disk for the sorts of one session; a login cannot raise it. Set where the server lets us."""

_LOGINS = "SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1) ORDER BY rolname"


async def make_group(connection: asyncpg.Connection, workspace_id: str) -> None:
    """The group that may read the workspace, and the probe's login, both closed."""
    group = names.schema(workspace_id)
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", group):
        await connection.execute(f"CREATE ROLE {quoted(group)} NOLOGIN")
    await _make_login(connection, workspace_id, names.probe(workspace_id))


async def _make_login(connection: asyncpg.Connection, workspace_id: str, login: str) -> None:
    if await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", login):
        return
    group = names.schema(workspace_id)
    await connection.execute(
        f"CREATE ROLE {quoted(login)} NOLOGIN NOCREATEDB NOCREATEROLE INHERIT CONNECTION LIMIT {CONNECTION_LIMIT}"
    )
    await join_group(connection, workspace_id, login)
    settings = {"search_path": group} | LIMITS
    if await connection.fetchval("SELECT has_parameter_privilege('temp_file_limit', 'SET')"):
        settings["temp_file_limit"] = TEMPORARY_FILES
    for name, value in settings.items():
        await connection.execute(f"ALTER ROLE {quoted(login)} SET {name} = {literal(value)}")


async def join_group(connection: asyncpg.Connection, workspace_id: str, login: str) -> None:
    """Makes a login a member of its workspace's group."""
    await connection.execute(
        f"GRANT {quoted(names.schema(workspace_id))} TO {quoted(login)} WITH INHERIT TRUE, SET FALSE, ADMIN FALSE"
    )


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
    """Drops logins whose sessions have ended; the connection may be to any database in which they have rights."""
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


async def grant_tables(connection: asyncpg.Connection, workspace_id: str, tables: Sequence[str]) -> None:
    """Lets the group read these tables of its schema."""
    group = quoted(names.schema(workspace_id))
    for table in tables:
        await connection.execute(f"GRANT SELECT ON {group}.{quoted(table)} TO {group}")


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


async def objects_left(connection: asyncpg.Connection, workspace_id: str) -> int:
    """How many databases, roles and sessions of a workspace the server still knows."""
    name = names.schema(workspace_id)
    return int(
        await connection.fetchval(
            "SELECT (SELECT count(*) FROM pg_database WHERE datname = $1) "
            "+ (SELECT count(*) FROM pg_roles WHERE rolname = $1 OR starts_with(rolname, $1 || '_')) "
            "+ (SELECT count(*) FROM pg_stat_activity WHERE datname = $1 OR usename = $1 "
            "OR starts_with(usename::text, $1 || '_'))",
            name,
        )
    )
