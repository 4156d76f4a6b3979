"""The envelope of every message: CloudEvents 1.0 attributes as Kafka headers, binary mode, and the strict way back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

FIRST_YEAR, LAST_YEAR = 2000, 2199

MAX_BYTES = 256 * 1024
"""A message is at most 256 KiB; larger things travel by reference and SHA-256."""


class Unreadable(ValueError):
    """A message that cannot be taken for what it claims to be.

    `code` is kebab-case; `detail` names fields and rules, never values.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who says what about whom, when, and why; the data travel beside it as bytes."""

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    data_schema: str | None = None
    partition_key: str | None = None
    sequence: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    producer: str | None = None
    producer_epoch: int | None = None
    producer_sequence: int | None = None
    trace_parent: str | None = None
    content_type: str = JSON


_ID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}").fullmatch
_COUNT = re.compile(r"[1-9][0-9]{0,14}").fullmatch
_TRACE_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}").fullmatch
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,12}))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
).fullmatch
_USUAL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?Z").fullmatch
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]").search

_ATTRIBUTES = (
    *("specversion", "id", "type", "source", "subject", "time"),
    *("dataschema", "partitionkey", "sequence", "correlationid", "causationid"),
    *("producer", "producerepoch", "producersequence"),
)
_NAMES = {prefix: tuple(prefix + name for name in _ATTRIBUTES) for prefix in ("ce_", "ce-", "")}
_KNOWN = {name for names in _NAMES.values() for name in names} | {"content-type", "traceparent", "datacontenttype"}


def named(header: str) -> str:
    """A header's name as far as an error may repeat it: extensions are named by whoever sends them."""
    return header if header.lower() in _KNOWN else "an extension"


