"""An empty database filled from bundles: the same leaves, so the same roots, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from audit import storage
from audit.bundled import NotCovered, Whole
from audit.growth import Growth, growth_of
from audit.openings import open_again
from guichet_verify.leaves import Record, encode_first
from guichet_verify.tiles import Edge
from guichet_verify.tree import leaf_hash

if TYPE_CHECKING:
    from chassis.database import Connection

AT_ONCE = 2_048
"""Records in one transaction, and in memory."""
BYTES_AT_ONCE = 16 << 20


async def refill(connection: Connection, name: str, wholes: Sequence[Whole], tell: Callable[[int], None]) -> None:
    """Writes whole logs, oldest epochs first, over a superuser's connection to a database that has none.

    The newest epoch of each partition is read on from Kafka afterwards. Raises NotCovered when the leaves do not lead
    to a root that was signed.
    """
    for whole in wholes:
        first = whole.first
        log = await open_again(connection, name, first)
        edge, _ = Edge().extend([leaf_hash(encode_first(first))])
        _check(whole, edge)
        for records in _batches(whole):
            growth: Growth = growth_of(log, edge, records, records[-1].offset + 1, first.first_offset)
            async with connection.transaction():
                await storage.append(connection, [growth])
                _check(whole, growth.edge)
            log, edge = growth.grown, growth.edge
            tell(len(records))
        if edge.size != whole.size:
            raise NotCovered([f"{whole.origin}: {edge.size} leaves of {whole.size} are there"])


def _check(whole: Whole, edge: Edge) -> None:
    if edge.size in whole.signed and edge.root() != whole.signed[edge.size]:
        raise NotCovered([f"{whole.origin}: the leaves do not lead to the root signed at size {edge.size}"])


def _batches(whole: Whole) -> Iterator[list[Record]]:
    """The records in order; a batch ends at every size that was signed, so that its root can be compared."""
    batch: list[Record] = []
    size, weight = 1, 0
    for record in whole.records():
        batch.append(record)
        size += 1
        weight += len(record.value or b"")
        if size in whole.signed or len(batch) >= AT_ONCE or weight >= BYTES_AT_ONCE:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch
