"""What a project may have and what it has: plain values, and the questions that they answer alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from safeguards.hosting import Criterion

Standing = Literal["active", "suspended", "ended"]


@dataclass(frozen=True, slots=True)
class Person:
    """Someone the permit names. Enters only when habilitated and bound by a signed confidentiality undertaking."""

    ref: str
    habilitated: bool
    confidentiality_signed: bool

    @property
    def may_enter(self) -> bool:
        """CSP:L1461-3-I; no workspace opens without accepted terms."""
        return self.habilitated and self.confidentiality_signed


@dataclass(frozen=True, slots=True)
class Grant:
    """One dataset of the permit, with the categories and years that were granted, both years included."""

    dataset_id: str
    version: str
    dataset_class: str
    holder: str
    categories: tuple[str, ...]
    first_year: int
    last_year: int


@dataclass(frozen=True, slots=True)
class Permit:
    """The permit as it now stands; `expires_on` is the last day, ended at 24:00 Europe/Paris."""

    permit_id: str
    version: int
    kind: str
    regime: str
    expires_on: date
    persons: tuple[Person, ...]
    datasets: tuple[Grant, ...]
    environment_id: str | None
    state_body: bool = False
    includes_opted_out: bool = False
    full_birth_date: bool = False
    crosses_potential_identifiers: bool = False
    covers_environments: tuple[str, ...] | None = None

    def covers(self, environment_id: str) -> bool:
        """Whether the impact assessment covers an environment; a dossier without one leaves the choice open."""
        return self.covers_environments is None or environment_id in self.covers_environments

    @property
    def classes(self) -> frozenset[str]:
        """The classes of the datasets, as they were granted."""
        return frozenset(grant.dataset_class for grant in self.datasets)

    @property
    def entrants(self) -> tuple[str, ...]:
        """References of the persons who may get a login; `Project.entrants` are those who also accepted the terms."""
        return tuple(sorted({person.ref for person in self.persons if person.may_enter}))


@dataclass(frozen=True, slots=True)
class Table:
    """The manifest of one table: rows, and a SHA-256 that does not depend on their order."""

    dataset_id: str
    table: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Extract:
    """One dataset as it was extracted: under which grant, with which opt-out list, into which tables."""

    grant: Grant
    tables: tuple[Table, ...]
    opt_out_list_version: int


@dataclass(frozen=True, slots=True)
class Clearance:
    """What the hosting gate found about an environment on a day, criterion by criterion.

    `classes` are the dataset classes it was asked about; None where that was not noted.
    """

    environment_id: str
    on: date
    criteria: tuple[Criterion, ...]
    classes: frozenset[str] | None = None

    @property
    def cleared(self) -> bool:
        """Whether every criterion is met, for every dataset class."""
        return all(criterion.met for criterion in self.criteria)


@dataclass(frozen=True, slots=True)
class Move:
    """A move to another environment, not yet cut over: until then it can be called off and the source stays.

    number       which move of this workspace it is, from 1: at its target it has a place of its own
    copied       the copy is there and its manifests equal the source's
    called_off   why the copy is to be taken away again; empty while the move goes on
    """

    number: int
    target: str
    code: str
    copied: bool = False
    called_off: str = ""


@dataclass(frozen=True, slots=True)
class Leaving:
    """The source after a cut-over, still to be destroyed: where it was and what stood there."""

    environment_id: str
    place: int
    tables: tuple[Table, ...]
    logins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """A difference between what an environment has of a workspace and what it should have."""

    code: str
    object: str

    @property
    def mendable(self) -> bool:
        """Whether it is safe to put right: takes access away, or gives what the permit gives; never touches data."""
        return self.code in MENDABLE


MENDABLE = frozenset(
    {
        "PLACE_LEFT",
        "LOGIN_MISSING",
        "LOGIN_UNKNOWN",
        "LOGIN_SHUT",
        "LOGIN_OPEN",
        "LOGIN_END_WRONG",
        "SESSIONS_LEFT",
        "RIGHT_MISSING",
        "RIGHT_BEYOND",
        "KEY_LEFT",
    }
)


@dataclass(frozen=True, slots=True)
class Project:
    """One permit and what was made for it.

    standing, why   whether the permit is in force, and the code of what suspended or ended it
    delivered       datasets that holders have delivered (only awaited for a data permit, EHDS:68(7))
    objections      persons who object to this project; `removed` are those taken out of what had been extracted
    extracts        what stands in the workspace; `logins` who has a login there, until the end of `logins_until`
    unlocked        persons may be in: an opening was begun, and nothing has shut the doors since
    delete          the time to keep the closed workspace is over
    terms           versions of the terms of use of which each person must have accepted one; none where empty
    accepted        who accepted which version
    drift           differences that a sweep found and that are not known to be gone
    unsure          a step was cut short: what it left is to be put right before anything is given
    place           the number of the move that brought it where it is, 0 at first; `moves` have been planned in all
    move, leaving   the move under way, and the source that a move left behind
    """

    permit: Permit
    environment_id: str | None
    standing: Standing = "active"
    why: str = ""
    delivered: frozenset[str] = frozenset()
    objections: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    clearance: Clearance | None = None
    prepared: bool = False
    extracts: tuple[Extract, ...] = ()
    logins: tuple[str, ...] = ()
    logins_until: date | None = None
    unlocked: bool = False
    delete: bool = False
    moves: int = 0
    place: int = 0
    move: Move | None = None
    leaving: Leaving | None = None
    drift: tuple[Drift, ...] = ()
    unsure: bool = False
    terms: tuple[str, ...] = ()
    accepted: frozenset[tuple[str, str]] = frozenset()

    @property
    def entrants(self) -> tuple[str, ...]:
        """References of the persons who get a login."""
        return tuple(ref for ref in self.permit.entrants if ref not in self.terms_missing)

    @property
    def terms_missing(self) -> tuple[str, ...]:
        """Persons who may enter as soon as they accept the terms of use."""
        if not self.terms:
            return ()
        bound = {ref for ref, version in self.accepted if version in self.terms}
        return tuple(ref for ref in self.permit.entrants if ref not in bound)

    @property
    def mendable(self) -> bool:
        """Whether some difference, known or feared, is safe to put right."""
        return self.unsure or any(drift.mendable for drift in self.drift)

    @property
    def active(self) -> bool:
        """Whether the permit is in force."""
        return self.standing == "active"

    @property
    def cleared(self) -> bool:
        """Whether the last look at the environment cleared it, and the impact assessment covers where a move led."""
        covered = not self.place or self.permit.covers(self.environment_id or "")
        return self.clearance is not None and self.clearance.cleared and covered

    @property
    def unjudged(self) -> bool:
        """Whether the gate has not been asked about some class of the permit."""
        asked = self.clearance.classes if self.clearance else None
        return asked is not None and not self.permit.classes <= asked

    @property
    def may_be_open(self) -> bool:
        """Whether persons may be in: the permit is in force, the environment cleared, and no move under way."""
        return self.active and self.cleared and self.move is None

    @property
    def undoing(self) -> bool:
        """Whether the copy of a move that will not be cut over is to be taken away."""
        return self.move is not None and (bool(self.move.called_off) or self.standing == "ended")

    @property
    def undelivered(self) -> tuple[str, ...]:
        """Granted datasets that a data permit still waits for; a French permit waits for none."""
        if self.permit.kind != "data-permit":
            return ()
        return tuple(grant.dataset_id for grant in self.permit.datasets if grant.dataset_id not in self.delivered)

    @property
    def to_fill(self) -> tuple[Grant, ...]:
        """Datasets to extract now: granted, delivered, and not yet there under the same grant."""
        held = {extract.grant for extract in self.extracts}
        awaited = set(self.undelivered)
        return tuple(grant for grant in self.permit.datasets if grant not in held and grant.dataset_id not in awaited)

    @property
    def to_drop(self) -> tuple[str, ...]:
        """Datasets that stand in the workspace and are no longer granted."""
        granted = {grant.dataset_id for grant in self.permit.datasets}
        return tuple(e.grant.dataset_id for e in self.extracts if e.grant.dataset_id not in granted)

    @property
    def to_remove(self) -> frozenset[str]:
        """Persons to take out of the extracted data: French law gives an objection to a project this effect.

        CSP:R1461-9-II. EHDS:71(3) leaves data that were already made available as they are.
        """
        if self.permit.regime != "FR" or not self.extracts:
            return frozenset()
        return self.objections - self.removed

    @property
    def logins_differ(self) -> bool:
        """Whether the logins are not those of the current permit, or end on another day."""
        if self.entrants != self.logins:
            return True
        return bool(self.logins) and self.logins_until != self.permit.expires_on

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table in the workspace."""
        return tuple(table for extract in self.extracts for table in extract.tables)