def encode(envelope: Envelope) -> list[tuple[str, bytes]]:
    """The Kafka headers of an envelope (CloudEvents Kafka binding 1.0.2, binary mode), in a fixed order; absent
    attributes have none."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", envelope.id.encode()),
        ("ce_type", envelope.type.encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_subject", envelope.subject.encode()),
        ("ce_time", write_time(envelope.time).encode()),
    ]
    if envelope.data_schema is not None:
        headers.append(("ce_dataschema", envelope.data_schema.encode()))
    if envelope.partition_key is not None:
        headers.append(("ce_partitionkey", envelope.partition_key.encode()))
    if envelope.sequence is not None:
        headers.append(("ce_sequence", b"%d" % envelope.sequence))
    if envelope.correlation_id is not None:
        headers.append(("ce_correlationid", envelope.correlation_id.encode()))
    if envelope.causation_id is not None:
        headers.append(("ce_causationid", envelope.causation_id.encode()))
    if envelope.producer is not None:
        headers.append(("ce_producer", envelope.producer.encode()))
    if envelope.producer_epoch is not None:
        headers.append(("ce_producerepoch", b"%d" % envelope.producer_epoch))
    if envelope.producer_sequence is not None:
        headers.append(("ce_producersequence", b"%d" % envelope.producer_sequence))
    headers.append(("content-type", envelope.content_type.encode()))
    if envelope.trace_parent is not None:
        headers.append(("traceparent", envelope.trace_parent.encode()))
    return headers


def decode(headers: Sequence[tuple[str, bytes | None]], value: bytes | None) -> tuple[Envelope, bytes]:
    """Read a Kafka record in binary or structured mode.

    Promises: an envelope and the data as sent, or Unreadable, nothing else.
    """
    attributes: dict[str, str] = {}
    content_type: str | None = None
    trace_parent: str | None = None
    name = ""
    try:
        for name, raw in headers:
            if name.startswith("ce_"):
                if raw is None:
                    raise Unreadable("null-header", named(name))
                if name in attributes:
                    raise Unreadable("duplicate-header", named(name))
                attributes[name] = str(raw, "utf-8")
            elif name == "content-type":
                if raw is None:
                    raise Unreadable("null-header", named(name))
                if content_type is not None:
                    raise Unreadable("duplicate-header", named(name))
                content_type = str(raw, "utf-8")
            elif name == "traceparent" and raw is not None:
                # A second one makes a text that is no trace: whoever sends two has lost the thread.
                trace_parent = (trace_parent or "") + str(raw, "utf-8", "replace")
    except UnicodeDecodeError:
        raise Unreadable("not-utf8", named(name)) from None
    if value is None:
        raise Unreadable("null-value")
    if content_type is not None and content_type[:28].lower() == STRUCTURED:
        # Imported here because structured mode is built upon this module; the fast path never comes by.
        from contracts.structured import decode_structured

        return decode_structured(value)
    return read_attributes(attributes, "ce_", content_type, trace_parent), value


def read_attributes(
    attributes: dict[str, str], prefix: str, content_type: str | None, trace_parent: str | None
) -> Envelope:
    """The envelope said by CloudEvents attributes whose names carry `prefix`; Unreadable names the attribute that
    is wrong."""
    names = _NAMES[prefix]
    specversion, id_, type_, source, subject, time, *others = map(attributes.get, names)
    if not (specversion and id_ and type_ and source and subject and time):
        raise Unreadable("missing-header", ", ".join(name for name in names[:6] if not attributes.get(name)))
    if specversion != "1.0":
        raise Unreadable("unsupported-specversion", prefix + "specversion")
    if _ID(id_) is None:
        raise Unreadable("invalid-id", prefix + "id is not the text of a UUID")
    if content_type is not None and content_type != JSON and not is_json(content_type):
        raise Unreadable("unsupported-content-type", "the data are not JSON")
    if not "".join(attributes.values()).isprintable():
        for name, text in attributes.items():
            if _CONTROL(text) is not None:
                raise Unreadable("invalid-header", named(name) + " has control characters")
    data_schema, partition_key, sequence, correlation, causation, producer, epoch, producer_sequence = others
    return Envelope(
        id_.lower(),
        type_,
        source,
        subject,
        read_time(time, names[5]),
        data_schema,
        partition_key,
        _count(sequence) if sequence else None,
        correlation,
        causation,
        producer,
        _count(epoch) if epoch else None,
        _count(producer_sequence) if producer_sequence else None,
        trace_parent if trace_parent is not None and _TRACE_PARENT(trace_parent) is not None else None,
        content_type or JSON,
    )


def read_time(text: str, name: str = "time") -> datetime:
    """An RFC 3339 instant as an aware datetime in UTC, cut to microseconds; Unreadable when it is none or outside
    2000-2199."""
    if _USUAL_TIME(text) is not None:
        with suppress(ValueError):
            instant = datetime.fromisoformat(text)
            if FIRST_YEAR <= instant.year <= LAST_YEAR:
                return instant
    found = _TIME(text)
    if found is None:
        raise Unreadable("invalid-time", name + " is not an RFC 3339 instant")
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = found.groups()
    try:
        local = datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second),
            int((fraction or "0")[:6].ljust(6, "0")),
        )
        if sign is None:
            instant = local.replace(tzinfo=UTC)
        else:
            if int(offset_minutes) > 59:
                raise Unreadable("invalid-time", name + " is not an RFC 3339 instant")
            offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
            instant = local.replace(tzinfo=timezone(offset if sign == "+" else -offset)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("invalid-time", name + " is not an RFC 3339 instant") from None
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise Unreadable("time-out-of-range", f"{name} is outside {FIRST_YEAR}-{LAST_YEAR}")
    return instant


def write_time(instant: datetime) -> str:
    """The RFC 3339 text of an aware instant, in UTC with Z; a naive one is a mistake of ours and raises ValueError."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs its offset")
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


@lru_cache(maxsize=256)
def is_json(content_type: str) -> bool:
    """Whether a media type is JSON (application/json or +json, RFC 6839), whatever its parameters."""
    media = content_type.partition(";")[0].strip().lower()
    return media == JSON or (media.endswith("+json") and "/" in media)


def _count(text: str) -> int | None:
    """A counter as the trail reads it: 1 to 999999999999999 without leading zeros; anything else counts as absent."""
    return int(text) if _COUNT(text) is not None else None
