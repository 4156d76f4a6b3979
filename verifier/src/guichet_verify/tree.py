"""Merkle trees of RFC 6962: hashes, roots, growth, and proofs with their verification; pure, over `hashlib` alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

EMPTY_ROOT = hashlib.sha256(b"").digest()
SIZE_LIMIT = (1 << 53) - 1
"""The largest size or index that a proof may speak of, so that every reader can hold it exactly."""

_sha256 = hashlib.sha256

Span = tuple[int, int]
"""Leaves [start, end) under one node of the tree."""


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256 of 00 and the leaf (RFC 6962, section 2.1)."""
    return _sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 01 and both children (RFC 6962, section 2.1)."""
    return _sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two below `size`: how many leaves stand left of the top node (RFC 6962, section 2.1)."""
    return 1 << ((size - 1).bit_length() - 1)


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes."""
    return Frontier().extend(hashes)[0].root()


class Row(NamedTuple):
    """New nodes of one height, side by side; `first` counts the nodes of that height left of them."""

    height: int
    first: int
    hashes: Sequence[bytes]


class Frontier(NamedTuple):
    """A tree reduced to what its growth needs: its size, and the roots of its complete subtrees, smallest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def root(self) -> bytes:
        """The root of the tree; that of nothing for size 0."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[0]
        for peak in self.peaks[1:]:
            root = node_hash(peak, root)
        return root

    def extend(self, hashes: Sequence[bytes]) -> tuple[Frontier, list[Row]]:
        """The tree with these leaf hashes appended, and every node that became complete, row by row."""
        if not hashes:
            return self, []
        waiting = iter(self.peaks)
        peaks: list[bytes] = []
        rows: list[Row] = []
        row, first, height = list(hashes), self.size, 0
        while row or first:
            if row:
                rows.append(Row(height, first, row))
            if first & 1:
                row = [next(waiting), *row]
            if len(row) & 1:
                peaks.append(row[-1])
            row = [_sha256(b"\x01" + row[i] + row[i + 1]).digest() for i in range(0, len(row) - 1, 2)]
            first >>= 1
            height += 1
        return Frontier(self.size + len(hashes), tuple(peaks)), rows


def spans(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees that make up the node over [start, end), left to right, each as (height, index).

    `start` must be where a node of the tree begins: a multiple of the smallest power of two not below end - start.
    """
    while start < end:
        height = (end - start).bit_length() - 1
        yield height, start >> height
        start += 1 << height


def span_hash(span: Span, node: Callable[[int, int], bytes]) -> bytes:
    """The hash of the node over a span, from complete subtrees fetched by `node(height, index)`."""
    parts = [node(height, index) for height, index in spans(*span)]
    if not parts:
        return EMPTY_ROOT
    found = parts.pop()
    while parts:
        found = node_hash(parts.pop(), found)
    return found


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The nodes whose hashes prove that leaf `index` is in the tree of `size`, lowest first (RFC 6962, 2.1.1)."""
    if not 0 <= index < size <= SIZE_LIMIT:
        raise ValueError("index and size")
    found: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """The nodes whose hashes prove that the tree of `old` is the beginning of that of `new` (RFC 6962, 2.1.2)."""
    if not 1 <= old <= new <= SIZE_LIMIT:
        raise ValueError("old and new size")
    found: list[Span] = []
    start, end, whole = 0, new, True
    while end > old:
        middle = start + split(end - start)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start, whole = middle, False
    if not whole:
        found.append((start, end))
    return found[::-1]


def range_spans(start: int, end: int, size: int) -> list[Span]:
    """The nodes outside [start, end) that a walk of the tree of `size` meets and does not enter, left to right."""
    if not 0 <= start < end <= size <= SIZE_LIMIT:
        raise ValueError("range and size")
    found: list[Span] = []
    waiting = [(0, size)]
    while waiting:
        low, high = waiting.pop()
        if high <= start or low >= end:
            found.append((low, high))
        elif not (start <= low and high <= end):
            middle = low + split(high - low)
            waiting += [(middle, high), (low, middle)]
    return found


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` leads from this leaf hash to this root (RFC 9162, section 2.1.3.2).

    A proof may also hold for another size of the same shape: take the size from a checkpoint, never from the prover.
    """
    if not 0 <= index < size <= SIZE_LIMIT or any(len(part) != 32 for part in (leaf, root, *proof)):
        return False
    place, last, found = index, size - 1, leaf
    for part in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(part, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, part)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows the old tree to be the beginning of the new one (RFC 9162, section 2.1.4.2).

    An old size of 0 is refused: everything begins with nothing, and the caller has to know that it compared nothing.
    """
    if not 1 <= old <= new <= SIZE_LIMIT:
        return False
    if old == new:
        return not proof and old_root == new_root
    if any(len(part) != 32 for part in (old_root, new_root, *proof)):
        return False
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = path[0]
    for part in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            before, after = node_hash(part, before), node_hash(part, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, part)
        place, last = place >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def root_of_range(start: int, size: int, hashes: Sequence[bytes], proof: Sequence[bytes]) -> bytes | None:
    """The root of the tree of `size` whose leaves from `start` on are `hashes`, by a range proof; None if unfit."""
    end = start + len(hashes)
    if not 0 <= start < end <= size <= SIZE_LIMIT or any(len(part) != 32 for part in (*hashes, *proof)):
        return None
    outside = range_spans(start, end, size)
    if len(outside) != len(proof):
        return None
    given = dict(zip(outside, proof, strict=True))

    def walk(low: int, high: int) -> bytes:
        if (low, high) in given:
            return given[low, high]
        if start <= low and high <= end:
            return root_of(hashes[low - start : high - start])
        middle = low + split(high - low)
        return node_hash(walk(low, middle), walk(middle, high))

    return walk(0, size)
