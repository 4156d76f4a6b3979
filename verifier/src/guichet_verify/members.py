"""The files that a bundle must have, no more and no fewer, in the order in which they must stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from guichet_verify.leaves import LEAF_LIMIT
from guichet_verify.manifest import LogPart, Manifest
from guichet_verify.notes import NOTE_LIMIT
from guichet_verify.proofs import PROOF_LIMIT
from guichet_verify.tiles import WIDTH, full_tiles, index_path, levels, partial_width

MANIFEST = "bundle.json"
BLOBS = "blobs/"
TOKEN_LIMIT = 64 << 10
HASHES_LIMIT = 8 << 10
STORY_LIMIT = 64 << 20

CHECKPOINT, TOKEN, CONSISTENCY = "checkpoint", "checkpoint.tsr", "consistency"
ENTRY, PROOF, RANGE_PROOF = "entry", "proof", "range.proof"
TILE, ENTRIES, STATE = "tile", "entries", "state"

Key = tuple[int, str]
"""A section of a bundle: files of one kind in one log, told apart by an index; stories are those of log -1."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One file: where it belongs, and within which sizes."""

    name: str
    key: Key
    index: int
    least: int
    most: int
    optional: bool = False


def expected_members(manifest: Manifest) -> Iterator[Expected]:
    """Every file but `bundle.json` and the blobs, sorted by name; made one by one, whatever sizes are claimed."""
    for number in sorted(range(len(manifest.logs)), key=str):
        yield from _log(number, manifest.logs[number])
    for number in sorted(range(len(manifest.subjects)), key=lambda each: f"{each}.json"):
        yield Expected(f"state/{number}.json", (-1, STATE), number, 1, STORY_LIMIT)


def _log(number: int, log: LogPart) -> Iterator[Expected]:
    folder = f"logs/{number}"
    yield Expected(f"{folder}/{CHECKPOINT}", (number, CHECKPOINT), 0, 1, NOTE_LIMIT)
    yield Expected(f"{folder}/{TOKEN}", (number, TOKEN), 0, 1, TOKEN_LIMIT, optional=True)
    for old in sorted(log.older, key=str):
        yield Expected(f"{folder}/{CONSISTENCY}/{old}", (number, CONSISTENCY), old, 0, HASHES_LIMIT)
    if log.indexes is not None:
        for index in sorted(log.indexes, key=str):
            yield Expected(f"{folder}/{ENTRY}/{index}", (number, ENTRY), index, 1, LEAF_LIMIT)
        for index in sorted(log.indexes, key=lambda each: f"{each}.tlog-proof"):
            yield Expected(f"{folder}/{PROOF}/{index}.tlog-proof", (number, PROOF), index, 1, PROOF_LIMIT)
        return
    if not log.whole:
        yield Expected(f"{folder}/{RANGE_PROOF}", (number, RANGE_PROOF), 0, 0, HASHES_LIMIT)
    else:
        for level in range(levels(log.size)):
            count = full_tiles(level, log.size) + bool(partial_width(level, log.size))
            for index in in_path_order(0, count):
                width = tile_width(level, index, log.size)
                name = f"{folder}/{TILE}/{tile_name(level, index, width)}"
                yield Expected(name, (number, f"{TILE}/{level}"), index, 32 * width, 32 * width)
    for index in in_path_order(log.start // WIDTH, -(-log.end // WIDTH)):
        width = tile_width(0, index, log.size)
        name = f"{folder}/{TILE}/{ENTRIES}/{tile_path(index, width)}"
        yield Expected(name, (number, ENTRIES), index, width * 3, width * (LEAF_LIMIT + 2))


def tile_width(level: int, index: int, size: int) -> int:
    """How many hashes, or entries, tile `index` of a level has in a tree of `size`."""
    return WIDTH if index < full_tiles(level, size) else partial_width(level, size)


def tile_path(index: int, width: int) -> str:
    """The path of a tile below its level (C2SP tlog-tiles)."""
    return index_path(index) if width == WIDTH else f"{index_path(index)}.p/{width}"


def tile_name(level: int, index: int, width: int) -> str:
    """The path of a hash tile below `tile/`."""
    return f"{level}/{tile_path(index, width)}"


def in_path_order(first: int, end: int, prefix: int = 0) -> Iterator[int]:
    """The tile indexes [first, end) in the order of their paths, which beyond a million is not that of the numbers."""
    yield from range(max(first, prefix * 1000), min(end, prefix * 1000 + 1000))
    for group in range(prefix * 1000, prefix * 1000 + 1000):
        low, high = group * 1000, (group + 1) * 1000
        while group and low < end:
            if high > first:
                yield from in_path_order(first, end, group)
                break
            low, high = low * 1000, high * 1000
