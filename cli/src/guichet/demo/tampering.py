"""A copy of the trail in which somebody changed one byte of one event; the original is not touched."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from audit.report import Report
from audit.verification import verify_live
from guichet.stack.errors import StackError
from guichet.stack.postgres import binaries
from guichet.stack.state import StackState

COPY = "audit_copy"


@dataclass(frozen=True, slots=True)
class Change:
    """Which byte was changed: of which event, in which leaf of which log."""

    event_type: str
    origin: str
    leaf_index: int


async def verify(url: str) -> Report:
    """The whole trail of a database checked from its bytes up."""
    connection = await asyncpg.connect(url, timeout=10, server_settings={"jit": "off"})
    try:
        return await verify_live(connection)
    finally:
        await connection.close(timeout=5)


@asynccontextmanager
async def copied(state: StackState) -> AsyncIterator[str]:
    """The URL of a copy of the trail, which is dropped on leaving."""
    connection = await asyncpg.connect(state.postgres.url("postgres"), timeout=10)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {COPY}")
        await connection.execute(f"CREATE DATABASE {COPY}")
        url = state.postgres.url(COPY)
        await _copy(state.postgres.url("audit"), url)
        yield url
    finally:
        await connection.execute(f"DROP DATABASE IF EXISTS {COPY} WITH (FORCE)")
        await connection.close(timeout=5)


async def _copy(source: str, target: str) -> None:
    readable, writable = os.pipe()
    folder = binaries()
    read = await asyncio.create_subprocess_exec(
        str(folder / "pg_dump"), "--no-owner", "--dbname", source, stdout=writable, stderr=asyncio.subprocess.PIPE
    )
    os.close(writable)
    write = await asyncio.create_subprocess_exec(
        *(str(folder / "psql"), "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", target),
        stdin=readable,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(readable)
    await asyncio.gather(read.communicate(), write.communicate())
    if read.returncode or write.returncode:
        raise StackError("the trail could not be copied", "guichet logs postgres")


async def change_one_byte(url: str, subject: str) -> Change:
    """Flips the lowest bit of the last byte of the last decision about `subject`: a digit of it becomes another.

    Even a superuser has to disable the trigger first: he is not stopped, he is found out.
    """
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("ALTER TABLE audit.entry DISABLE TRIGGER h2_update")
        row = await connection.fetchrow(
            """
            UPDATE audit.entry AS entry
            SET leaf = set_byte(leaf, length(leaf) - 2, get_byte(leaf, length(leaf) - 2) # 1)
            FROM audit.log AS log
            WHERE log.log_id = entry.log_id AND (entry.log_id, entry.leaf_index) = (
                SELECT log_id, leaf_index FROM audit.entry WHERE subject = $1 AND event_type LIKE 'guichet.request.%'
                ORDER BY event_time DESC, leaf_index DESC LIMIT 1)
            RETURNING entry.event_type, log.origin, entry.leaf_index
            """,
            subject,
        )
    finally:
        await connection.close(timeout=5)
    if row is None:
        raise StackError("the trail has no event to change", "guichet trace ID")
    return Change(row["event_type"], row["origin"], row["leaf_index"])
