"""The tables of the trail as the one writer uses them: heads and edges read, batches appended."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

from audit.growth import Growth, Log
from guichet_verify.tiles import full_tiles, levels

if TYPE_CHECKING:
    from chassis.database import Connection

_COLUMNS = (
    "log_id",
    "leaf_index",
    "kafka_offset",
    "event_id",
    "event_type",
    "source",
    "subject",
    "sequence",
    "event_time",
    "leaf",
)


class Fenced(Exception):
    """Another writer is ahead, or the stored tree is not the one in memory: this writer must stop."""


async def read_logs(connection: Connection) -> list[Log]:
    """Every log that is being written, with its head and the offset it goes on at."""
    rows = await connection.fetch(
        """
        SELECT log_id, origin, topic, part, next_offset, tree_size, root
        FROM audit.source JOIN audit.log USING (log_id, topic, part) JOIN audit.head USING (log_id)
        WHERE state = 'active' ORDER BY log_id
        """
    )
    return [Log(*row) for row in rows]


async def read_unfinished_tiles(connection: Connection, log: Log) -> dict[tuple[int, int], bytes]:
    """The unfinished tile of each level of a log, by level and number."""
    wanted = [(level, full_tiles(level, log.size)) for level in range(levels(log.size))]
    rows = await connection.fetch(
        """
        SELECT level, idx, hashes FROM audit.tile JOIN unnest($2::int[], $3::bigint[]) AS wanted (level, idx)
        USING (level, idx) WHERE log_id = $1
        """,
        log.log_id,
        [level for level, _ in wanted],
        [number for _, number in wanted],
    )
    return {(row["level"], row["idx"]): row["hashes"] for row in rows}


async def read_leaves(connection: Connection, log_id: int, first: int, end: int) -> list[bytes]:
    """Leaves [first, end) of a log, in order; fewer when some are missing."""
    rows = await connection.fetch(
        """
        SELECT leaf FROM audit.entry
        WHERE log_id = $1 AND leaf_index >= $2 AND leaf_index < $3 ORDER BY leaf_index
        """,
        log_id,
        first,
        end,
    )
    return [row["leaf"] for row in rows]


async def read_leaf_tiles(connection: Connection, log_id: int, first: int) -> dict[int, bytes]:
    """The tiles of leaf hashes from tile `first` on, by their number."""
    rows = await connection.fetch(
        "SELECT idx, hashes FROM audit.tile WHERE log_id = $1 AND level = 0 AND idx >= $2", log_id, first
    )
    return {row["idx"]: row["hashes"] for row in rows}


async def append(connection: Connection, growths: Sequence[Growth]) -> None:
    """One batch of several logs, each at most once, in the caller's transaction; raises Fenced.

    The order is fixed: source, head, entries, blobs, tiles, batches, heads. Rows are locked in the order of logs.
    Leaves are made while they are copied: what is known of a batch only then comes after its entries.
    """
    growths = sorted(growths, key=lambda growth: growth.log.log_id)
    ids = [growth.log.log_id for growth in growths]
    await _advance_sources(connection, growths)
    await _lock_heads(connection, growths, ids)
    rows = chain.from_iterable(growth.rows() for growth in growths)
    await connection.copy_records_to_table("entry", schema_name="audit", columns=_COLUMNS, records=rows)
    blobs = {digest: data for growth in growths for digest, data in growth.blobs}
    if blobs:
        await connection.execute(
            """
            INSERT INTO audit.blob (digest, data)
            SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT DO NOTHING
            """,
            list(blobs),
            list(blobs.values()),
        )
    tiles = [(growth.log.log_id, tile) for growth in growths for tile in growth.tiles]
    await connection.execute(
        """
        INSERT INTO audit.tile (log_id, level, idx, width, hashes)
        SELECT * FROM unnest($1::int[], $2::int[], $3::bigint[], $4::int[], $5::bytea[])
        ON CONFLICT (log_id, level, idx) DO UPDATE SET width = excluded.width, hashes = excluded.hashes
        """,
        [log_id for log_id, _ in tiles],
        [tile.level for _, tile in tiles],
        [tile.number for _, tile in tiles],
        [tile.width for _, tile in tiles],
        [tile.hashes for _, tile in tiles],
    )
    await connection.execute(
        """
        INSERT INTO audit.batch (log_id, first_index, n, offset_from, offset_to, high_watermark, log_start)
        SELECT * FROM unnest($1::int[], $2::bigint[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
        """,
        ids,
        [growth.log.size for growth in growths],
        [growth.n for growth in growths],
        [growth.log.next_offset for growth in growths],
        [growth.offset_to for growth in growths],
        [growth.high_watermark for growth in growths],
        [growth.log_start for growth in growths],
    )
    await connection.execute(
        """
        UPDATE audit.head SET tree_size = grown.tree_size, root = grown.root
        FROM unnest($1::int[], $2::bigint[], $3::bytea[]) AS grown (log_id, tree_size, root)
        WHERE head.log_id = grown.log_id
        """,
        ids,
        [growth.edge.size for growth in growths],
        [growth.edge.root() for growth in growths],
    )


async def _advance_sources(connection: Connection, growths: Sequence[Growth]) -> None:
    status = await connection.execute(
        """
        UPDATE audit.source SET next_offset = moved.until
        FROM unnest($1::text[], $2::int[], $3::int[], $4::bigint[], $5::bigint[])
            AS moved (topic, part, log_id, since, until)
        WHERE source.topic = moved.topic AND source.part = moved.part
            AND source.log_id = moved.log_id AND source.next_offset = moved.since
        """,
        [growth.log.topic for growth in growths],
        [growth.log.part for growth in growths],
        [growth.log.log_id for growth in growths],
        [growth.log.next_offset for growth in growths],
        [growth.offset_to for growth in growths],
    )
    if status != f"UPDATE {len(growths)}":
        raise Fenced("the stored offset is not the one this writer left")


async def _lock_heads(connection: Connection, growths: Sequence[Growth], ids: list[int]) -> None:
    rows = await connection.fetch(
        "SELECT log_id, tree_size, root FROM audit.head WHERE log_id = ANY($1::int[]) ORDER BY log_id FOR UPDATE", ids
    )
    if [tuple(row) for row in rows] != [(each.log.log_id, each.log.size, each.log.root) for each in growths]:
        raise Fenced("the stored tree is not the one in memory")
