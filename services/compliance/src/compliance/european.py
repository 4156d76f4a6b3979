"""The EHDS regime: completeness and lapse, decisions of one or several bodies, silence that grants nothing."""

from dataclasses import replace

from compliance.case import Item
from compliance.coded import Finding
from compliance.completeness import Completeness, follow
from compliance.look import Look
from compliance.procedure import (
    ANSWERED,
    CONVERTED,
    GRANTED,
    LAPSED,
    PARTIALLY_GRANTED,
    REFUSAL_PROPOSED,
    REFUSED,
    Breach,
    Grant,
    Procedure,
)
from compliance.refusals import Standing
from compliance.rules import european_routes as eu
from compliance.rules.european_items import european_items, missing_in_europe
from compliance.rules.european_routes import european_routes, scope
from compliance.rules.routes import choose
from compliance.steps import STOPPED, Run, after, never, of, run, same_as
from compliance.tally import Tally, tally
from contracts.dossier import Dossier

MAX_MONTHS = 120
NOT_COMPLETED_IN_TIME = Finding("NOT_COMPLETED_IN_TIME", "EHDS:68(4)")
REAPPLY_POSSIBLE = Finding("REAPPLY_POSSIBLE", "EHDS:68(4)")
COMPLAINT_OPEN = Finding("COMPLAINT_OPEN", "EHDS:81")
MUTUAL_RECOGNITION = Finding("MUTUAL_RECOGNITION_OPTIONAL", "EHDS:68(5)")
NO_FEE_ESTIMATE = Finding("NO_FEE_ESTIMATE", "EHDS:62(5)")
NOTIFY_FEE_ESTIMATE = Finding("NOTIFY_FEE_ESTIMATE", "EHDS:62(5)")
DURATION_CAPPED = Finding("DURATION_CAPPED", "EHDS:68(12)")
OPT_OUT_EXCEPTION_APPLIED = Finding("OPT_OUT_EXCEPTION_APPLIED", "EHDS:71(4)")
OPT_OUT_EXCEPTION_UNAVAILABLE = Finding("OPT_OUT_EXCEPTION_UNAVAILABLE", "EHDS:71(3)")
STATISTICS_SUFFICIENT = Finding("STATISTICS_SUFFICIENT", "EHDS:66(2)")
CONFIRM_STATISTICS = Finding("CONFIRM_REFUSAL", "EHDS:66(2)")
AUTHORITY_REFUSED = Finding("AUTHORITY_REFUSED", "EHDS:68(9)")
PROPOSAL_NOT_FOLLOWED = Finding("PROPOSAL_NOT_FOLLOWED", "EHDS:72(5)")
NO_DATA_ACCESS = Finding("NO_DATA_ACCESS", "EHDS:69(1)")
PERMIT_CONDITIONS = (
    Finding("PUBLISH_RESULTS_18_MONTHS", "EHDS:61(4)"),
    Finding("NO_REIDENTIFICATION", "EHDS:61(3)"),
    Finding("SPE_ONLY", "EHDS:73(1)"),
)


def decide_in_europe(look: Look, standing: Standing) -> Procedure:
    """Take the route the application fits and follow it as far as today."""
    shown = Procedure()
    application = look.application
    left = scope(application, standing.ignored)
    statistics = look.dossier.kind == "statistics_request"
    complete = _completeness(look)
    begun = _begun(look, complete, standing, statistics)
    counted = (
        tally(look, left.remaining, begun) if begun is not None else Tally(dict.fromkeys(left.remaining, "pending"))
    )
    shown.follow(choose(application, european_routes(left.remaining, counted.forwarded is not None)))
    shown.reasons.extend(left.reasons)
    shown.missing = complete.missing
    shown.datasets = dict.fromkeys(left.excluded, "excluded") | counted.datasets
    _opted_out(look, shown)
    if len({application.entry(dataset_id).country for dataset_id in left.remaining}) > 1:
        shown.conditions.append(MUTUAL_RECOGNITION)
    if statistics:
        shown.conditions.append(NO_DATA_ACCESS)
    elif _lapses(look, complete, standing, shown):
        return shown
    if complete.completed_by is not None:
        shown.complete_on = complete.completed_by.on
        if not statistics and look.dossier.requested_months > MAX_MONTHS:
            shown.reasons.append(DURATION_CAPPED)
    if begun is not None:
        _assess(look, shown, counted, begun)
    if complete.missing and shown.outcome is None:
        shown.status = "incomplete"
        shown.actions.append(Finding("NOTIFY_MISSING_ITEMS", complete.missing[0].citation))
    return shown


