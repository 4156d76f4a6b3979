"""Proofs against a signed size, made of stored tiles: leaves are never hashed again for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from audit import reading
from audit.signed import SignedLog, read_signed
from guichet_verify.proofs import TlogProof
from guichet_verify.tiles import node_from_tile, node_in_tile
from guichet_verify.tree import Span, consistency_spans, inclusion_spans, range_spans, span_hash, spans

if TYPE_CHECKING:
    from chassis.database import Connection

AT_ONCE = 500
"""Inclusion proofs whose tiles are fetched together: few tiles for many leaves, and a bound on memory."""


class TilesMissing(Exception):
    """The stored tiles do not reach a signed size: the trail does not hold."""


async def prove_inclusion(connection: Connection, log: SignedLog, indexes: Sequence[int]) -> list[TlogProof]:
    """For each leaf, at most `AT_ONCE`, the proof that it is in the log; ValueError for one beyond the signed size."""
    paths = [inclusion_spans(index, log.size) for index in indexes]
    hashes = await _hashes(connection, log, (span for path in paths for span in path))
    return [
        TlogProof(index, tuple(hashes[span] for span in path), log.note)
        for index, path in zip(indexes, paths, strict=True)
    ]


async def prove_consistency(connection: Connection, log: SignedLog, old: int) -> list[bytes]:
    """That the log at this size begins with the log of `old`; ValueError unless 1 <= old <= size."""
    path = consistency_spans(old, log.size)
    hashes = await _hashes(connection, log, path)
    return [hashes[span] for span in path]


async def prove_range(connection: Connection, log: SignedLog, start: int, end: int) -> list[bytes]:
    """What leads from the leaves [start, end) to the root."""
    path = range_spans(start, end, log.size)
    hashes = await _hashes(connection, log, path)
    return [hashes[span] for span in path]


async def prove_event(connection: Connection, event_id: str) -> list[TlogProof]:
    """A proof for each leaf of an event, against the newest signed size of its log; none while it is not signed."""
    proofs: list[TlogProof] = []
    for entry in await reading.read_by_event(connection, event_id, AT_ONCE):
        for log in await read_signed(connection, entry.origin):
            if entry.leaf_index < log.size:
                proofs += await prove_inclusion(connection, log, [entry.leaf_index])
    return proofs


async def _hashes(connection: Connection, log: SignedLog, wanted: Iterable[Span]) -> dict[Span, bytes]:
    """The hash of each node, from the tiles that hold them, fetched together."""
    unique = set(wanted)
    places = {node_in_tile(height, index)[:2] for span in unique for height, index in spans(*span)}
    tiles = await reading.read_tiles(connection, log.log_id, sorted(places))

    def node(height: int, index: int) -> bytes:
        return node_from_tile(height, index, lambda level, number: tiles.get((level, number), b""))

    try:
        return {span: span_hash(span, node) for span in unique}
    except ValueError as error:
        raise TilesMissing(str(error)) from error
