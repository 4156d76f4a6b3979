"""Running a step: when it started, whether it was extended, which act met it, what its silence means."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date

from compliance.case import Item
from compliance.coded import Finding
from compliance.legal_settings import Law
from compliance.periods import STEPS, Step, due
from compliance.today import Today

RUNNING = "running"
MET = "met"
MET_LATE = "met-late"
ELAPSED = "elapsed"
STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A period as the output shows it."""

    step: str
    starts: date
    due: date
    silence: str
    state: str
    extended: bool = False

    @property
    def citation(self) -> str:
        """The article of its step."""
        return STEPS[self.step].citation

    def stopped(self) -> "Deadline":
        """The period when what it waited for no longer matters; one that is over stays as it ended."""
        return replace(self, state=STOPPED) if self.state == RUNNING else self


@dataclass(frozen=True, slots=True)
class Run:
    """A step as run until today: its deadline, the act that counts, the first that came too late to count, and the
    extensions that changed nothing."""

    deadline: Deadline
    act: Item | None
    too_late: Item | None
    refused_extensions: tuple[Finding, ...]

    @property
    def elapsed(self) -> bool:
        """Whether the period is over without an act that counts."""
        return self.deadline.state == ELAPSED


def always(item: Item) -> bool:
    return True


def never(item: Item) -> bool:
    return False


def run(
    name: str,
    start: date,
    items: Iterable[Item],
    awaited: Callable[[Item], bool],
    today: Today,
    law: Law,
    counts_late: Callable[[Item], bool] = always,
    last: date | None = None,
) -> Run:
    """Run a step over the items that came after its start, in order.

    `awaited` recognises the act; `counts_late` says whether one after the due date still counts; `last` is given where
    the length is not the step's own. An extension counts once, in time, before the act, with reasons where the law asks
    for them; otherwise it changes nothing and says why.
    """
    step = STEPS[name]
    last = last or due(name, start, law=law)
    extended = False
    act: Item | None = None
    too_late: Item | None = None
    refused: list[Finding] = []
    for item in items:
        if item.type == "period.extended.v1" and item.word("step") == name:
            if too_late is not None:
                continue
            failure = _extension_failure(step, extended, item, last)
            if failure is None:
                extended = True
                last = due(name, start, True, law)
            else:
                refused.append(Finding(failure, step.citation))
        elif awaited(item):
            if item.on <= last or counts_late(item):
                act = item
                break
            too_late = too_late or item
    state = _state_of(act, last, today)
    return Run(Deadline(name, start, last, step.silence, state, extended), act, too_late, tuple(refused))


def _state_of(act: Item | None, last: date, today: Today) -> str:
    if act is not None:
        return MET if act.on <= last else MET_LATE
    return ELAPSED if today.is_after(last) else RUNNING


def _extension_failure(step: Step, already: bool, extension: Item, last: date) -> str | None:
    if not step.extension_months:
        return "EXTENSION_NOT_AVAILABLE"
    if already:
        return "EXTENSION_ALREADY_USED"
    if extension.on > last:
        return "EXTENSION_TOO_LATE"
    if step.extension_needs_reasons and not extension.flag("reasons_given"):
        return "EXTENSION_WITHOUT_REASONS"
    return None


def after(items: tuple[Item, ...], start: Item) -> tuple[Item, ...]:
    """The items that came after another one."""
    if items and items[0].place > start.place:
        return items
    return tuple(item for item in items if item.place > start.place)


def same_as(act: Item | None) -> Callable[[Item], bool]:
    """Recognises one act that was found before; none when there is none."""
    return lambda item: act is not None and item.place == act.place


def of(item_type: str, **members: str) -> Callable[[Item], bool]:
    """Recognises items of a type whose members have these values."""
    wanted = tuple(members.items())
    return lambda item: item.type == item_type and all(item.data.get(name) == value for name, value in wanted)
