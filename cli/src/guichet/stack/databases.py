"""The databases and roles of a stack: one of each for every service, the synthetic holder, the workspaces."""

import secrets

import asyncpg

from chassis.topology import close_server, ensure_database, ensure_reader
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
            # Provisioning makes a role for each researcher.
            await ensure_database(connection, name, state.passwords[name], makes_roles=name == WORKSPACES)
        await ensure_reader(connection, HOLDER_READER, state.passwords[HOLDER_READER], HOLDER)
        await close_server(connection)
    finally:
        await connection.close(timeout=5)
