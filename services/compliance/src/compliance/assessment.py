"""What the law says about a case on a day: the one function that `guichet assess` and the service both run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from compliance.acts import without_effect
from compliance.appeals import Appeal, appeals_in
from compliance.case import Case
from compliance.coded import Alternative, Finding, once
from compliance.duties import follow_duties
from compliance.hosting import Gate
from compliance.incidents import report_incidents
from compliance.legal_settings import DEFAULT, Settings
from compliance.look import Look
from compliance.opt_outs import OptOut, opt_outs
from compliance.orders import Exclusion, Order, RefusedAmendment
from compliance.outputs import Output, outputs
from compliance.packs import pack_for
from compliance.permit import ACTIVE, Extension, Permit, follow_permit
from compliance.problems import CaseError, Problem
from compliance.procedure import (
    ANSWERED,
    CONVERTED,
    LAPSED,
    NOT_AUTHORISED,
    POSITIVE,
    REFUSED,
    START_ALLOWED,
    WITHDRAWN,
    Breach,
    Procedure,
)
from compliance.proceedings import Known, known, proceed
from compliance.reference import Reference
from compliance.register import Register, register
from compliance.rules.documents import current_documents
from compliance.rules.european_routes import EU_STATISTICS_REQUEST, applicable_categories
from compliance.rules.french_routes import FR_EXEMPT_INTERNAL, FR_PERMANENT
from compliance.steps import Deadline
from compliance.today import Today
from contracts.dossier import Dossier, Person
from safeguards.hosting import Need

ENVIRONMENT_TO_BE_CLEARED = Finding("ENVIRONMENT_TO_BE_CLEARED", "CSP:L1111-8")
ENDED_WITHOUT_ACCESS = frozenset({REFUSED, NOT_AUTHORISED, LAPSED, CONVERTED, ANSWERED, WITHDRAWN})


@dataclass(frozen=True, slots=True)
class EnvironmentView:
    """The hosting environment as the gate sees it on the day."""

    environment_id: str
    findings: tuple[Finding, ...]

    @property
    def cleared(self) -> bool:
        return not self.findings


@dataclass(frozen=True, slots=True)
class PermitView:
    """A permit as it stands on the day; persons are references, datasets ids."""

    kind: str
    status: str
    version: int
    issued_on: date
    expires_on: date
    months: int
    persons: tuple[str, ...]
    datasets: tuple[str, ...]
    form: str
    includes_opted_out: bool
    extension: Extension | None
    excluded_until: date | None


@dataclass(frozen=True, slots=True)
class PermittedDataset:
    """A dataset of a permit, as provisioning needs it; `years` are the first and the last."""

    dataset_id: str
    version: str
    source: str
    dataset_class: str
    holder: str
    categories: tuple[str, ...]
    years: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Particulars:
    """What facts about a case say beside its assessment, as of the same day."""

    title: str
    organisation: str
    complete_on: date | None
    persons: tuple[Person, ...]
    datasets: tuple[PermittedDataset, ...]
    full_birth_date: bool
    crosses_potential_identifiers: bool
    state_body: bool
    covers_environments: tuple[str, ...] | None = None
    """What the impact assessment covers; None when the dossier has none."""
    breaches: tuple[Breach, ...] = ()
    orders: tuple[Order, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    refused_amendments: tuple[RefusedAmendment, ...] = ()
    appeals: tuple[Appeal, ...] = ()
    held: PermitView | None = None
    """The permit that was issued and is not shown while the case is blocked (see `held`)."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """The assessment of a case on a day. `next_change` is the earliest later day on which it
    could differ without anything new being said; None when it never will."""

    case_id: str
    regime: str
    as_of: date
    rule_pack: str
    route: str | None
    citation: str | None
    alternatives: tuple[Alternative, ...]
    status: str
    outcome: str | None
    start_allowed: bool
    reasons: tuple[Finding, ...]
    missing: tuple[Finding, ...]
    deadlines: tuple[Deadline, ...]
    conditions: tuple[Finding, ...]
    actions: tuple[Finding, ...]
    datasets: tuple[tuple[str, str], ...]
    environment: EnvironmentView | None
    permit: PermitView | None
    opt_outs: tuple[OptOut, ...]
    outputs: tuple[Output, ...]
    register: Register
    particulars: Particulars
    next_change: date | None

    def as_json(self) -> dict[str, object]:
        """Exactly the output of `guichet assess`."""
        from compliance.shown import shown

        return shown(self)

    def differs_from(self, other: Assessment) -> bool:
        """Whether anything but the day of the assessment and of its next change differs."""
        return replace(self, as_of=other.as_of, next_change=other.next_change) != other


def assess(case: Case, as_of: date, reference: Reference, settings: Settings | None = None) -> Assessment:
    """Assess a case as of a day, knowing every item whose local date is not after it, and no other.

    `settings` are those of the deployment; the case's own stand before them. Pure: equal inputs give equal answers.
    Raises CaseError when nothing was submitted by that day, a reference is unknown, or a date leaves the calendar.
    """
    submission = case.submission()
    if submission is None or submission.on > as_of:
        raise CaseError([Problem("not-submitted", "/as_of", "a day on or after the submission is expected")])
    pack = pack_for(submission.on)
    law = _settings(case, settings).at(submission.on)
    today = Today(as_of)
    seen = known(case, submission, case.known_on(as_of), reference, law, pack.regime)
    look, procedure = proceed(seen, today)
    permit = None
    if procedure.grant is not None:
        permit = follow_permit(look, procedure, procedure.grant)
        procedure.reasons.extend((*permit.reasons, *permit.refused_extensions))
        if permit.ordered is not None:
            procedure.reasons.append(permit.ordered.finding)
        if look.regime == "EU":
            follow_duties(look, procedure, procedure.grant, permit)
    _incidents(look, procedure)
    gate = _gate(seen, look, procedure, permit)
    environment = _environment(gate, procedure, permit, today)
    persons_missing = gate.person_findings() if gate is not None else ()
    procedure.reasons.extend(persons_missing)
    for at, found in without_effect(seen.acts, pack.regime):
        procedure.reasons.append(found)
        procedure.breaches.append(Breach(at, found.code, found.citation))
    appeals = appeals_in(look)
    procedure.reasons.extend(appeal.lodged for appeal in appeals)
    listed = opt_outs(look, procedure)
    applies = () if procedure.route is None else (Finding("ROUTE_APPLIES", str(procedure.citation)),)
    passed = (environment is None or environment.cleared) and not persons_missing
    dossier = look.dossier
    return Assessment(
        case_id=case.id,
        regime=pack.regime,
        as_of=as_of,
        rule_pack=pack.name,
        route=procedure.route,
        citation=procedure.citation,
        alternatives=procedure.alternatives,
        status=procedure.status,
        outcome=procedure.outcome,
        start_allowed=_start_allowed(procedure, permit, passed),
        reasons=once((*applies, *procedure.reasons)),
        missing=procedure.missing,
        deadlines=tuple(procedure.deadlines),
        conditions=once(procedure.conditions),
        actions=once(procedure.actions),
        datasets=_datasets(look, procedure, permit),
        environment=environment,
        permit=None if permit is None else _permit_view(permit, dossier, procedure),
        opt_outs=listed,
        outputs=outputs(look),
        register=register(look, procedure),
        particulars=_particulars(look, procedure, permit, appeals),
        next_change=today.next_change,
    )


def next_change(case: Case, assessment: Assessment, as_of: date) -> date | None:
    """The earliest day after `as_of` on which the assessment could differ with no new item; never too late.

    `assessment` is the one of that day: it remembers every date it looked at.
    """
    if assessment.as_of != as_of or assessment.case_id != case.id:
        raise CaseError([Problem("other-assessment", "/as_of", "the assessment of this case on this day is expected")])
    return assessment.next_change


def _settings(case: Case, settings: Settings | None) -> Settings:
    if settings is None or settings == DEFAULT:
        return case.settings
    overrides = dict(settings.overrides) | dict(case.settings.overrides)
    return Settings(tuple(sorted(overrides.items())), settings.set_aside | case.settings.set_aside)


def _incidents(look: Look, procedure: Procedure) -> None:
    grant = procedure.grant
    if grant is not None:
        report_incidents(look, procedure, tuple(item for item in look.items if grant.precedes(item)))
    elif procedure.outcome == START_ALLOWED:
        report_incidents(look, procedure, look.items)


def _gate(seen: Known, look: Look, procedure: Procedure, permit: Permit | None) -> Gate | None:
    """The start gate of the day; None on the exempt and statistics routes and at a stop."""
    if procedure.stopped_by_rule or procedure.route in (FR_EXEMPT_INTERNAL, EU_STATISTICS_REQUEST):
        return None
    if permit is not None:
        datasets: tuple[str, ...] = permit.datasets
    elif procedure.datasets:
        datasets = tuple(d for d, decision in procedure.datasets.items() if decision != "excluded")
    else:
        datasets = tuple(dataset.dataset_id for dataset in look.dossier.data.datasets)
    classes = frozenset(look.reference.datasets[dataset_id].dataset_class for dataset_id in datasets)
    persons = look.gate.persons if permit is None else permit.persons
    return Gate(look.gate.environment, persons, Need(classes, look.dossier.applicant.state_body, look.regime))


def _environment(
    gate: Gate | None, procedure: Procedure, permit: Permit | None, today: Today
) -> EnvironmentView | None:
    if gate is None:
        return None
    if gate.environment is None:
        if procedure.outcome not in ENDED_WITHOUT_ACCESS:
            procedure.conditions.append(ENVIRONMENT_TO_BE_CLEARED)
        return None
    gate.holds_now(today)
    findings = gate.environment_findings(today.day)
    procedure.reasons.extend(findings)
    if findings and permit is not None and permit.status == ACTIVE:
        procedure.actions.append(Finding("FREEZE_AND_REHOST", findings[0].citation))
    return EnvironmentView(gate.environment.environment_id, findings)


def _start_allowed(procedure: Procedure, permit: Permit | None, gate_passed: bool) -> bool:
    if procedure.route in (FR_EXEMPT_INTERNAL, FR_PERMANENT):
        return procedure.outcome == START_ALLOWED
    return permit is not None and permit.status == ACTIVE and gate_passed


def _datasets(look: Look, procedure: Procedure, permit: Permit | None) -> tuple[tuple[str, str], ...]:
    asked = [dataset.dataset_id for dataset in look.dossier.data.datasets]
    if look.regime == "EU":
        decisions = {dataset_id: procedure.datasets.get(dataset_id, "pending") for dataset_id in asked}
    else:
        decision = "pending"
        if procedure.outcome in POSITIVE:
            decision = "granted"
        elif procedure.outcome in (REFUSED, NOT_AUTHORISED):
            decision = "refused"
        decisions = dict.fromkeys(asked, decision)
    if permit is not None:
        decisions.update((dataset_id, "granted") for dataset_id in permit.datasets)
    return tuple(decisions.items())


def _permit_view(permit: Permit, dossier: Dossier, procedure: Procedure) -> PermitView:
    return PermitView(
        kind=permit.kind,
        status=permit.status,
        version=permit.version,
        issued_on=permit.issued_on,
        expires_on=permit.expires_on,
        months=permit.months,
        persons=tuple(person.ref for person in permit.persons),
        datasets=permit.datasets,
        form=dossier.data.form,
        includes_opted_out=procedure.exception_applied,
        extension=permit.extension,
        excluded_until=permit.excluded_until,
    )


def _particulars(look: Look, procedure: Procedure, permit: Permit | None, appeals: tuple[Appeal, ...]) -> Particulars:
    dossier = look.dossier
    return Particulars(
        title=dossier.title,
        organisation=dossier.applicant.organisation,
        complete_on=procedure.complete_on,
        persons=() if permit is None else permit.persons,
        datasets=() if permit is None else _permitted(look, permit),
        full_birth_date=dossier.data.full_birth_date,
        crosses_potential_identifiers=dossier.data.crosses_potential_identifiers,
        state_body=dossier.applicant.state_body,
        covers_environments=_covered(dossier),
        breaches=tuple(procedure.breaches),
        orders=() if permit is None else tuple(permit.orders),
        exclusions=() if permit is None else tuple(permit.exclusions),
        refused_amendments=() if permit is None else tuple(permit.refused_amendments),
        appeals=appeals,
    )


def _covered(dossier: Dossier) -> tuple[str, ...] | None:
    assessments = current_documents(dossier).get("DPIA")
    if assessments is None:
        return None
    return tuple(sorted({name for document in assessments for name in document.covers_environments or ()}))


def _permitted(look: Look, permit: Permit) -> tuple[PermittedDataset, ...]:
    asked = {dataset.dataset_id: dataset for dataset in look.dossier.data.datasets}
    years = tuple(next(iter(asked.values())).years)
    permitted: list[PermittedDataset] = []
    for dataset_id in permit.datasets:
        entry, dataset = look.reference.datasets[dataset_id], asked.get(dataset_id)
        categories: tuple[str, ...] = entry.categories if dataset is None else dataset.categories
        if look.regime == "EU":
            categories = applicable_categories(categories, look.submission.on)
        permitted.append(
            PermittedDataset(
                dataset_id=dataset_id,
                version=entry.version if dataset is None else dataset.version,
                source=entry.source if dataset is None else dataset.source,
                dataset_class=entry.dataset_class,
                holder=entry.holder,
                categories=categories,
                years=years if dataset is None else tuple(dataset.years),
            )
        )
    return tuple(permitted)
