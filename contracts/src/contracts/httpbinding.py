"""CloudEvents over HTTP (HTTP protocol binding 1.0.2): one event in headers, one in the body, or a batch."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from contracts.envelope import BATCH, STRUCTURED, Envelope, Unreadable, named, read_attributes
from contracts.structured import decode_batch, decode_structured


def decode_http(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> list[tuple[Envelope, bytes] | Unreadable]:
    """Read the events of a request, always as a list; an Unreadable stands in the place of one of a batch that is none.

    Headers are raw, as ASGI gives them. Raises Unreadable when the request as a whole says nothing.
    """
    attributes: dict[str, str] = {}
    seen: dict[str, str] = {}
    for raw_name, raw in headers:
        name = raw_name.decode("latin-1").lower()
        if name.startswith("ce-"):
            if name in attributes:
                raise Unreadable("duplicate-header", named(name))
            attributes[name] = _text(name, raw)
        elif name in ("content-type", "traceparent"):
            if name in seen:
                raise Unreadable("duplicate-header", named(name))
            seen[name] = raw.decode("latin-1")
    content_type = seen.get("content-type")
    media = (content_type or "").partition(";")[0].strip().lower()
    if media == STRUCTURED:
        return [decode_structured(body)]
    if media == BATCH:
        return decode_batch(body)
    envelope = read_attributes(attributes, "ce-", content_type, seen.get("traceparent"))
    if not body:
        raise Unreadable("null-value")
    return [(envelope, body)]


def _text(name: str, raw: bytes) -> str:
    """A header's value after the binding's section 3.1.3.2: unquoted, then percent-decoded as UTF-8."""
    value = raw.strip(b" \t")
    if len(value) > 1 and value[:1] == value[-1:] == b'"':
        inner, kept, escaped = value[1:-1], bytearray(), False
        for byte in inner:
            escaped = byte == 0x5C and not escaped
            if not escaped:
                kept.append(byte)
        value = bytes(kept)
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("not-utf8", named(name)) from None
