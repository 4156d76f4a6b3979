"""What compliance says: the difference between two assessments of a case, as facts. Deciding twice says nothing."""

from collections.abc import Iterable, Iterator

from compliance.assessment import Assessment
from compliance.calendars import DAY
from compliance.coded import Finding
from compliance.deadline_facts import deadline_facts
from compliance.permit_facts import new_breaches, permit_facts, since
from compliance.procedure import (
    ANSWERED,
    BLOCKED,
    CONVERTED,
    DEEMED_GRANTED,
    LAPSED,
    NOT_AUTHORISED,
    POSITIVE,
    REFUSAL_PROPOSED,
    REFUSED,
    WITHDRAWN,
)
from compliance.proceedings import ONLY_COSTS_INCURRED
from compliance.wire import alternative, finding, outcome_word, reason, regime
from contracts import compliance as said
from contracts.facts import Fact
from contracts.vocabulary import DatasetDecision

__all__ = ["decide"]


def decide(before: Assessment | None, after: Assessment, request_id: str, input_hash: str) -> list[Fact]:
    """The facts that lead from one assessment of a case to another, in the order in which they hold.

    `before` is None for a case that was never assessed; `input_hash` is the one of `after` (see `inputs.input_hash`).
    Empty when nothing differs, which is what makes repeated messages harmless.
    """
    facts: list[Fact] = []
    facts.extend(_route(before, after, request_id, input_hash))
    facts.extend(_completeness(before, after, request_id))
    facts.extend(deadline_facts(before, after, request_id))
    facts.extend(_outcome(before, after, request_id, input_hash))
    facts.extend(permit_facts(before, after, request_id, input_hash))
    facts.extend(_appeals(before, after, request_id))
    facts.extend(_outputs(before, after, request_id))
    facts.extend(_noncompliance(before, after, request_id))
    facts.extend(_register(before, after, request_id))
    return facts


def _route(before: Assessment | None, after: Assessment, request_id: str, input_hash: str) -> Iterator[Fact]:
    reasons = after.reasons if after.route is None else tuple(r for r in after.reasons if r.code == "ROUTE_APPLIES")
    if before is not None and _way(before) == _way(after):
        return
    yield said.RouteDetermined(
        request_id=request_id,
        on=after.as_of,
        regime=regime(after.regime),
        rule_pack=after.rule_pack,
        route=after.route,
        citation=after.citation,
        alternatives=tuple(map(alternative, after.alternatives)),
        reasons=tuple(map(reason, reasons)),
        input_hash=input_hash,
    )


def _way(assessment: Assessment) -> tuple[object, ...]:
    stops = () if assessment.route is not None else assessment.reasons
    return assessment.route, assessment.alternatives, stops


def _completeness(before: Assessment | None, after: Assessment, request_id: str) -> Iterator[Fact]:
    missing_before = () if before is None else before.missing
    complete_on = after.particulars.complete_on
    if after.missing:
        if after.missing != missing_before:
            yield said.CompletenessFailed(
                request_id=request_id, on=after.as_of, missing=tuple(map(finding, after.missing))
            )
    elif complete_on is not None and (
        before is None or missing_before or before.particulars.complete_on != complete_on
    ):
        yield said.CompletenessPassed(request_id=request_id, on=after.as_of, complete_on=complete_on)


def _outcome(before: Assessment | None, after: Assessment, request_id: str, input_hash: str) -> Iterator[Fact]:
    outcome = after.outcome
    if outcome is None or (before is not None and before.outcome == outcome):
        return
    on = after.as_of
    reasons = tuple(map(reason, after.reasons))
    if outcome == DEEMED_GRANTED and after.permit is not None:
        on = after.permit.issued_on
        yield said.AuthorisationDeemedGranted(request_id=request_id, on=on, citation="LIL:66-V")
    if outcome == NOT_AUTHORISED:
        on = next((d.due + DAY for d in after.deadlines if d.step == "authority_decision"), on)
        code = _silence(after.reasons)
        yield said.AuthorisationNotObtained(request_id=request_id, on=on, code=code.code, citation=code.citation)
    if outcome in POSITIVE or outcome in (REFUSED, NOT_AUTHORISED):
        decided = said.RequestGranted if outcome in POSITIVE else said.RequestRefused
        yield decided(
            request_id=request_id,
            on=on,
            outcome=outcome_word(outcome),
            reasons=reasons,
            conditions=tuple(map(finding, after.conditions)),
            datasets=tuple(
                DatasetDecision.model_validate({"dataset_id": dataset_id, "decision": decision})
                for dataset_id, decision in after.datasets
            ),
            rule_pack=after.rule_pack,
            input_hash=input_hash,
        )
    elif outcome == REFUSAL_PROPOSED:
        yield said.RefusalProposed(request_id=request_id, on=on, reasons=reasons)
    elif outcome == LAPSED:
        lapsed_on = next((d.due + DAY for d in after.deadlines if d.step == "completion"), on)
        yield said.RequestLapsed(request_id=request_id, on=lapsed_on, reasons=reasons)
    elif outcome == CONVERTED:
        yield said.RequestConverted(request_id=request_id, on=on)
    elif outcome in (WITHDRAWN, ANSWERED, BLOCKED):
        costs = tuple(reason(found) for found in after.conditions if found == ONLY_COSTS_INCURRED)
        yield said.RequestClosed(
            request_id=request_id, on=on, outcome=outcome_word(outcome), reasons=(*reasons, *costs)
        )


def _silence(reasons: Iterable[Finding]) -> Finding:
    return next(r for r in reasons if r.code == "OPINION_NOT_EXPRESSLY_FAVOURABLE" and r.citation == "LIL:66-V")


def _appeals(before: Assessment | None, after: Assessment, request_id: str) -> Iterator[Fact]:
    for appeal in since(before, after, lambda told: told.appeals):
        yield said.AppealRecorded(
            request_id=request_id,
            on=after.as_of,
            outcome=None if after.outcome is None else outcome_word(after.outcome),
            code=appeal.lodged.code,
            citation=appeal.lodged.citation,
        )


def _outputs(before: Assessment | None, after: Assessment, request_id: str) -> Iterator[Fact]:
    known = () if before is None else before.outputs
    for output in after.outputs:
        if output not in known:
            yield said.OutputAssessed.model_validate(
                {
                    "request_id": request_id,
                    "on": after.as_of,
                    "ref": output.ref,
                    "verdict": output.verdict,
                    "code": output.code,
                    "citation": output.citation,
                    "threshold": output.threshold,
                    "cells": output.cells,
                }
            )


def _noncompliance(before: Assessment | None, after: Assessment, request_id: str) -> Iterator[Fact]:
    """One fact for each breach, also where the same happens again."""
    for found in new_breaches(before, after):
        yield said.NoncomplianceFound(
            request_id=request_id, on=after.as_of, code=found.code, citation=found.citation, subject=None
        )


def _register(before: Assessment | None, after: Assessment, request_id: str) -> Iterator[Fact]:
    if before is not None and _entry(before) == _entry(after):
        return
    publish = said.RegisterEntryPublished if before is None else said.RegisterCorrected
    yield publish(
        request_id=request_id,
        on=after.as_of,
        application_due=after.register.application_due,
        decision_due=after.register.decision_due,
        decision_kind=after.register.decision_kind,
        title=after.particulars.title,
        organisation=after.particulars.organisation,
        outcome=None if after.outcome is None else outcome_word(after.outcome),
        route=after.route,
    )


def _entry(assessment: Assessment) -> tuple[object, ...]:
    particulars = assessment.particulars
    return assessment.register, particulars.title, particulars.organisation, assessment.outcome, assessment.route
