"""What a witness remembers, in one SQLite file: checkpoints cosigned, and its own tree of what it read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from guichet_verify.leaves import FirstLeaf
from guichet_verify.tiles import Edge, Tile, edge_from_tiles, node_from_tile
from guichet_verify.tree import span_hash
from guichet_witness.protocol import Held

_TABLES = """
CREATE TABLE IF NOT EXISTS cosigned (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS reading (
    origin TEXT PRIMARY KEY, topic TEXT NOT NULL, part INTEGER NOT NULL, size INTEGER NOT NULL,
    next_offset INTEGER NOT NULL, state TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tile (
    origin TEXT, level INTEGER, number INTEGER, hashes BLOB NOT NULL, PRIMARY KEY (origin, level, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS announcements (part INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL) STRICT;
"""


class Reading(NamedTuple):
    """One log as it was read: how many leaves, where reading goes on; `ended` when a later epoch took over."""

    origin: str
    topic: str
    part: int
    size: int
    next_offset: int
    state: str


class State:
    """The file. Every method is one transaction, on disk when it returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_TABLES)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def held(self, origin: str) -> Held:
        """The newest checkpoint cosigned of a log."""
        row = self._connection.execute("SELECT size, root FROM cosigned WHERE origin = ?", (origin,)).fetchone()
        return Held(*row) if row else Held()

    def cosign(self, origin: str, before: Held, after: Held) -> bool:
        """Compares and swaps: whether `before` was still held, so that `after` is now."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            if self.held(origin) != before:
                return False
            self._connection.execute(
                "INSERT INTO cosigned VALUES (?, ?, ?) "
                "ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root",
                (origin, *after),
            )
        return True

    def readings(self) -> list[Reading]:
        """Every log that was announced."""
        return [Reading(*row) for row in self._connection.execute("SELECT * FROM reading ORDER BY origin")]

    def reading(self, origin: str) -> Reading | None:
        """One log; None before it was announced."""
        row = self._connection.execute("SELECT * FROM reading WHERE origin = ?", (origin,)).fetchone()
        return Reading(*row) if row else None

    def edge(self, reading: Reading) -> Edge:
        """The edge of a log's tree as it was read."""
        return edge_from_tiles(reading.size, lambda level, number: self._tile(reading.origin, level, number))

    def root_at(self, reading: Reading, size: int) -> bytes | None:
        """The root that the first `size` leaves read have; None when fewer were read."""
        if not 0 < size <= reading.size:
            return None

        def node(height: int, index: int) -> bytes:
            return node_from_tile(height, index, lambda level, number: self._tile(reading.origin, level, number))

        return span_hash((0, size), node)

    def begin(self, first: FirstLeaf, topic: str, part: int, edge: Edge, tiles: Iterable[Tile]) -> None:
        """Starts a log with its first leaf; an earlier one of the same partition is read no further."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("UPDATE reading SET state = 'ended' WHERE topic = ? AND part = ?", (topic, part))
            self._connection.execute(
                "INSERT INTO reading VALUES (?, ?, ?, ?, ?, 'followed')",
                (first.origin, topic, part, edge.size, first.first_offset),
            )
            self._write_tiles(first.origin, tiles)

    def grow(self, grown: Iterable[tuple[Reading, Iterable[Tile]]]) -> None:
        """Stores what was read: each log as it is now, and the tiles that changed."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for reading, tiles in grown:
                self._connection.execute(
                    "UPDATE reading SET size = ?, next_offset = ? WHERE origin = ?",
                    (reading.size, reading.next_offset, reading.origin),
                )
                self._write_tiles(reading.origin, tiles)

    def announced(self) -> dict[int, int]:
        """Where the reading of announcements goes on, by partition."""
        return dict(self._connection.execute("SELECT part, next_offset FROM announcements").fetchall())

    def note_announced(self, part: int, next_offset: int) -> None:
        """Announcements of a partition are read up to here."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(
                "INSERT INTO announcements VALUES (?, ?) ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset",
                (part, next_offset),
            )

    def _tile(self, origin: str, level: int, number: int) -> bytes:
        row = self._connection.execute(
            "SELECT hashes FROM tile WHERE (origin, level, number) = (?, ?, ?)", (origin, level, number)
        ).fetchone()
        return bytes(row[0]) if row else b""

    def _write_tiles(self, origin: str, tiles: Iterable[Tile]) -> None:
        self._connection.executemany(
            "INSERT INTO tile VALUES (?, ?, ?, ?) "
            "ON CONFLICT (origin, level, number) DO UPDATE SET hashes = excluded.hashes",
            [(origin, tile.level, tile.number, tile.hashes) for tile in tiles],
        )
