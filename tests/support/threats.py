"""The threats to the trail, and what each test run saw of them: build/attacks.md and build/threats.md, for people."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

BUILD = Path(__file__).parents[2] / "build"

Threat = tuple[str, str, str]

THREATS: dict[int, Threat] = {
    1: ("ingest bug, stolen service account", "H1 to H9", ""),
    2: ("redelivery, two consumers, a skip", "offset compared and swapped, head locked", ""),
    3: ("crash in a batch", "one transaction", ""),
    4: ("bit flipped in a hash or a row", "two hashes", "signer"),
    5: ("producer forges in its own name", "who may write a topic is the broker's to say", "sequences"),
    6: ("audit service forges or omits", "", "witness"),
    7: ("table owner", "H2 to H11", ""),
    8: ("superuser, crude", "H9 in part", "signer, audit verify"),
    9: ("superuser, careful rewrite", "", "FORK, 422, exit 13"),
    10: ("tail cut", "", "ROLLBACK, 409, exit 13"),
    11: ("root edits the data file", "page checksum", "leaf against tree"),
    12: ("old backup", "signer", "409, then equal root"),
    13: ("whole machine rolled back", "", "witness 409"),
    14: ("database lost", "", "rebuilt to equal roots"),
    15: ("signing key signs two histories", "witness", "422"),
    16: ("operator with one witness", "quorum", "checkpoints printed on permits"),
    17: ("broker's administrator deletes, shortens", "", "log start, sequences"),
    18: ("clock set back", "", "token window"),
    19: ("hostile bundle", "bounds", "L0 to L7"),
    20: ("keys destroyed to hide", "two persons", "nightly check"),
    21: ("guessing from hashes", "encryption first", ""),
    22: ("tailing a serial id, a chain without a lock, jsonb", "", "each shown to fail"),
}
"""Who or what, what prevents it, what finds it."""


def write_table(rows: Iterable[tuple[str, str, str, str]], *, afresh: str) -> None:
    """Replaces the rows of one role in the table of attacks, and keeps those of others."""
    new = [f"| `{statement.replace('|', '¦')}` | {by} | {how} | {what} |" for statement, by, how, what in rows]
    head = ["| statement | by | outcome | by what |", "|---|---|---|---|"]
    with _rows("attacks.md", head) as keep:
        keep(lambda line: f" | {afresh} | " not in line, new)


def write_threats(test: str, numbers: Iterable[int], outcome: str) -> None:
    """Replaces the rows of one test in the table of threats; one that failed in one of its forms failed."""
    if outcome == "failed":
        _FAILED.add(test)
    outcome = "failed" if test in _FAILED else outcome
    new = [f"| {number} | {' | '.join(THREATS[number])} | {test} | {outcome} |" for number in numbers]
    with _rows(
        "threats.md", ["| # | who, what | prevented by | detected by | test | outcome |", "|" + "---|" * 6]
    ) as keep:
        keep(lambda line: f" | {test} | " not in line, new)


_FAILED: set[str] = set()

Keep = Callable[[Callable[[str], bool], list[str]], None]


@contextmanager
def _rows(name: str, head: list[str]) -> Iterator[Keep]:
    """A table that several workers of one run write: one at a time, in the order of numbers where rows have some."""
    BUILD.mkdir(exist_ok=True)
    table = BUILD / name
    with (BUILD / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        old = table.read_text("utf-8").splitlines()[2:] if table.is_file() else []

        def keep(kept: Callable[[str], bool], new: list[str]) -> None:
            rows = [*(line for line in old if kept(line)), *new]
            table.write_text("\n".join([*head, *sorted(rows, key=_number)]) + "\n", "utf-8")

        yield keep


def _number(row: str) -> int:
    found = re.match(r"\| (\d+) \|", row)
    return int(found[1]) if found else 0
