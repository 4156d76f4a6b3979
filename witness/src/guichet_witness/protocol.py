"""What a witness answers to `add-checkpoint` (C2SP tlog-witness); pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from guichet_verify.checkpoints import Checkpoint, open_checkpoint, read_checkpoint, speaks_for
from guichet_verify.encoding import read_decimal, read_hashes
from guichet_verify.notes import Key, NotANote, read_note
from guichet_verify.tree import verify_consistency

BODY_LIMIT = 80 << 10
PROOF_LINES = 63


@dataclass(frozen=True, slots=True)
class Refused(Exception):
    """An answer that is no cosignature: the HTTP status, and for a 409 the size that is held."""

    status: int
    rule: str
    size: int | None = None


class Submission(NamedTuple):
    """A checkpoint, and the proof that it extends the tree of `old` leaves."""

    old: int
    proof: list[bytes]
    checkpoint: Checkpoint
    note: bytes


class Held(NamedTuple):
    """The newest checkpoint cosigned of a log; size 0 before the first."""

    size: int = 0
    root: bytes = b""


def read_submission(body: bytes, keys: Iterable[Key]) -> Submission:
    """Takes a request apart and verifies its note; raises Refused with 400, 404 for an origin that none of these keys
    speaks for, 403 when no such key signed it."""
    head, blank, note = body.partition(b"\n\n")
    if len(body) > BODY_LIMIT or not blank or not head.startswith(b"old "):
        raise Refused(400, "not a submission")
    first, _, lines = head.partition(b"\n")
    try:
        old = read_decimal(first[4:].decode("ascii"))
        proof = read_hashes(lines + b"\n") if lines else []
        checkpoint = read_checkpoint(read_note(note).text)
    except (ValueError, UnicodeDecodeError) as error:
        raise Refused(400, "not a submission") from error
    if len(proof) > PROOF_LINES or old > checkpoint.size:
        raise Refused(400, "not a submission")
    known = [key for key in keys if speaks_for(key.name, checkpoint.origin)]
    if not known:
        raise Refused(404, "unknown log")
    try:
        open_checkpoint(note, known)
    except NotANote as error:
        raise Refused(403, "not signed by the log") from error
    return Submission(old, proof, checkpoint, note)


def check_extends(submission: Submission, held: Held) -> None:
    """Raises Refused: 409 when `old` is not the size held, 422 when the checkpoint does not extend what is held."""
    checkpoint = submission.checkpoint
    if submission.old != held.size:
        raise Refused(409, "another size is held", held.size)
    if held.size == 0:
        extends = not submission.proof
    else:
        extends = verify_consistency(held.size, checkpoint.size, held.root, checkpoint.root, submission.proof)
    if not extends:
        raise Refused(422, "does not extend the checkpoint held")