def _completeness(look: Look) -> Completeness:
    def article(code: str, dossier: Dossier) -> str | None:
        return european_items(dossier).get(code)

    return follow(look.versions, lambda dossier: missing_in_europe(look.application_of(dossier)), article)


def _begun(look: Look, complete: Completeness, standing: Standing, statistics: bool) -> Item | None:
    """What the assessment starts from: the complete application, but the receipt of a statistics request."""
    start = look.submission if statistics else complete.completed_by
    if start is None or standing.lifted_by is None or standing.lifted_by.place < start.place:
        return start
    return standing.lifted_by


def _lapses(look: Look, complete: Completeness, standing: Standing, shown: Procedure) -> bool:
    """Four weeks from the notice of missing items to complete an application (EHDS:68(4))."""
    if complete.notice is None:
        return False
    notice, lifted_by = complete.notice, standing.lifted_by
    starts = notice.on if lifted_by is None else max(notice.on, lifted_by.on)
    completion = shown.add(
        run(
            "completion",
            starts,
            after(look.items, notice),
            same_as(complete.completed_by),
            look.today,
            look.law,
        )
    )
    if not completion.elapsed:
        return False
    shown.decide(LAPSED, "lapsed")
    shown.reasons.append(NOT_COMPLETED_IN_TIME)
    shown.actions.append(REAPPLY_POSSIBLE)
    return True


def _opted_out(look: Look, shown: Procedure) -> None:
    """Persons who opted out are asked for (EHDS:71(3), 71(4))."""
    dossier = look.dossier
    if not dossier.data.includes_opted_out.requested:
        return
    mandated = dossier.applicant.public_health_mandate or dossier.applicant.mandate is not None
    within = look.application.purposes_within(eu.ACCELERATED_PURPOSES)
    shown.exception_applied = look.law.optout_exception_law and mandated and within
    shown.reasons.append(OPT_OUT_EXCEPTION_APPLIED if shown.exception_applied else OPT_OUT_EXCEPTION_UNAVAILABLE)


def _assess(look: Look, shown: Procedure, counted: Tally, begun: Item) -> None:
    statistics = shown.route == eu.EU_STATISTICS_REQUEST
    overdue_step = _run_steps(look, shown, counted, begun, statistics)
    _datasets(shown, counted)
    if counted.grants and not statistics:
        _grant(look, shown, counted)
    if counted.converted_by is not None:
        shown.reasons.append(STATISTICS_SUFFICIENT)
        shown.decide(CONVERTED)
    elif counted.confirmed_by is not None:
        shown.reasons.append(STATISTICS_SUFFICIENT)
        shown.last_decision = counted.confirmed_by.on
        shown.decide(REFUSED)
    elif counted.decided_by is not None:
        if counted.finding is not None and not counted.grants:
            shown.reasons.append(STATISTICS_SUFFICIENT)
        _decided(look, shown, counted, statistics)
    else:
        if counted.finding is not None and not counted.grants:
            shown.reasons.append(STATISTICS_SUFFICIENT)
            shown.actions.append(CONFIRM_STATISTICS)
            shown.decide(REFUSAL_PROPOSED, "awaiting_confirmation")
        if overdue_step is not None:
            shown.reasons.append(Finding("DECISION_OVERDUE", overdue_step))
            shown.actions.extend((Finding("ESCALATE_OVERDUE", overdue_step), COMPLAINT_OPEN))


def _run_steps(look: Look, shown: Procedure, counted: Tally, begun: Item, statistics: bool) -> str | None:
    """Run the period in which to decide; its article when it is over and something is still open."""
    items = after(look.items, begun)
    ends = counted.ends_decision
    shown.status = "assessing"
    if statistics:
        name, start = "request_assessment", look.submission.on
    else:
        # The period runs from the complete date, also when a stop was set aside later.
        start = shown.complete_on or begun.on
        name = "permit_decision_accelerated" if _accelerated(look) else "permit_decision"
    if counted.forwarded is None:
        awaited = shown.add(_unless_converted(run(name, start, items, same_as(ends), look.today, look.law), counted))
        return awaited.deadline.citation if awaited.elapsed else None
    return _with_trusted_holder(look, shown, counted, name, begun, counted.forwarded)


def _stopped(step: Run) -> Run:
    return replace(step, deadline=replace(step.deadline, state=STOPPED))


