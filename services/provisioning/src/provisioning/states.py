"""The states of a workspace, from the first word about it to its destruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from provisioning.events import Step
from provisioning.project import Project


@dataclass(frozen=True, slots=True)
class Unheard:
    """No permit yet; a delivery, an objection or an acceptance of the terms may already have arrived.

    `everything` = all that will be granted.
    """

    delivered: frozenset[str] = frozenset()
    everything: bool = False
    objections: frozenset[str] = frozenset()
    accepted: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Requested:
    """A permit asks for a workspace; no environment has been cleared for it."""

    project: Project


@dataclass(frozen=True, slots=True)
class Provisioning:
    """The environment was cleared; the workspace is being made and filled."""

    project: Project


@dataclass(frozen=True, slots=True)
class Ready:
    """Filled, and nobody can enter yet."""

    project: Project


@dataclass(frozen=True, slots=True)
class Open:
    """Confirmed open by a probe."""

    project: Project


@dataclass(frozen=True, slots=True)
class Frozen:
    """Nobody can enter; everything is kept, and while a move is under way being copied."""

    project: Project
    code: str


@dataclass(frozen=True, slots=True)
class Closed:
    """Confirmed gone for those who had a login; the data wait for their deletion."""

    project: Project
    code: str


@dataclass(frozen=True, slots=True)
class Destroyed:
    """Nothing is left but the certificate."""

    project: Project
    certificate_sha256: str


Live: TypeAlias = Requested | Provisioning | Ready | Open | Frozen
Settled: TypeAlias = Live | Closed | Destroyed


@dataclass(frozen=True, slots=True)
class PersonNeeded:
    """A step could not be done. What was wished meanwhile is kept; another step that becomes due goes on."""

    inner: Settled
    step: Step
    code: str


State: TypeAlias = Unheard | Settled | PersonNeeded


def project_of(state: State) -> Project | None:
    """The project of a workspace whose permit is known."""
    match state:
        case Unheard():
            return None
        case PersonNeeded(inner):
            return inner.project
        case _:
            return state.project


def settled(state: State) -> Settled | None:
    """The state below the need for a person."""
    match state:
        case Unheard():
            return None
        case PersonNeeded(inner):
            return inner
        case _:
            return state
