"""A proof that one entry is in a log, as a text that needs nothing beside it (C2SP tlog-proof v1)."""

from __future__ import annotations

from dataclasses import dataclass

from guichet_verify.encoding import read_base64, read_decimal, read_hashes, write_base64, write_hashes

PROOF_LIMIT = 72 << 10
HASH_LIMIT = 63
"""The longest proof text, and the most hashes in it, that are read."""

_HEADER = b"c2sp.org/tlog-proof@v1\n"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """Where an entry stands, the hashes that lead to the root, lowest first, and the signed checkpoint with it."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def write(self) -> bytes:
        extra = b"" if self.extra is None else f"extra {write_base64(self.extra)}\n".encode()
        return b"".join((_HEADER, extra, b"index %d\n" % self.index, write_hashes(self.hashes), b"\n", self.checkpoint))


def read_proof(data: bytes) -> TlogProof:
    """Takes a proof apart; raises ValueError. The checkpoint in it is not read."""
    if len(data) > PROOF_LIMIT:
        raise ValueError("longer than 72 KiB")
    head, blank, checkpoint = data.partition(b"\n\n")
    if not blank or not checkpoint or not head.startswith(_HEADER):
        raise ValueError("not a tlog-proof")
    lines = head[len(_HEADER) :].split(b"\n")
    extra = read_base64(_after(b"extra ", lines.pop(0))) if lines[0].startswith(b"extra ") else None
    if not lines:
        raise ValueError("no index")
    index = read_decimal(_after(b"index ", lines.pop(0)))
    hashes = read_hashes(b"".join(line + b"\n" for line in lines))
    if len(hashes) > HASH_LIMIT:
        raise ValueError("more than 63 hashes")
    return TlogProof(index, tuple(hashes), checkpoint, extra)


def _after(word: bytes, line: bytes) -> str:
    if not line.startswith(word):
        raise ValueError(f"no {word.decode().strip()}")
    return line[len(word) :].decode("ascii")
