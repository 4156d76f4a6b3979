"""The French regime: from a complete dossier to an outcome, route by route."""

from collections.abc import Callable
from datetime import date
from itertools import pairwise

from compliance.authority import decide_by_authority, decide_by_authority_once_seized, hdh_approval
from compliance.case import Item
from compliance.coded import Finding
from compliance.completeness import Completeness, Version, follow
from compliance.look import Look
from compliance.opinions import Opinion, note_recommendations, research_committee, standing_opinions
from compliance.procedure import BLOCKED, DECLARATION, POSITIVE, START_ALLOWED, Grant, Procedure
from compliance.refusals import Standing
from compliance.rules import french_routes as fr
from compliance.rules.documents import (
    DECLARED,
    FRENCH_ITEMS,
    REGISTERED,
    missing_in_france,
    needs_warehouse_committee,
)
from compliance.rules.routes import Choice, choose
from compliance.seizure import switched_to_standard
from contracts.dossier import Dossier

NOTIFY_MISSING_ITEMS = "NOTIFY_MISSING_ITEMS"
RECORD_OF_PROCESSING = Finding("RECORD_OF_PROCESSING", "GDPR:30")
PERMANENT_CONDITIONS = (
    Finding("KEEP_LIST_OF_PROCESSINGS", "CSP:L1461-3-III"),
    Finding("PUBLISH_PROJECT", "CSP:R1461-9-I"),
)
CNAM_AGREEMENT = Finding("CNAM_AGREEMENT", "CSP:R1461-1")
SNDS_SECURITY = Finding("SNDS_SECURITY", "A2024-05-06")
SEND_TO_HDH = Finding("SEND_TO_HDH_BEFORE_START", "CSP:L1461-3")
SEND_RESULTS = Finding("SEND_RESULTS_TO_HDH", "CSP:L1461-3")
CPP_NOT_FAVOURABLE = Finding("CPP_NOT_FAVOURABLE", "LIL:76")
CSE_NOT_FAVOURABLE = Finding("CSE_NOT_FAVOURABLE", "CNIL:2018-155")
OFFER_AUTHORITY_ROUTE = Finding("OFFER_AUTHORITY_ROUTE", "D2019-536:91")


def decide_in_france(look: Look, standing: Standing) -> Procedure:
    """Take the route the dossier fits and follow it as far as today."""
    shown = Procedure()
    choice = _choice(look, look.dossier)
    committee_route = choice.route in (fr.FR_MR007, fr.FR_MR008)
    switch = switched_to_standard(look, choice, _completeness, standing) if committee_route else None
    if switch is not None:
        choice = switch.choice
    shown.follow(choice)
    current = look.dossier

    def route_of(dossier: Dossier) -> str:
        return choice.route if switch is not None or dossier is current else _choice(look, dossier).route

    complete = _completeness(look, look.versions, route_of)
    formalities = _formalities(look, choice, complete)
    shown.missing = (*complete.missing, *formalities)
    if switch is not None:
        research_committee(look, look.items, switch.completed_by, shown)
    if complete.completed_by is None:
        shown.status = "incomplete"
        shown.actions.append(Finding(NOTIFY_MISSING_ITEMS, complete.missing[0].citation))
        return shown
    begun = _later(complete.completed_by, standing.lifted_by)
    shown.complete_on = complete.completed_by.on
    if switch is not None:
        decide_by_authority_once_seized(look, shown, switch.opinion, switch.seized_by)
    else:
        _ROUTES[choice.route](look, shown, complete.completed_by, begun)
    _conditions(look, shown)
    return shown


def _choice(look: Look, dossier: Dossier) -> Choice:
    application = look.application_of(dossier)
    return choose(application, fr.french_routes(application))


def _completeness(
    look: Look, versions: tuple[Version, ...], route_of: Callable[[Dossier], str] | None = None
) -> Completeness:
    def missing(dossier: Dossier) -> tuple[Finding, ...]:
        route = route_of(dossier) if route_of is not None else _choice(look, dossier).route
        return missing_in_france(look.application_of(dossier), route)

    def article(code: str, dossier: Dossier) -> str | None:
        if code == "DIRECTORY_REGISTRATION":
            return _choice(look, dossier).citation
        return FRENCH_ITEMS.get(code)

    return follow(versions, missing, article)


