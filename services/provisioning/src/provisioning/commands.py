"""What provisioning is told: by permits, by holders and persons, by environments, by an operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from provisioning.events import Done, Examined, Step
from provisioning.project import Clearance, Drift, Permit, Person
from provisioning.project import Grant as Dataset


@dataclass(frozen=True, slots=True)
class Grant:
    """The permit as issued, or as it stands after an amendment; an older version changes nothing."""

    permit: Permit


@dataclass(frozen=True, slots=True)
class Amend:
    """The same permit with other persons and datasets, both lists whole."""

    version: int
    persons: tuple[Person, ...]
    datasets: tuple[Dataset, ...]


@dataclass(frozen=True, slots=True)
class Extend:
    """The same permit with a later last day."""

    version: int
    expires_on: date


@dataclass(frozen=True, slots=True)
class Suspend:
    """The permit is not in force for now."""


@dataclass(frozen=True, slots=True)
class Resume:
    """The permit is in force again."""


@dataclass(frozen=True, slots=True)
class End:
    """The permit ended for good. `delete`: there is no reason left to keep the data."""

    code: str
    delete: bool = False


@dataclass(frozen=True, slots=True)
class Deliver:
    """A holder delivered these datasets; none named means all that are granted."""

    dataset_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Object:
    """A person objects to this project."""

    ref: str


@dataclass(frozen=True, slots=True)
class Judge:
    """The hosting gate was asked."""

    clearance: Clearance


@dataclass(frozen=True, slots=True)
class Unlock:
    """A worker is about to have the workspace opened."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a step brought about."""

    done: Done


@dataclass(frozen=True, slots=True)
class Notice:
    """A sweep compared what should be with what there is: every difference, none if there is none."""

    found: tuple[Drift, ...]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """A step cannot be done without a person. `begun`: its environment may have done something of it."""

    step: Step
    code: str
    begun: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A host whose environment we do not drive says what the state is."""

    state: Literal["open", "frozen", "closed", "destroyed"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Move to the environment that this clearance is about; `code` says why."""

    clearance: Clearance
    code: str


@dataclass(frozen=True, slots=True)
class CallOff:
    """Give up a move that has not been cut over."""

    code: str


@dataclass(frozen=True, slots=True)
class Examine:
    """A result that was to leave got its final verdict."""

    output: Examined


@dataclass(frozen=True, slots=True)
class RaiseAlarm:
    """The data should be gone by now."""


@dataclass(frozen=True, slots=True)
class RequireTerms:
    """Nobody enters without having accepted one of these versions of the terms; none named means nothing is asked."""

    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AcceptTerms:
    """A person accepted a version of the terms of use; `sha256` of the text shown, where a portal says it."""

    ref: str
    version: str
    on: date
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class DeletionDue:
    """The closed workspace need not be kept any longer."""


@dataclass(frozen=True, slots=True)
class LetGo:
    """A step that was begun is no longer due, and nobody has said what it brought about."""

    step: Step


@dataclass(frozen=True, slots=True)
class Retry:
    """A person asks for the step to be tried again, perhaps in an environment that the permit had left open."""

    environment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Abandon:
    """A person gives the workspace up: whatever was made is closed and destroyed."""


Command: TypeAlias = (
    Grant
    | Amend
    | Extend
    | Suspend
    | Resume
    | End
    | Deliver
    | Object
    | Judge
    | Unlock
    | Record
    | Notice
    | GiveUp
    | Report
    | Plan
    | CallOff
    | Examine
    | RaiseAlarm
    | RequireTerms
    | AcceptTerms
    | DeletionDue
    | LetGo
    | Retry
    | Abandon
)
