"""The codec: what we write we read, what we cannot read is Unreadable, and the official SDK agrees with us."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from cloudevents.core.bindings.kafka import (
    KafkaMessage,
    from_binary_event,
    from_structured_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Envelope, Unreadable, decode, encode, read_time, write_time
from contracts.structured import decode_structured, encode_structured

ID = "01940a2e-5b1c-7c11-9a52-6f0d7b1c2d3e"
TYPE = "guichet.file.received.v1"
WHEN = datetime(2026, 10, 1, 8, 0, tzinfo=UTC)
DATA = b'{"body": "CNIL"}'

printable = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)
counters = st.integers(1, 10**15 - 1)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))
trace_parents = st.from_regex(r"00-[1-9a-f][0-9a-f]{31}-[1-9a-f][0-9a-f]{15}-0[01]", fullmatch=True)
envelopes = st.builds(
    Envelope,
    id=st.uuids().map(str),
    type=printable,
    source=printable,
    subject=printable,
    time=instants,
    data_schema=st.none() | printable,
    partition_key=st.none() | printable,
    sequence=st.none() | counters,
    correlation_id=st.none() | printable,
    causation_id=st.none() | printable,
    producer=st.none() | printable,
    producer_epoch=st.none() | counters,
    producer_sequence=st.none() | counters,
    trace_parent=st.none() | trace_parents,
    content_type=st.sampled_from(["application/json", "application/json; charset=utf-8", "application/x+json"]),
)


def headers(**changes: bytes | None) -> list[tuple[str, bytes | None]]:
    usual: dict[str, bytes | None] = {
        "ce_specversion": b"1.0",
        "ce_id": ID.encode(),
        "ce_type": TYPE.encode(),
        "ce_source": b"/authorities/CNIL",
        "ce_subject": b"r-1",
        "ce_time": b"2026-10-01T08:00:00Z",
        "content-type": b"application/json",
    }
    return list({**usual, **changes}.items())


def code_of(sent: list[tuple[str, bytes | None]], value: bytes | None = DATA) -> str:
    with pytest.raises(Unreadable) as caught:
        decode(sent, value)
    return caught.value.code


@given(envelopes, st.binary())
def test_what_we_write_we_read_and_the_data_stay_the_same_bytes(envelope: Envelope, data: bytes) -> None:
    assert decode(encode(envelope), data) == (envelope, data)


@given(envelopes)
def test_structured_mode_says_the_same_as_binary_mode(envelope: Envelope) -> None:
    assert decode_structured(encode_structured(envelope, DATA)) == decode(encode(envelope), DATA)


names = st.text(max_size=12) | st.sampled_from([name for name, _ in headers()] + ["ce_x", "traceparent"])
values = (
    st.none()
    | st.binary(max_size=40)
    | st.sampled_from([value for _, value in headers()] + [b"application/cloudevents+json"])
)


@given(st.lists(st.tuples(names, values), max_size=14), st.none() | st.binary(max_size=80))
def test_whatever_headers_come_decoding_raises_nothing_but_unreadable(
    sent: list[tuple[str, bytes | None]], value: bytes | None
) -> None:
    try:
        decode(sent, value)
    except Unreadable as unreadable:
        assert unreadable.code.replace("-", "").isalnum()


@given(st.dictionaries(st.sampled_from([name for name, _ in headers()]), st.binary(max_size=40)))
def test_whatever_one_attribute_holds_decoding_raises_nothing_but_unreadable(changes: dict[str, bytes]) -> None:
    try:
        decode(headers(**changes), DATA)
    except Unreadable:
        return


@pytest.mark.parametrize("name", ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time"])
def test_a_missing_attribute_is_named(name: str) -> None:
    with pytest.raises(Unreadable) as caught:
        decode([header for header in headers() if header[0] != name], DATA)
    assert (caught.value.code, caught.value.detail) == ("missing-header", name)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ce_id": b"42"}, "invalid-id"),
        ({"ce_id": ID.replace("-", "").encode()}, "invalid-id"),
        ({"ce_id": ID.encode() + b"\n"}, "invalid-id"),
        ({"ce_id": b""}, "missing-header"),
        ({"ce_id": None}, "null-header"),
        ({"ce_subject": b"\xff"}, "not-utf8"),
        ({"content-type": b"\xff"}, "not-utf8"),
        ({"content-type": b"text/plain"}, "unsupported-content-type"),
        ({"content-type": None}, "null-header"),
        ({"ce_specversion": b"0.3"}, "unsupported-specversion"),
        ({"ce_subject": b"a\x00b"}, "invalid-header"),
        ({"ce_time": b"yesterday"}, "invalid-time"),
        ({"ce_time": b"2026-02-30T08:00:00Z"}, "invalid-time"),
        ({"ce_time": b"2026-10-01T08:00:60Z"}, "invalid-time"),
        ({"ce_time": b"2026-10-01T08:00:00"}, "invalid-time"),
        ({"ce_time": b"2026-10-01T08:00:00+25:00"}, "invalid-time"),
        ({"ce_time": "٢٠٢٦-10-01T08:00:00Z".encode()}, "invalid-time"),
        ({"ce_time": b"1999-12-31T23:59:59Z"}, "time-out-of-range"),
        ({"ce_time": b"2200-01-01T00:00:00Z"}, "time-out-of-range"),
        ({"ce_time": b"0001-01-01T00:00:00+14:00"}, "invalid-time"),
    ],
)
def test_a_wrong_attribute_makes_the_message_unreadable(changes: dict[str, bytes | None], code: str) -> None:
    assert code_of(headers(**changes)) == code


def test_an_attribute_said_twice_is_refused_even_an_unknown_one() -> None:
    assert code_of([*headers(), ("ce_id", ID.encode())]) == "duplicate-header"
    assert code_of([*headers(ce_mine=b"1"), ("ce_mine", b"1")]) == "duplicate-header"
    assert code_of([*headers(), ("content-type", b"application/json")]) == "duplicate-header"


def test_an_error_never_repeats_what_a_sender_chose_to_call_a_header() -> None:
    for value in (None, b"\xff", b"\x00"):
        with pytest.raises(Unreadable) as caught:
            decode([*headers(), ("ce_marie.curie@example.org", value)], DATA)
        assert "curie" not in str(caught.value)


def test_a_null_value_is_not_an_event() -> None:
    assert code_of(headers(), None) == "null-value"


def test_headers_that_are_not_ours_do_not_matter() -> None:
    noise: list[tuple[str, bytes | None]] = [("x", None), ("x", b"\xff"), ("traceparent", b"rubbish")]
    envelope, _ = decode([*headers(), *noise], DATA)
    assert envelope.trace_parent is None


def test_a_trace_that_comes_twice_or_broken_is_no_trace_and_no_trouble() -> None:
    trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert decode([*headers(), ("traceparent", trace)], DATA)[0].trace_parent == trace.decode()
    for times in (2, 3):
        assert decode([*headers(), *[("traceparent", trace)] * times], DATA)[0].trace_parent is None
    assert decode([*headers(), ("traceparent", b"ff" + trace[2:])], DATA)[0].trace_parent is None


@pytest.mark.parametrize("text", [b"0", b"01", b"-1", b"1.0", b"9" * 16, b"A2"])
def test_a_sequence_the_trail_does_not_count_is_absent(text: bytes) -> None:
    assert decode(headers(ce_sequence=text), DATA)[0].sequence is None


def test_the_id_is_the_same_in_upper_and_lower_case() -> None:
    assert decode(headers(ce_id=ID.upper().encode()), DATA)[0].id == ID


def test_instants_come_in_utc_cut_to_microseconds() -> None:
    assert read_time("2026-10-01T10:00:00.123456789+02:00") == datetime(2026, 10, 1, 8, 0, 0, 123456, tzinfo=UTC)
    assert read_time("2026-10-01t08:00:00.5z") == datetime(2026, 10, 1, 8, 0, 0, 500000, tzinfo=UTC)
    assert read_time("2026-10-01T02:30:00-05:30") == WHEN


@given(st.datetimes(datetime(2001, 1, 1), datetime(2198, 12, 31)), st.integers(-23 * 60, 23 * 60))
def test_any_offset_reads_back_as_the_same_instant(local: datetime, minutes: int) -> None:
    instant = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert read_time(instant.isoformat()) == instant
    assert read_time(write_time(instant)) == instant


def test_a_time_without_offset_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="offset"):
        write_time(datetime(2026, 10, 1))


def _ours(message: KafkaMessage) -> tuple[Envelope, bytes]:
    return decode(list(message.headers.items()), message.value)


@given(envelopes)
def test_the_official_sdk_reads_what_we_write(envelope: Envelope) -> None:
    written = dict(encode(envelope))
    event = from_binary_event(KafkaMessage(headers=written, key=None, value=DATA))
    assert event.get_id() == envelope.id
    assert event.get_type() == envelope.type
    assert event.get_source() == envelope.source
    assert event.get_subject() == envelope.subject
    assert event.get_time() == envelope.time
    assert event.get_dataschema() == envelope.data_schema
    assert event.get_datacontenttype() == envelope.content_type
    assert event.get_extension("partitionkey") == envelope.partition_key
    assert event.get_extension("sequence") == (None if envelope.sequence is None else str(envelope.sequence))
    assert event.get_data() == {"body": "CNIL"}


@given(envelopes)
def test_we_read_what_the_official_sdk_writes_in_both_modes(envelope: Envelope) -> None:
    optional = {
        "dataschema": envelope.data_schema,
        "partitionkey": envelope.partition_key,
        "sequence": None if envelope.sequence is None else str(envelope.sequence),
        "correlationid": envelope.correlation_id,
        "causationid": envelope.causation_id,
        "producer": envelope.producer,
        "producerepoch": None if envelope.producer_epoch is None else str(envelope.producer_epoch),
        "producersequence": None if envelope.producer_sequence is None else str(envelope.producer_sequence),
    }
    attributes = {
        "specversion": "1.0",
        "id": envelope.id,
        "type": envelope.type,
        "source": envelope.source,
        "subject": envelope.subject,
        "time": envelope.time,
        "datacontenttype": envelope.content_type,
        **{name: value for name, value in optional.items() if value is not None},
    }
    event = CloudEvent(attributes, {"body": "CNIL"})
    for message in (to_binary_event(event), to_structured_event(event)):
        read, data = _ours(message)
        assert read == decode([h for h in encode(envelope) if h[0] != "traceparent"], data)[0]
        assert data.replace(b" ", b"") == b'{"body":"CNIL"}'


@given(envelopes)
def test_the_official_sdk_reads_our_structured_mode(envelope: Envelope) -> None:
    body = encode_structured(envelope, DATA)
    event = from_structured_event(
        KafkaMessage(headers={"content-type": b"application/cloudevents+json"}, key=None, value=body)
    )
    assert (event.get_id(), event.get_subject(), event.get_time()) == (envelope.id, envelope.subject, envelope.time)
    assert event.get_data() == {"body": "CNIL"}
