"""Signatures of calls, answers and reports, held against the examples of the RFCs and against forgers."""

from __future__ import annotations

import base64
import time

import pytest

from provisioning.environments.http_signing import (
    Keys,
    NotAuthentic,
    answer_components,
    content_digest,
    mac,
    request_components,
    sign,
    signature_base,
    signature_of,
    verify,
)

KEYS = Keys("new", {"new": b"n" * 32, "old": b"o" * 32})
BODY = b'{"access":"open"}'
NOW = 1_764_150_000


def test_the_mac_is_that_of_the_standard() -> None:
    # RFC 9421, B.2.5: the shared secret of B.1.5, and the signature of three components.
    secret = base64.b64decode(
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
    )
    params = '("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
    components = [
        ('"date"', "Tue, 20 Apr 2021 02:07:55 GMT"),
        ('"@authority"', "example.com"),
        ('"content-type"', "application/json"),
    ]
    assert mac(secret, signature_base(components, params)) == "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="


def test_the_digest_is_that_of_the_standard() -> None:
    # RFC 9530, appendix B.
    assert content_digest(b'{"hello": "world"}\n') == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


def signed(method: str = "PUT", path: str = "/v1/workspaces/w/access", query: str = "", **more: str) -> dict[str, str]:
    headers = {"content-digest": content_digest(BODY), "guichet-fence": "7", "idempotency-key": "w:open:3"} | more
    components = request_components(method, path, query, headers)
    return headers | sign(KEYS, components, tag="guichet-order", created=NOW, nonce="n-000000000000001")


def check(headers: dict[str, str], **more: object) -> None:
    given: dict[str, object] = {"method": "PUT", "path": "/v1/workspaces/w/access", "query": "", "body": BODY}
    given |= {"now": NOW + 1.0, "tag": "guichet-order", "keys": KEYS} | more
    components = request_components(str(given["method"]), str(given["path"]), str(given["query"]), headers)
    verify(given["keys"], components, headers, given["body"], tag=given["tag"], now=given["now"])  # type: ignore[arg-type]


def test_what_was_signed_is_accepted_within_the_window() -> None:
    check(signed())
    check(signed(), now=NOW + 299.0)
    check(signed(), now=NOW - 299.0)
    # After a rotation the key of before is still accepted, until it is taken out of the file.
    check(signed(), keys=Keys("newer", {"newer": b"x" * 32, "new": b"n" * 32}))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"method": "DELETE"}, "wrong-signature"),
        ({"path": "/v1/workspaces/other/access"}, "wrong-signature"),
        ({"query": "from=0"}, "wrong-signature"),
        ({"body": b'{"access":"frozen"}'}, "wrong-digest"),
        ({"tag": "guichet-report"}, "other-purpose"),
        ({"now": NOW + 301.0}, "clock-skew"),
        ({"now": NOW - 301.0}, "clock-skew"),
        ({"keys": Keys("other", {"other": b"n" * 32})}, "unknown-key"),
        ({"keys": Keys("new", {"new": b"m" * 32})}, "wrong-signature"),
    ],
)
def test_whatever_differs_is_refused(change: dict[str, object], code: str) -> None:
    with pytest.raises(NotAuthentic, match=code):
        check(signed(), **change)


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("guichet-fence", "8", "wrong-signature"),
        ("idempotency-key", "w:open:4", "wrong-signature"),
        ("content-digest", content_digest(b"other"), "wrong-signature"),
        ("signature", "guichet=:AAAA:", "not-signed"),
        ("signature-input", "guichet=()", "not-signed"),
    ],
)
def test_no_header_can_be_changed(header: str, value: str, code: str) -> None:
    with pytest.raises(NotAuthentic, match=code):
        check(signed() | {header: value})


def test_no_covered_header_can_be_left_out() -> None:
    headers = signed()
    del headers["guichet-fence"]
    with pytest.raises(NotAuthentic, match="other-components"):
        check(headers)


def test_an_answer_belongs_to_one_request() -> None:
    headers = {"content-digest": content_digest(b"{}")}
    first, second = signature_of(signed()), signature_of(signed(path="/v1/workspaces/other/access"))
    headers |= sign(
        KEYS, answer_components(200, headers, first), tag="guichet-answer", created=NOW, nonce="n-000000000000002"
    )
    verify(KEYS, answer_components(200, headers, first), headers, b"{}", tag="guichet-answer", now=NOW)
    for status, request in ((200, second), (409, first)):
        with pytest.raises(NotAuthentic, match="wrong-signature"):
            verify(KEYS, answer_components(status, headers, request), headers, b"{}", tag="guichet-answer", now=NOW)


def test_keys_are_never_shown() -> None:
    assert "nnnn" not in repr(KEYS)
    assert time.time() > NOW
