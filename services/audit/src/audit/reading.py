"""The tables of the trail as readers use them: heads, tiles, blobs, and leaves by what they say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from chassis.database import Connection


class Head(NamedTuple):
    """A log as it stands."""

    log_id: int
    origin: str
    topic: str
    part: int
    epoch: int
    state: str
    size: int
    root: bytes


class Entry(NamedTuple):
    """One leaf and its place; `blob` is the encoding that the leaf claims, if it is a claim."""

    origin: str
    leaf_index: int
    leaf: bytes
    leaf_hash: bytes
    blob: bytes | None


async def read_heads(connection: Connection) -> list[Head]:
    """Every log with its size and root, in the order of topic, partition and epoch."""
    rows = await connection.fetch(
        """
        SELECT log_id, origin, topic, part, epoch, state, tree_size, root
        FROM audit.log JOIN audit.head USING (log_id) ORDER BY topic, part, epoch
        """
    )
    return [Head(*row) for row in rows]


async def read_tile(connection: Connection, origin: str, level: int, number: int) -> bytes | None:
    """The hashes of one tile, as many as there are; None when the log or the tile does not exist."""
    found: bytes | None = await connection.fetchval(
        """
        SELECT hashes FROM audit.tile JOIN audit.log USING (log_id)
        WHERE origin = $1 AND level = $2 AND idx = $3
        """,
        origin,
        level,
        number,
    )
    return found


async def read_tiles(
    connection: Connection, log_id: int, places: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], bytes]:
    """The hashes of these tiles, each by level and number, as far as they exist."""
    rows = await connection.fetch(
        """
        SELECT level, idx, hashes FROM audit.tile JOIN unnest($2::int[], $3::bigint[]) AS wanted (level, idx)
        USING (level, idx) WHERE log_id = $1
        """,
        log_id,
        [level for level, _ in places],
        [number for _, number in places],
    )
    return {(row["level"], row["idx"]): row["hashes"] for row in rows}


async def read_by_subject(connection: Connection, subjects: Sequence[str], limit: int) -> list[Entry]:
    """The leaves about these subjects, in the order of log and index, at most `limit`."""
    rows = await connection.fetch(_ENTRIES.format(condition="entry.subject = ANY($1::text[])"), list(subjects), limit)
    return [_entry(row) for row in rows]


async def read_by_event(connection: Connection, event_id: str, limit: int) -> list[Entry]:
    """The leaves of one event: more than one when it was sent more than once."""
    rows = await connection.fetch(_ENTRIES.format(condition="entry.event_id = $1"), event_id, limit)
    return [_entry(row) for row in rows]


async def read_by_type(
    connection: Connection, event_types: Sequence[str], subjects: Sequence[str] | None = None
) -> list[Entry]:
    """Every leaf of these types of events, of all subjects or of these, in the order of log and index."""
    condition = "event_type = ANY($1::text[]) AND ($3::text[] IS NULL OR entry.subject = ANY($3::text[]))"
    rows = await connection.fetch(
        _ENTRIES.format(condition=condition), list(event_types), None, None if subjects is None else list(subjects)
    )
    return [_entry(row) for row in rows]


# A claim is 4 bytes of format, then its kind 2; its last 32 bytes name its blob.
_ENTRIES = r"""
SELECT origin, leaf_index, leaf, leaf_hash, data
FROM audit.entry JOIN audit.log USING (log_id)
LEFT JOIN audit.blob ON substr(leaf, 5, 1) = '\x02' AND digest = substr(leaf, length(leaf) - 31)
WHERE {condition} ORDER BY log_id, leaf_index LIMIT $2
"""


def _entry(row: Sequence[object]) -> Entry:
    return Entry(*row)  # type: ignore[arg-type]  # a row is untyped, and has these columns
