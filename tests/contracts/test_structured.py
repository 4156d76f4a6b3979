"""Structured and batched JSON: the way in for parties that do not write headers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Unreadable, decode
from contracts.structured import decode_batch, decode_structured

EVENT = {
    "specversion": "1.0",
    "id": "01940a2e-5b1c-7c11-9a52-6f0d7b1c2d3e",
    "type": "guichet.file.received.v1",
    "source": "/authorities/CNIL",
    "subject": "r-1",
    "time": "2026-10-01T08:00:00Z",
    "data": {"body": "CNIL"},
}
STRUCTURED = [("content-type", b"Application/CloudEvents+JSON; charset=UTF-8")]


def body(**changes: object) -> bytes:
    return json.dumps({**EVENT, **changes}).encode()


def code_of(sent: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        decode_structured(sent)
    return caught.value.code


@given(st.sampled_from(['{ "body" :\t"CNIL" }', '{"b":[1,{"data":2}]}', '"é\\u00e9"', "-0.50e1", "[]"]), st.booleans())
def test_the_data_are_the_bytes_between_the_braces(data: str, first: bool) -> None:
    rest = json.dumps({name: value for name, value in EVENT.items() if name != "data"})[1:-1]
    text = f'{{ "data" : {data} , {rest} }}' if first else f'\n{{{rest},"d\\u0061ta":{data}}}\n'
    assert decode(STRUCTURED, text.encode())[1] == data.encode()


def test_data_in_base64_are_what_was_encoded() -> None:
    event = {name: value for name, value in EVENT.items() if name != "data"}
    assert decode_structured(json.dumps({**event, "data_base64": "eyJhIjoxfQ=="}).encode())[1] == b'{"a":1}'


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b"[]", "not-json"),
        (b"\xff", "not-utf8"),
        (b"\xef\xbb\xbf{}", "not-json"),
        (b"{}", "missing-header"),
        (body(data=None), "null-value"),
        (body(id=7), "invalid-id"),
        (body(subject=["r-1"]), "invalid-header"),
        (body(sub_ject="x"), "invalid-header"),
        (body(data_base64="e30="), "invalid-data"),
        (body(data=None, datacontenttype="text/plain"), "unsupported-content-type"),
        (body()[:-1] + b', "id": "x"}', "invalid-data"),
        (body(data=None, data_base64="e30"), "invalid-data"),
        (b"[" * 100_000, "invalid-data"),
        (body(data={"n": 0}).replace(b": 0}", b": NaN}"), "invalid-data"),
    ],
)
def test_what_is_no_event_is_unreadable(sent: bytes, code: str) -> None:
    if b"data_base64" in sent and b'"data": null' in sent:
        sent = sent.replace(b'"data": null, ', b"")
    assert code_of(sent) == code


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_whatever_bytes_come_nothing_but_unreadable_is_raised(sent: bytes) -> None:
    for read in (decode_structured, decode_batch):
        try:
            read(sent)
        except Unreadable:
            continue


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*EVENT, "sequence", "traceparent", "data_base64"]), json_values))
def test_whatever_members_hold_nothing_but_unreadable_is_raised(changes: dict[str, object]) -> None:
    try:
        decode_structured(body(**changes))
    except Unreadable:
        return


@given(st.lists(st.sampled_from([body(), body(id="x"), b"7", b'"]"', b"[[]]", b" {} "]), max_size=5))
def test_each_event_of_a_batch_is_read_on_its_own(events: list[bytes]) -> None:
    read = decode_batch(b" [" + b" , ".join(events) + b"] ")
    assert [isinstance(one, Unreadable) for one in read] == [event != body() for event in events]
    assert all(one[1] == b'{"body": "CNIL"}' for one in read if not isinstance(one, Unreadable))


def test_a_body_that_is_no_list_is_no_batch() -> None:
    with pytest.raises(Unreadable):
        decode_batch(body())
