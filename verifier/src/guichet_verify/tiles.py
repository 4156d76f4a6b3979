"""A tree cut into tiles of 256 hashes, as C2SP tlog-tiles names and sizes them; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from guichet_verify.tree import Frontier, Row, root_of

WIDTH = 256
"""Hashes in a full tile."""

_HEIGHT = 8
_PATH = re.compile(r"(?:x[0-9]{3}/)*[0-9]{3}", re.ASCII)


class Tile(NamedTuple):
    """The first `len(hashes) / 32` hashes of tile `number` on `level`; level 0 holds leaf hashes."""

    level: int
    number: int
    hashes: bytes

    @property
    def width(self) -> int:
        return len(self.hashes) // 32


def index_path(index: int) -> str:
    """A tile's index as it stands in an address: groups of three digits, all but the last led by x."""
    if index < 0:
        raise ValueError("index")
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    return "/".join(reversed(groups))


def parse_index_path(path: str) -> int:
    """The index that an address names; raises ValueError for any other spelling than `index_path` gives."""
    if not _PATH.fullmatch(path) or path.startswith("x000"):
        raise ValueError("tile path")
    return int(path.replace("x", "").replace("/", ""))


def partial_width(level: int, size: int) -> int:
    """How many hashes the last, unfinished tile of a level has in a tree of `size`; 0 when there is none."""
    return (size >> (_HEIGHT * level)) % WIDTH


def full_tiles(level: int, size: int) -> int:
    """How many full tiles a level has in a tree of `size`."""
    return size >> (_HEIGHT * (level + 1))


def levels(size: int) -> int:
    """How many levels a tree of `size` has hashes on."""
    return max(1, -(-size.bit_length() // _HEIGHT)) if size else 0


def all_tiles(size: int) -> Iterator[tuple[int, int, int]]:
    """Every tile of a tree of `size` as (level, index, width), level by level."""
    for level in range(levels(size)):
        full = full_tiles(level, size)
        yield from ((level, index, WIDTH) for index in range(full))
        if width := partial_width(level, size):
            yield level, full, width


class Edge(NamedTuple):
    """A growing tree in memory: its frontier and the unfinished tile of each level."""

    frontier: Frontier = Frontier()
    unfinished: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        return self.frontier.size

    def root(self) -> bytes:
        return self.frontier.root()

    def extend(self, hashes: Sequence[bytes]) -> tuple[Edge, list[Tile]]:
        """The tree with these leaf hashes appended, and every tile that is new or wider than before."""
        frontier, rows = self.frontier.extend(hashes)
        unfinished = list(self.unfinished)
        touched: list[Tile] = []
        for row in rows:
            if row.height % _HEIGHT == 0:
                touched += _fill(unfinished, row)
        return Edge(frontier, tuple(unfinished)), touched


def _fill(unfinished: list[bytes], row: Row) -> list[Tile]:
    """Appends a row of nodes to the tiles of its level and replaces the level's unfinished tile."""
    level = row.height // _HEIGHT
    while len(unfinished) <= level:
        unfinished.append(b"")
    index = row.first // WIDTH
    content = unfinished[level] + b"".join(row.hashes)
    size = 32 * WIDTH
    touched = [
        Tile(level, index + number, content[at : at + size]) for number, at in enumerate(range(0, len(content), size))
    ]
    unfinished[level] = b"" if touched[-1].width == WIDTH else touched[-1].hashes
    return touched


def edge_from_tiles(size: int, tile: Callable[[int, int], bytes]) -> Edge:
    """The edge of a stored tree of `size`; `tile(level, index)` gives the bytes of an unfinished tile.

    Raises ValueError when a tile does not have the width that the size asks for.
    """
    peaks: list[bytes] = []
    unfinished: list[bytes] = []
    for level in range(levels(size)):
        width = partial_width(level, size)
        content = tile(level, full_tiles(level, size)) if width else b""
        if len(content) != 32 * width:
            raise ValueError(f"tile of level {level} is not {width} hashes wide")
        unfinished.append(content)
        peaks += tile_peaks(content)
    return Edge(Frontier(size, tuple(peaks)), tuple(unfinished))


def tile_peaks(content: bytes) -> tuple[bytes, ...]:
    """The roots of the complete subtrees of an unfinished tile, smallest first."""
    hashes = [content[at : at + 32] for at in range(0, len(content), 32)]
    return Frontier().extend(hashes)[0].peaks


def node_in_tile(height: int, index: int) -> tuple[int, int, int, int]:
    """Where a complete subtree is found: (level, tile index, first hash in the tile, number of hashes under it)."""
    level, above = divmod(height, _HEIGHT)
    first = index << above
    return level, first // WIDTH, first % WIDTH, 1 << above


def node_from_tile(height: int, index: int, tile: Callable[[int, int], bytes]) -> bytes:
    """The hash of a complete subtree, from the tile that holds it or what it is made of."""
    level, number, first, count = node_in_tile(height, index)
    content = tile(level, number)[32 * first : 32 * (first + count)]
    if len(content) != 32 * count:
        raise ValueError(f"tile {level}/{number} is not {first + count} hashes wide")
    return root_of([content[at : at + 32] for at in range(0, len(content), 32)])
