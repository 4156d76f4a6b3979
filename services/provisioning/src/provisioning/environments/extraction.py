"""From the holder's tables to a workspace's: what may leave, without those who opted out, under pseudonyms.

Rows are streamed as COPY text, each person's together: what is in memory does not grow with the table.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import asyncpg

from provisioning.environments import Cohort, Refused
from provisioning.environments.manifest import Manifest
from provisioning.environments.names import literal, quoted
from provisioning.project import Grant, Permit

PSEUDONYM = "person_id"
PSEUDONYM_DIGITS = 32
"""128 bits of the HMAC: two of a thousand million persons share one with a chance of 10^-21."""
CHUNKS_AHEAD = 4
SORT_MEMORY = "128MB"
"""What a server may use to sort; beyond it, its disk."""


@dataclass(frozen=True, slots=True)
class Source:
    """One of the holder's tables: where it is and which (name, kind) its columns have."""

    schema: str
    table: str
    category: str | None
    columns: tuple[tuple[str, str], ...]

    @property
    def place(self) -> str:
        """The qualified name."""
        return f"{quoted(self.schema)}.{quoted(self.table)}"

    def of_kind(self, kind: str) -> str | None:
        """The first column of a kind."""
        return next((name for name, its in self.columns if its == kind), None)


async def sources(holder: asyncpg.Connection, grant: Grant) -> tuple[Source, ...]:
    """The tables of a dataset that a grant covers: those of its categories, and those that belong to every category.

    Raises Refused when the holder does not have what was granted.
    """
    rows = await holder.fetch(
        "SELECT schema_name, table_name, category, column_name, kind FROM dictionary.columns WHERE dataset_id = $1 "
        "AND (category IS NULL OR category = ANY($2)) ORDER BY table_name, position",
        grant.dataset_id,
        list(grant.categories),
    )
    found = tuple(
        Source(schema, table, category, tuple((row["column_name"], row["kind"]) for row in group))
        for (schema, table, category), group in groupby(
            rows, key=lambda row: (row["schema_name"], row["table_name"], row["category"])
        )
    )
    if not any(source.category for source in found) or any(source.of_kind("person") is None for source in found):
        raise Refused("DATASET_NOT_AT_HOLDER")
    return found


def _projected(name: str, kind: str, permit: Permit) -> str:
    column = quoted(name)
    stem = name.removesuffix("_date")
    match kind:
        case "birth" if not permit.full_birth_date:
            return f"extract(year FROM {column})::integer AS {quoted(stem + '_year')}"
        case "place" if not permit.crosses_potential_identifiers:
            return f"left({column}, CASE WHEN starts_with({column}, '97') THEN 3 ELSE 2 END) AS department"
        case "day" if not permit.crosses_potential_identifiers:
            return f"date_trunc('month', {column})::date AS {quoted(stem + '_month')}"
        case "plain" | "year" | "birth" | "place" | "day":
            return column
        case _:
            # A kind that the rules do not know could point at somebody: it stays where it is.
            raise Refused("DATASET_NOT_UNDERSTOOD")


def selection(source: Source, all_sources: Sequence[Source], grant: Grant, permit: Permit) -> str:
    """The SELECT of what may leave one table; the person comes first, to be replaced on the way.

    A dated table is limited to the granted years. A roster of persons is limited to those with a row in these years.
    """
    person = quoted(source.of_kind("person") or "")
    columns = [f"{person} AS {PSEUDONYM}"]
    columns += [_projected(name, kind, permit) for name, kind in source.columns if kind != "person"]
    years = f"BETWEEN {int(grant.first_year)} AND {int(grant.last_year)}"
    if year := source.of_kind("year"):
        condition = f"{quoted(year)} {years}"
    else:
        dated = [
            f"SELECT {quoted(other.of_kind('person') or '')} FROM {other.place} "  # noqa: S608 - quoted identifiers
            f"WHERE {quoted(other.of_kind('year') or '')} {years}"
            for other in all_sources
            if other.of_kind("year")
        ]
        condition = f"{person} IN ({' UNION ALL '.join(dated)})" if dated else "true"
    return f"SELECT {', '.join(columns)} FROM {source.place} WHERE {condition}"  # noqa: S608 - quoted identifiers


