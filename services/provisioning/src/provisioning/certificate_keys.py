"""The key that signs certificates, in a file that its owner alone may read, and the public one beside it."""

from __future__ import annotations

from pathlib import Path

from guichet_verify.keyfiles import read_key_file, read_or_make
from guichet_verify.notes import Key, SigningKey, read_vkey
from provisioning.certificate import SIGNER


def public_file(path: Path) -> Path:
    """Where the public half of the key in `path` is written (C2SP signed-note: `name+id+key`)."""
    return path.with_suffix(".vkey")


def signing_key(path: Path) -> SigningKey:
    """The key in `path`, made at first; raises NotAKey for other content and for a file that others may read."""
    key = read_key_file(path) if path.exists() else read_or_make(path, SIGNER)
    public, text = public_file(path), f"{key.log_key.vkey()}\n"
    if not public.exists() or public.read_text("utf-8") != text:
        public.write_text(text, "utf-8")
    return key


def public_key(path: Path) -> Key:
    """The public key written at `path`; raises FileNotFoundError and NotAKey."""
    return read_vkey(path.read_text("utf-8").strip())
