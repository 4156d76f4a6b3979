"""Whether a bundle's logs extend what was held before: no rollback, no fork (level 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from guichet_verify.bundle import Bundle
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.encoding import read_hashes
from guichet_verify.manifest import ALL
from guichet_verify.report import Failure, Level, Report
from guichet_verify.tree import EMPTY_ROOT, consistency_spans, verify_consistency

FORK = "FORK: the checkpoint held from before has another root"
ROLLBACK = "ROLLBACK: the checkpoint held from before is larger"


def check_history(
    bundle: Bundle,
    signed: Mapping[int, Checkpoint],
    roots: Mapping[int, Mapping[int, bytes]],
    held: Sequence[Checkpoint],
    report: Report,
) -> None:
    """Holds each checkpoint from before, and each consistency proof, against the logs whose contents are sound.

    `roots` are those that a whole log's leaves led to at earlier sizes, by log and size.
    """
    logs = bundle.manifest.logs
    numbers = {part.origin: number for number, part in enumerate(logs)}
    evaluated = len(signed) == len(logs)
    for old in held:
        number = numbers.get(old.origin)
        if number is None:
            if bundle.manifest.scope.kind == ALL:
                report.fail(Failure(Level.L3, old.origin, None, "a log held from before is left out"))
            continue
        if number not in signed:
            evaluated = False
            continue
        reason = _refuses(bundle, number, signed[number], roots[number], old)
        if reason is not None:
            report.fail(Failure(Level.L3, old.origin, None, reason))
    for number, checkpoint in signed.items():
        for size in logs[number].older:
            known = [each.root for each in held if (each.origin, each.size) == (checkpoint.origin, size)]
            known += [roots[number][size]] if size in roots[number] else []
            if (reason := _proof_refused(bundle, number, checkpoint, size, known)) is not None:
                report.fail(Failure(Level.L3, checkpoint.origin, None, f"consistency with size {size}: {reason}"))
    if evaluated:
        report.settle(Level.L3, any(old.origin in numbers for old in held) or any(part.older for part in logs))
    if elsewhere := sum(old.origin not in numbers for old in held):
        report.remarks.append(f"{elsewhere} checkpoints held from before are of logs that are not in this bundle")


def _refuses(bundle: Bundle, number: int, new: Checkpoint, roots: Mapping[int, bytes], old: Checkpoint) -> str | None:
    """Why the checkpoint held is not extended; None when it is."""
    if old.size > new.size:
        return ROLLBACK
    if old.size in (0, new.size):
        return None if old.root == (new.root if old.size else EMPTY_ROOT) else FORK
    if old.size in roots:
        return None if old.root == roots[old.size] else FORK
    if old.size not in bundle.manifest.logs[number].older:
        return f"no proof that it extends the checkpoint held at size {old.size}"
    return None  # Its proof is checked with the others.


def _proof_refused(bundle: Bundle, number: int, new: Checkpoint, size: int, known: Sequence[bytes]) -> str | None:
    """Why a consistency proof does not hold, as far as the old root is known; None when it does."""
    try:
        proof = read_hashes(bundle.consistency(number, size))
    except ValueError as error:
        return f"not a proof: {error}"
    if len(proof) != len(consistency_spans(size, new.size)):
        return "a proof of another length"
    if not all(verify_consistency(size, new.size, root, new.root, proof) for root in known):
        return "the proof does not hold"
    return None