def _unless_converted(step: Run, counted: Tally) -> Run:
    """A conversion is no decision: the period no longer matters."""
    return step if counted.converted_by is None else _stopped(step)


def _accelerated(look: Look) -> bool:
    application = look.application
    return eu.public_body(application) and eu.public_health_mandate(application) and eu.accelerated_purpose(application)


def _with_trusted_holder(
    look: Look, shown: Procedure, counted: Tally, name: str, begun: Item, forwarded: Item
) -> str | None:
    """Two months for the holder's proposal, two for the decision (EHDS:72(5)); the ordinary step has stopped."""
    before = tuple(item for item in after(look.items, begun) if item.place < forwarded.place)
    start = shown.complete_on or begun.on
    ordinary = run(name, start, before, never, look.today, look.law)
    # Forwarding ends the ordinary period even if it was already over: another one runs in its place.
    shown.add(_stopped(ordinary))
    assessment = counted.proposal
    ends, since = counted.ends_decision, after(look.items, forwarded)
    proposes = run("trusted_holder_assessment", forwarded.on, since, same_as(assessment), look.today, look.law)
    if assessment is None:
        shown.status = "with_trusted_holder"
        shown.add(proposes if ends is None else _stopped(proposes))
        return None
    shown.add(proposes)
    since = after(since, assessment)
    decides = run("trusted_holder_decision", assessment.on, since, same_as(ends), look.today, look.law)
    decision = shown.add(_unless_converted(decides, counted))
    followed = {"grant": "granted", "refuse": "refused"}[assessment.word("proposal")]
    if any(verdict in ("granted", "refused") and verdict != followed for verdict in counted.datasets.values()):
        shown.reasons.append(PROPOSAL_NOT_FOLLOWED)
    return decision.deadline.citation if decision.elapsed else None


def _datasets(shown: Procedure, counted: Tally) -> None:
    refused = [dataset_id for dataset_id, verdict in counted.datasets.items() if verdict == "refused"]
    if counted.confirmed_by is not None:
        for dataset_id, verdict in counted.datasets.items():
            if verdict == "pending":
                shown.datasets[dataset_id] = "refused"
    shown.reasons.extend(AUTHORITY_REFUSED.about(dataset_id) for dataset_id in refused)
    if refused:
        shown.actions.append(COMPLAINT_OPEN)
    # Said as a fact each time, so that a decision that does not count is not lost in silence.
    shown.breaches.extend(
        Breach(grant.at, NO_FEE_ESTIMATE.code, NO_FEE_ESTIMATE.citation) for grant in counted.unpaid_grants
    )
    if counted.without_fee and counted.decided_by is None:
        shown.reasons.append(NO_FEE_ESTIMATE)
        if not counted.fee_estimated:
            shown.actions.append(NOTIFY_FEE_ESTIMATE)
    if counted.last_decision is not None:
        shown.last_decision = counted.last_decision.on


def _grant(look: Look, shown: Procedure, counted: Tally) -> None:
    first = counted.grants[0]
    months = first.number("months") or look.dossier.requested_months
    if months > MAX_MONTHS:
        shown.reasons.append(DURATION_CAPPED)
        months = MAX_MONTHS
    granted = tuple(dataset_id for dataset_id, verdict in counted.datasets.items() if verdict == "granted")
    shown.grant = Grant("data-permit", first.on, months, granted, first)
    shown.conditions.extend(PERMIT_CONDITIONS)


def _decided(look: Look, shown: Procedure, counted: Tally, statistics: bool) -> None:
    verdicts = set(counted.datasets.values())
    if "granted" not in verdicts:
        shown.decide(REFUSED)
    elif verdicts == {"granted"} and "excluded" not in shown.datasets.values():
        shown.decide(GRANTED)
    else:
        shown.decide(PARTIALLY_GRANTED)
    if statistics and "granted" in verdicts:
        _answer(look, shown, counted)


def _answer(look: Look, shown: Procedure, counted: Tally) -> None:
    """An approved statistics request is answered within three months; nobody gets access (EHDS:69(4))."""
    approved = counted.decided_by
    assert approved is not None
    answered = shown.add(
        run(
            "statistical_answer",
            approved.on,
            after(look.items, approved),
            of("answer.provided.v1"),
            look.today,
            look.law,
        )
    )
    if answered.act is not None:
        shown.decide(ANSWERED)
    else:
        shown.status = "answering"
