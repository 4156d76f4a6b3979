"""Rows on their way from one place to another: COPY text, streamed, so that memory does not grow with the table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

CHUNKS_AHEAD = 4
TYPES = frozenset({"text", "integer", "bigint", "numeric", "boolean", "date", "timestamptz", "float8"})
"""What a column may be of, in any environment."""
_NAMES = {
    "int2": "integer",
    "int4": "integer",
    "int8": "bigint",
    "bpchar": "text",
    "varchar": "text",
    "bool": "boolean",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a workspace's table, with its type as SQL names it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Rows:
    """What a table holds: chunks of whole lines of COPY text (PostgreSQL 18, COPY, text format)."""

    columns: tuple[Column, ...]
    chunks: AsyncIterator[bytes]


@asynccontextmanager
async def copied_out(connection: asyncpg.Connection, query: str) -> AsyncIterator[Rows]:
    """The rows of a query while they come; leaving early ends the query with its connection's next use."""
    columns = tuple(
        Column(a.name, _NAMES.get(a.type.name, a.type.name)) for a in (await connection.prepare(query)).get_attributes()
    )
    queue: asyncio.Queue[bytes | BaseException] = asyncio.Queue(CHUNKS_AHEAD)

    async def read() -> None:
        rest = b""

        async def put(chunk: bytes) -> None:
            nonlocal rest
            lines, newline, rest = (rest + chunk).rpartition(b"\n")
            if newline:
                await queue.put(lines + newline)

        try:
            await connection.copy_from_query(query, output=put)
            await queue.put(b"")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            await queue.put(error)

    async def chunks() -> AsyncIterator[bytes]:
        while chunk := await queue.get():
            if isinstance(chunk, BaseException):
                raise chunk
            yield chunk

    reading = asyncio.create_task(read())
    try:
        yield Rows(columns, chunks())
    finally:
        reading.cancel()
        await asyncio.wait({reading})
