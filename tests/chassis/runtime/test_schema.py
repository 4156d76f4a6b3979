"""Migrations on a real database: each once and whole, nothing unknown, nothing edited, one runner at a time."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from chassis.database import Database
from chassis.schema import MigrationRefused
from guichet.stack.postgres import Postgres

_numbers = itertools.count()
WritePackage = Callable[..., str]


@pytest.fixture
def write_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WritePackage:
    """`write_package({"001_a.sql": "…"})` makes a package and gives its name; again with the name changes it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(files: dict[str, str], name: str | None = None) -> str:
        name = name or f"migrations_{next(_numbers)}"
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text("")
        for old in folder.glob("*.sql"):
            old.unlink()
        for file, sql in files.items():
            (folder / file).write_text(sql)
        return name

    return write


@pytest.fixture
async def url(postgres: Postgres) -> str:
    return await postgres.create_database()


async def fetch(url: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


FILES = {
    "001_notes.sql": "CREATE TABLE notes (id integer PRIMARY KEY);",
    "002_titles.sql": "ALTER TABLE notes ADD COLUMN title text; INSERT INTO notes VALUES (1, 'first');",
}


async def test_the_chassis_comes_first_and_the_service_has_a_schema_of_its_own(
    url: str, write_package: WritePackage
) -> None:
    await Database(url, service="tiny").migrate(write_package(FILES))
    assert [tuple(row) for row in await fetch(url, "SELECT * FROM tiny.notes")] == [(1, "first")]
    assert await fetch(url, "SELECT * FROM chassis.timers") == []
    packages = [
        row["package"] for row in await fetch(url, "SELECT package FROM chassis.migrations ORDER BY applied_at")
    ]
    assert packages[0] == "chassis.migrations"


async def test_a_second_run_changes_nothing(url: str, write_package: WritePackage) -> None:
    package = write_package(FILES)
    for _ in range(2):
        await Database(url, service="tiny").migrate(package)
    assert len(await fetch(url, "SELECT * FROM tiny.notes")) == 1


async def test_two_runners_at_once_apply_each_file_once(url: str, write_package: WritePackage) -> None:
    package = write_package({**FILES, "003_slow.sql": "SELECT pg_sleep(0.3); INSERT INTO notes VALUES (2, 'second');"})
    await asyncio.gather(*(Database(url, service="tiny").migrate(package) for _ in range(4)))
    assert len(await fetch(url, "SELECT * FROM tiny.notes")) == 2


async def test_a_file_that_fails_leaves_nothing_and_those_before_it_stay(url: str, write_package: WritePackage) -> None:
    package = write_package({**FILES, "003_wrong.sql": "INSERT INTO notes VALUES (2, 'b'); SELECT 1 / 0;"})
    with pytest.raises(asyncpg.DivisionByZeroError):
        await Database(url, service="tiny").migrate(package)
    assert len(await fetch(url, "SELECT * FROM tiny.notes")) == 1
    write_package({**FILES, "003_right.sql": "INSERT INTO notes VALUES (2, 'b');"}, package)
    await Database(url, service="tiny").migrate(package)
    assert len(await fetch(url, "SELECT * FROM tiny.notes")) == 2


async def test_an_edited_file_is_refused(url: str, write_package: WritePackage) -> None:
    package = write_package(FILES)
    await Database(url, service="tiny").migrate(package)
    write_package({**FILES, "001_notes.sql": "CREATE TABLE notes (id bigint PRIMARY KEY);"}, package)
    with pytest.raises(MigrationRefused, match="001_notes was edited"):
        await Database(url, service="tiny").migrate(package)


async def test_a_database_from_a_later_release_is_refused(url: str, write_package: WritePackage) -> None:
    package = write_package(FILES)
    await Database(url, service="tiny").migrate(package)
    write_package({"001_notes.sql": FILES["001_notes.sql"]}, package)
    with pytest.raises(MigrationRefused, match="version 2"):
        await Database(url, service="tiny").migrate(package)


@pytest.mark.parametrize(
    "names", [["001_a.sql", "003_c.sql"], ["001_a.sql", "001_b.sql"], ["1_a.sql"], ["002_b.sql"]], ids=" ".join
)
async def test_numbers_that_are_missing_or_doubled_are_refused(
    url: str, write_package: WritePackage, names: list[str]
) -> None:
    with pytest.raises(MigrationRefused):
        await Database(url, service="tiny").migrate(write_package(dict.fromkeys(names, "SELECT 1;")))
