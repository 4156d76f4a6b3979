"""The trail as the signer reads it: heads, leaves with the hashes that PostgreSQL made, tiles, announcements."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, NamedTuple

from guichet_verify.tiles import node_in_tile
from guichet_verify.tree import Span, node_hash, root_of, spans

if TYPE_CHECKING:
    from chassis.database import Connection

PAGE = 2_048


class Head(NamedTuple):
    """A log as the database says it stands; `active` while it is being written, `dropped` when its records are gone."""

    log_id: int
    origin: str
    size: int
    root: bytes
    active: bool = True
    dropped: bool = False


async def read_heads(connection: Connection) -> list[Head]:
    """Every log that has leaves."""
    rows = await connection.fetch(
        "SELECT log_id, origin, tree_size, root, state = 'active', state = 'dropped' "
        "FROM audit.log JOIN audit.head USING (log_id) WHERE tree_size > 0 ORDER BY log_id"
    )
    return [Head(*row) for row in rows]


async def stream_leaves(
    connection: Connection, head: Head, first: int
) -> AsyncIterator[list[tuple[int, int, bytes, bytes]]]:
    """Index, offset, leaf and stored hash of the leaves from `first` on, a page at a time; inside a transaction."""
    cursor = await connection.cursor(
        "SELECT leaf_index, kafka_offset, leaf, leaf_hash FROM audit.entry "
        "WHERE log_id = $1 AND leaf_index >= $2 AND leaf_index < $3 ORDER BY leaf_index",
        head.log_id,
        first,
        head.size,
    )
    while rows := await cursor.fetch(PAGE):
        yield [tuple(row) for row in rows]


async def read_offset(connection: Connection, head: Head, index: int) -> int:
    """The offset of one leaf; -1 when there is none."""
    found = await connection.fetchval(
        "SELECT kafka_offset FROM audit.entry WHERE log_id = $1 AND leaf_index = $2", head.log_id, index
    )
    return -1 if found is None else int(found)


async def read_nodes(connection: Connection, log_id: int, wanted: list[Span]) -> list[bytes | None]:
    """The hash of the node over each span, from the stored tiles alone; None where a tile is missing or too short."""
    parts = [[node_in_tile(height, index) for height, index in spans(*span)] for span in wanted]
    places = sorted({(level, number) for each in parts for level, number, _, _ in each})
    rows = await connection.fetch(
        "SELECT level, idx, hashes FROM audit.tile JOIN unnest($2::int[], $3::bigint[]) AS wanted (level, idx) "
        "USING (level, idx) WHERE log_id = $1",
        log_id,
        [level for level, _ in places],
        [number for _, number in places],
    )
    tiles = {(row["level"], row["idx"]): row["hashes"] for row in rows}
    return [_join([_node(tiles, *part) for part in each]) for each in parts]


def _node(tiles: dict[tuple[int, int], bytes], level: int, number: int, first: int, count: int) -> bytes | None:
    content = tiles.get((level, number), b"")[32 * first : 32 * (first + count)]
    if len(content) != 32 * count:
        return None
    return root_of([content[at : at + 32] for at in range(0, len(content), 32)])


def _join(parts: list[bytes | None]) -> bytes | None:
    found: bytes | None = None
    for part in reversed(parts):
        if part is None:
            return None
        found = part if found is None else node_hash(part, found)
    return found


async def read_peaks(connection: Connection, log_id: int, size: int) -> tuple[bytes, ...] | None:
    """The roots of the complete subtrees of the first `size` leaves, smallest first; None when a tile is missing."""
    found = await read_nodes(
        connection,
        log_id,
        [(index << height, (index + 1) << height) for height, index in spans(0, size)],
    )
    peaks = [peak for peak in reversed(found) if peak is not None]
    return tuple(peaks) if len(peaks) == len(found) else None


async def read_announcement(connection: Connection, origin: str) -> bytes | None:
    """The leaf of the record that announced a log; None while it is not in the trail."""
    found: bytes | None = await connection.fetchval(
        "SELECT leaf FROM audit.entry WHERE subject = $1 AND event_type = 'guichet.epoch.opened.v1' "
        "ORDER BY log_id, leaf_index LIMIT 1",
        origin,
    )
    return found


async def read_checkpoints(connection: Connection) -> list[str]:
    """The newest note of each log in the table."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (log_id) note FROM audit.checkpoint ORDER BY log_id, tree_size DESC"
    )
    return [row["note"] for row in rows]
