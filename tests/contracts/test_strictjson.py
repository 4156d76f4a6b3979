"""JSON that means one thing only."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Unreadable
from contracts.strictjson import MAX_DEPTH, loads


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "not-json"),
        (b"{'a': 1}", "not-json"),
        (b"{} {}", "not-json"),
        (b"\xc3\x28", "not-utf8"),
        (b'{"a": 1, "a": 1}', "invalid-data"),
        (b'{"x": {"a": 1, "\\u0061": 2}}', "invalid-data"),
        (b'{"a": NaN}', "invalid-data"),
        (b"[-Infinity]", "invalid-data"),
        (b"[1e999]", "invalid-data"),
        (b"9" * 5000, "not-json"),
    ],
)
def test_json_that_is_doubtful_is_refused(sent: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        loads(sent)
    assert caught.value.code == code


@pytest.mark.parametrize("sent", [b"[" * 200_000, b'{"a":' * 200_000, b"[{" * 3000, b'["\\"",' + b"[" * 5000])
def test_nesting_is_bounded_and_never_a_recursion_error(sent: bytes) -> None:
    with pytest.raises(Unreadable):
        loads(sent)


def test_nesting_up_to_the_bound_is_read_whatever_stands_in_texts() -> None:
    deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert loads(deep) is not None
    with pytest.raises(Unreadable):
        loads(b"[" + deep + b"]")
    assert loads(json.dumps(["[{" * 500, '\\"[' * 500]).encode()) is not None


def test_little_stack_left_is_no_reason_to_fail_otherwise() -> None:
    def down(depth: int) -> None:
        if depth:
            return down(depth - 1)
        with pytest.raises(Unreadable):
            loads(b"[" * 200)
        return None

    down(sys.getrecursionlimit() // 2)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    )
)
def test_every_ordinary_document_is_read(document: object) -> None:
    assert loads(json.dumps(document).encode()) == document


@given(st.binary(max_size=100))
def test_whatever_bytes_come_nothing_but_unreadable_is_raised(sent: bytes) -> None:
    try:
        loads(sent)
    except Unreadable:
        return
