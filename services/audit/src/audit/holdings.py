"""What the trail holds up to signed sizes, as a bundle takes it: leaves, blobs and tiles, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from audit.reading import Entry
from audit.signed import SignedLog
from guichet_verify.manifest import LogPart

if TYPE_CHECKING:
    from chassis.database import Connection


class TrailBroken(Exception):
    """What is below a signed size is not there: the trail does not hold, and `guichet audit verify` says where."""


async def read_leaves(connection: Connection, log: SignedLog, first: int, count: int) -> list[bytes]:
    """The leaves [first, first + count) of a log."""
    rows = await connection.fetch(
        """
        SELECT leaf FROM audit.entry
        WHERE log_id = $1 AND leaf_index >= $2 AND leaf_index < $3 ORDER BY leaf_index
        """,
        log.log_id,
        first,
        first + count,
    )
    if len(rows) != count:
        raise TrailBroken(f"leaves of {log.origin} are missing from {first} on")
    return [row["leaf"] for row in rows]


async def read_hashes(connection: Connection, log: SignedLog, level: int, number: int, width: int) -> bytes:
    """The first `width` hashes of a tile; it may have grown since."""
    found = await connection.fetchval(
        "SELECT hashes FROM audit.tile WHERE log_id = $1 AND level = $2 AND idx = $3", log.log_id, level, number
    )
    if found is None or len(found) < 32 * width:
        raise TrailBroken(f"tile {level}/{number} of {log.origin} is missing")
    return bytes(found[: 32 * width])


async def read_blob(connection: Connection, digest: bytes) -> bytes:
    """The encoding of a claimed record."""
    found = await connection.fetchval("SELECT data FROM audit.blob WHERE digest = $1", digest)
    if found is None:
        raise TrailBroken("a large record is missing")
    return bytes(found)


async def read_claims(
    connection: Connection, logs: Sequence[SignedLog], parts: Sequence[LogPart]
) -> list[tuple[bytes, int | None]]:
    """The digests that these parts claim, sorted, each with the length of its blob; None when that is missing."""
    rows = await connection.fetch(
        r"""
        SELECT claimed.digest, length(data) FROM (
            SELECT DISTINCT substr(leaf, length(leaf) - 31) AS digest
            FROM unnest($1::int[], $2::bigint[], $3::bigint[]) AS part (log_id, first, until)
            JOIN audit.entry ON entry.log_id = part.log_id AND leaf_index >= first AND leaf_index < until
            WHERE substr(leaf, 5, 1) = '\x02'
        ) AS claimed LEFT JOIN audit.blob USING (digest) ORDER BY claimed.digest
        """,
        [log.log_id for log in logs],
        [part.start for part in parts],
        [part.end for part in parts],
    )
    return [(row[0], row[1]) for row in rows]


async def read_about(connection: Connection, subjects: Sequence[str], logs: Sequence[SignedLog]) -> list[Entry]:
    """Every leaf about these subjects below the signed sizes, with the blob that it claims."""
    rows = await connection.fetch(
        r"""
        SELECT origin, leaf_index, leaf, leaf_hash, data
        FROM unnest($2::int[], $3::text[], $4::bigint[]) AS signed (log_id, origin, size)
        JOIN audit.entry ON entry.log_id = signed.log_id AND leaf_index < size AND subject = ANY($1::text[])
        LEFT JOIN audit.blob ON substr(leaf, 5, 1) = '\x02' AND digest = substr(leaf, length(leaf) - 31)
        """,
        list(subjects),
        [log.log_id for log in logs],
        [log.origin for log in logs],
        [log.size for log in logs],
    )
    return [Entry(*row) for row in rows]
