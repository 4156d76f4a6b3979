"""A holder's database made of nothing: synthetic persons for every dataset of the demo catalogue, always the same.

No real person is described. `python -m provisioning.synthetic` fills the database that GUICHET_HOLDER_URL names.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from importlib import resources

import asyncpg

SEED = "guichet-synthetic-1"
FIRST_YEAR, YEARS = 2012, 18
"""The data cover 2012 to 2029."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a holder's table. `kind` says how far it could point at a person.

    person    who it is about: leaves the holder only as a pseudonym
    year      of the row; limits of the permit apply to it
    plain     harmless alone
    birth     a full date of birth
    place     a commune
    day       a day of care or of death
    """

    name: str
    kind: str
    type: str
    value: str
    """SQL of the synthetic value, from `h` (32 random bytes of the row), `n` (the person) and `year`."""


def _byte(at: int) -> str:
    return f"get_byte(h, {at})"


def _day_of_year(at: int) -> str:
    return f"make_date(year, 1, 1) + ({_byte(at)} * 256 + {_byte(at + 1)}) % 365"


PERSON = Column("person_ref", "person", "text", "'person-' || n")
YEAR = Column("year", "year", "integer", "year")

PERSONS = (
    PERSON,
    Column("sex", "plain", "text", f"CASE WHEN {_byte(0)} < 128 THEN 'F' ELSE 'M' END"),
    Column(
        "birth_date",
        "birth",
        "date",
        f"make_date(1925 + {_byte(1)} % 90, 1, 1) + ({_byte(2)} * 256 + {_byte(3)}) % 365",
    ),
    Column(
        "commune", "place", "text", f"lpad((1 + {_byte(4)} % 95)::text, 2, '0') || lpad(({_byte(5)} * 3)::text, 3, '0')"
    ),
)


def _stays(name: str) -> tuple[str, tuple[Column, ...]]:
    return name, (
        PERSON,
        YEAR,
        Column("start_date", "day", "date", _day_of_year(0)),
        Column("days", "plain", "integer", f"1 + {_byte(2)} % 20"),
        Column("diagnosis", "plain", "text", f"chr(65 + {_byte(3)} % 20) || lpad(({_byte(4)} % 100)::text, 2, '0')"),
        Column("hospital", "plain", "text", f"'hospital-' || {_byte(5)} % 40"),
    )


def _measures(name: str, prefix: str) -> tuple[str, tuple[Column, ...]]:
    return name, (
        PERSON,
        YEAR,
        Column("recorded_date", "day", "date", _day_of_year(0)),
        Column("code", "plain", "text", f"'{prefix}-' || {_byte(2)} % 50"),
        Column("result", "plain", "numeric", f"round(({_byte(3)} * 256 + {_byte(4)}) / 100.0, 2)"),
    )


CLAIMS = (
    "claims",
    (
        PERSON,
        YEAR,
        Column("care_date", "day", "date", _day_of_year(0)),
        Column("act", "plain", "text", f"'act-' || {_byte(2)} % 200"),
        Column("amount_cents", "plain", "integer", f"500 + ({_byte(3)} * 256 + {_byte(4)}) % 50000"),
    ),
)

TABLES: dict[str, tuple[tuple[str, tuple[Column, ...]], ...]] = {
    "a": (_measures("records", "code"), _stays("stays")),
    "e": (_stays("stays"), CLAIMS),
    "f": (_measures("variants", "variant"),),
    "i": (_measures("measures", "sensor"),),
    "l": (_measures("registrations", "tumour"),),
    "m": (_measures("visits", "visit"),),
    "p": (_measures("answers", "question"),),
    "q": (_measures("samples", "material"),),
}
"""Tables by category of EHDS art. 51. A table of two categories is part of the first that the dataset has."""

ROUGHLY = {"default_statistics_target": "10"}
"""What the planner is told of rows that are all alike: a tenth of what it would be told of others."""

ROWS_PER_PERSON = {"stays": 2, "claims": 4}

_DICTIONARY = """
    CREATE SCHEMA dictionary;
    COMMENT ON SCHEMA dictionary IS 'What each dataset holds, column by column, and how far it could point at a person';
    CREATE TABLE dictionary.columns (
        dataset_id text NOT NULL, schema_name text NOT NULL, table_name text NOT NULL, position integer NOT NULL,
        column_name text NOT NULL, kind text NOT NULL, category text,
        PRIMARY KEY (dataset_id, table_name, position)
    );
    CREATE TABLE dictionary.fills (seed text NOT NULL, persons integer NOT NULL);
