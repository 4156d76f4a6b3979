"""What the signer remembers, in a SQLite file outside the audit database and never in a backup with it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from guichet_verify.tree import EMPTY_ROOT

SIGNING, RECOVERING, BROKEN = "signing", "recovering", "broken"

_TABLES = """
CREATE TABLE IF NOT EXISTS signed (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, signed_at REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'signing', reason TEXT NOT NULL DEFAULT '',
    note TEXT NOT NULL DEFAULT '', noted_at REAL NOT NULL DEFAULT 0, witnessed INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS stamped (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL, token BLOB NOT NULL,
    stamped_at REAL NOT NULL, revision INTEGER NOT NULL
) STRICT;
CREATE VIEW IF NOT EXISTS newest AS
SELECT coalesce(max(revision), 0) AS revision FROM (SELECT revision FROM signed UNION ALL SELECT revision FROM stamped);
CREATE TABLE IF NOT EXISTS initialised (at REAL NOT NULL, first TEXT NOT NULL, second TEXT NOT NULL) STRICT;
"""


class Signed(NamedTuple):
    """The newest size and root signed of a log, and the note that says so."""

    origin: str
    size: int
    root: bytes
    signed_at: float
    state: str
    reason: str
    note: str
    noted_at: float
    witnessed: bool
    revision: int


class Stamped(NamedTuple):
    """The newest checkpoint of a log over which an authority gave a token (RFC 3161)."""

    origin: str
    size: int
    root: bytes
    note: str
    token: bytes
    stamped_at: float
    revision: int


class SignerState:
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

    def all(self) -> list[Signed]:
        """Every log that was ever signed."""
        return [_signed(row) for row in self._connection.execute("SELECT * FROM signed ORDER BY origin")]

    def get(self, origin: str) -> Signed | None:
        """One log."""
        row = self._connection.execute("SELECT * FROM signed WHERE origin = ?", (origin,)).fetchone()
        return _signed(row) if row else None

    def since(self, revision: int) -> list[Signed]:
        """The logs whose note is newer than this revision, oldest first."""
        rows = self._connection.execute("SELECT * FROM signed WHERE revision > ? ORDER BY revision", (revision,))
        return [_signed(row) for row in rows]

    def swap(self, origin: str, before: tuple[int, bytes] | None, size: int, root: bytes) -> bool:
        """From one size and root to the next, in one step; whether `before` was still the newest."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            held = self.get(origin)
            if (None if held is None else (held.size, held.root)) != before:
                return False
            self._connection.execute(
                "INSERT INTO signed (origin, size, root, signed_at) VALUES (?, ?, ?, ?) ON CONFLICT (origin) "
                "DO UPDATE SET size = excluded.size, root = excluded.root, signed_at = excluded.signed_at, "
                "witnessed = 0",
                (origin, size, root, time.time()),
            )
        return True

    def keep_note(self, origin: str, note: str, witnessed: bool) -> None:
        """The note of the newest checkpoint, under the next revision."""
        self._connection.execute(
            "UPDATE signed SET note = ?, noted_at = ?, witnessed = ?, revision = (SELECT revision + 1 FROM newest) "
            "WHERE origin = ?",
            (note, time.time(), int(witnessed), origin),
        )

    def stamps_since(self, revision: int) -> list[Stamped]:
        """The checkpoints that were stamped after this revision, oldest first."""
        rows = self._connection.execute("SELECT * FROM stamped WHERE revision > ? ORDER BY revision", (revision,))
        return [Stamped(*row) for row in rows]

    def stamped(self, origin: str) -> Stamped | None:
        """The newest checkpoint of a log that was stamped."""
        row = self._connection.execute("SELECT * FROM stamped WHERE origin = ?", (origin,)).fetchone()
        return Stamped(*row) if row else None

    def keep_token(self, origin: str, size: int, root: bytes, note: str, token: bytes) -> None:
        """A token over a checkpoint that was signed, under the next revision."""
        self._connection.execute(
            "INSERT INTO stamped SELECT ?, ?, ?, ?, ?, ?, revision + 1 FROM newest WHERE true "
            "ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note, "
            "token = excluded.token, stamped_at = excluded.stamped_at, revision = excluded.revision",
            (origin, size, root, note, token, time.time()),
        )

    def mark(self, origin: str, state: str, reason: str = "") -> None:
        """A log is signing, recovering or broken; broken stays."""
        self._connection.execute(
            "INSERT INTO signed (origin, size, root, signed_at, state, reason) VALUES (?, 0, ?, 0, ?, ?) "
            "ON CONFLICT (origin) DO UPDATE SET state = excluded.state, reason = excluded.reason "
            "WHERE state <> 'broken'",
            (origin, EMPTY_ROOT, state, reason),
        )

    def initialise(self, by: Sequence[str], known: Sequence[tuple[str, int, bytes]]) -> None:
        """Begins with what two persons say was signed before."""
        first, second = by
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("INSERT INTO initialised VALUES (?, ?, ?)", (time.time(), first, second))
            self._connection.executemany(
                "INSERT INTO signed (origin, size, root, signed_at) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING", known
            )


def _signed(row: tuple[object, ...]) -> Signed:
    found = Signed(*row)  # type: ignore[arg-type]  # a row is untyped, and has these columns
    return found._replace(witnessed=bool(found.witnessed))
