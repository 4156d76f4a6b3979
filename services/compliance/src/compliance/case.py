"""A case: the dossier as it was filed and everything said about it since, in the order in which it was said."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from compliance.calendars import local_date
from compliance.legal_settings import DEFAULT, Settings
from contracts.dossier import Dossier

SUBMITTED = "request.submitted.v1"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing said: when (aware), its short type such as `opinion.issued.v1`, its data.

    `on` is its date in Europe/Paris; `place` its position in the history of its case, which settles what came first.
    """

    at: datetime
    type: str
    data: Mapping[str, object]
    on: date = field(init=False)
    place: int = field(default=-1, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "on", local_date(self.at))

    def word(self, name: str) -> str:
        """A member that is a text; empty when it is not there or something else."""
        value = self.data.get(name)
        return value if isinstance(value, str) else ""

    def words(self, name: str) -> tuple[str, ...]:
        """A member that is a list of texts; empty when it is not there."""
        value = self.data.get(name)
        if not isinstance(value, list | tuple):
            return ()
        return tuple(word for word in value if isinstance(word, str))

    def number(self, name: str) -> int | None:
        """A member that is a whole number; None when it is not there."""
        value = self.data.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def flag(self, name: str) -> bool:
        """Whether a member is there and true."""
        return self.data.get(name) is True


@dataclass(frozen=True)
class Case:
    """What has been said about one request. The first item of the history is the submission.

    The history may come in any order: it is put in order of instants, ties as given, repeats counted once.
    """

    id: str
    dossier: Dossier
    history: tuple[Item, ...]
    settings: Settings = DEFAULT

    def __post_init__(self) -> None:
        object.__setattr__(self, "history", _in_order(self.history))

    def known_on(self, day: date) -> tuple[Item, ...]:
        """What is known during a day: every item whose local date is not after it, and no other."""
        return self.history[: bisect_right(self.history, day, key=_day_of)]

    def submission(self) -> Item | None:
        """The submission: the first item of that type, or the first item when none says so; None without history."""
        return next((item for item in self.history if item.type == SUBMITTED), next(iter(self.history), None))


def _day_of(item: Item) -> date:
    return item.on


def _instant_of(item: Item) -> datetime:
    return item.at


def _in_order(items: Iterable[Item]) -> tuple[Item, ...]:
    ordered: list[Item] = []
    for item in sorted(items, key=_instant_of):
        if not _repeats(item, ordered):
            place = len(ordered)
            ordered.append(item if item.place == place else _placed(item, place))
    return tuple(ordered)


def _placed(item: Item, place: int) -> Item:
    return replace(item, place=place)


def _repeats(item: Item, ordered: list[Item]) -> bool:
    for earlier in reversed(ordered):
        if earlier.at != item.at:
            return False
        if earlier.type == item.type and earlier.data == item.data:
            return True
    return False