def _later(one: Item, other: Item | None) -> Item:
    return one if other is None or other.place < one.place else other


def _formalities(look: Look, choice: Choice, complete: Completeness) -> tuple[Finding, ...]:
    """The declaration (LIL:66-II) and the directory entry (the route's text) that are not there today."""
    objected, dossier, today = complete.objected_formalities, look.dossier, look.today
    missing: list[Finding] = []
    if choice.route in DECLARED:
        act = dossier.conformity_declared
        if act is None or not today.has_reached(act.date) or "CONFORMITY_DECLARATION" in objected:
            missing.append(Finding("CONFORMITY_DECLARATION", "LIL:66-II"))
    if choice.route in REGISTERED:
        act = dossier.directory_registered
        if act is None or not today.has_reached(act.date) or "DIRECTORY_REGISTRATION" in objected:
            missing.append(Finding("DIRECTORY_REGISTRATION", choice.citation))
    return tuple(found for found in missing if found.code not in look.law.set_aside)


def _exempt(look: Look, shown: Procedure, completed_by: Item, begun: Item) -> None:
    shown.decide(START_ALLOWED)
    shown.conditions.append(RECORD_OF_PROCESSING)


def _permanent(look: Look, shown: Procedure, completed_by: Item, begun: Item) -> None:
    shown.decide(START_ALLOWED if look.gate.holds_now(look.today) else BLOCKED)
    shown.conditions.extend(PERMANENT_CONDITIONS)


def _with_protection_committee(look: Look, shown: Procedure, completed_by: Item, begun: Item) -> None:
    """MR-001 and MR-003: the CPP's opinion, then the formality, then the gate."""
    _after_standing_opinion("CPP", CPP_NOT_FAVOURABLE, look, shown, completed_by)


def _warehouse_study(look: Look, shown: Procedure, completed_by: Item, begun: Item) -> None:
    """MR-004: the warehouse committee's opinion if a source is a warehouse, then formalities and gate."""
    if needs_warehouse_committee(look.application):
        _after_standing_opinion("CSE", CSE_NOT_FAVOURABLE, look, shown, completed_by)
    else:
        _declare(look, shown, completed_by)


def _after_standing_opinion(body: str, unfavourable: Finding, look: Look, shown: Procedure, completed_by: Item) -> None:
    opinions = standing_opinions(look, body)
    if not opinions:
        shown.status = "awaiting_opinion"
        return
    opinion = _opinion_that_counts(look, shown, completed_by, opinions)
    note_recommendations(opinion, shown)
    if not opinion.expressly_favourable(look):
        shown.decide(BLOCKED)
        shown.reasons.append(unfavourable)
        return
    _declare(look, shown, completed_by, opinion.on)


def _opinion_that_counts(look: Look, shown: Procedure, completed_by: Item, opinions: tuple[Opinion, ...]) -> Opinion:
    """The last opinion, unless the declaration already stood on an earlier one when the next was given: what a
    committee says afterwards undoes nothing and moves no date."""
    if not shown.missing:
        for opinion, following in pairwise(opinions):
            stood_on = _stands_from(look, shown, completed_by, opinion.on)
            if opinion.expressly_favourable(look) and stood_on < following.on and look.gate_then.holds(stood_on):
                return opinion
    return opinions[-1]


def _formalities_only(look: Look, shown: Procedure, completed_by: Item, begun: Item) -> None:
    """MR-005, MR-006, referential of warehouses: formalities and gate."""
    _declare(look, shown, completed_by)


def _with_research_committee(look: Look, shown: Procedure, completed_by: Item, begun: Item) -> None:
    """MR-007 and MR-008: only an expressly favourable opinion makes the declaration enough."""
    stage = research_committee(look, after_begun(look, begun), completed_by, shown)
    if stage.received is None:
        shown.status = "awaiting_transmission"
    elif stage.opinion is None:
        shown.status = "awaiting_opinion"
    elif stage.opinion.expressly_favourable(look):
        _declare(look, shown, completed_by, stage.opinion.on)
        if shown.outcome == START_ALLOWED:
            shown.conditions.append(CNAM_AGREEMENT)
    else:
        shown.reasons.append(Finding("OPINION_NOT_EXPRESSLY_FAVOURABLE", str(shown.citation)))
        opinion = stage.opinion
        choices = (item for item in look.said("request.authority-chosen.v1") if opinion.precedes(item))
        # Seizing the authority has already changed the route, so what is left is to stop or to wait.
        if any(item.word("choice") == "stop" for item in choices):
            shown.withdraw()
        else:
            shown.status = "awaiting_applicant"
            shown.actions.append(OFFER_AUTHORITY_ROUTE)


