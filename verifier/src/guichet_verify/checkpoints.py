"""Checkpoints: what a log says of its size and root, and which keys may say it (C2SP tlog-checkpoint)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from guichet_verify.encoding import read_base64, read_decimal, write_base64
from guichet_verify.notes import ED25519, Key, NotANote, Note, Verified, read_note, verify
from guichet_verify.tree import SIZE_LIMIT


class Checkpoint(NamedTuple):
    """One log at one size."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """Exactly three lines, each ended: origin, size, root in base64."""
        if not self.origin or "\n" in self.origin or not 0 <= self.size <= SIZE_LIMIT or len(self.root) != 32:
            raise ValueError("checkpoint")
        return f"{self.origin}\n{self.size}\n{write_base64(self.root)}\n".encode()


class Opened(NamedTuple):
    """A checkpoint that a key of its log signed, the note it stands in, and all signatures that hold."""

    checkpoint: Checkpoint
    note: Note
    verified: list[Verified]


def read_checkpoint(text: bytes) -> Checkpoint:
    """The checkpoint in the text of a note; raises ValueError, also for extension lines, which C2SP would allow."""
    lines = text.decode().split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:
        raise ValueError("a checkpoint is three lines")
    root = read_base64(lines[2])
    if len(root) != 32:
        raise ValueError("root is not 32 bytes")
    return Checkpoint(lines[0], read_decimal(lines[1]), root)


def speaks_for(name: str, origin: str) -> bool:
    """Whether a log key of this name signs for this origin: for its own name and everything below, nothing else."""
    return origin == name or origin.startswith(f"{name}/")


def open_checkpoint(data: bytes, keys: Iterable[Key]) -> Opened:
    """Reads a signed checkpoint and verifies it under these keys, those of logs and of witnesses together.

    Raises NotANote when it is malformed, when a known key's signature is bad, or when no log key that speaks for its
    origin signed it. The caller compares the origin with the one he expects.
    """
    note = read_note(data)
    try:
        checkpoint = read_checkpoint(note.text)
    except ValueError as error:
        raise NotANote(f"not a checkpoint: {error}") from error
    verified = verify(note, keys)
    if not any(key.kind == ED25519 and speaks_for(key.name, checkpoint.origin) for key, _ in verified):
        raise NotANote("not signed by a key that speaks for its origin")
    return Opened(checkpoint, note, verified)
