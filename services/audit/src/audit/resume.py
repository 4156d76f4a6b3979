"""What memory starts from: the unfinished tiles of a log held against its head, its last leaves against its tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import storage
from audit.growth import Log
from guichet_verify.tiles import WIDTH, Edge, edge_from_tiles
from guichet_verify.tree import leaf_hash

if TYPE_CHECKING:
    from chassis.database import Connection

REHASHED = 1_024
"""Leaves at the end of a log that are hashed again before it is continued."""


class Inconsistent(Exception):
    """What is stored of a log contradicts itself; `code` names the rule, `index` the leaf where it is one."""

    def __init__(self, code: str, index: int | None = None) -> None:
        super().__init__(code if index is None else f"{code}: leaf {index}")
        self.code, self.index = code, index


async def read_edge(connection: Connection, log: Log) -> Edge:
    """The edge of a stored log; raises Inconsistent when its tiles do not lead to its head."""
    tiles = await storage.read_unfinished_tiles(connection, log)
    try:
        edge = edge_from_tiles(log.size, lambda level, number: tiles.get((level, number), b""))
    except ValueError as error:
        raise Inconsistent("tile-of-another-width") from error
    if edge.root() != log.root:
        raise Inconsistent("tiles-do-not-lead-to-the-head")
    return edge


async def check_last_leaves(connection: Connection, log: Log, count: int = REHASHED) -> None:
    """Hashes the last leaves of a log again; raises Inconsistent when one is missing or is not what its tile holds."""
    first = max(0, log.size - count)
    leaves = await storage.read_leaves(connection, log.log_id, first, log.size)
    tiles = await storage.read_leaf_tiles(connection, log.log_id, first // WIDTH)
    if len(leaves) != log.size - first:
        raise Inconsistent("leaf-missing")
    for index, leaf in enumerate(leaves, first):
        tile = tiles.get(index // WIDTH, b"")
        at = 32 * (index % WIDTH)
        if leaf_hash(leaf) != tile[at : at + 32]:
            raise Inconsistent("leaf-differs-from-its-hash", index)
