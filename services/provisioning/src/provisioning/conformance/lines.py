"""Rows as lines of COPY text (PostgreSQL 18, COPY, text format), for invented data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

Value = str | None

_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_CONTROLS: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_TO_ESCAPE = re.compile(r"[\\\b\f\n\r\t\v]")
_ESCAPES: Final = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def line_of(row: Sequence[Value]) -> bytes:
    """The line of a row, without its end."""
    return "\t".join("\\N" if v is None else _TO_ESCAPE.sub(lambda f: _ESCAPES[f[0]], v) for v in row).encode()


def row_of(line: bytes) -> list[Value]:
    """The row of a line, without its end."""
    return [_field(part) for part in line.split(b"\t")]


def _field(part: bytes) -> Value:
    if part == b"\\N":
        return None
    return _ESCAPED.sub(lambda found: _CONTROLS.get(found[1], found[1]), part).decode()
