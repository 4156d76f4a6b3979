"""Rows between us and a provisioner: lines of JSON, each an array of texts and nulls, and the manifest of a table.

A value travels as the text PostgreSQL writes for it. The manifest is made of the row as a line of PostgreSQL's COPY
text, so that a table has the same manifest wherever it stands.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from typing import Final

import orjson

Value = str | None
Row = Sequence[Value]

CHUNK_BYTES: Final = 512 * 1024
"""How much of a table goes in one request, about; one row more at most."""

_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_CONTROLS: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_TO_ESCAPE = re.compile(r"[\\\b\f\n\r\t\v]")
_ESCAPES: Final = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


class NotRows(Exception):
    """What came is not lines of JSON arrays of texts and nulls."""


def row_of_copy(line: bytes) -> list[Value]:
    """One line of COPY text, without its end."""
    return [_field(part) for part in line.split(b"\t")]


def _field(part: bytes) -> Value:
    if part == b"\\N":
        return None
    if b"\\" in part:
        part = _ESCAPED.sub(lambda found: _CONTROLS.get(found[1], found[1]), part)
    return part.decode()


def copy_of_row(row: Row) -> bytes:
    """One line of COPY text, with its end."""
    return "\t".join("\\N" if v is None else _TO_ESCAPE.sub(lambda f: _ESCAPES[f[0]], v) for v in row).encode() + b"\n"


class Tally:
    """Counts rows and adds up their digests; the same as `manifest` of the postgres environment."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, row: Row) -> None:
        """One more row."""
        self.rows += 1
        self._sum += int.from_bytes(hashlib.sha256(copy_of_row(row)[:-1]).digest())

    @property
    def sha256(self) -> str:
        """The SHA-256 of `rows:sum`, the sum modulo 2^256 in 64 hexadecimal digits."""
        return hashlib.sha256(f"{self.rows}:{self._sum % (1 << 256):064x}".encode()).hexdigest()


async def rows_of_copy(chunks: AsyncIterator[bytes]) -> AsyncGenerator[list[Value], None]:
    """The rows of chunks of whole lines of COPY text."""
    async for chunk in chunks:
        for line in chunk.split(b"\n")[:-1]:
            yield row_of_copy(line)


async def json_chunks(rows: AsyncIterator[list[Value]], tally: Tally) -> AsyncGenerator[bytes, None]:
    """Lines of JSON in chunks of about CHUNK_BYTES; each row is tallied."""
    lines: list[bytes] = []
    size = 0
    async for row in rows:
        tally.add(row)
        lines.append(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        size += len(lines[-1])
        if size >= CHUNK_BYTES:
            yield b"".join(lines)
            lines, size = [], 0
    if lines:
        yield b"".join(lines)


def rows_of_json(body: bytes, width: int) -> Iterable[list[Value]]:
    """The rows of a chunk of lines of JSON, each of `width` values. Raises NotRows."""
    for line in body.split(b"\n"):
        if not line:
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise NotRows from None
        if not isinstance(row, list) or len(row) != width or not all(v is None or isinstance(v, str) for v in row):
            raise NotRows
        yield row
