"""Events in an HTTP body: binary, structured or batched (CloudEvents HTTP binding 1.0.2, section 3)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from contracts.envelope import BATCH, JSON, STRUCTURED, Envelope, Unreadable
from contracts.httpbinding import decode_http
from contracts.identity import request_id
from contracts.strictjson import loads, text_of
from contracts.structured import decode_structured
from intake.reading import SUBMITTED

Event: TypeAlias = tuple[Envelope, bytes]

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_VALUE: Final = json.JSONDecoder()


def media_type(content_type: str) -> str:
    """The mode that a Content-Type asks for: `JSON` (binary), `STRUCTURED` or `BATCH`.

    Raises `Unreadable("unsupported-content-type")` for any other, and for another character set than UTF-8.
    """
    media, _, parameters = content_type.partition(";")
    found = media.strip().lower()
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", parameters, re.IGNORECASE)
    if charset is not None and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise Unreadable("unsupported-content-type", "the character set is not UTF-8")
    if found not in (JSON, STRUCTURED, BATCH):
        raise Unreadable("unsupported-content-type", f"one of {JSON}, {STRUCTURED}, {BATCH} is expected")
    return found


def binary_event(headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Event:
    """One event whose attributes are the `ce-` headers, raw as ASGI gives them; raises `Unreadable`."""
    named = {name.lower(): value for name, value in headers}
    if b"ce-subject" not in named and named.get(b"ce-type") == SUBMITTED.encode() and body:
        subject = _subject_of(loads(body))
        if subject is not None:
            headers = [*headers, (b"ce-subject", subject.encode())]
    [event] = decode_http(headers, body)
    if isinstance(event, Unreadable):
        raise event
    return event


def structured_event(body: bytes) -> Event:
    """One event as a JSON object, its data byte for byte as they stand in it; raises `Unreadable`."""
    event = loads(body)
    if isinstance(event, dict) and "subject" not in event and event.get("type") == SUBMITTED:
        subject = _subject_of(event.get("data"))
        if subject is not None:
            start = body.index(b"{") + 1
            body = body[:start] + b'"subject":"' + subject.encode() + b'",' + body[start:]
    return decode_structured(body)


def batched_events(body: bytes) -> list[Event | Unreadable]:
    """Each event of a JSON array on its own; raises `Unreadable` when the body is no batch at all."""
    if not isinstance(loads(body), list):
        raise Unreadable("not-json", "a batch is an array")
    found: list[Event | Unreadable] = []
    for item in _items(text_of(body)):
        try:
            found.append(structured_event(item))
        except Unreadable as unreadable:
            found.append(unreadable)
    return found


def _subject_of(data: object) -> str | None:
    """The request that a submission is about: a portal need not compute the id to say it over HTTP."""
    match data:
        case {"dossier": {"portal": str(portal), "portal_reference": str(reference)}}:
            return request_id(portal, reference)
        case _:
            return None


def _items(text: str) -> list[bytes]:
    """The text of each item of the outermost array; the whole has been parsed before."""
    items: list[bytes] = []
    position = _after_space(text, _after_space(text, 0) + 1)
    while text[position] != "]":
        _, end = _VALUE.raw_decode(text, position)
        items.append(text[position:end].encode())
        position = _after_space(text, end)
        if text[position] == ",":
            position = _after_space(text, position + 1)
    return items


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return position if found is None else found.end()
