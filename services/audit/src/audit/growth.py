"""What a batch of records adds to a log: leaves, rows, tiles, the new head. Pure: no clock, no database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from guichet_verify.attributes import Attributes, attributes_of
from guichet_verify.leaves import Encoded, FirstLeaf, Record, encode_first, leaf_of
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


class Growth(NamedTuple):
    """One batch of one log: from `log` to `edge`, reading on at `offset_to`."""

    log: Log
    edge: Edge
    offset_to: int
    rows: Sequence[Row]
    blobs: Sequence[tuple[bytes, bytes]]
    tiles: Sequence[Tile]
    high_watermark: int
    log_start: int

    @property
    def grown(self) -> Log:
        """The log as it is once this batch is committed."""
        return self.log._replace(next_offset=self.offset_to, size=self.edge.size, root=self.edge.root())


def origin_of(name: str, topic: str, part: int, epoch: int) -> str:
    """The name of a log of decisions; `name` is that of the installation."""
    return f"{name}/trail/{topic}/{part}/{epoch}"


def columns_of(record: Record) -> Columns:
    """The columns of a record's row."""
    found: Attributes = attributes_of(record)
    return Columns(
        _column(found.id),
        _column(found.type),
        _column(found.source),
        _column(found.subject),
        found.sequence,
        None if found.time is None else _instant(found.time),
    )


def open_growth(log: Log, first: FirstLeaf) -> Growth:
    """The first leaf of a new log, which is at size 0."""
    leaf = encode_first(first)
    row: Row = (log.log_id, 0, NO_OFFSET, *Columns(), leaf)
    edge, tiles = Edge().extend([leaf_hash(leaf)])
    return Growth(log, edge, log.next_offset, [row], [], tiles, log.next_offset, log.next_offset)


def growth_of(log: Log, edge: Edge, records: Iterable[Record], high_watermark: int, log_start: int) -> Growth:
    """The records appended, in order; at least one. Raises NotALeaf for a record that no leaf can hold."""
    rows: list[Row] = []
    blobs: list[tuple[bytes, bytes]] = []
    hashes: list[bytes] = []
    index, offset = log.size, log.next_offset - 1
    for record in records:
        encoded: Encoded = leaf_of(record)
        if encoded.blob is not None and encoded.digest is not None:
            blobs.append((encoded.digest, encoded.blob))
        offset = record.offset
        rows.append((log.log_id, index, offset, *columns_of(record), encoded.leaf))
        hashes.append(leaf_hash(encoded.leaf))
        index += 1
    grown, tiles = edge.extend(hashes)
    return Growth(log, grown, offset + 1, rows, blobs, tiles, high_watermark, log_start)


def _column(text: str | None) -> str | None:
    return text if text is not None and len(text) <= LONGEST_COLUMN and "\x00" not in text else None


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    if instant.tzinfo is None or not 2 <= instant.year <= 9998:
        return None
    return instant.astimezone(UTC)
