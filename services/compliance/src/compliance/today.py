"""The day from which a case is seen, and the next day on which something seen from it could change by itself."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time

from compliance.calendars import DAY, PARIS


class Today:
    """Answers every question about the day of an assessment, and remembers the earliest later day on which one of the
    answers would be another. Nothing else may look at the day, or timers would come too late."""

    __slots__ = ("day", "next_change")

    def __init__(self, day: date) -> None:
        self.day = day
        self.next_change: date | None = None

    def is_after(self, last: date) -> bool:
        """Whether a period whose last day is `last` is over."""
        if self.day > last:
            return True
        self._could_change_on(last + DAY)
        return False

    def has_reached(self, first: date) -> bool:
        """Whether what holds from `first` on holds."""
        if first <= self.day:
            return True
        self._could_change_on(first)
        return False

    def watch(self, days: Iterable[date]) -> None:
        """Remember days on which something else could change."""
        for day in days:
            if day > self.day:
                self._could_change_on(day)

    def _could_change_on(self, day: date) -> None:
        if self.next_change is None or day < self.next_change:
            self.next_change = day


def start_of(day: date) -> datetime:
    """The first instant of a local date."""
    return datetime.combine(day, time(), PARIS).astimezone(UTC)
