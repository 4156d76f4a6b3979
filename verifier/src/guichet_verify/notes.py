"""Signed notes and the keys that sign them (C2SP signed-note v1, tlog-cosignature v1)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from guichet_verify.encoding import read_base64, write_base64
from guichet_verify.published_keys import PUBLISHED

ED25519, COSIGNATURE = 1, 4
"""Signature types: over the text itself, and over the text with the time at which a witness saw it."""

NOTE_LIMIT = 64 << 10
SIGNATURE_LIMIT = 64
"""The longest note, and the most signature lines, that are read."""

_TIME_LIMIT = (1 << 63) - 1
_LINE = "— "


class NotANote(ValueError):
    """Bytes that are no signed note, or a note that must not be believed; the text names the rule, never a value."""


class NotAKey(ValueError):
    """Text that is no key, or a key that must not be used."""


class Key(NamedTuple):
    """A public key under the name and for the type of signature that it is known by."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature says whose it is (C2SP signed-note, signatures)."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes((self.kind,)) + self.public).digest()[:4]

    def vkey(self) -> str:
        """The key as a verifier is told it: `name+id+key`."""
        return f"{self.name}+{self.id.hex()}+{write_base64(bytes((self.kind,)) + self.public)}"

    def verifies(self, text: bytes, value: bytes) -> bool:
        """Whether `value` is this key's signature of `text`."""
        if self.kind == COSIGNATURE:
            if len(value) != 72 or int.from_bytes(value[:8], "big") > _TIME_LIMIT:
                return False
            text, value = _cosigned(text, int.from_bytes(value[:8], "big")), value[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(value, text)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signature(NamedTuple):
    """One signature line of a note; `value` follows the key id."""

    name: str
    key_id: bytes
    value: bytes

    def line(self) -> str:
        return f"{_LINE}{self.name} {write_base64(self.key_id + self.value)}\n"

    def is_by(self, key: Key) -> bool:
        """Whether it claims to be by this key."""
        return (self.name, self.key_id) == (key.name, key.id)


class Note(NamedTuple):
    """A text, and the signatures below it as they stand there, believed or not."""

    text: bytes
    signatures: tuple[Signature, ...]

    def write(self) -> bytes:
        return self.text + b"\n" + "".join(each.line() for each in self.signatures).encode()


class Verified(NamedTuple):
    """A signature that holds; `time` in seconds since 1970 when it is a cosignature."""

    key: Key
    time: int | None


class SigningKey:
    """A private key and the name it signs under; raises NotAKey for a key that is published, outside tests."""

    def __init__(self, name: str, private: Ed25519PrivateKey, *, allow_published: bool = False) -> None:
        self._private = private
        self.log_key = _usable(Key(_name(name), ED25519, private.public_key().public_bytes_raw()), allow_published)
        self.cosigner_key = self.log_key._replace(kind=COSIGNATURE)

    def sign(self, text: bytes) -> Signature:
        """Signs a text (type 01). The same text gives the same bytes."""
        return Signature(self.log_key.name, self.log_key.id, self._private.sign(text))

    def cosign(self, text: bytes, time: int) -> Signature:
        """Signs that at `time`, in seconds, this text was the newest seen of its log (type 04)."""
        if not 0 <= time <= _TIME_LIMIT:
            raise ValueError("time")
        signed = self._private.sign(_cosigned(text, time))
        return Signature(self.cosigner_key.name, self.cosigner_key.id, time.to_bytes(8, "big") + signed)


def read_vkey(text: str, *, allow_published: bool = False) -> Key:
    """The key that a `name+id+key` text stands for; raises NotAKey for other text and for published keys."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        data = read_base64(encoded)
    except ValueError as error:
        raise NotAKey("key is not base64") from error
    if len(data) != 33 or data[0] not in (ED25519, COSIGNATURE):
        raise NotAKey("key is neither Ed25519 nor cosignature/v1")
    key = Key(_name(name), data[0], data[1:])
    if key.id.hex() != key_id:
        raise NotAKey("key id is another key's")
    return _usable(key, allow_published)


def read_note(data: bytes) -> Note:
    """Takes a note apart; raises NotANote. Nothing in it is to be believed before `verify`."""
    if len(data) > NOTE_LIMIT:
        raise NotANote("longer than 64 KiB")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise NotANote("not UTF-8") from error
    if any(character < " " and character != "\n" for character in whole):
        raise NotANote("control character")
    text, blank, signatures = whole.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise NotANote("no signatures")
    lines = signatures[:-1].split("\n")
    if len(lines) > SIGNATURE_LIMIT:
        raise NotANote("more than 64 signatures")
    return Note(f"{text}\n".encode(), tuple(_signature(line) for line in lines))


def verify(note: Note, keys: Iterable[Key]) -> list[Verified]:
    """The signatures by these keys, all of which hold, at least one; raises NotANote.

    One bad signature by a known key refuses the whole note; signatures by others, and of other types, are ignored.
    """
    known = list(keys)
    found: list[Verified] = []
    seen: set[Signature] = set()
    for signature in note.signatures:
        for key in known:
            if not signature.is_by(key) or signature in seen:
                continue
            if not key.verifies(note.text, signature.value):
                raise NotANote("a known key's signature is bad")
            time = int.from_bytes(signature.value[:8], "big") if key.kind == COSIGNATURE else None
            found.append(Verified(key, time))
        seen.add(signature)
    if not found:
        raise NotANote("signed by no known key")
    return found


def sign_note(text: bytes, signatures: Sequence[Signature]) -> bytes:
    """A text with its signatures."""
    return Note(text, tuple(signatures)).write()


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_LINE).partition(" ")
    try:
        if not line.startswith(_LINE):
            raise NotANote("signature line")
        data = read_base64(encoded)
        if len(data) < 5:
            raise NotANote("signature line")
        return Signature(_name(name), data[:4], data[4:])
    except ValueError as error:
        raise NotANote("signature line") from error


def _name(name: str) -> str:
    if not name or "+" in name or any(character.isspace() for character in name):
        raise NotAKey("key name")
    return name


def _usable(key: Key, allow_published: bool) -> Key:
    if key.public in PUBLISHED and not allow_published:
        raise NotAKey("the secret half of this key is published, anyone can sign with it")
    return key


def _cosigned(text: bytes, time: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % time + text
