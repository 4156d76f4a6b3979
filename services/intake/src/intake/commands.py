"""What a portal brings to the window, once it could be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from pydantic import JsonValue

from contracts.dossier import Dossier
from intake.dossiers import Completion
from intake.problems import Problem
from intake.references import Named


@dataclass(frozen=True, slots=True)
class Submit:
    """A dossier is handed in; `dossier` is None when `problems` say why it could not be read."""

    portal: str
    portal_reference: str
    revision: int
    dossier: Dossier | None
    problems: tuple[Problem, ...]
    named: Named
    data_sha256: str
    said_at: datetime


@dataclass(frozen=True, slots=True)
class Complete:
    """Documents and members are added to a dossier that is on file."""

    portal: str
    completion: Completion
    problems: tuple[Problem, ...]
    named: Named
    data_sha256: str
    said_at: datetime


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The portal takes its request back."""

    portal: str
    said_at: datetime


@dataclass(frozen=True, slots=True)
class Notify:
    """The portal says anything else about its request; `notice` is the short type, `data` already has its shape."""

    portal: str
    notice: str
    data: Mapping[str, JsonValue]
    named: Named
    data_sha256: str
    said_at: datetime


Command: TypeAlias = Submit | Complete | Withdraw | Notify
NOTHING_NAMED = Named()


def named_by(command: Command) -> Named:
    """What the command names that somebody else must have described."""
    return NOTHING_NAMED if isinstance(command, Withdraw) else command.named