"""


def dataset_categories() -> dict[str, tuple[str, ...]]:
    """The datasets that the synthetic holder has, with their categories."""
    items = json.loads(resources.files("provisioning.data").joinpath("holdings.json").read_text("utf-8"))
    return {dataset_id: tuple(categories) for dataset_id, categories in items.items()}


def schema_name(dataset_id: str) -> str:
    """The holder's schema for a dataset."""
    return dataset_id.replace("-", "_")


async def fill_holder(url: str, persons: int = 2000, datasets: frozenset[str] | None = None) -> None:
    """Fills the database at `url` with all datasets (or those named) of so many persons each.

    The same arguments always give the same data; a database that has them is left alone.
    """
    connection = await asyncpg.connect(url, timeout=10, server_settings={"jit": "off", **ROUGHLY})
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(7231)")
            wanted = dataset_categories()
            if datasets is not None:
                wanted = {name: categories for name, categories in wanted.items() if name in datasets}
            if await _is_filled(connection, persons, set(wanted)):
                return
            await connection.execute("DROP SCHEMA IF EXISTS dictionary CASCADE")
            await connection.execute(_DICTIONARY)
            for dataset_id, categories in wanted.items():
                await _fill_dataset(connection, dataset_id, categories, persons)
            await connection.execute("INSERT INTO dictionary.fills VALUES ($1, $2)", SEED, persons)
        await connection.execute("ANALYZE")
    finally:
        await connection.close(timeout=5)


async def _is_filled(connection: asyncpg.Connection, persons: int, wanted: set[str]) -> bool:
    if await connection.fetchval("SELECT to_regclass('dictionary.fills')") is None:
        return False
    if not await connection.fetchval(
        "SELECT EXISTS (SELECT FROM dictionary.fills WHERE seed = $1 AND persons = $2)", SEED, persons
    ):
        return False
    rows = await connection.fetch("SELECT DISTINCT dataset_id FROM dictionary.columns")
    return wanted == {row["dataset_id"] for row in rows}


async def _fill_dataset(
    connection: asyncpg.Connection, dataset_id: str, categories: tuple[str, ...], persons: int
) -> None:
    schema = schema_name(dataset_id)
    await connection.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
    await connection.execute(f'CREATE SCHEMA "{schema}"')
    await _fill_table(connection, dataset_id, None, "persons", PERSONS, persons, 1)
    made = {"persons"}
    for category in categories:
        for table, columns in TABLES[category]:
            if table not in made:
                made.add(table)
                rows = ROWS_PER_PERSON.get(table, 3)
                await _fill_table(connection, dataset_id, category, table, columns, persons, rows)


async def _fill_table(
    connection: asyncpg.Connection,
    dataset_id: str,
    category: str | None,
    table: str,
    columns: tuple[Column, ...],
    persons: int,
    rows: int,
) -> None:
    place = f'"{schema_name(dataset_id)}"."{table}"'
    await connection.execute(f"CREATE TABLE {place} ({', '.join(f'{c.name} {c.type}' for c in columns)})")
    # A sample holds every tenth person; all other datasets hold everybody.
    step = 10 if dataset_id.endswith("-sample") else 1
    await connection.execute(
        f"INSERT INTO {place} SELECT {', '.join(c.value for c in columns)} "  # noqa: S608 - constants of this module
        "FROM generate_series(1, $1::integer, $3::integer) AS n CROSS JOIN generate_series(1, $2::integer) AS nth "
        # OFFSET 0 keeps the planner from writing a hash anew into every column that is made of it.
        "CROSS JOIN LATERAL (SELECT sha256(convert_to($4::text || ':' || n || ':' || nth, 'UTF8')) AS h OFFSET 0) AS r "
        f"CROSS JOIN LATERAL (SELECT {FIRST_YEAR} + get_byte(h, 31) % {YEARS} AS year OFFSET 0) AS dated",
        persons,
        rows,
        step,
        f"{SEED}:{table}" if table == "persons" else f"{SEED}:{dataset_id}:{table}",
    )
    await connection.executemany(
        "INSERT INTO dictionary.columns VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            (dataset_id, schema_name(dataset_id), table, position, column.name, column.kind, category)
            for position, column in enumerate(columns)
        ],
    )


if __name__ == "__main__":
    asyncio.run(fill_holder(os.environ["GUICHET_HOLDER_URL"]))
