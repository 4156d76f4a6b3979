"""What a verification found: counts, and each failure by level, log and index, never by content."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Level = Literal["L1", "L2", "L3", "L5", "L6"]
"""L2: leaves, blobs, tiles, heads, batches and epochs hold together. L3: what the signer, a witness and the published
checkpoints hold of the trail is what it says. L5: no event was said at another time than tokens allow.
L6: nothing is missing that its producer numbered."""

KEPT = 1_000
"""Failures named one by one; further ones are counted."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that does not hold. `reason` is a kebab-case code, perhaps with a rule or numbers after it."""

    level: Level
    log: str | None
    index: int | None
    reason: str

    def __str__(self) -> str:
        place = self.log or "the trail"
        return f"{self.level} {place}{'' if self.index is None else f' leaf {self.index}'}: {self.reason}"


@dataclass(slots=True)
class Report:
    """The outcome of a verification."""

    logs: int = 0
    leaves: int = 0
    blobs: int = 0
    tiles: int = 0
    batches: int = 0
    sequences: int = 0
    repeats: int = 0
    producers: int = 0
    dropped: int = 0
    failure_count: int = 0
    failures: list[Failure] = field(default_factory=list)
    lowest: Level | None = None

    @property
    def holds(self) -> bool:
        """Whether everything asked is true."""
        return self.failure_count == 0

    @property
    def exit_code(self) -> int:
        """0, or 10 plus the lowest level that failed."""
        return 0 if self.lowest is None else 10 + int(self.lowest[1:])

    def fail(self, level: Level, log: str | None, index: int | None, reason: str) -> None:
        """Adds a failure."""
        self.failure_count += 1
        self.lowest = min(self.lowest or level, level)
        if len(self.failures) < KEPT:
            self.failures.append(Failure(level, log, index, reason))

    def body(self) -> dict[str, object]:
        """The report for machines."""
        counted = ("logs", "leaves", "blobs", "tiles", "batches", "sequences", "repeats", "producers", "dropped")
        return {
            "holds": self.holds,
            **{name: getattr(self, name) for name in counted},
            "failure_count": self.failure_count,
            "failures": [
                {"level": each.level, "log": each.log, "index": each.index, "reason": each.reason}
                for each in self.failures
            ],
        }
