"""Who speaks, and that nobody changed it: HTTP Message Signatures (RFC 9421) with HMAC-SHA256, in one fixed profile.

Requests cover method, path, query, digest of the body (RFC 9530) and, where present, the order's two headers. Answers
cover status, digest and the signature of the request they answer. `tag` says which of the three it is, so that nothing
signed for one purpose passes for another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Tag = Literal["guichet-order", "guichet-answer", "guichet-report"]
LABEL: Final = "guichet"
WINDOW_SECONDS: Final = 300
"""How far the clocks of both sides may differ, and how long a signature is good for."""
ORDER_HEADERS: Final = ("idempotency-key", "guichet-fence")
PAGE_HEADERS: Final = ("guichet-next",)

_INPUT = re.compile(
    r'guichet=(?P<params>\((?P<covered>[^)]*)\);created=(?P<created>[0-9]{1,12});keyid="(?P<keyid>[A-Za-z0-9._-]{1,64})"'
    r';alg="hmac-sha256";nonce="(?P<nonce>[A-Za-z0-9-]{16,64})";tag="(?P<tag>[a-z-]{1,32})")'
)
_SIGNATURE = re.compile(r"guichet=:(?P<signature>[A-Za-z0-9+/]{43}=):")


class NotAuthentic(Exception):
    """The message is not from whoever holds the key, or not from now. `code` says which rule failed."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets shared with one provisioner, by id: all are accepted, `current` signs. Never shown."""

    current: str
    secrets: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a verified signature said about itself."""

    key_id: str
    nonce: str
    created: int


Component = tuple[str, str]
"""A component identifier as it stands in the signature base, quoted, and its value."""


def content_digest(body: bytes) -> str:
    """The Content-Digest of a body (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def signature_base(components: Sequence[Component], params: str) -> bytes:
    """What is signed (RFC 9421, 2.5)."""
    lines = [f"{name}: {value}" for name, value in (*components, ('"@signature-params"', params))]
    return "\n".join(lines).encode("ascii")


def mac(key: bytes, base: bytes) -> str:
    """HMAC-SHA256 (RFC 9421, 3.3.3) in base64."""
    return base64.b64encode(hmac.digest(key, base, "sha256")).decode("ascii")


def request_components(method: str, path: str, query: str, headers: Mapping[str, str]) -> list[Component]:
    """What the signature of a request covers. `query` has no question mark; header names are in lower case."""
    found = [
        ('"@method"', method.upper()),
        ('"@path"', path),
        ('"@query"', f"?{query}"),
        ('"content-digest"', headers.get("content-digest", "")),
    ]
    return found + [(f'"{name}"', headers[name]) for name in ORDER_HEADERS if name in headers]


def answer_components(status: int, headers: Mapping[str, str], request_signature: str) -> list[Component]:
    """What the signature of an answer covers: among the rest, the signature of the request (RFC 9421, 2.4)."""
    found = [
        ('"@status"', str(status)),
        ('"content-digest"', headers.get("content-digest", "")),
        (f'"signature";req;key="{LABEL}"', f":{request_signature}:"),
    ]
    return found + [(f'"{name}"', headers[name]) for name in PAGE_HEADERS if name in headers]


def sign(keys: Keys, components: Sequence[Component], *, tag: Tag, created: int, nonce: str) -> dict[str, str]:
    """The two headers of a signature over these components."""
    covered = " ".join(name for name, _ in components)
    params = f'({covered});created={created};keyid="{keys.current}";alg="hmac-sha256";nonce="{nonce}";tag="{tag}"'
    signature = mac(keys.secrets[keys.current], signature_base(components, params))
    return {"signature-input": f"{LABEL}={params}", "signature": f"{LABEL}=:{signature}:"}


def signature_of(headers: Mapping[str, str]) -> str:
    """The signature that a message carries, in base64. Raises NotAuthentic."""
    found = _SIGNATURE.fullmatch(headers.get("signature", ""))
    if found is None:
        raise NotAuthentic("not-signed")
    return found["signature"]


def verify(
    keys: Keys, components: Sequence[Component], headers: Mapping[str, str], body: bytes, *, tag: Tag, now: float
) -> Signed:
    """What the signature says, when it is right, recent, for this purpose and over this body. Raises NotAuthentic."""
    signature = signature_of(headers)
    found = _INPUT.fullmatch(headers.get("signature-input", ""))
    if found is None:
        raise NotAuthentic("not-signed")
    if found["covered"] != " ".join(name for name, _ in components):
        raise NotAuthentic("other-components")
    if found["tag"] != tag:
        raise NotAuthentic("other-purpose")
    key = keys.secrets.get(found["keyid"])
    if key is None:
        raise NotAuthentic("unknown-key")
    try:
        given = base64.b64decode(signature, validate=True)
        expected = base64.b64decode(mac(key, signature_base(components, found["params"])))
    except (binascii.Error, UnicodeEncodeError):
        raise NotAuthentic("wrong-signature") from None
    if not hmac.compare_digest(given, expected):
        raise NotAuthentic("wrong-signature")
    if not hmac.compare_digest(headers.get("content-digest", ""), content_digest(body)):
        raise NotAuthentic("wrong-digest")
    # Last, so that a stranger learns nothing about our clock.
    if abs(now - int(found["created"])) > WINDOW_SECONDS:
        raise NotAuthentic("clock-skew")
    return Signed(found["keyid"], found["nonce"], int(found["created"]))
