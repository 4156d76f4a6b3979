"""JSON as a contract wants it: UTF-8, no member twice, no NaN, no infinity, bounded depth."""

from __future__ import annotations

import json
import math
import re

from contracts.envelope import Unreadable

MAX_DEPTH = 64
_NESTS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL).finditer


class _Refused(ValueError):
    pass


def _object(members: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(members)
    if len(found) != len(members):
        raise _Refused("duplicate-member")
    return found


def _constant(_name: str) -> object:
    raise _Refused("not-a-number")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _Refused("not-a-number")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)


def text_of(data: bytes) -> str:
    """The text of bytes in UTF-8 without a byte order mark; raises Unreadable("not-utf8")."""
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        raise Unreadable("not-utf8") from None


def loads(data: bytes) -> object:
    """Parse JSON strictly; raises Unreadable("not-utf8"), ("not-json") or ("invalid-data") and nothing else."""
    text = text_of(data)
    check_depth(data)
    try:
        return _DECODER.decode(text)
    except _Refused as refused:
        raise Unreadable("invalid-data", str(refused)) from None
    except (ValueError, RecursionError):
        raise Unreadable("not-json") from None


def check_depth(data: bytes) -> None:
    """Refuse nesting deeper than MAX_DEPTH before any parser recurses into it."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for found in _NESTS(data):
        mark = found[0]
        if mark in (b"[", b"{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise Unreadable("invalid-data", "nested too deeply")
        elif mark in (b"]", b"}"):
            depth -= 1
