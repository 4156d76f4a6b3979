"""Sealing the free texts of an event, and opening them again: AES-256-GCM under the key of the request."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final, get_args

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import ValidationError

from chassis.ids import new_event_id
from contracts.facts import Fact
from contracts.registry import FACTS, PREFIX
from contracts.sealed import Sealed
from guichet.sealing.keystore import KeyStore, NoSuchKey, key_folder

LONGEST_TEXT: Final = 40_000
"""Bytes of a text that can be sealed."""
STEP: Final = 256
"""A text is as long as a multiple of these bytes once it is sealed: how long it was says nothing of what it was."""
PADDING: Final = "\x00"
_NONCE_BYTES: Final = 12

Json = Mapping[str, Any]


class NotSealable(ValueError):
    """A text that no sealed field holds; the message names the field and the rule."""


@cache
def sealed_fields(kind: type[Fact]) -> tuple[str, ...]:
    """The fields of a fact that hold sealed text."""
    return tuple(
        name
        for name, field in kind.model_fields.items()
        if field.annotation is Sealed or Sealed in get_args(field.annotation)
    )


def seal(store: KeyStore, request_id: str, event_id: str, field: str, text: str, now: datetime) -> Sealed:
    """A text under the key of its request; additional data: the event's id, then the field's name.

    AES-GCM hides what a text says and not how long it is: one of a few known answers would be guessed from that alone,
    also when its key is destroyed. So U+0000 follows it.
    """
    if PADDING in text:
        raise NotSealable(f"{field}: a text without U+0000 is expected")
    try:
        plain = text.encode()
    except UnicodeEncodeError:  # JSON can write half a surrogate pair, which has no bytes.
        raise NotSealable(f"{field}: a text of whole characters is expected") from None
    if len(plain) > LONGEST_TEXT:
        raise NotSealable(f"{field}: a text of at most {LONGEST_TEXT} bytes is expected")
    key_id, key = store.key_for(request_id, now)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    padded = plain.ljust(max(1, -(-len(plain) // STEP)) * STEP, PADDING.encode())
    ciphertext = AESGCM(key).encrypt(nonce, padded, _additional(event_id, field))
    return Sealed(alg="A256GCM", key_id=key_id, nonce=_text(nonce), ciphertext=_text(ciphertext))


def sealed(event: Json, now: datetime, store: KeyStore | None = None) -> Json:
    """A structured CloudEvent with each plain text in a sealed field replaced, under an id of its own when it has none.

    Events without such a text come back as they are. The store is the one of this machine unless given.
    """
    full_type = str(event.get("type"))
    kind = FACTS.get(full_type) or FACTS.get(PREFIX + full_type)
    data, request_id = event.get("data"), event.get("partitionkey") or event.get("subject")
    if kind is None or not isinstance(data, Mapping) or not isinstance(request_id, str):
        return event
    texts = {field: data[field] for field in sealed_fields(kind) if isinstance(data.get(field), str)}
    if not texts:
        return event
    store, event_id = store or KeyStore(key_folder()), str(event.get("id") or new_event_id())
    made = {field: seal(store, request_id, event_id, field, text, now).model_dump() for field, text in texts.items()}
    return {**event, "id": event_id, "data": {**data, **made}}


def opened(store: KeyStore, event_type: str | None, event_id: str | None, data: Json) -> Json:
    """The data of an event with its sealed texts readable, `{"$erased": key id}` where the key is destroyed.

    A text whose key was never in this store stays sealed, and so does one that was moved or changed.
    """
    kind = FACTS.get(event_type or "")
    if kind is None or event_id is None:
        return data
    found: dict[str, object] = {}
    for field in sealed_fields(kind):
        try:
            sealed = Sealed.model_validate(data.get(field))
        except ValidationError:
            continue
        try:
            key = store.key(sealed.key_id)
            plain = AESGCM(key).decrypt(_bytes(sealed.nonce), _bytes(sealed.ciphertext), _additional(event_id, field))
            found[field] = plain.decode().rstrip(PADDING)
        except NoSuchKey:
            if any(each.key_id == sealed.key_id for each in store.destructions()):
                found[field] = {"$erased": sealed.key_id}
        except (InvalidTag, UnicodeDecodeError):
            continue
    return {**data, **found} if found else data


def free_texts(event_type: str | None, data: Json) -> list[tuple[str, str, str]]:
    """For people: each sealed field of opened data, what it is now (`text`, `erased` or `sealed`), and its text."""
    kind = FACTS.get(event_type or "")
    found = []
    for field in () if kind is None else sealed_fields(kind):
        value = data.get(field)
        if isinstance(value, str):
            found.append((field, "text", value))
        elif isinstance(value, Mapping):
            found.append((field, "erased" if "$erased" in value else "sealed", ""))
    return found


def _additional(event_id: str, field: str) -> bytes:
    return event_id.encode() + field.encode()


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
