"""The databases and roles of a stack: one of each for every service, the synthetic holder, the workspaces."""

import secrets

import asyncpg

from audit import deployment
from audit.signing import keys
from chassis.topology import close_server, ensure_another, ensure_database, ensure_reader, ensure_template
from guichet.stack.state import SERVICES, StackState

HOLDER = "holder"
HOLDER_READER = "holder_reader"
WORKSPACES = "workspaces"
MORE_ENVIRONMENTS = ("env-clinique", "env-pmsi", "env-transition")
"""Demo environments beside the first, whose database is `WORKSPACES`."""
AUDIT_NAME = keys.NAME
"""What the logs of an embedded stack are signed as."""
OWNERS = (*(name for name in SERVICES if name != "audit"), HOLDER, WORKSPACES)
"""Roles with a database of their own name; that of the trail is the superuser's, and nobody else defines anything."""
ROLES = (*OWNERS, HOLDER_READER, *deployment.ROLES)


def workspaces_of(environment: str) -> str:
    """The database of a demo environment."""
    return f"{WORKSPACES}_{environment.removeprefix('env-')}"


def choose_passwords(state: StackState) -> None:
    """Gives every role a password at the first start and keeps it ever after."""
    for role in ROLES:
        state.passwords.setdefault(role, secrets.token_urlsafe(24))


def url(state: StackState, role: str, database: str | None = None) -> str:
    """A role's connection to a database, its own unless another is named."""
    return state.postgres.url(database or role, role, state.passwords[role])


def service_url(state: StackState, service: str) -> str:
    """The connection of a service to its database: the trail's is that of its writer."""
    return url(state, deployment.INGEST, deployment.DATABASE) if service == "audit" else url(state, service)


async def ensure_databases(state: StackState) -> None:
    """Makes what is missing; no role may enter another's database, and none but the superuser the server's own."""
    connection = await asyncpg.connect(state.postgres.url("postgres"), timeout=10)
    try:
        for name in OWNERS:
            # Provisioning makes a database for each workspace and a role for each researcher.
            await ensure_database(connection, name, state.passwords[name], makes_roles=name == WORKSPACES)
        await ensure_template(state.postgres.url("postgres"), WORKSPACES)
        for environment in MORE_ENVIRONMENTS:
            await ensure_another(connection, workspaces_of(environment), WORKSPACES)
        await ensure_reader(connection, HOLDER_READER, state.passwords[HOLDER_READER], HOLDER)
        await deployment.ensure_roles(connection, {role: state.passwords[role] for role in deployment.ROLES})
        await deployment.ensure_database(connection)
        await close_server(connection)
    finally:
        await connection.close(timeout=5)


async def ensure_trail(state: StackState) -> None:
    """The tables of the trail and a log for each partition, as a superuser makes them at deployment."""
    connection = await deployment.connect(state.postgres.url("postgres"))
    try:
        await deployment.ensure_tables(connection)
        await deployment.ensure_logs(connection, state.kafka.split(","), AUDIT_NAME)
    finally:
        await connection.close(timeout=5)
