"""What a recorded event says of itself, read tolerantly for queries and stories: what is missing is null."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from guichet_verify.leaves import Record

_HEADERS = {
    "ce_id": "id",
    "ce_type": "type",
    "ce_source": "source",
    "ce_subject": "subject",
    "ce_time": "time",
    "ce_sequence": "sequence",
}
_MEMBERS = frozenset(_HEADERS.values())
_STRUCTURED = b"application/cloudevents+json"
_SEQUENCE = re.compile(r"[1-9][0-9]{0,14}", re.ASCII)


class Attributes(NamedTuple):
    """The attributes of one record, as text; `sequence` as a number."""

    id: str | None = None
    type: str | None = None
    source: str | None = None
    subject: str | None = None
    time: str | None = None
    sequence: int | None = None


NOTHING = Attributes()


def attributes_of(record: Record) -> Attributes:
    """The attributes of a record: from its headers, or from the members of a structured CloudEvent; never fails."""
    found: dict[str, str | None] = {}
    structured = False
    for name, value in record.headers:
        attribute = _HEADERS.get(name)
        if attribute is not None:
            found[attribute] = None if attribute in found else _text(value)
        elif name == "content-type" and value is not None and value[:28].lower() == _STRUCTURED:
            structured = True
    if structured:
        found = _members(record.value)
    if not found:
        return NOTHING
    sequence = found.get("sequence")
    return Attributes(
        found.get("id"),
        found.get("type"),
        found.get("source"),
        found.get("subject"),
        found.get("time"),
        int(sequence) if sequence is not None and _SEQUENCE.fullmatch(sequence) else None,
    )


def data_sha256(record: Record) -> str | None:
    """SHA-256 of the value in hex; null for a null value."""
    return None if record.value is None else hashlib.sha256(record.value).hexdigest()


def _text(value: bytes | None) -> str | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _no_constant(_: str) -> float:
    raise ValueError("not a JSON number")


class _Object(list[tuple[str, object]]):
    """A JSON object with its members in order and repetition."""


def _keep(pairs: Sequence[tuple[str, object]]) -> object:
    return _Object(pairs)


def _number(_: str) -> int:
    return 0  # Numbers are never attributes, and the interpreter's limit on digits must not decide what a record says.


_READER = json.JSONDecoder(object_pairs_hook=_keep, parse_int=_number, parse_float=_number, parse_constant=_no_constant)


def _members(value: bytes | None) -> dict[str, str | None]:
    text = _text(value)
    if text is None:
        return {}
    try:
        whole = _READER.decode(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(whole, _Object):
        return {}
    times = Counter(name for name, _ in whole)
    return {
        name: member
        for name, member in whole
        if name in _MEMBERS and times[name] == 1 and isinstance(member, str) and _encodable(member)
    }


def _encodable(text: str) -> bool:
    """Whether a text has UTF-8 bytes: JSON can write half a surrogate pair, which has none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
