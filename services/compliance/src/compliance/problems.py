"""What can be wrong with a case or its reference data: named, all at once, never with a value."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: a kebab-case code, where it is (an RFC 6901 pointer or a file name), what is expected there."""

    code: str
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.where}: {self.detail} ({self.code})"


class CaseError(ValueError):
    """A case that cannot be assessed, with every problem found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


class OutOfCalendar(CaseError):
    """A date or a period that leaves the calendar the law can be applied to."""

    def __init__(self, where: str) -> None:
        super().__init__([Problem("date-out-of-range", where, "a date between 1900 and 2199 is expected")])
