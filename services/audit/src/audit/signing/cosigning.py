"""Asking witnesses to cosign: `add-checkpoint` of C2SP tlog-witness, as the log's side of it."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from guichet_verify.checkpoints import Checkpoint
from guichet_verify.encoding import read_decimal, write_hashes
from guichet_verify.notes import Key, Note, Signature, read_note

SECONDS = 4.0
ANSWER_LIMIT = 4096

Proof = Callable[[int], Awaitable[list[bytes] | None]]
"""The consistency proof from a size to the checkpoint's; None when there is none."""


class WitnessDiffers(Exception):
    """A witness holds a larger size, or says that the checkpoint does not extend what it holds or read."""

    def __init__(self, code: str, size: int = 0) -> None:
        super().__init__(code)
        self.code, self.size = code, size


@dataclass(slots=True)
class Witness:
    """A witness that is asked; `held` is the size it held of each log when it last answered."""

    key: Key
    url: str
    held: dict[str, int] = field(default_factory=dict)

    async def cosign(self, checkpoint: Checkpoint, note: bytes, proof: Proof) -> Signature | None:
        """Its cosignature; None when it does not answer or is not that far yet. Raises WitnessDiffers."""
        for _ in range(2):
            old = self.held.get(checkpoint.origin, 0)
            if old > checkpoint.size:
                raise WitnessDiffers("witness-ahead", old)
            hashes = await proof(old) if 0 < old < checkpoint.size else []
            if hashes is None:
                return None
            body = b"old %d\n" % old + write_hashes(hashes) + b"\n" + note
            status, answer = await asyncio.to_thread(_post, f"{self.url}/add-checkpoint", body)
            match status:
                case 200:
                    found = self._read(checkpoint, answer)
                    if found is not None:
                        self.held[checkpoint.origin] = checkpoint.size
                    return found
                case 409:
                    try:
                        self.held[checkpoint.origin] = read_decimal(answer.decode("ascii").removesuffix("\n"))
                    except ValueError:
                        return None
                case 422:
                    raise WitnessDiffers("witness-refuses", old)
                case _:
                    return None
        return None

    def _read(self, checkpoint: Checkpoint, answer: bytes) -> Signature | None:
        try:
            signatures = read_note(checkpoint.text() + b"\n" + answer).signatures
        except ValueError:
            return None
        for signature in signatures:
            if signature.is_by(self.key) and self.key.verifies(checkpoint.text(), signature.value):
                return signature
        return None


def with_signature(note: Note, signature: Signature) -> Note:
    """The note with this signature in place of an older one by the same key."""
    others = tuple(each for each in note.signatures if (each.name, each.key_id) != (signature.name, signature.key_id))
    return Note(note.text, (*others, signature))


def _post(url: str, body: bytes) -> tuple[int, bytes]:
    """Status and answer; 0 when there is none."""
    request = urllib.request.Request(url, body, {"Content-Type": "text/plain; charset=utf-8"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=SECONDS) as response:
            return response.status, response.read(ANSWER_LIMIT)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(ANSWER_LIMIT)
    except (OSError, ValueError):
        return 0, b""
