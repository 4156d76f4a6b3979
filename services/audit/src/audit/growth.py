"""What a batch of records adds to a log: leaves, rows, tiles, the new head. No clock, no database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from contracts.topics import stream_of
from guichet_verify.attributes import attributes_of
from guichet_verify.leaves import LEAF_LIMIT, FirstLeaf, Record, claim_of, encode_first, encode_record
from guichet_verify.tiles import Edge, Tile
from guichet_verify.tree import leaf_hash

NO_OFFSET = -1
"""The offset of leaf 0, which is no record."""

LONGEST_COLUMN = 255
"""Characters of an attribute that a column holds; an index takes no row of more than about 2,700 bytes."""


class Log(NamedTuple):
    """One tree and where its reading goes on."""

    log_id: int
    origin: str
    topic: str
    part: int
    next_offset: int
    size: int
    root: bytes


class Columns(NamedTuple):
    """What a leaf says of itself, as far as columns hold it."""

    event_id: str | None = None
    event_type: str | None = None
    source: str | None = None
    subject: str | None = None
    sequence: int | None = None
    event_time: datetime | None = None


Row = tuple[int, int, int, str | None, str | None, str | None, str | None, int | None, datetime | None, bytes]
"""A row of `entry`: log, index, offset, the columns, the leaf."""


@dataclass(slots=True)
class Growth:
    """One batch of one log, reading on at `offset_to`.

    Its leaves are made as `rows` is read, once, so that the database stores the first of them while the last are not
    encoded yet; `edge`, `tiles` and `blobs` are those of the whole batch only when all rows were read.
    """

    log: Log
    edge: Edge
    offset_to: int
    n: int
    leaves: Iterable[tuple[int, Columns, bytes]]
    high_watermark: int
    log_start: int
    blobs: list[tuple[bytes, bytes]] = field(default_factory=list)
    tiles: list[Tile] = field(default_factory=list)

    def rows(self) -> Iterator[Row]:
        """The rows of `entry`, and then the tree with their leaves."""
        log_id, hashes = self.log.log_id, []
        for index, (offset, columns, leaf) in enumerate(self.leaves, self.log.size):
            hashes.append(leaf_hash(leaf))
            yield (log_id, index, offset, *columns, leaf)
        self.edge, self.tiles = self.edge.extend(hashes)

    @property
    def grown(self) -> Log:
        """The log as it is once this batch is committed."""
        return self.log._replace(next_offset=self.offset_to, size=self.edge.size, root=self.edge.root())


def origin_of(name: str, topic: str, part: int, epoch: int) -> str:
    """The name of a log; `name` is that of the installation."""
    return f"{name}/{stream_of(topic)}/{topic}/{part}/{epoch}"


def columns_of(record: Record) -> Columns:
    """The columns of a record's row."""
    event_id, event_type, source, subject, time, sequence = attributes_of(record)
    return Columns(
        _column(event_id),
        _column(event_type),
        _column(source),
        _column(subject),
        sequence,
        None if time is None else _instant(time),
    )


def open_growth(log: Log, first: FirstLeaf) -> Growth:
    """The first leaf of a new log, which is at size 0."""
    leaf = NO_OFFSET, Columns(), encode_first(first)
    return Growth(log, Edge(), log.next_offset, 1, [leaf], log.next_offset, log.next_offset)


def growth_of(log: Log, edge: Edge, records: Sequence[Record], high_watermark: int, log_start: int) -> Growth:
    """The records appended, in order; at least one. Its rows raise NotALeaf at a record that no leaf can hold."""
    blobs: list[tuple[bytes, bytes]] = []
    leaves = _leaves(records, blobs)
    return Growth(log, edge, records[-1].offset + 1, len(records), leaves, high_watermark, log_start, blobs)


def _leaves(records: Iterable[Record], blobs: list[tuple[bytes, bytes]]) -> Iterator[tuple[int, Columns, bytes]]:
    for record in records:
        leaf = encode_record(record)
        if len(leaf) > LEAF_LIMIT:
            blob = leaf
            leaf, digest = claim_of(record, blob)
            blobs.append((digest, blob))
        yield record.offset, columns_of(record), leaf


def _column(text: str | None) -> str | None:
    return text if text is not None and len(text) <= LONGEST_COLUMN and "\x00" not in text else None


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if instant.tzinfo is None or not 2 <= instant.year <= 9998 else instant
