"""Makes the audit database as it must be before anything is recorded: roles, tables, guards, a log for each partition.

Run by a superuser at deployment, never by a service: `python -m audit.deployment`. Running it again changes nothing but
to open the logs of partitions that are new.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC

import asyncpg
from aiokafka.errors import KafkaError
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from audit.openings import open_log
from audit.settings import NAME_PATTERN
from chassis.clock import SandboxClock
from chassis.database import CHASSIS
from chassis.ends import Ends, Span
from chassis.schema import MigrationRefused, Migrations, bring_up_to_date
from chassis.supervision import backoff_seconds
from chassis.topology import ensure_role
from chassis.transaction import Transaction
from contracts.topics import TOPICS

DATABASE = "audit"
OWNER = "audit_owner"
INGEST, READ, SIGNER = "audit_ingest", "audit_read", "audit_signer"
ROLES = (INGEST, READ, SIGNER)
"""The roles that log in: the writer, readers, the signer. None is a member of another."""

WAIT_SECONDS = 120.0
"""How long a deployment asks a broker again that does not speak of every topic."""
ASK_SECONDS = 15.0
"""How long one answer may take: a broker that has just started is slow."""

TABLES = Migrations(schema="audit", package="audit.migrations")


class DeploymentSettings(BaseSettings):
    """What the one-shot needs to know, from GUICHET_* variables."""

    model_config = SettingsConfigDict(env_prefix="GUICHET_", frozen=True, hide_input_in_errors=True)

    kafka: str = Field(min_length=3)
    superuser_url: SecretStr
    """A superuser's connection to the server, by any database of it."""
    audit_passwords: dict[str, SecretStr]
    """JSON: the password of each of audit_ingest, audit_read and audit_signer."""
    audit_name: str = Field(default="guichet.example/audit", pattern=NAME_PATTERN)


async def ensure_roles(connection: asyncpg.Connection, passwords: Mapping[str, str]) -> None:
    """The owner, who cannot log in, and the three that do; over a superuser's connection to the server."""
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", OWNER):
        await connection.execute(f"CREATE ROLE {OWNER} NOLOGIN")
    for role in ROLES:
        await ensure_role(connection, role, passwords[role])


async def ensure_database(connection: asyncpg.Connection, name: str = DATABASE) -> None:
    """The superuser's database, which the three roles may enter and nobody else; over his connection to the server."""
    place = await connection.fetchval("SELECT quote_ident($1)", name)
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        await connection.execute(f"CREATE DATABASE {place}")
    await connection.execute(f"REVOKE ALL ON DATABASE {place} FROM PUBLIC")
    await connection.execute(f"GRANT CONNECT ON DATABASE {place} TO {', '.join(ROLES)}")


async def ensure_tables(connection: asyncpg.Connection) -> None:
    """The tables of chassis and trail with their guards; over a superuser's connection to the audit database.

    The chassis's tables are the writer's to change: they hold what it has to say, not what was recorded.
    """
    applied = await bring_up_to_date(connection, [CHASSIS, TABLES])
    if not applied:
        return
    async with connection.transaction():
        await connection.execute(
            f"""
            REVOKE ALL ON SCHEMA public FROM PUBLIC;
            GRANT USAGE ON SCHEMA chassis TO {INGEST};
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA chassis TO {INGEST};
            REVOKE INSERT, UPDATE, DELETE ON chassis.migrations FROM {INGEST};
            """
        )


def _silently(_: str) -> None:
    pass


async def ensure_logs(
    connection: asyncpg.Connection,
    kafka: Sequence[str],
    name: str,
    topics: Iterable[str] = TOPICS,
    *,
    announce: bool = True,
    tell: Callable[[str], object] = _silently,
) -> int:
    """A log for each partition that has none, from the oldest record on that is there; how many were opened.

    Waits for a broker that does not say where each topic begins, and tells so each time that it asks in vain. Raises
    KafkaError after two minutes of it.
    """
    spans = await _spans(kafka, tuple(topics), tell)
    known = {(row["topic"], row["part"]) for row in await connection.fetch("SELECT topic, part FROM audit.source")}
    new = [
        (topic, part, first)
        for topic, partitions in spans.items()
        for part, (first, _) in sorted(partitions.items())
        if (topic, part) not in known
    ]
    if not new:
        return 0
    async with connection.transaction():
        await connection.execute("LOCK TABLE audit.log IN SHARE ROW EXCLUSIVE MODE")
        now = await SandboxClock().read(connection)
        transaction = Transaction(connection, now.astimezone(UTC), "audit")
        for topic, part, first in new:
            await open_log(transaction, name, topic, part, first, announce=announce)
        await transaction.flush()
    return len(new)


async def _spans(
    kafka: Sequence[str], topics: tuple[str, ...], tell: Callable[[str], object]
) -> dict[str, dict[int, Span]]:
    ends = Ends(kafka, topics, ASK_SECONDS)
    deadline, tries = time.monotonic() + WAIT_SECONDS, 0
    try:
        while True:
            asked = await ends.ask()
            spans = {topic: partitions for topic, partitions in asked.items() if partitions is not None}
            if not (unknown := sorted(asked.keys() - spans.keys())):
                return spans
            silent = f"the broker says nothing of {', '.join(unknown)}"
            if time.monotonic() > deadline:
                raise KafkaError(silent)
            tries += 1
            tell(f"waiting: {silent}")
            await asyncio.sleep(backoff_seconds(tries))
    finally:
        await ends.close()


async def deploy(
    server_url: str,
    passwords: Mapping[str, str],
    kafka: Sequence[str],
    name: str,
    tell: Callable[[str], object] = _silently,
) -> int:
    """Everything in order; how many logs were opened. `server_url` is a superuser's."""
    connection = await asyncpg.connect(server_url, timeout=20)
    try:
        await ensure_roles(connection, passwords)
        await ensure_database(connection)
    finally:
        await connection.close(timeout=5)
    connection = await connect(server_url)
    try:
        await ensure_tables(connection)
        return await ensure_logs(connection, kafka, name, tell=tell)
    finally:
        await connection.close(timeout=5)


async def connect(server_url: str, database: str = DATABASE) -> asyncpg.Connection:
    """A superuser's connection to the audit database, given his connection to the server."""
    return await asyncpg.connect(server_url, database=database, timeout=20, server_settings={"jit": "off"})


def main() -> int:
    """Exit code 0 when everything stands, 1 when it does not, 78 when the settings are wrong."""
    try:
        settings = DeploymentSettings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            variable = "GUICHET_" + "_".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"{variable}: {problem['type']}\n")
        return 78
    passwords = {role: password.get_secret_value() for role, password in settings.audit_passwords.items()}
    if missing := sorted(set(ROLES) - set(passwords)):
        sys.stderr.write(f"GUICHET_AUDIT_PASSWORDS: no password of {', '.join(missing)}\n")
        return 78
    try:
        opened = asyncio.run(
            deploy(
                settings.superuser_url.get_secret_value(),
                passwords,
                settings.kafka.split(","),
                settings.audit_name,
                lambda said: sys.stderr.write(f"{said}\n"),
            )
        )
    except (MigrationRefused, KafkaError, OSError, TimeoutError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"the audit database is not as it must be: {type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write(f"{opened} logs opened\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
