"""The life of a permit: persons, amendments, one extension, suspension, revocation, expiry, closing."""

from dataclasses import dataclass, field
from datetime import date

from compliance.amendments import amended
from compliance.calendars import plus_months
from compliance.case import Item
from compliance.coded import Finding
from compliance.hosting import persons_of
from compliance.look import Look
from compliance.orders import (
    AMENDMENT_ARTICLE,
    AMENDMENT_REFUSED,
    EXCLUSION_CAPPED,
    EXCLUSION_ORDERED,
    LEAVES_NO_DATA,
    Exclusion,
    Order,
    RefusedAmendment,
    order,
    refusal_of,
)
from compliance.periods import due, expires_on
from compliance.procedure import DECLARATION, Grant, Procedure
from contracts.dossier import Person

ACTIVE = "active"
SUSPENDED = "suspended"
REVOKED = "revoked"
EXPIRED = "expired"
CLOSED = "closed"

MAX_EXTENSION_MONTHS = 120
EXTENSION_ARTICLE = "EHDS:68(12)"
ALREADY_GRANTED = Finding("EXTENSION_ALREADY_GRANTED", EXTENSION_ARTICLE)
LATE = Finding("EXTENSION_LATE", EXTENSION_ARTICLE)
OVER_10_YEARS = Finding("EXTENSION_OVER_10_YEARS", EXTENSION_ARTICLE)
WITHOUT_DOCUMENTS = Finding("EXTENSION_WITHOUT_DOCUMENTS", EXTENSION_ARTICLE)
EXCLUSION_CAP_MONTHS = 60


@dataclass(frozen=True, slots=True)
class Extension:
    """The last extension asked for: `requested`, `granted`, or `refused`, with a code when a rule refused it."""

    status: str
    code: str | None


@dataclass(slots=True)
class Permit:
    """A permit as it stands today; read-only once its history has been followed."""

    kind: str
    issued_on: date
    first_expires_on: date
    expires_on: date
    months: int
    persons: tuple[Person, ...]
    datasets: tuple[str, ...]
    granted_at_first: tuple[str, ...]
    status: str = ACTIVE
    version: int = 1
    extension: Extension | None = None
    extension_granted: bool = False
    extension_asked_by: Item | None = None
    excluded_until: date | None = None
    ended_on: date | None = None
    ended_by: Item | None = None
    reasons: list[Finding] = field(default_factory=list)
    refused_extensions: list[Finding] = field(default_factory=list)
    certified_by: Item | None = None
    published_by: Item | None = None
    completed_by: Item | None = None
    ordered: Order | None = None
    """The order by which its status is what it is, if it is by one."""
    orders: list[Order] = field(default_factory=list)
    exclusions: list[Exclusion] = field(default_factory=list)
    refused_amendments: list[RefusedAmendment] = field(default_factory=list)
    _asked_months: int | None = None

    @property
    def ended(self) -> bool:
        """Whether it has expired or was revoked."""
        return self.ended_on is not None

    def over_before(self, item: Item) -> bool:
        """Whether it had ended when something was said."""
        return self.ended_by is not None or item.on > self.expires_on


def follow_permit(look: Look, procedure: Procedure, grant: Grant) -> Permit:
    """Follow a permit from its issue to today."""
    ends = expires_on(grant.issued_on, grant.months)
    permit = Permit(
        kind=grant.kind,
        issued_on=grant.issued_on,
        first_expires_on=ends,
        expires_on=ends,
        months=grant.months,
        persons=_persons_at_issue(look, grant),
        datasets=grant.datasets,
        granted_at_first=grant.datasets,
    )
    for item in look.items:
        if grant.precedes(item):
            _apply(look, permit, item, procedure)
    _end(look, permit)
    return permit


def _persons_at_issue(look: Look, grant: Grant) -> tuple[Person, ...]:
    persons = look.persons_at_first
    for item in look.said("permit.persons-updated.v1"):
        if not grant.precedes(item):
            named = persons_of(item)
            persons = persons if named is None else named
    return persons


