"""The keys of requests, each wrapped, in a store of their own: what is destroyed here is erased everywhere."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from guichet.stack.state import home_folder

KEY_BYTES = 32

_TABLES = """
CREATE TABLE IF NOT EXISTS request_key (
    key_id     TEXT PRIMARY KEY,
    request_id TEXT NOT NULL,
    number     INTEGER NOT NULL,
    wrapped    BLOB,
    created_at TEXT NOT NULL,
    UNIQUE (request_id, number)
);
CREATE TABLE IF NOT EXISTS destruction (
    key_id       TEXT PRIMARY KEY REFERENCES request_key,
    event_id     TEXT NOT NULL,
    persons      TEXT NOT NULL,
    destroyed_at TEXT NOT NULL,
    said         INTEGER NOT NULL DEFAULT 0
);
"""


def key_folder() -> Path:
    """Where the keys of requests are: `$GUICHET_REQUEST_KEYS`, a volume of its own in production, else in the home.

    Never the folder of the signer's keys: its backups are kept for longer.
    """
    given = os.environ.get("GUICHET_REQUEST_KEYS")
    return Path(given) if given else home_folder() / "request-keys"


class NoSuchKey(LookupError):
    """A key that this store never had, or no longer has; the text is its id."""


class Destruction(NamedTuple):
    """The end of a key: by which persons, when, and the event that says so; `said` once it is acknowledged."""

    key_id: str
    request_id: str
    event_id: str
    by: tuple[str, ...]
    at: datetime
    said: bool


class StoredKey(NamedTuple):
    """A key as the store lists it: never its bytes."""

    key_id: str
    request_id: str
    created_at: datetime
    destroyed: bool


class KeyStore:
    """One SQLite file and the key that wraps its keys (AES key wrap, RFC 3394), readable by their owner alone.

    It stands apart from every database that holds ciphertext, and is kept in backups for thirty days at most: an old
    backup of anything else is then unreadable once a key is destroyed here.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._wrapping = _wrapping_key(folder / "wrapping.key")
        self._file = folder / "request-keys.sqlite"
        if not self._file.exists():
            os.close(os.open(self._file, os.O_CREAT | os.O_WRONLY, 0o600))
        with self._connection() as connection:
            connection.executescript(_TABLES)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._file, timeout=30, isolation_level=None)
        try:
            # Freed pages are overwritten, and nothing of them stays in a journal.
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        finally:
            connection.close()

    def key_for(self, request_id: str, now: datetime) -> tuple[str, bytes]:
        """The id and bytes of the key of a request, made when it has none; a new one once the last was destroyed."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            row = connection.execute(
                "SELECT key_id, wrapped, number FROM request_key WHERE request_id = ? ORDER BY number DESC LIMIT 1",
                (request_id,),
            ).fetchone()
            if row is not None and row[1] is not None:
                connection.execute("COMMIT")
                return row[0], aes_key_unwrap(self._wrapping, row[1])
            number = 1 if row is None else row[2] + 1
            key_id, key = f"{request_id}.{number}", secrets.token_bytes(KEY_BYTES)
            connection.execute(
                "INSERT INTO request_key (key_id, request_id, number, wrapped, created_at) VALUES (?, ?, ?, ?, ?)",
                (key_id, request_id, number, aes_key_wrap(self._wrapping, key), now.isoformat()),
            )
            connection.execute("COMMIT")
            return key_id, key

    def key(self, key_id: str) -> bytes:
        """The bytes of a key; raises NoSuchKey when it was destroyed, or was never here."""
        with self._connection() as connection:
            row = connection.execute("SELECT wrapped FROM request_key WHERE key_id = ?", (key_id,)).fetchone()
        if row is None or row[0] is None:
            raise NoSuchKey(key_id)
        try:
            return aes_key_unwrap(self._wrapping, row[0])
        except InvalidUnwrap:
            raise NoSuchKey(key_id) from None

    def destroy(self, key_id: str, by: tuple[str, ...], event_id: str, now: datetime) -> Destruction:
        """Overwrite a key for good. One that is destroyed already keeps its first destruction, which is returned.

        Raises NoSuchKey for one that was never here, ValueError unless two different persons ask.
        """
        if len(set(by)) < 2:
            raise ValueError("two different persons are needed")
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            changed = connection.execute(
                "UPDATE request_key SET wrapped = NULL WHERE key_id = ? AND wrapped IS NOT NULL", (key_id,)
            )
            if changed.rowcount:
                connection.execute(
                    "INSERT INTO destruction (key_id, event_id, persons, destroyed_at) VALUES (?, ?, ?, ?)",
                    (key_id, event_id, "\n".join(by), now.isoformat()),
                )
            connection.execute("COMMIT")
        found = next((each for each in self.destructions() if each.key_id == key_id), None)
        if found is None:
            raise NoSuchKey(key_id)
        return found

    def mark_said(self, key_id: str) -> None:
        """The event of a destruction is acknowledged."""
        with self._connection() as connection:
            connection.execute("UPDATE destruction SET said = 1 WHERE key_id = ?", (key_id,))

    def destructions(self) -> list[Destruction]:
        """Every key that was destroyed, in order."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT key_id, request_id, event_id, persons, destroyed_at, said "
                "FROM destruction JOIN request_key USING (key_id) ORDER BY destroyed_at, key_id"
            ).fetchall()
        return [
            Destruction(key_id, request, event, tuple(by.split("\n")), datetime.fromisoformat(at), bool(said))
            for key_id, request, event, by, at, said in rows
        ]

    def listed(self) -> list[StoredKey]:
        """Every key there is or was, by request."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT key_id, request_id, created_at, wrapped IS NULL FROM request_key ORDER BY request_id, number"
            ).fetchall()
        return [StoredKey(key, request, datetime.fromisoformat(at), bool(gone)) for key, request, at, gone in rows]


def _wrapping_key(file: Path) -> bytes:
    try:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return file.read_bytes()
    with os.fdopen(handle, "wb") as writing:
        key = secrets.token_bytes(KEY_BYTES)
        writing.write(key)
    return key