def _sample(look: Look, shown: Procedure, completed_by: Item, begun: Item) -> None:
    """The simplified procedure for the sample: HDH decides (confidence: medium)."""
    hdh_approval(look, shown, completed_by, after_begun(look, begun))
    if shown.outcome in POSITIVE:
        shown.conditions.append(SNDS_SECURITY)


def _standard(look: Look, shown: Procedure, completed_by: Item, begun: Item) -> None:
    """The authorisation: with CESREES, with a CPP when persons are involved, without opinion for a warehouse."""
    dossier = look.dossier
    if dossier.research_type in fr.INVOLVING_PERSONS:
        opinions = standing_opinions(look, "CPP")
        if not opinions:
            shown.status = "awaiting_opinion"
            return
        note_recommendations(opinions[-1], shown)
        decide_by_authority(look, shown, opinions, begun, chosen=True)
    elif dossier.creates_warehouse:
        decide_by_authority(look, shown, (), begun, chosen=True)
    else:
        stage = research_committee(look, after_begun(look, begun), completed_by, shown)
        if stage.received is None:
            shown.status = "awaiting_transmission"
        elif stage.opinion is None:
            shown.status = "awaiting_opinion"
        else:
            decide_by_authority(look, shown, (stage.opinion,), begun, chosen=False)


def after_begun(look: Look, begun: Item) -> tuple[Item, ...]:
    """The acts that came once the steps could start."""
    return tuple(item for item in look.items if item.place > begun.place)


def _declare(look: Look, shown: Procedure, completed_by: Item, opinion_on: date | None = None) -> None:
    """A declaration is enough once the formalities are done; blocked when the gate fails now and failed that day."""
    if shown.missing:
        shown.status = "awaiting_formality"
        return
    dossier = look.dossier
    issued_on = _stands_from(look, shown, completed_by, opinion_on)
    if not look.gate.holds_now(look.today) and not look.gate_then.holds(issued_on):
        shown.decide(BLOCKED)
        return
    shown.decide(START_ALLOWED)
    datasets = tuple(dataset.dataset_id for dataset in dossier.data.datasets)
    shown.grant = Grant(DECLARATION, issued_on, dossier.requested_months, datasets)


def _stands_from(look: Look, shown: Procedure, completed_by: Item, opinion_on: date | None) -> date:
    """The latest of the complete date, the dates of the formalities and the date of the opinion."""
    dossier = look.dossier
    dates = [completed_by.on]
    if opinion_on is not None:
        dates.append(opinion_on)
    if shown.route in DECLARED and dossier.conformity_declared is not None:
        dates.append(dossier.conformity_declared.date)
    if shown.route in REGISTERED and dossier.directory_registered is not None:
        dates.append(dossier.directory_registered.date)
    return max(dates)


def _conditions(look: Look, shown: Procedure) -> None:
    if shown.outcome not in POSITIVE or not look.application.has_snds():
        return
    if shown.grant is not None and shown.grant.kind != DECLARATION:
        shown.conditions.append(SEND_TO_HDH)
    shown.conditions.append(SEND_RESULTS)


_ROUTES: dict[str, Callable[[Look, Procedure, Item, Item], None]] = {
    fr.FR_EXEMPT_INTERNAL: _exempt,
    fr.FR_PERMANENT: _permanent,
    fr.FR_SINGLE_DECISION: _standard,
    fr.FR_MR001: _with_protection_committee,
    fr.FR_MR003: _with_protection_committee,
    fr.FR_MR004: _warehouse_study,
    fr.FR_MR005: _formalities_only,
    fr.FR_MR006: _formalities_only,
    fr.FR_MR007: _with_research_committee,
    fr.FR_MR008: _with_research_committee,
    fr.FR_SIMPLIFIED_SAMPLE: _sample,
    fr.FR_REFERENTIEL_EDS: _formalities_only,
    fr.FR_STANDARD: _standard,
}
