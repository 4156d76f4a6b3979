"""What a verification says: each level by itself, each failure by level, log and index, never by content."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Level(IntEnum):
    """What is asked of a bundle, from its container up."""

    L0 = 0
    L1 = 1
    L2 = 2
    L3 = 3
    L4 = 4
    L5 = 5
    L6 = 6
    L7 = 7

    @property
    def asks(self) -> str:
        return _ASKS[self]


_ASKS = (
    "the container, its names, sizes and set of files",
    "checkpoints signed by a log key that the policy trusts",
    "every leaf, blob and proof leads to the signed root",
    "the checkpoints held from before are extended",
    "the quorum of witnesses cosigned",
    "timestamp tokens of an authority that is trusted",
    "nothing that was numbered is missing",
    "each story is what the leaves tell",
)


class Status(StrEnum):
    """What became of a level."""

    PASS = "pass"
    FAIL = "fail"
    NOT_ASKED = "not-asked"
    NOT_EVALUATED = "not-evaluated"


KEPT = 100
"""Failures of one level that are named; a level that has as many is not looked into further."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that does not hold; `reason` names a rule, never a value."""

    level: Level
    log: str | None
    index: int | None
    reason: str

    def __str__(self) -> str:
        place = "".join((f" {self.log}" if self.log else "", "" if self.index is None else f" leaf {self.index}"))
        return f"{self.level.name}{place}: {self.reason}"


class LevelFailed(Exception):
    """Ends what is being checked: it does not hold. `log` and `index` say where."""

    def __init__(self, level: Level, reason: str, log: str | None = None, index: int | None = None) -> None:
        super().__init__(reason)
        self.failure = Failure(level, log, index, reason)


@dataclass(frozen=True, slots=True)
class SignedLog:
    """One log of a bundle, and who says that this is its root; `cosigned` gives each witness's time in seconds."""

    origin: str
    size: int
    root: bytes
    cosigned: dict[str, int]


@dataclass(slots=True)
class Report:
    """The outcome of a verification."""

    status: dict[Level, Status] = field(default_factory=lambda: dict.fromkeys(Level, Status.NOT_EVALUATED))
    failures: list[Failure] = field(default_factory=list)
    logs: list[SignedLog] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    leaves: int = 0
    blobs: int = 0

    def fail(self, failure: Failure) -> None:
        """Adds a failure, and with it the level's."""
        self.status[failure.level] = Status.FAIL
        if sum(each.level == failure.level for each in self.failures) < KEPT:
            self.failures.append(failure)

    def full(self, level: Level) -> bool:
        """Whether so much failed on this level that more would say nothing."""
        return sum(each.level == level for each in self.failures) >= KEPT

    def settle(self, level: Level, asked: bool = True) -> None:
        """A level that was gone through: it passes unless something failed, or was not asked."""
        if self.status[level] is not Status.FAIL:
            self.status[level] = Status.PASS if asked else Status.NOT_ASKED

    @property
    def lowest(self) -> Level | None:
        """The lowest level that failed."""
        return min((level for level, status in self.status.items() if status is Status.FAIL), default=None)

    @property
    def holds(self) -> bool:
        return self.lowest is None

    @property
    def exit_code(self) -> int:
        """0, or 10 plus the lowest level that failed."""
        return 0 if self.lowest is None else 10 + self.lowest

    def body(self) -> dict[str, object]:
        """The report for machines."""
        return {
            "holds": self.holds,
            "exit_code": self.exit_code,
            "levels": {level.name: str(status) for level, status in self.status.items()},
            "failures": [
                {"level": each.level.name, "log": each.log, "index": each.index, "reason": each.reason}
                for each in self.failures
            ],
            "leaves": self.leaves,
            "blobs": self.blobs,
            "logs": [
                {"origin": log.origin, "size": log.size, "root": log.root.hex(), "cosigned": log.cosigned}
                for log in self.logs
            ],
            "remarks": self.remarks,
        }
