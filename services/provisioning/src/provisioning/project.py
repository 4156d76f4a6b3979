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

    @property
    def entrants(self) -> tuple[str, ...]:
        """References of the persons who get a login."""
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
    """What the hosting gate found about an environment on a day, criterion by criterion."""

    environment_id: str
    on: date
    criteria: tuple[Criterion, ...]

    @property
    def cleared(self) -> bool:
        """Whether every criterion is met, for every dataset class."""
        return all(criterion.met for criterion in self.criteria)


@dataclass(frozen=True, slots=True)
class Project:
    """One permit and what was made for it.

    standing, why   whether the permit is in force, and the code of what suspended or ended it
    delivered       datasets that holders have delivered (only awaited for a data permit, EHDS:68(7))
    objections      persons who object to this project; `removed` are those taken out of what had been extracted
    extracts        what stands in the workspace; `logins` who has a login there, until the end of `logins_until`
    unlocked        persons may be in: an opening was begun, and nothing has shut the doors since
    delete          the time to keep the closed workspace is over
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

    @property
    def active(self) -> bool:
        """Whether the permit is in force."""
        return self.standing == "active"

    @property
    def cleared(self) -> bool:
        """Whether the last look at the environment cleared it."""
        return self.clearance is not None and self.clearance.cleared

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
        if self.permit.entrants != self.logins:
            return True
        return bool(self.logins) and self.logins_until != self.permit.expires_on

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table in the workspace."""
        return tuple(table for extract in self.extracts for table in extract.tables)
