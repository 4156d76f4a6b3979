"""The tables of the trail as a verifier reads them: everything, in order, a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, NamedTuple

from audit.growth import Columns

if TYPE_CHECKING:
    from chassis.database import Connection

PAGE = 2_048
"""Leaves in memory at a time."""


class StoredLog(NamedTuple):
    """A log, its head, and where reading goes on if it is read; of one that is `dropped` the tree is there alone."""

    log_id: int
    origin: str
    topic: str
    part: int
    size: int
    root: bytes
    next_offset: int | None
    dropped: bool


class StoredLeaf(NamedTuple):
    """A row of `entry`, with the blob that it claims."""

    leaf_index: int
    kafka_offset: int
    columns: Columns
    leaf: bytes
    leaf_hash: bytes
    blob: bytes | None


class StoredBatch(NamedTuple):
    """A row of `batch`."""

    first_index: int
    n: int
    offset_from: int
    offset_to: int


async def read_stored_logs(connection: Connection) -> list[StoredLog]:
    """Every log; one without a head is of size -1."""
    rows = await connection.fetch(
        r"""
        SELECT log_id, origin, log.topic, log.part, coalesce(tree_size, -1), coalesce(root, '\x'), next_offset,
               state = 'dropped'
        FROM audit.log LEFT JOIN audit.head USING (log_id) LEFT JOIN audit.source USING (log_id) ORDER BY log_id
        """
    )
    return [StoredLog(*row) for row in rows]


async def count_leaves(connection: Connection) -> int:
    """All leaves, of whatever log."""
    return int(await connection.fetchval("SELECT count(*) FROM audit.entry"))


async def stream_leaves(connection: Connection, log_id: int) -> AsyncIterator[list[StoredLeaf]]:
    """The leaves of a log in order, in pages; inside the caller's transaction."""
    cursor = await connection.cursor(
        r"""
        SELECT leaf_index, kafka_offset, event_id, event_type, source, subject, sequence, event_time, leaf, leaf_hash,
               CASE WHEN substr(leaf, 5, 1) = '\x02'
                    THEN (SELECT data FROM audit.blob WHERE digest = substr(leaf, length(leaf) - 31)) END
        FROM audit.entry WHERE log_id = $1 ORDER BY leaf_index
        """,
        log_id,
    )
    while rows := await cursor.fetch(PAGE):
        yield [StoredLeaf(row[0], row[1], Columns(*row[2:8]), row[8], row[9], row[10]) for row in map(tuple, rows)]


async def stream_leaf_tiles(connection: Connection, log_id: int) -> AsyncIterator[bytes]:
    """The hashes of the leaves of a log in order, a tile at a time; inside the caller's transaction."""
    async for row in connection.cursor(
        "SELECT hashes FROM audit.tile WHERE log_id = $1 AND level = 0 ORDER BY idx", log_id, prefetch=PAGE
    ):
        yield row["hashes"]


async def stream_batches(connection: Connection, log_id: int) -> AsyncIterator[StoredBatch]:
    """The batches of a log in order; inside the caller's transaction."""
    cursor = connection.cursor(
        "SELECT first_index, n, offset_from, offset_to FROM audit.batch WHERE log_id = $1 ORDER BY first_index",
        log_id,
        prefetch=PAGE,
    )
    async for row in cursor:
        yield StoredBatch(*row)


async def count_tiles(connection: Connection, log_id: int) -> tuple[int, int]:
    """How many tiles a log has, and how many hashes in all."""
    row = await connection.fetchrow(
        "SELECT count(*), coalesce(sum(length(hashes) / 32), 0)::bigint FROM audit.tile WHERE log_id = $1", log_id
    )
    return row[0], row[1]


async def read_tokens(connection: Connection, log_id: int) -> list[tuple[int, bytes]]:
    """The sizes of a log that were stamped, rising, each with its token."""
    rows = await connection.fetch(
        "SELECT tree_size, token FROM audit.checkpoint WHERE log_id = $1 AND token IS NOT NULL ORDER BY tree_size",
        log_id,
    )
    return [(row["tree_size"], row["token"]) for row in rows]
