"""What every rule answers with: a code and the article it rests on, sometimes about one person or one dataset."""

from collections.abc import Iterable
from typing import NamedTuple


class Finding(NamedTuple):
    """A reason, a missing item, a condition or an action. `subject` is a person's reference or a dataset's id."""

    code: str
    citation: str
    subject: str | None = None

    def about(self, subject: str) -> "Finding":
        """The same about one person or one dataset."""
        return self._replace(subject=subject)

    def as_json(self) -> dict[str, str]:
        """As the output shows it: the subject only where there is one."""
        shown = {"code": self.code, "citation": self.citation}
        if self.subject is not None:
            shown["subject"] = self.subject
        return shown


class Alternative(NamedTuple):
    """A route that stands before the chosen one, with the first of its conditions that fails."""

    route: str
    code: str
    citation: str


def once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings in order, each once."""
    return tuple(dict.fromkeys(findings))
