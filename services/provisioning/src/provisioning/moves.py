"""What the history of a workspace says about its moves, and for how long nobody could enter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from provisioning.events import CalledOff, CutOver, Event, Froze, Left, Opened, Planned, RolledBack

History = Sequence[tuple[datetime, Event]]


@dataclass(frozen=True, slots=True)
class Passage:
    """One move with the instants of its steps; those that have not come are None.

    frozen_at   since when nobody can enter: before the plan where the environment was lost first
    """

    target: str
    code: str
    planned_at: datetime
    frozen_at: datetime | None = None
    cut_over_at: datetime | None = None
    opened_at: datetime | None = None
    left_at: datetime | None = None
    called_off: str | None = None
    rolled_back_at: datetime | None = None

    @property
    def downtime_seconds(self) -> float | None:
        """From the freeze to the opening of the copy; None while nobody was let in, or where nobody was in before."""
        if self.frozen_at is None or self.opened_at is None:
            return None
        return (self.opened_at - self.frozen_at).total_seconds()


def passages(history: History) -> list[Passage]:
    """The moves of a workspace, in order."""
    found: list[Passage] = []
    shut_since: datetime | None = None
    for at, event in history:
        current = found[-1] if found else None
        match event:
            case Opened():
                shut_since = None
            case Froze():
                shut_since = shut_since or at
            case Planned(clearance, code):
                current = Passage(clearance.environment_id, code, at)
                found.append(current)
            case _:
                pass
        if current is not None:
            found[-1] = _after(current, at, event, shut_since)
    return found


def _after(move: Passage, at: datetime, event: Event, shut_since: datetime | None) -> Passage:
    match event:
        case Planned() | Froze() if move.cut_over_at is None and move.rolled_back_at is None:
            return replace(move, frozen_at=shut_since)
        case CutOver():
            return replace(move, cut_over_at=at)
        case Opened() if move.cut_over_at is not None and move.opened_at is None:
            return replace(move, opened_at=at)
        case Left():
            return replace(move, left_at=at)
        case CalledOff(code):
            return replace(move, called_off=code)
        case RolledBack():
            return replace(move, rolled_back_at=at)
        case _:
            return move


def downtime(history: History) -> float | None:
    """For how many seconds nobody could enter during the last move; None where nobody was let in again."""
    moves = passages(history)
    return moves[-1].downtime_seconds if moves else None
