"""`guichet-verify BUNDLE --policy FILE`: says, level by level, whether a bundle holds."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from guichet_verify.bundle import MAX_BYTES
from guichet_verify.checkpoints import Checkpoint, open_checkpoint
from guichet_verify.notes import NOTE_LIMIT, NotANote
from guichet_verify.policy import POLICY_LIMIT, NotAPolicy, Policy, read_policy
from guichet_verify.report import Level, Report, Status
from guichet_verify.timestamps import NoAuthority, TokenCheck
from guichet_verify.verification import Asked, verify_bundle

WRONG_CALL = 2
AUTHORITY_LIMIT = 1 << 20
_MARKS = {Status.PASS: "✓", Status.FAIL: "✗", Status.NOT_ASKED: "·", Status.NOT_EVALUATED: "?"}


class Unreadable(ValueError):
    """A file that the caller brought is not what it should be; says which, and why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code: 0, 2 for a wrong call, otherwise 10 plus the lowest failing level."""
    parser = argparse.ArgumentParser(prog="guichet-verify", description=__doc__, epilog=_EPILOG)
    parser.add_argument("bundle", type=Path, help="an .auditbundle")
    parser.add_argument("--policy", type=Path, required=True, help="whom you trust: a tlog-policy file")
    parser.add_argument("--held", type=Path, action="append", default=[], help="a checkpoint you hold from before")
    parser.add_argument(
        "--require",
        action="append",
        default=[],
        choices=[level.name for level in Level],
        metavar="Ln",
        help="fail unless this level was asked and holds",
    )
    parser.add_argument("--tsa", type=Path, help="certificates of a timestamp authority, in PEM")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--max-bytes", type=int, default=MAX_BYTES, help="most bytes to unpack (default 64 GiB)")
    parser.add_argument(
        "--allow-published-keys",
        action="store_true",
        help="accept keys that anyone can sign with; for published test data only",
    )
    call = parser.parse_args(arguments)
    try:
        asked = read_asked(
            call.policy,
            call.held,
            call.require,
            call.tsa,
            call.max_bytes,
            call.allow_published_keys,
            _progress() if not call.json else None,
        )
        report = verify_bundle(call.bundle, asked)
    except (Unreadable, OSError) as error:
        reason = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
        print(f"guichet-verify: {reason}", file=sys.stderr)  # noqa: T201
        return WRONG_CALL
    print(json.dumps(report.body(), indent=1) if call.json else "\n".join(lines(report)))  # noqa: T201
    return report.exit_code


def read_asked(
    policy: Path,
    held: Sequence[Path],
    required: Sequence[str],
    authority: Path | None,
    max_bytes: int,
    allow_published: bool,
    tell: Callable[[int], None] | None,
) -> Asked:
    """Reads what the caller brings; raises Unreadable, or OSError."""
    trusted = _policy(policy, allow_published)
    return Asked(
        trusted,
        [_held(path, trusted) for path in held],
        [Level[name] for name in required],
        None if authority is None else _authority(authority),
        max_bytes,
        tell or (lambda leaves: None),
    )


def lines(report: Report) -> list[str]:
    """The report for people."""
    said = [f"{log.origin} at size {log.size}, root {log.root.hex()}" for log in report.logs[:20]]
    if len(report.logs) > len(said):
        said.append(f"… and {len(report.logs) - len(said)} more logs")
    for level, status in report.status.items():
        said.append(f"{_MARKS[status]} {level.name} {status:<13} {level.asks}")
        said += [f"    {failure}" for failure in report.failures if failure.level == level]
    said += [f"note: {remark}" for remark in report.remarks]
    verdict = "The bundle holds" if report.holds else "The bundle does not hold"
    return [*said, f"{verdict}: {report.leaves:,} leaves read."]


def _policy(path: Path, allow_published: bool) -> Policy:
    try:
        return read_policy(_head(path, POLICY_LIMIT), allow_published=allow_published)
    except NotAPolicy as error:
        raise Unreadable(f"{path}: not a policy: {error}") from error


def _held(path: Path, policy: Policy) -> Checkpoint:
    try:
        return open_checkpoint(_head(path, NOTE_LIMIT), policy.keys).checkpoint
    except NotANote as error:
        raise Unreadable(f"{path}: not a checkpoint to hold against a bundle: {error}") from error


def _authority(path: Path) -> TokenCheck:
    try:
        return TokenCheck(_head(path, AUTHORITY_LIMIT))
    except NoAuthority as error:
        raise Unreadable(f"{path}: {error}") from error


def _head(path: Path, limit: int) -> bytes:
    """A file, or one byte more than is ever read of such a file."""
    with path.open("rb") as file:
        return file.read(limit + 1)


def _progress() -> Callable[[int], None] | None:
    if not sys.stderr.isatty():
        return None
    done = 0

    def tell(leaves: int) -> None:
        nonlocal done
        before, done = done, done + leaves
        if done // 10_000 != before // 10_000:
            print(f"\r{done:,} leaves checked", end="\r", file=sys.stderr, flush=True)  # noqa: T201

    return tell


_EPILOG = "Exit code: 0 when everything asked holds; 2 for a wrong call; otherwise 10 plus the lowest failing level."

if __name__ == "__main__":
    sys.exit(main())
