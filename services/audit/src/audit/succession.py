"""How the epochs of a partition follow one another: what ended, where the next one goes on, what lies in neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.report import Report
from audit.signing.trail import read_nodes
from guichet_verify.leaves import BREAK, FirstLeaf, NotALeaf, parse

if TYPE_CHECKING:
    from chassis.database import Connection


async def read_beginnings(connection: Connection) -> list[FirstLeaf]:
    """The first leaf of every log, as far as it is one, in the order of topic, partition and epoch."""
    rows = await connection.fetch(
        "SELECT leaf FROM audit.log JOIN audit.entry USING (log_id) WHERE leaf_index = 0 ORDER BY topic, part, epoch"
    )
    found = []
    for row in rows:
        try:
            leaf = parse(row["leaf"])
        except NotALeaf:
            continue  # Already a failure of its log.
        if isinstance(leaf, FirstLeaf):
            found.append(leaf)
    return found


async def check_succession(connection: Connection, report: Report) -> None:
    """Adds to the report where an epoch does not go on from the one that its first leaf names.

    Nothing recorded may lie in no tree: what is stored of an ended log beyond the size it ended at is read again by the
    next one, or is within the offsets that its first leaf names as lost.
    """
    ended = {
        row["origin"]: row
        for row in await connection.fetch(
            "SELECT log_id, origin, tree_size, state FROM audit.log JOIN audit.head USING (log_id)"
        )
    }
    for first in await read_beginnings(connection):
        before = ended.pop(first.previous_origin, None)
        if before is None:
            continue  # The first epoch, or one whose predecessor was dropped as a whole.
        if before["state"] == "active":
            report.fail("L2", first.previous_origin, None, "active-beside-its-next-epoch")
        size = before["tree_size"]
        if size < first.previous_size and first.reason != BREAK:
            report.fail("L2", first.previous_origin, None, f"smaller-than-its-end: {size} of {first.previous_size}")
        elif size >= first.previous_size and first.reason != BREAK:
            (root,) = await read_nodes(connection, before["log_id"], [(0, first.previous_size)])
            if root != first.previous_root or size > first.previous_size:
                report.fail("L2", first.previous_origin, None, "differs-from-its-end")
        await _check_beyond(connection, before["log_id"], first, report)


async def _check_beyond(connection: Connection, log_id: int, first: FirstLeaf, report: Report) -> None:
    rows = await connection.fetch(
        """
        SELECT leaf_index, kafka_offset FROM audit.entry
        WHERE log_id = $1 AND leaf_index >= $2 AND kafka_offset < $3 AND NOT EXISTS (
            SELECT FROM unnest($4::bigint[], $5::bigint[]) AS lost (since, until)
            WHERE kafka_offset >= since AND kafka_offset < until)
        ORDER BY leaf_index LIMIT 100
        """,
        log_id,
        max(1, first.previous_size),
        first.first_offset,
        [since for since, _ in first.lost],
        [until for _, until in first.lost],
    )
    for row in rows:
        report.fail("L2", first.previous_origin, row["leaf_index"], f"in-no-tree: offset {row['kafka_offset']}")
