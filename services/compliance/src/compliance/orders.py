"""What bodies order or refuse in the life of a permit, each with its article: suspension, resumption, revocation,
exclusion, a change of its data (EHDS:63(3), 68(13); in France as for any breach, CSP:L1461-1)."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from compliance.case import Item
from compliance.coded import Finding

CODES: Final[dict[str, str]] = {
    "suspension.ordered.v1": "SUSPENSION_ORDERED",
    "resumption.ordered.v1": "RESUMPTION_ORDERED",
    "revocation.ordered.v1": "REVOCATION_ORDERED",
}
ARTICLES: Final[dict[str, str]] = {"FR": "CSP:L1461-1", "EU": "EHDS:63(3)"}
"""Where a body takes the power to order from. The French text speaks of the SNDS only (confidence: low)."""

EXCLUSION_ORDERED: Final = Finding("EXCLUSION_ORDERED", "EHDS:63(3)")
EXCLUSION_CAPPED: Final = Finding("EXCLUSION_CAPPED", "EHDS:63(3)")
AMENDMENT_ARTICLE: Final = "EHDS:68(13)"
AMENDMENT_REFUSED: Final = "AMENDMENT_REFUSED"
LEAVES_NO_DATA: Final = "AMENDMENT_LEAVES_NO_DATA"


@dataclass(frozen=True, slots=True)
class Order:
    """A suspension, a resumption or a revocation that took effect."""

    at: datetime
    code: str
    citation: str

    @property
    def finding(self) -> Finding:
        return Finding(self.code, self.citation)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An exclusion from access until a day, and why that day."""

    at: datetime
    until: date
    reasons: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class RefusedAmendment:
    """Datasets that were to come or go and do not, and why."""

    at: datetime
    add_datasets: tuple[str, ...]
    remove_datasets: tuple[str, ...]
    reasons: tuple[Finding, ...]


def order(item: Item, regime: str) -> Order:
    """The order that an act gives."""
    return Order(item.at, CODES[item.type], ARTICLES[regime])


def refusal_of(item: Item, reasons: tuple[Finding, ...], wholly: bool) -> RefusedAmendment:
    """What an amendment asked for and does not get: everything, or the datasets that its reasons name."""
    add, remove = item.words("add_datasets"), item.words("remove_datasets")
    if not wholly:
        named = {reason.subject for reason in reasons}
        add, remove = tuple(each for each in add if each in named), ()
    return RefusedAmendment(item.at, add, remove, reasons)
