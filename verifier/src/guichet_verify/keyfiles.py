"""Private keys of logs and witnesses in files that their owner alone may read."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guichet_verify.encoding import read_base64, write_base64
from guichet_verify.notes import ED25519, NotAKey, SigningKey

_WORDS = "PRIVATE+KEY+"


def read_or_make(path: Path, name: str) -> SigningKey:
    """The key in `path`, made when the file is not there; raises NotAKey, also when it bears another name."""
    try:
        key = read_key_file(path)
    except FileNotFoundError:
        return make_key_file(path, name)
    if key.log_key.name != name:
        raise NotAKey(f"{path.name} holds the key of another name")
    return key


def make_key_file(path: Path, name: str) -> SigningKey:
    """A new key, on disk when this returns; raises FileExistsError rather than replace one."""
    private = Ed25519PrivateKey.generate()
    key = SigningKey(name, private)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        secret = write_base64(bytes((ED25519,)) + private.private_bytes_raw())
        file.write(f"{_WORDS}{name}+{key.log_key.id.hex()}+{secret}\n")
        file.flush()
        os.fsync(file.fileno())
    return key


def read_key_file(path: Path) -> SigningKey:
    """The key in a file; raises FileNotFoundError, and NotAKey for other content or a file that others may read."""
    if path.stat().st_mode & 0o077:
        raise NotAKey(f"{path.name} may be read by others than its owner")
    text = path.read_text("utf-8").strip()
    name, _, rest = text.removeprefix(_WORDS).partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        data = read_base64(encoded)
    except ValueError as error:
        raise NotAKey(f"{path.name} holds no private key") from error
    if not text.startswith(_WORDS) or len(data) != 33 or data[0] != ED25519:
        raise NotAKey(f"{path.name} holds no private key")
    key = SigningKey(name, Ed25519PrivateKey.from_private_bytes(data[1:]))
    if key.log_key.id.hex() != key_id:
        raise NotAKey(f"{path.name} holds a key of another id")
    return key
