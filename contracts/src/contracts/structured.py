"""CloudEvents in structured and batched JSON (CloudEvents JSON format 1.0.2): the way in, and the form of samples."""

from __future__ import annotations

import base64
import binascii
import json
import re

from contracts.envelope import JSON, Envelope, Unreadable, named, read_attributes, write_time
from contracts.strictjson import loads, text_of

_SPACE = re.compile(r"[ \t\r\n]*").match
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,64}").fullmatch
_VALUE = json.JSONDecoder()


def decode_structured(body: bytes) -> tuple[Envelope, bytes]:
    """Read one event; the data are the very bytes between the braces where they are JSON.

    Raises Unreadable, nothing else.
    """
    event = loads(body)
    if not isinstance(event, dict):
        raise Unreadable("not-json", "an event is an object")
    return _read(event, text_of(body))


def decode_batch(body: bytes) -> list[tuple[Envelope, bytes] | Unreadable]:
    """Read a batch, each event on its own; raises Unreadable when the body is no batch at all."""
    events = loads(body)
    if not isinstance(events, list):
        raise Unreadable("not-json", "a batch is an array")
    text = text_of(body)
    decoded: list[tuple[Envelope, bytes] | Unreadable] = []
    for event, (start, end) in zip(events, _items(text), strict=True):
        try:
            if not isinstance(event, dict):
                raise Unreadable("not-json", "an event is an object")
            decoded.append(_read(event, text[start:end]))
        except Unreadable as unreadable:
            decoded.append(unreadable)
    return decoded


def encode_structured(envelope: Envelope, data: bytes) -> bytes:
    """One event as a JSON object on one line, its data (JSON in UTF-8) byte for byte inside."""
    attributes: dict[str, object] = {
        "specversion": "1.0",
        "id": envelope.id,
        "type": envelope.type,
        "source": envelope.source,
        "subject": envelope.subject,
        "time": write_time(envelope.time),
        "datacontenttype": envelope.content_type,
        "dataschema": envelope.data_schema,
        "partitionkey": envelope.partition_key,
        "sequence": _text(envelope.sequence),
        "correlationid": envelope.correlation_id,
        "causationid": envelope.causation_id,
        "producer": envelope.producer,
        "producerepoch": _text(envelope.producer_epoch),
        "producersequence": _text(envelope.producer_sequence),
        "traceparent": envelope.trace_parent,
    }
    head = json.dumps({name: value for name, value in attributes.items() if value is not None}, ensure_ascii=False)
    return head[:-1].encode() + b', "data": ' + data + b"}"


def _text(count: int | None) -> str | None:
    return None if count is None else str(count)


def _read(event: dict[str, object], text: str) -> tuple[Envelope, bytes]:
    attributes: dict[str, str] = {}
    for name, value in event.items():
        if name in ("data", "data_base64") or value is None:
            continue
        if _ATTRIBUTE(name) is None:
            raise Unreadable("invalid-header", "an attribute has a name of lower-case letters and digits")
        if isinstance(value, bool):
            attributes[name] = "true" if value else "false"
        elif isinstance(value, str | int):
            attributes[name] = str(value)
        else:
            raise Unreadable("invalid-header", named(name) + " is neither text nor a whole number")
    content_type = attributes.get("datacontenttype") or JSON
    envelope = read_attributes(attributes, "", content_type, attributes.get("traceparent"))
    return envelope, _data(event, text)


def _data(event: dict[str, object], text: str) -> bytes:
    encoded = event.get("data_base64")
    if encoded is not None:
        if "data" in event:
            raise Unreadable("invalid-data", "data and data_base64 exclude each other")
        if not isinstance(encoded, str):
            raise Unreadable("invalid-data", "data_base64 is not text")
        try:
            return base64.b64decode(encoded.encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raise Unreadable("invalid-data", "data_base64 is not base64") from None
    if event.get("data") is None:
        raise Unreadable("null-value", "the event has no data")
    start, end = _member(text, "data")
    return text[start:end].encode()


def _end(text: str, position: int) -> int:
    found = _SPACE(text, position)
    return found.end() if found is not None else position


def _member(text: str, wanted: str) -> tuple[int, int]:
    """Where the value of a member of the outermost object stands; the text has been parsed before."""
    position = _end(text, _end(text, 0) + 1)
    while True:
        name, position = _VALUE.raw_decode(text, position)
        start = _end(text, _end(text, position) + 1)
        _, end = _VALUE.raw_decode(text, start)
        if name == wanted:
            return start, end
        position = _end(text, _end(text, end) + 1)


def _items(text: str) -> list[tuple[int, int]]:
    """Where the items of the outermost array stand; the text has been parsed before."""
    position = _end(text, _end(text, 0) + 1)
    found: list[tuple[int, int]] = []
    while text[position] != "]":
        _, end = _VALUE.raw_decode(text, position)
        found.append((position, end))
        position = _end(text, end)
        if text[position] == ",":
            position = _end(text, position + 1)
    return found
