"""An extraction into a workspace, held against a bare COPY of the same rows between the same two databases."""

import asyncio
import resource
import secrets
import time
from collections.abc import AsyncIterator, Callable
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from guichet.stack.postgres import Postgres
from provisioning.environments import Cohort, Order
from provisioning.environments.extraction import selection, sources
from provisioning.environments.postgres import PostgresEnvironment
from provisioning.project import Grant, Permit

ROWS_PER_PERSON = 20
OPTED_OUT_EACH = 100
"""Every hundredth person has opted out, about."""
CLAIMS = Grant("bench", "1", "snds", "cnam", ("e",), 2014, 2024)
PERMIT = Permit("bench", 1, "declaration", "FR", date(2030, 1, 1), (), (CLAIMS,), "bench")

# name, kind, type, value: about what a line of reimbursement says; all years are granted ones. Persons come in no
# order, as in a register that grows by day.
COLUMNS = (
    ("person_ref", "person", "text", "'person-' || abs(hashint8(n % $2::bigint))"),
    ("year", "year", "integer", "2014 + n % 11"),
    ("care_date", "day", "date", "make_date(2014 + n % 11, 1, 1) + n % 365"),
    ("act", "plain", "text", "'act-' || abs(hashint8(n + 1)) % 200"),
    ("quantity", "plain", "integer", "1 + n % 3"),
    ("amount_cents", "plain", "integer", "abs(hashint8(n + 2)) % 50000"),
    ("paid_cents", "plain", "integer", "abs(hashint8(n + 2)) % 35000"),
    ("specialty", "plain", "text", "'specialty-' || n % 70"),
    ("facility", "plain", "text", "'facility-' || abs(hashint8(n + 3)) % 4000"),
    ("diagnosis", "plain", "text", "chr(65 + n % 20) || abs(hashint8(n + 4)) % 100"),
    ("long_illness", "plain", "boolean", "n % 5 = 0"),
    ("rate", "plain", "numeric", "round((n % 100) / 100.0, 2)"),
)
_DICTIONARY = """
    CREATE SCHEMA bench;
    CREATE SCHEMA dictionary;
    CREATE TABLE dictionary.columns (dataset_id text, schema_name text, table_name text, position integer,
        column_name text, kind text, category text);
"""


async def make_holder(url: str, rows: int) -> frozenset[str]:
    """Fills an empty database with so many synthetic rows; gives the persons who opted out."""
    persons = max(1, rows // ROWS_PER_PERSON)
    holder = await asyncpg.connect(url)
    try:
        await holder.execute(_DICTIONARY)
        await holder.executemany(
            "INSERT INTO dictionary.columns VALUES ('bench', 'bench', 'claims', $1, $2, $3, 'e')",
            [(position, name, kind) for position, (name, kind, _, _) in enumerate(COLUMNS)],
        )
        await holder.execute(f"CREATE TABLE bench.claims ({', '.join(f'{c[0]} {c[2]}' for c in COLUMNS)})")
        await holder.execute(
            f"INSERT INTO bench.claims SELECT {', '.join(column[3] for column in COLUMNS)} "  # noqa: S608 - constants
            "FROM generate_series(1, $1::integer) AS n",
            rows,
            persons,
        )
        await holder.execute("VACUUM ANALYZE bench.claims")
        refs = [
            row[0]
            for row in await holder.fetch(
                "SELECT DISTINCT person_ref FROM bench.claims WHERE hashtext(person_ref) % $1 = 0", OPTED_OUT_EACH
            )
        ]
    finally:
        await holder.close()
    return frozenset(refs)


async def extract(environment: PostgresEnvironment, opted_out: frozenset[str], key: bytes) -> tuple[str, int]:
    """A new workspace with the rows that may leave: its id and how many they are."""
    order = Order(str(uuid4()), 1)
    await environment.prepare(order)
    made = await environment.fill(order, PERMIT, [CLAIMS], Cohort(opted_out, key))
    return order.workspace_id, sum(table.rows for table in made.tables[CLAIMS])


async def copy_bare(holder_url: str, target_url: str) -> int:
    """The same rows through the same process into a plain table: no shuffle, pseudonym, manifest or index."""
    holder, target = await asyncpg.connect(holder_url), await asyncpg.connect(target_url)
    try:
        covered = await sources(holder, CLAIMS)
        query = selection(covered[0], covered, CLAIMS, PERMIT)
        await target.execute(f"CREATE TABLE public.bare ({', '.join(f'{c[0]} {c[2]}' for c in COLUMNS)})")
        queue: asyncio.Queue[bytes] = asyncio.Queue(4)

        async def read() -> None:
            await holder.copy_from_query(query, output=queue.put)
            await queue.put(b"")

        async def chunks() -> AsyncIterator[bytes]:
            while chunk := await queue.get():
                yield chunk

        async with asyncio.TaskGroup() as both:
            both.create_task(read())
            writing = both.create_task(target.copy_to_table("bare", schema_name="public", source=chunks()))
        await target.execute("DROP TABLE public.bare")
        return int(writing.result().split()[-1])
    finally:
        await holder.close()
        await target.close()


def peak_mib() -> int:
    """The most memory this process ever had."""
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) >> 10


async def extraction_ratio(home: Path, rows: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Rows a second of both on a new server, and the most memory of this process for a tenth of them and for all."""
    server = Postgres(home)
    await server.start()
    try:
        environment_url = await server.create_database()
        peaks: list[int] = []
        for share in (rows // 10, rows):
            tell(f"a holder of {share:,} rows")
            holder_url = await server.create_database()
            opted_out = await make_holder(holder_url, share)
            environment = PostgresEnvironment(holder_url, environment_url)
            tell(f"{share:,} rows: a bare copy")
            start = time.perf_counter()
            bare = await copy_bare(holder_url, environment_url)
            between = time.perf_counter()
            tell(f"{share:,} rows: an extraction")
            workspace_id, left = await extract(environment, opted_out, secrets.token_bytes(32))
            taken = (between - start, time.perf_counter() - between)
            await environment.destroy(Order(workspace_id, 2))
            peaks.append(peak_mib())
    finally:
        await server.stop()
    return {
        "rows": bare,
        "columns": len(COLUMNS),
        "rows_extracted": left,
        "opted_out_persons": len(opted_out),
        "bare_copy_rows_per_second": round(bare / taken[0]),
        "extraction_rows_per_second": round(bare / taken[1]),
        "extraction_ratio": round(taken[0] / taken[1], 2),
        "peak_mib_at_a_tenth": peaks[0],
        "peak_mib": peaks[1],
    }
