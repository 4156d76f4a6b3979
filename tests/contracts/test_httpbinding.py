"""CloudEvents over HTTP in its three modes, as the official SDK writes them too."""

from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Unreadable
from contracts.httpbinding import decode_http

ID = "01940a2e-5b1c-7c11-9a52-6f0d7b1c2d3e"
BINARY = [
    (b"ce-specversion", b"1.0"),
    (b"ce-id", ID.encode()),
    (b"ce-type", b"guichet.request.submitted.v1"),
    (b"ce-source", b"/portals/portal-hdh"),
    (b"ce-subject", b"r-1"),
    (b"ce-time", b"2026-10-01T08:00:00Z"),
    (b"content-type", b"application/json"),
]
DATA = b'{ "dossier" : {} }'

subjects = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=30)


def test_in_binary_mode_the_body_is_the_data_byte_for_byte() -> None:
    (read,) = decode_http([(name.title(), value) for name, value in BINARY], DATA)
    assert not isinstance(read, Unreadable)
    assert (read[0].id, read[0].subject, read[1]) == (ID, "r-1", DATA)


@given(subjects)
def test_every_mode_of_the_official_sdk_is_understood(subject: str) -> None:
    attributes = {
        "id": ID,
        "type": "guichet.request.submitted.v1",
        "source": "/portals/portal-hdh",
        "specversion": "1.0",
        "subject": subject,
        "time": datetime(2026, 10, 1, 8, tzinfo=UTC),
        "datacontenttype": "application/json",
    }
    event = CloudEvent(attributes, {"dossier": {}})
    for message in (to_binary_event(event), to_structured_event(event)):
        headers = [(name.encode(), value.encode()) for name, value in message.headers.items()]
        (read,) = decode_http(headers, message.body)
        assert not isinstance(read, Unreadable)
        assert (read[0].subject, read[0].time) == (subject, attributes["time"])


def test_a_batch_gives_an_answer_for_each_of_its_events() -> None:
    event = (
        b'{"specversion":"1.0","id":"' + ID.encode() + b'","type":"t","source":"/s","subject":"r",'
        b'"time":"2026-10-01T08:00:00Z","data":{}}'
    )
    read = decode_http([(b"content-type", b"application/cloudevents-batch+json")], b"[" + event + b",{}]")
    assert [isinstance(one, Unreadable) for one in read] == [False, True]


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ([], DATA, "missing-header"),
        (BINARY, b"", "null-value"),
        ([*BINARY, (b"CE-ID", ID.encode())], DATA, "duplicate-header"),
        ([*BINARY, (b"Content-Type", b"application/json")], DATA, "duplicate-header"),
        ([*BINARY, (b"ce-x", b"%ff")], DATA, "not-utf8"),
        ([*BINARY[:-1], (b"content-type", b"application/xml")], DATA, "unsupported-content-type"),
        ([(b"content-type", b"application/cloudevents+json")], b"[]", "not-json"),
        ([(b"content-type", b"application/cloudevents-batch+json")], b"{}", "not-json"),
    ],
)
def test_what_says_nothing_is_unreadable(headers: list[tuple[bytes, bytes]], body: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        decode_http(headers, body)
    assert caught.value.code == code


@given(
    st.lists(
        st.tuples(st.sampled_from([b"ce-id", b"ce-x", b"content-type"]) | st.binary(max_size=8), st.binary(max_size=30))
    ),
    st.binary(max_size=60),
)
def test_whatever_comes_over_http_nothing_but_unreadable_is_raised(
    headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    for sent in (headers, BINARY + headers):
        try:
            decode_http(sent, body)
        except Unreadable:
            continue


def test_a_quoted_header_is_unquoted() -> None:
    (read,) = decode_http([*BINARY[:4], (b"ce-subject", b'"r\\"1%20\\\\"'), *BINARY[5:]], DATA)
    assert not isinstance(read, Unreadable)
    assert read[0].subject == 'r"1 \\'
