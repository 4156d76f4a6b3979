"""What an event says of itself is read from headers or from a structured event, and missing where it is doubtful."""

import pytest

from guichet_verify.attributes import NOTHING, Attributes, attributes_of, data_sha256
from guichet_verify.leaves import Record

HEADERS = [
    ("ce_id", b"1"),
    ("ce_type", b"t"),
    ("ce_source", b"/s"),
    ("ce_subject", b"x"),
    ("ce_time", b"2026-01-01T00:00:00Z"),
    ("ce_sequence", b"12"),
]
WHOLE = Attributes("1", "t", "/s", "x", "2026-01-01T00:00:00Z", 12)


def record(headers: list[tuple[str, bytes | None]], value: bytes | None = b"{}") -> Record:
    return Record("t", 0, 0, 0, 0, None, tuple(headers), value)


def structured(value: bytes, kind: bytes = b"Application/CloudEvents+JSON; charset=utf-8") -> Attributes:
    return attributes_of(record([*HEADERS, ("content-type", kind)], value))


def test_headers_speak_for_a_binary_event() -> None:
    assert attributes_of(record([*HEADERS, ("content-type", b"application/json")])) == WHOLE


@pytest.mark.parametrize("value", [None, b"\xff"])
def test_a_header_that_is_no_text_says_nothing(value: bytes | None) -> None:
    assert attributes_of(record([*HEADERS[1:], ("ce_id", value)])).id is None


def test_a_repeated_header_says_nothing_and_names_are_exact() -> None:
    assert attributes_of(record([*HEADERS, ("ce_id", b"1")])) == WHOLE._replace(id=None)
    assert attributes_of(record([*HEADERS, ("ce_id", b"1"), ("ce_id", b"1")])).id is None
    assert attributes_of(record([("CE_ID", b"1"), ("ce-id", b"1")])) == NOTHING


@pytest.mark.parametrize("text", [b"0", b"01", b"-1", b"+1", b"1.0", b"1" * 16, "١".encode(), b"", b"1\n"])
def test_a_sequence_counts_only_in_its_canonical_form(text: bytes) -> None:
    assert attributes_of(record([*HEADERS[:-1], ("ce_sequence", text)])).sequence is None


def test_a_structured_event_speaks_by_its_members() -> None:
    value = b'{"id":"1","type":"t","source":"/s","subject":"x","time":"2026-01-01T00:00:00Z",'
    assert structured(value + b'"sequence":"12","data":{"id":1}}') == WHOLE


def test_a_member_repeated_or_not_a_text_says_nothing() -> None:
    assert structured(b'{"id":"1","id":"1","type":7,"source":"/s","subject":null,"sequence":12}') == Attributes(
        source="/s"
    )


@pytest.mark.parametrize(
    "value",
    [b"", b"[]", b"\xff", b"{", b'"x"', b'{"id":NaN}', b"[" * 100_000, b'\xef\xbb\xbf{"id":"1"}', b'{"id":"\\ud800"}'],
)
def test_a_structured_event_that_cannot_be_read_says_nothing(value: bytes) -> None:
    assert structured(value) == NOTHING


def test_a_number_of_any_length_beside_is_no_obstacle() -> None:
    assert structured(b'{"id":"1","data":' + b"9" * 10_000 + b"}").id == "1"


def test_the_digest_is_of_the_value_and_null_for_null() -> None:
    assert data_sha256(record([], None)) is None
    assert data_sha256(record([], b"")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
