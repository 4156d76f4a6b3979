"""What the leaves of a bundle say, each one led to the signed root (level 2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

from guichet_verify.bundle import Bundle
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.encoding import read_hashes
from guichet_verify.leaves import Claim, FirstLeaf, NotALeaf, Record, parse, parse_blob
from guichet_verify.manifest import LogPart
from guichet_verify.members import tile_width
from guichet_verify.proofs import read_proof
from guichet_verify.report import Level, LevelFailed
from guichet_verify.tiles import WIDTH, Edge, Tile
from guichet_verify.tree import Frontier, leaf_hash, node_hash, range_spans, split, verify_inclusion

Listener = Callable[[str, int, Record], None]
"""Told every record: the origin of its log, its index, and what it says."""

_PLACE = re.compile(r"[^/].*/(?:trail|access)/([A-Za-z0-9._-]{1,249})/(0|[1-9][0-9]{0,9})/[1-9][0-9]{0,9}", re.ASCII)


class LogCheck:
    """One log of a bundle: its leaves in order, then what they add up to. Raises LevelFailed at the first fault."""

    def __init__(self, bundle: Bundle, number: int, checkpoint: Checkpoint, listen: Listener) -> None:
        self._bundle, self._number, self._checkpoint, self._listen = bundle, number, checkpoint, listen
        self._part: LogPart = bundle.manifest.logs[number]
        self._next_offset = 0
        self.blobs = 0
        self.first: FirstLeaf | None = None
        """Leaf 0, once it was read."""
        place = _PLACE.fullmatch(checkpoint.origin)
        if place is None:
            raise LevelFailed(Level.L2, "origin names no topic and partition", checkpoint.origin)
        self._topic, self._partition = place[1], int(place[2])

    def run(self, sizes: Collection[int], tell: Callable[[int], None]) -> dict[int, bytes]:
        """Checks everything; returns the roots at these earlier sizes, as far as the leaves lead to them."""
        if self._part.indexes is not None:
            self._points(self._part.indexes, tell)
            return {}
        if self._part.whole:
            return self._whole(sizes, tell)
        self._range(tell)
        return {}

    def _fail(self, reason: str, index: int | None = None) -> LevelFailed:
        return LevelFailed(Level.L2, reason, self._checkpoint.origin, index)

    def _points(self, indexes: Collection[int], tell: Callable[[int], None]) -> None:
        note = self._bundle.checkpoint(self._number)
        for index in indexes:
            hashed = self._leaf(index, self._bundle.entry(self._number, index))
            try:
                proof = read_proof(self._bundle.proof(self._number, index))
            except ValueError as error:
                raise self._fail(f"not a proof: {error}", index) from error
            if proof.checkpoint != note or proof.extra is not None or proof.index != index:
                raise self._fail("proof is of another checkpoint or index", index)
            if not verify_inclusion(index, self._checkpoint.size, hashed, proof.hashes, self._checkpoint.root):
                raise self._fail("proof does not lead to the root", index)
            tell(1)

    def _whole(self, sizes: Collection[int], tell: Callable[[int], None]) -> dict[int, bytes]:
        edge, roots = Edge(), {}
        for hashes in self._pieces():
            for size in sizes:
                if edge.size < size <= edge.size + len(hashes):
                    roots[size] = edge.frontier.extend(hashes[: size - edge.size])[0].root()
            edge, touched = edge.extend(hashes)
            for tile in touched:
                if tile.width == tile_width(tile.level, tile.number, self._part.size):
                    self._tile(tile)
            tell(len(hashes))
        if edge.root() != self._checkpoint.root:
            raise self._fail("leaves do not lead to the root")
        return roots

    def _tile(self, tile: Tile) -> None:
        stored = self._bundle.tile(self._number, tile.level, tile.number)
        if stored != tile.hashes:
            at = next(
                at for at in range(tile.width) if stored[32 * at : 32 * at + 32] != tile.hashes[32 * at : 32 * at + 32]
            )
            reason = "leaf differs from its tile" if tile.level == 0 else f"tile of level {tile.level} differs"
            raise self._fail(reason, (tile.number * WIDTH + at) * WIDTH**tile.level)

    def _range(self, tell: Callable[[int], None]) -> None:
        try:
            proof = iter(read_hashes(self._bundle.range_proof(self._number)))
        except ValueError as error:
            raise self._fail(f"not a range proof: {error}") from error
        outside = set(range_spans(self._part.start, self._part.end, self._part.size))
        pieces = self._pieces()

        def walk(low: int, high: int) -> bytes:
            if (low, high) in outside:
                return next(proof, b"")
            if self._part.start <= low and high <= self._part.end:
                frontier = Frontier()
                while frontier.size < high - low:
                    hashes = next(pieces)
                    frontier, _ = frontier.extend(hashes)
                    tell(len(hashes))
                return frontier.root()
            middle = low + split(high - low)
            return node_hash(walk(low, middle), walk(middle, high))

        if walk(0, self._part.size) != self._checkpoint.root or next(proof, None) is not None:
            raise self._fail("range proof does not lead to the root")

    def _pieces(self) -> Iterator[list[bytes]]:
        """The leaf hashes of each entry bundle, its leaves checked."""
        for number in range(self._part.start // WIDTH, -(-self._part.end // WIDTH)):
            first = number * WIDTH
            width = tile_width(0, number, self._part.size)
            leaves = split_entries(self._bundle.entries(self._number, number), width)
            if leaves is None:
                raise self._fail("not an entry bundle", first)
            yield [self._leaf(first + at, leaf) for at, leaf in enumerate(leaves)]

    def _leaf(self, index: int, data: bytes) -> bytes:
        try:
            leaf = parse(data)
        except NotALeaf as error:
            raise self._fail(f"not a leaf: {error}", index) from error
        if isinstance(leaf, FirstLeaf):
            self._first(index, leaf)
            return leaf_hash(data)
        if index == 0:
            raise self._fail("leaf 0 does not open the log", 0)
        if (leaf.topic, leaf.partition) != (self._topic, self._partition):
            raise self._fail("record of another topic or partition", index)
        if leaf.offset < self._next_offset:
            raise self._fail("offset does not rise", index)
        self._next_offset = leaf.offset + 1
        record = self._claimed(index, leaf) if isinstance(leaf, Claim) else leaf
        if record is not None:
            self._listen(self._checkpoint.origin, index, record)
        return leaf_hash(data)

    def _first(self, index: int, leaf: FirstLeaf) -> None:
        if index != 0:
            raise self._fail("a first leaf further on", index)
        if leaf.origin != self._checkpoint.origin:
            raise self._fail("first leaf of another log", 0)
        self._next_offset = leaf.first_offset
        self.first = leaf

    def _claimed(self, index: int, claim: Claim) -> Record | None:
        try:
            blob = self._bundle.claim(claim.digest)
        except KeyError as error:
            raise self._fail("blob missing", index) from error
        if blob is None:
            return None
        self.blobs += 1
        try:
            return parse_blob(claim, blob)
        except NotALeaf as error:
            raise self._fail(f"blob: {error}", index) from error


def split_entries(data: bytes, width: int) -> list[bytes] | None:
    """The leaves in an entry bundle of this width (C2SP tlog-tiles: 16-bit length, then the leaf); None if unfit."""
    leaves, at, end = [], 0, len(data)
    for _ in range(width):
        after = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if after > end or after == at + 2:
            return None
        leaves.append(data[at + 2 : after])
        at = after
    return leaves if at == end else None
