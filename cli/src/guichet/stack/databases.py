"""The databases and roles of a stack: one of each for every service, the synthetic holder, the workspaces."""

import secrets

import asyncpg

from chassis.topology import ensure_database
from guichet.stack.state import SERVICES, StackState

HOLDER = "holder"
HOLDER_READER = "holder_reader"
WORKSPACES = "workspaces"
ROLES = (*SERVICES, HOLDER, HOLDER_READER, WORKSPACES)


def choose_passwords(state: StackState) -> None:
    """Gives every role a password at the first start and keeps it ever after."""
    for role in ROLES:
        state.passwords.setdefault(role, secrets.token_urlsafe(24))


def url(state: StackState, role: str, database: str | None = None) -> str:
    """A role's connection to a database, its own unless another is named."""
    return state.postgres.url(database or role, role, state.passwords[role])


async def ensure_databases(state: StackState) -> None:
    """Makes what is missing; no role may enter another's database, and none but the superuser the server's own."""
    connection = await asyncpg.connect(state.postgres.url("postgres"), timeout=10)
    try:
        for name in (*SERVICES, HOLDER, WORKSPACES):
            await ensure_database(connection, name, state.passwords[name])
        for name in ("postgres", "template1"):
            await connection.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC")
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", HOLDER_READER):
            await connection.execute(f"CREATE ROLE {HOLDER_READER} LOGIN")
        secret = await connection.fetchval("SELECT quote_literal($1)", state.passwords[HOLDER_READER])
        await connection.execute(f"ALTER ROLE {HOLDER_READER} PASSWORD {secret}")
        # Reads all tables, and of all databases may enter this one only.
        await connection.execute(f"GRANT pg_read_all_data TO {HOLDER_READER}")
        await connection.execute(f"GRANT CONNECT ON DATABASE {HOLDER} TO {HOLDER_READER}")
        # Provisioning makes a role for each researcher, and of PostgreSQL's roles may manage no others.
        await connection.execute(f"ALTER ROLE {WORKSPACES} CREATEROLE")
    finally:
        await connection.close(timeout=5)
