"""Numbered SQL files brought to a database, each once and whole, in order, and never edited afterwards."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from chassis.errors import Unavailable

if TYPE_CHECKING:
    from chassis.database import Connection

LOCK = 41
"""The advisory lock that lets one runner at a time through."""

_NAME = re.compile(r"(\d{3,})_[a-z0-9_]+\.sql")


class MigrationRefused(Exception):
    """The database and the files disagree about the past; names package, version and rule."""


class Behind(Unavailable):
    """The database lacks tables that somebody else has to make: it is waited for, as if it were away."""


@dataclass(frozen=True, slots=True)
class Migrations:
    """The schema to fill and the package that holds its files, such as `001_requests.sql`."""

    schema: str
    package: str


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, name, text, and the SHA-256 of its bytes in hex."""

    version: int
    name: str
    sql: str
    checksum: str


def read_migrations(package: str) -> list[Migration]:
    """The files of a package in order; refuses two files with one number and numbers left out."""
    found = []
    for file in resources.files(package).iterdir():
        if match := _NAME.fullmatch(file.name):
            body = file.read_bytes()
            checksum = hashlib.sha256(body).hexdigest()
            found.append(Migration(int(match[1]), file.name.removesuffix(".sql"), body.decode(), checksum))
        elif file.name.endswith(".sql"):
            raise MigrationRefused(f"{package}: {file.name} is not named 001_name.sql")
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationRefused(f"{package}: versions must be 1 to {len(found)}, each once")
    return found


async def bring_up_to_date(connection: Connection, sources: Sequence[Migrations]) -> list[str]:
    """Applies what is missing, source by source, and returns the names of what was applied.

    Raises `MigrationRefused`, having changed nothing of that source, when the database has a version that the files
    do not (an older program on a newer database) or a file was edited after it was applied.
    """
    await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
    try:
        await connection.execute(_LEDGER)
        return [name for source in sources for name in await _bring_source(connection, source)]
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)


_LEDGER = """
CREATE SCHEMA IF NOT EXISTS chassis;
CREATE TABLE IF NOT EXISTS chassis.migrations (
    package text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (package, version)
)
"""


async def check_up_to_date(connection: Connection, sources: Sequence[Migrations]) -> None:
    """Raises `Behind` when something is missing, `MigrationRefused` when database and files disagree; changes nothing.

    For a role that may define nothing: somebody else brings the database up to date.
    """
    if await connection.fetchval("SELECT to_regclass('chassis.migrations') IS NULL"):
        raise Behind("chassis.migrations")
    for source in sources:
        if await _missing(connection, source):
            raise Behind(source.package)


async def _bring_source(connection: Connection, source: Migrations) -> list[str]:
    missing = await _missing(connection, source)
    await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{source.schema}"')
    for migration in missing:
        async with connection.transaction():
            await connection.execute(f'SET LOCAL search_path = "{source.schema}", chassis')
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO chassis.migrations (package, version, name, checksum) VALUES ($1, $2, $3, $4)",
                source.package,
                migration.version,
                migration.name,
                migration.checksum,
            )
    return [migration.name for migration in missing]


async def _missing(connection: Connection, source: Migrations) -> list[Migration]:
    """The files that were not applied yet; raises MigrationRefused when the database disagrees about the others."""
    migrations = read_migrations(source.package)
    rows = await connection.fetch(
        "SELECT version, checksum FROM chassis.migrations WHERE package = $1 ORDER BY version", source.package
    )
    known = {migration.version: migration for migration in migrations}
    for row in rows:
        if (migration := known.get(row["version"])) is None:
            raise MigrationRefused(f"{source.package}: the database has version {row['version']}, the program does not")
        if migration.checksum != row["checksum"]:
            raise MigrationRefused(f"{source.package}: {migration.name} was edited after it was applied")
    applied = {row["version"] for row in rows}
    return [migration for migration in migrations if migration.version not in applied]
