"""Refusals proposed by rule before any route: who confirmed or set aside what."""

from dataclasses import dataclass

from compliance.case import Item
from compliance.coded import Finding
from compliance.look import Look
from compliance.rules.european_routes import scope
from compliance.rules.stops import EUROPEAN_STOPS, FRENCH_STOPS, stops
from compliance.steps import after
from contracts.dossier import Dossier

OFFER_NATIONAL_ROUTE = Finding("OFFER_NATIONAL_ROUTE", "EHDS:105")


@dataclass(frozen=True, slots=True)
class Standing:
    """The stops that stand today, the codes set aside, who confirmed the refusal, and what made the last stop go."""

    stops: tuple[Finding, ...]
    ignored: frozenset[str]
    confirmed_by: Item | None
    lifted_by: Item | None


def standing_stops(look: Look) -> Standing:
    """Follow the stops through completions, confirmations and overrides; a confirmation is final."""
    ignored: frozenset[str] = frozenset()
    current = _stops(look, look.versions[0].dossier, ignored)
    if not current and len(look.versions) == 1:
        return Standing((), ignored, None, None)
    lifted_by: Item | None = None
    versions = {version.item.place: version.dossier for version in look.versions}
    dossier = look.versions[0].dossier
    for item in after(look.items, look.submission):
        before = current
        if item.place in versions:
            dossier = versions[item.place]
            current = _stops(look, dossier, ignored)
        elif current and item.type == "refusal.overridden.v1":
            ignored |= {finding.code for finding in current}.intersection(item.words("codes"))
            current = _stops(look, dossier, ignored)
        elif current and item.type == "refusal.confirmed.v1":
            return Standing(current, ignored, item, None)
        if before and not current:
            lifted_by = item
    return Standing(current, ignored, None, lifted_by)


def _stops(look: Look, dossier: Dossier, ignored: frozenset[str]) -> tuple[Finding, ...]:
    application = look.application_of(dossier)
    if look.regime == "FR":
        found = stops(application, FRENCH_STOPS)
    else:
        found = stops(application, EUROPEAN_STOPS)
        left = scope(application, ignored)
        if not left.remaining:
            found += left.reasons
    return tuple(finding for finding in found if finding.code not in ignored)


def every_dataset_excluded(look: Look, ignored: frozenset[str]) -> bool:
    """Whether nothing is left to decide on under the European regime (EHDS:105)."""
    return look.regime == "EU" and not scope(look.application, ignored).remaining