def _apply(look: Look, permit: Permit, item: Item, procedure: Procedure) -> None:
    over = permit.over_before(item)
    match item.type:
        case "permit.persons-updated.v1" if not over:
            persons = persons_of(item)
            if persons is not None:
                permit.persons, permit.version = persons, permit.version + 1
        case "amendment.decided.v1" if not over:
            _amend(look, permit, item, procedure)
        case "permit.extension-requested.v1" if look.regime == "EU" and permit.ended_by is None:
            _ask_extension(permit, item, look)
        case "extension.decided.v1" if look.regime == "EU" and not over:
            _decide_extension(permit, item)
        case "incident.reported.v1" if not over:
            permit.status, permit.ordered = SUSPENDED, None
        case "suspension.ordered.v1" if not over:
            _order(look, permit, item, SUSPENDED)
        case "resumption.ordered.v1" if not over:
            _order(look, permit, item, ACTIVE)
        case "revocation.ordered.v1" if not over:
            _order(look, permit, item, REVOKED)
            permit.ended_by, permit.ended_on = item, item.on
        case "exclusion.ordered.v1" if look.regime == "EU":
            _exclude(permit, item)
        case "permit.processing-completed.v1":
            permit.completed_by = permit.completed_by or item
        case "permit.results-published.v1" if over or permit.completed_by is not None:
            permit.published_by = permit.published_by or item
        case "deletion.certified.v1" if over and item.word("scope") in ("all", ""):
            permit.certified_by = permit.certified_by or item


def _order(look: Look, permit: Permit, item: Item, status: str) -> None:
    permit.status, permit.ordered = status, order(item, look.regime)
    permit.orders.append(permit.ordered)


def _amend(look: Look, permit: Permit, item: Item, procedure: Procedure) -> None:
    """A granted amendment holds, without what the resolver excludes (EHDS:68(13)).

    One that would leave no dataset is no amendment but a revocation, which has to be ordered as such. In France the
    change is refused under the article of the route that the permit rests on.
    """
    article = AMENDMENT_ARTICLE if look.regime == "EU" else str(procedure.citation)
    refused: tuple[Finding, ...] = ()
    datasets: tuple[str, ...] = ()
    if item.word("verdict") == "refused":
        refused = (Finding(AMENDMENT_REFUSED, article),)
    elif item.word("verdict") == "granted":
        route = procedure.route if permit.kind == DECLARATION else None
        datasets, refused = amended(look, item, permit.datasets, route)
        if datasets:
            permit.datasets, permit.version = datasets, permit.version + 1
        else:
            refused = (*refused, Finding(LEAVES_NO_DATA, article))
    if refused:
        permit.reasons.extend(refused)
        permit.refused_amendments.append(refusal_of(item, refused, wholly=not datasets))


def _ask_extension(permit: Permit, item: Item, look: Look) -> None:
    """Once, at least a month before the end, for ten years at most, with documents (EHDS:68(12))."""
    months = item.number("months") or 0
    latest = due("extension_request", permit.first_expires_on, law=look.law)
    if item.on <= latest:
        permit.extension_asked_by = permit.extension_asked_by or item
    refused: Finding | None = None
    if permit.extension_granted:
        refused = ALREADY_GRANTED
    elif item.on > latest:
        refused = LATE
    elif months > MAX_EXTENSION_MONTHS:
        refused = OVER_10_YEARS
    elif not item.flag("documents"):
        refused = WITHOUT_DOCUMENTS
    if refused is None:
        permit.extension, permit._asked_months = Extension("requested", None), months
    else:
        permit.extension = Extension("refused", refused.code)
        permit.refused_extensions.append(refused)


def _decide_extension(permit: Permit, item: Item) -> None:
    """Decide the request that waits; one that a rule refused in the meantime has not taken its place."""
    months = permit._asked_months
    if months is None:
        return
    if item.word("verdict") == "refused":
        permit.extension, permit._asked_months = Extension("refused", None), None
    elif item.word("verdict") == "granted":
        permit.extension, permit._asked_months = Extension("granted", None), None
        permit.extension_granted = True
        permit.months += months
        permit.expires_on = expires_on(permit.issued_on, permit.months)
        permit.version += 1


def _exclude(permit: Permit, item: Item) -> None:
    """Excluded for five years at most from the day of the order (EHDS:63(3))."""
    try:
        until = date.fromisoformat(item.word("until"))
    except ValueError:
        return
    latest = plus_months(item.on, EXCLUSION_CAP_MONTHS)
    reasons = (EXCLUSION_ORDERED, EXCLUSION_CAPPED) if until > latest else (EXCLUSION_ORDERED,)
    permit.reasons.extend(reasons)
    permit.excluded_until = min(until, latest)
    permit.exclusions.append(Exclusion(item.at, permit.excluded_until, reasons))


def _end(look: Look, permit: Permit) -> None:
    if permit.ended_by is None and look.today.is_after(permit.expires_on):
        permit.status, permit.ended_on = EXPIRED, permit.expires_on
    if permit.ended and permit.certified_by is not None and permit.published_by is not None:
        permit.status = CLOSED
