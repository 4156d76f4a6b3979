"""What the window notes about a request, step by step, and the file that these steps make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import JsonValue

from contracts.dossier import Document, Dossier
from intake.problems import Problem


@dataclass(frozen=True, slots=True)
class Kept:
    """A dossier exactly as it was submitted, with the SHA-256 of the bytes it came in (lower-case hex)."""

    revision: int
    data_sha256: str
    dossier: Dossier


@dataclass(frozen=True, slots=True)
class Accepted:
    """The first readable dossier of a request was taken in."""

    kept: Kept
    said_at: datetime
    kind: Literal["accepted"] = "accepted"


@dataclass(frozen=True, slots=True)
class Revised:
    """The dossier on file changed: by a later revision, which is `kept`, or by a completion (`kept` is None)."""

    revision: int
    said_at: datetime
    documents: tuple[Document, ...]
    changes: Mapping[str, JsonValue]
    dossier: Dossier
    kept: Kept | None
    kind: Literal["revised"] = "revised"


@dataclass(frozen=True, slots=True)
class Conflicted:
    """Another body came under a key that is taken, and was not let in."""

    revision: int
    kept_sha256: str
    refused_sha256: str
    kind: Literal["conflicted"] = "conflicted"


@dataclass(frozen=True, slots=True)
class Rejected:
    """What came could not be taken in, for all of these reasons."""

    portal: str
    portal_reference: str
    revision: int
    problems: tuple[Problem, ...]
    data_sha256: str
    kind: Literal["rejected"] = "rejected"


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The portal took its request back."""

    said_at: datetime
    kind: Literal["withdrawn"] = "withdrawn"


@dataclass(frozen=True, slots=True)
class Noted:
    """The portal said something that only later services can weigh."""

    notice: str
    data: Mapping[str, JsonValue]
    said_at: datetime
    kind: Literal["noted"] = "noted"


Step: TypeAlias = Accepted | Revised | Conflicted | Rejected | Withdrawn | Noted


@dataclass(frozen=True, slots=True)
class File:
    """What is on file for a request: its dossier with everything added since, and each submission as it came."""

    portal: str
    portal_reference: str
    dossier: Dossier
    submissions: tuple[Kept, ...]
    additions: tuple[Revised, ...] = ()
    notices: tuple[Noted, ...] = ()
    conflicts: tuple[Conflicted, ...] = ()
    rejected: tuple[Rejected, ...] = ()

    @property
    def latest(self) -> Kept:
        """The submission with the highest revision."""
        return self.submissions[-1]

    def submission(self, revision: int) -> Kept | None:
        """The submission of a revision, if one was taken in."""
        return next((kept for kept in self.submissions if kept.revision == revision), None)


@dataclass(frozen=True, slots=True)
class Unheard:
    """Nothing was taken in yet; refused attempts are remembered so that each is said once."""

    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True, slots=True)
class Open:
    """The request is on file and its portal may add to it."""

    file: File


@dataclass(frozen=True, slots=True)
class Closed:
    """The portal withdrew the request; what is on file stays, and no dossier is taken in for it any more."""

    file: File


State: TypeAlias = Unheard | Open | Closed
NOTHING = Unheard()
