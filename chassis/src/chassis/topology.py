"""Makes the topics and databases that the services expect, and verifies that they are as safe as they were asked to be.

Run once at deployment, before any service: `python -m chassis.topology`. Running it again changes nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypedDict

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.closing import close_database
from contracts.topics import TOPICS

RETENTION_MS = 31 * 24 * 3600 * 1000


class Reader(BaseModel):
    """A role that reads everything in one database and writes nothing."""

    database: str
    password: SecretStr


class TopologySettings(BaseSettings):
    """What the one-shot needs to know, from GUICHET_* variables."""

    model_config = SettingsConfigDict(env_prefix="GUICHET_", frozen=True)

    kafka: str = Field(min_length=3)
    replication: int = Field(default=3, ge=1)
    partitions: int = Field(default=12, ge=1)
    superuser_url: SecretStr
    databases: dict[str, SecretStr]
    """JSON: the password of each role that owns a database of its name."""
    readers: dict[str, Reader] = Field(default_factory=dict)
    role_makers: tuple[str, ...] = ()
    """JSON: the owners that may make roles and databases, and manage no others."""


@dataclass(frozen=True)
class WrongTopology(Exception):
    """A topic that exists otherwise than asked. Partitions of a keyed topic never change: a person must decide."""

    findings: tuple[str, ...]

    def __str__(self) -> str:
        return "; ".join(self.findings)


def topic_plan(partitions: int, replication: int) -> dict[str, tuple[int, dict[str, str]]]:
    """Name to (partitions, configuration) of every topic. Some have one partition: their events have one order."""
    configuration = {
        "cleanup.policy": "delete",
        "message.timestamp.type": "CreateTime",
        "retention.ms": str(RETENTION_MS),
        "min.insync.replicas": str(max(1, replication - 1)),
        "max.message.bytes": str(1 << 20),
    }
    one = {name for name, topic in TOPICS.items() if topic.partitions_production == 1}
    return {name: (1 if name in one else partitions, configuration) for name in TOPICS}


async def ensure_topics(bootstrap: str, *, partitions: int, replication: int) -> None:
    """Create the topics that are missing and verify those that stand.

    Raises WrongTopology with every finding at once, KafkaError when the broker cannot answer.
    """
    plan = topic_plan(partitions, replication)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap.split(","), request_timeout_ms=20_000)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [
            NewTopic(name, count, replication, topic_configs=configuration)
            for name, (count, configuration) in plan.items()
            if name not in existing
        ]
        if missing:
            response = await admin.create_topics(missing)
            for name, code, *_ in response.topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise for_code(code)(name)
        await _verify(admin, plan, replication)
    finally:
        await admin.close()


async def _verify(admin: AIOKafkaAdminClient, plan: Mapping[str, tuple[int, dict[str, str]]], replication: int) -> None:
    findings: list[str] = []
    for described in await _described(admin, plan):
        name = described["topic"]
        wanted = plan[name][0]
        found = described["partitions"]
        if len(found) != wanted:
            findings.append(f"{name} has {len(found)} partitions, not {wanted}")
        if found and min(len(p["replicas"]) for p in found) < replication:
            findings.append(f"{name} has fewer than {replication} replicas")
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in plan]
    for response in await admin.describe_configs(resources):
        for _code, _message, _kind, name, entries in response.resources:
            values = {entry[0]: entry[1] for entry in entries}
            findings.extend(
                f"{name} has {key}={values.get(key)}, not {value}"
                for key, value in plan[name][1].items()
                if values.get(key) != value
            )
    if findings:
        raise WrongTopology(tuple(findings))


class _Partition(TypedDict):
    replicas: list[int]


class _Topic(TypedDict):
    topic: str
    error_code: int
    partitions: list[_Partition]


async def _described(admin: AIOKafkaAdminClient, names: Iterable[str]) -> list[_Topic]:
    """The topics as the cluster describes them, once each has its partitions: they appear a little later."""
    wanted = list(names)
    async with asyncio.timeout(30):
        while True:
            described: list[_Topic] = await admin.describe_topics(wanted)
            if all(topic["error_code"] == 0 and topic["partitions"] for topic in described):
                return described
            await asyncio.sleep(0.1)


async def ensure_role(connection: asyncpg.Connection, name: str, password: str) -> str:
    """A role that may log in with this password; gives its quoted name."""
    role = str(await connection.fetchval("SELECT quote_ident($1)", name))
    secret = await connection.fetchval("SELECT quote_literal($1)", password)
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name):
        await connection.execute(f"CREATE ROLE {role} LOGIN")
    await connection.execute(f"ALTER ROLE {role} PASSWORD {secret}")
    return role


async def ensure_database(
    connection: asyncpg.Connection, name: str, password: str, *, makes_roles: bool = False
) -> None:
    """One role and one database of the same name, owned by it, which no other role may enter.

    `makes_roles`: the role may make other roles and databases.
    """
    role = await ensure_role(connection, name, password)
    await connection.execute(f"ALTER ROLE {role} {'CREATEROLE CREATEDB' if makes_roles else 'NOCREATEROLE NOCREATEDB'}")
    await ensure_another(connection, name, name)


async def ensure_another(connection: asyncpg.Connection, name: str, owner: str) -> None:
    """A database of a role that is there, which no other role may enter."""
    database = await connection.fetchval("SELECT quote_ident($1)", name)
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        role = await connection.fetchval("SELECT quote_ident($1)", owner)
        await connection.execute(f"CREATE DATABASE {database} OWNER {role}")
    await connection.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {database} FROM PUBLIC")


async def ensure_template(superuser_url: str, name: str) -> None:
    """The template of the databases that the role `name` makes: closed, and never entered by anybody else."""
    connection = await asyncpg.connect(superuser_url, timeout=20)
    try:
        role, template = await connection.fetchrow("SELECT quote_ident($1), quote_ident($1 || '_template')", name)
        # A login cannot raise what only a superuser, or who was let, may set.
        await connection.execute(f"GRANT SET ON PARAMETER temp_file_limit TO {role}")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1 || '_template'", name):
            await connection.execute(f"CREATE DATABASE {template} OWNER {role}")
        await connection.execute(f"REVOKE ALL ON DATABASE {template} FROM PUBLIC")
    finally:
        await connection.close(timeout=5)
    inside = await asyncpg.connect(superuser_url, database=f"{name}_template", timeout=20)
    try:
        await close_database(inside)
    finally:
        await inside.close(timeout=5)


async def ensure_reader(connection: asyncpg.Connection, name: str, password: str, database: str) -> None:
    """A role that reads all tables, and of all databases may enter this one only."""
    role = await ensure_role(connection, name, password)
    place = await connection.fetchval("SELECT quote_ident($1)", database)
    await connection.execute(f"GRANT pg_read_all_data TO {role}")
    await connection.execute(f"GRANT CONNECT ON DATABASE {place} TO {role}")


async def close_server(connection: asyncpg.Connection) -> None:
    """None but superusers may enter the server's own databases."""
    for name in ("postgres", "template1"):
        await connection.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC")


async def ensure_all(settings: TopologySettings) -> None:
    """Topics, then databases."""
    await ensure_topics(settings.kafka, partitions=settings.partitions, replication=settings.replication)
    connection = await asyncpg.connect(settings.superuser_url.get_secret_value(), timeout=20)
    try:
        for name, password in settings.databases.items():
            makes_roles = name in settings.role_makers
            await ensure_database(connection, name, password.get_secret_value(), makes_roles=makes_roles)
            if makes_roles:
                await ensure_template(settings.superuser_url.get_secret_value(), name)
        for name, reader in settings.readers.items():
            await ensure_reader(connection, name, reader.password.get_secret_value(), reader.database)
        await close_server(connection)
    finally:
        await connection.close(timeout=5)


def main() -> int:
    """Exit code 0 when everything stands as asked, 1 when it does not, 78 when the settings are wrong."""
    try:
        settings = TopologySettings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            variable = "GUICHET_" + "_".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"{variable}: {problem['type']}\n")
        return 78
    try:
        asyncio.run(ensure_all(settings))
    except (WrongTopology, KafkaError, OSError, TimeoutError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"the topology is not as asked: {type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