class Pseudonyms:
    """Rewrites COPY text whose first column is a person: drops excluded persons, names the others for this project.

    Rows of one person come together: each person is hashed once, and only the last one is remembered.
    """

    def __init__(self, cohort: Cohort) -> None:
        self._key = cohort.key
        self._excluded = {ref.encode() for ref in cohort.excluded}
        self._ref: bytes | None = None
        self._name: bytes | None = None
        self._rest = b""
        self.met: set[bytes] = set()
        """The excluded persons that were there."""

    def rewrite(self, chunk: bytes) -> list[bytes]:
        """The rewritten rows that are complete with this chunk, without their newlines."""
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        kept = []
        last, name = self._ref, self._name
        for line in lines:
            ref, _, rest = line.partition(b"\t")
            if ref != last:
                last, name = ref, self._name_of(ref)
            if name is not None:
                kept.append(name + rest)
        self._ref, self._name = last, name
        return kept

    def _name_of(self, ref: bytes) -> bytes | None:
        if ref in self._excluded:
            self.met.add(ref)
            return None
        return pseudonym(self._key, ref) + b"\t"


def pseudonym(key: bytes, ref: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104) of a person under a project's key: nobody joins two projects without both keys."""
    return hmac.digest(key, ref, "sha256").hex()[:PSEUDONYM_DIGITS].encode()


async def shuffled(holder: asyncpg.Connection, query: str) -> str:
    """The query with its rows in an order of persons that is drawn anew, each person's rows together.

    In the holder's own order, or in the same order twice, two projects could be joined row by row. The seed is a
    setting of the session and no part of the statement, so no log has it.
    """
    await holder.execute(f"SET work_mem = {literal(SORT_MEMORY)}")
    await holder.execute("SELECT set_config('guichet.seed', $1, false)", str(secrets.randbits(62)))
    return f"SELECT * FROM ({query}) AS leaving ORDER BY {_ORDER}"  # noqa: S608 - made by `selection`


# The setting is read once, in a sub-query of its own, not for each row. Two persons with one hash may come mixed.
_ORDER = f"hashtextextended({PSEUDONYM}, (SELECT current_setting('guichet.seed')::bigint))"


@dataclass(frozen=True, slots=True)
class Copied:
    """The manifest of a table that was made, and the excluded persons who were met on the way."""

    rows: int
    sha256: str
    met: frozenset[bytes]


async def copy_table(
    holder: asyncpg.Connection, workspaces: asyncpg.Connection, query: str, schema: str, table: str, cohort: Cohort
) -> Copied:
    """Makes a table of a workspace from a query at the holder's, its rows shuffled."""
    place = f"{quoted(schema)}.{quoted(table)}"
    columns = [(a.name, a.type.name) for a in (await holder.prepare(query)).get_attributes()]
    await workspaces.execute(f"DROP TABLE IF EXISTS {place}")
    described = ", ".join(f"{quoted(name)} {_TYPES.get(kind, kind)}" for name, kind in columns)
    await workspaces.execute(f"CREATE TABLE {place} ({described})")
    arriving = await shuffled(holder, query)
    rewriting, found = Pseudonyms(cohort), Manifest()
    queue: asyncio.Queue[bytes] = asyncio.Queue(CHUNKS_AHEAD)

    async def put(chunk: bytes) -> None:
        if rows := rewriting.rewrite(chunk):
            found.add(rows)
            await queue.put(b"\n".join(rows) + b"\n")

    async def take() -> AsyncIterator[bytes]:
        while rows := await queue.get():
            yield rows

    async def read() -> None:
        await holder.copy_from_query(arriving, output=put)
        await queue.put(b"")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(workspaces.copy_to_table(table, schema_name=schema, source=take()))
    except ExceptionGroup as both:
        # The first to fail is the cause; the other was cancelled for it.
        raise both.exceptions[0] from None
    await workspaces.execute(f"SET LOCAL maintenance_work_mem = {literal(SORT_MEMORY)}")
    await workspaces.execute(f"CREATE INDEX {quoted(f'{table}_person')} ON {place} ({PSEUDONYM})")
    return Copied(found.rows, found.digest(), frozenset(rewriting.met))


_TYPES = {"int4": "integer", "int8": "bigint", "bpchar": "text", "varchar": "text"}


def delete_persons(place: str, names: Sequence[bytes]) -> str:
    """The DELETE of these pseudonyms from a table."""
    listed = ", ".join(literal(name.decode()) for name in names)
    return f"DELETE FROM {place} WHERE {PSEUDONYM} IN ({listed})"  # noqa: S608 - hexadecimal digits
