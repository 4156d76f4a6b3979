"""What authorities, committees and their officers say on guichet.authorities: source /authorities/<body>, subject
and key the request id."""

from typing import Annotated, Literal

from pydantic import Field

from contracts import topics
from contracts.facts import OPTIONAL, Fact
from contracts.sealed import Sealed
from contracts.vocabulary import (
    Body,
    Code,
    Count,
    Day,
    Months,
    OpinionVerdict,
    OutputVerdict,
    Reference,
    Verdict,
    Word,
)

Actors = Annotated[tuple[Reference, ...], Field(min_length=1)]
"""Those who act, by opaque reference: an act that nobody did cannot be checked for interests."""


class FileReceived(Fact):
    """Said when a body records that it holds the file; its period runs from here."""

    event_type = "guichet.file.received.v1"
    topic = topics.AUTHORITIES

    body: Body
    urgent: bool | None = OPTIONAL


class CompletenessObjected(Fact):
    """Said when an officer finds that items are missing although documents were sent."""

    event_type = "guichet.completeness.objected.v1"
    topic = topics.AUTHORITIES

    items: Annotated[tuple[Code, ...], Field(min_length=1)]


class PeriodExtended(Fact):
    """Said when a body extends a period, with or without giving reasons."""

    event_type = "guichet.period.extended.v1"
    topic = topics.AUTHORITIES

    step: Word
    reasons_given: bool


class OpinionIssued(Fact):
    """Said when a committee has given its opinion."""

    event_type = "guichet.opinion.issued.v1"
    topic = topics.AUTHORITIES

    body: Body
    verdict: OpinionVerdict
    by: Actors


class InterestDeclared(Fact):
    """Said when a person declares an interest in this request (LIL:76, EHDS:55(3))."""

    event_type = "guichet.interest.declared.v1"
    topic = topics.AUTHORITIES

    person: Reference


class AssessmentRecorded(Fact):
    """Said when those who assess record what they found."""

    event_type = "guichet.assessment.recorded.v1"
    topic = topics.AUTHORITIES

    by: Actors
    finding: Code


class RequestForwarded(Fact):
    """Said when the body forwards the request to a trusted holder (EHDS:72(1))."""

    event_type = "guichet.request.forwarded.v1"
    topic = topics.AUTHORITIES

    holder: Reference


class DecisionIssued(Fact):
    """Said when a body has decided, on all its datasets or on those named."""

    event_type = "guichet.decision.issued.v1"
    topic = topics.AUTHORITIES

    body: Body
    verdict: Verdict
    datasets: tuple[Reference, ...] | None = OPTIONAL
    months: Months | None = OPTIONAL
    by: Actors
    reasons: tuple[Code, ...] | None = OPTIONAL
    comment: Sealed | None = OPTIONAL


class RefusalConfirmed(Fact):
    """Said when a person confirms a refusal that was proposed."""

    event_type = "guichet.refusal.confirmed.v1"
    topic = topics.AUTHORITIES

    by: Actors
    comment: Sealed | None = OPTIONAL


class RefusalOverridden(Fact):
    """Said when a person sets aside some of the reasons of a refusal that was proposed."""

    event_type = "guichet.refusal.overridden.v1"
    topic = topics.AUTHORITIES

    by: Actors
    codes: Annotated[tuple[Code, ...], Field(min_length=1)]
    comment: Sealed | None = OPTIONAL


class FeeEstimated(Fact):
    """Said when the fee is estimated and told to the applicant (EHDS:62(5))."""

    event_type = "guichet.fee.estimated.v1"
    topic = topics.AUTHORITIES

    amount_eur: Count
    holder_part_eur: Count


class FeeAgreed(Fact):
    """Said when holder and applicant agree on the fee (EHDS:62(4))."""

    event_type = "guichet.fee.agreed.v1"
    topic = topics.AUTHORITIES


class AnswerProvided(Fact):
    """Said when the statistical answer has been given (EHDS:69(1))."""

    event_type = "guichet.answer.provided.v1"
    topic = topics.AUTHORITIES


class AmendmentDecided(Fact):
    """Said when a requested change of datasets is decided (EHDS:68(13))."""

    event_type = "guichet.amendment.decided.v1"
    topic = topics.AUTHORITIES

    verdict: Verdict
    add_datasets: tuple[Reference, ...] = ()
    remove_datasets: tuple[Reference, ...] = ()
    by: Actors


class ExtensionDecided(Fact):
    """Said when a requested extension is decided (EHDS:68(12))."""

    event_type = "guichet.extension.decided.v1"
    topic = topics.AUTHORITIES

    verdict: Verdict
    by: Actors


class SuspensionOrdered(Fact):
    """Said when a permit is suspended."""

    event_type = "guichet.suspension.ordered.v1"
    topic = topics.AUTHORITIES

    by: tuple[Reference, ...] | None = OPTIONAL
    comment: Sealed | None = OPTIONAL


class ResumptionOrdered(Fact):
    """Said when a suspended permit is valid again."""

    event_type = "guichet.resumption.ordered.v1"
    topic = topics.AUTHORITIES

    by: tuple[Reference, ...] | None = OPTIONAL


class RevocationOrdered(Fact):
    """Said when a permit is revoked for good (EHDS:63(3))."""

    event_type = "guichet.revocation.ordered.v1"
    topic = topics.AUTHORITIES

    by: Actors
    comment: Sealed | None = OPTIONAL


class ExclusionOrdered(Fact):
    """Said when the applicant is excluded from access until a day (EHDS:63(3))."""

    event_type = "guichet.exclusion.ordered.v1"
    topic = topics.AUTHORITIES

    until: Day


class ViewsSubmitted(Fact):
    """Said when the party heard has given its views (EHDS:63(2))."""

    event_type = "guichet.views.submitted.v1"
    topic = topics.AUTHORITIES


class ExtractPrepared(Fact):
    """Said when the extract of data has been prepared."""

    event_type = "guichet.extract.prepared.v1"
    topic = topics.AUTHORITIES

    by: Actors


class OutputChecked(Fact):
    """Said when an output has been checked by a person (EHDS:73(2))."""

    event_type = "guichet.output.checked.v1"
    topic = topics.AUTHORITIES

    ref: Reference
    verdict: OutputVerdict
    by: Actors


FunctionName = Literal["opine", "assess", "decide", "prepare", "check"]
"""The functions that nobody may hold two of on one request (LIL:76, EHDS:55(3))."""

FUNCTIONS: dict[type[Fact], FunctionName] = {
    OpinionIssued: "opine",
    AssessmentRecorded: "assess",
    DecisionIssued: "decide",
    RefusalConfirmed: "decide",
    RefusalOverridden: "decide",
    AmendmentDecided: "decide",
    ExtensionDecided: "decide",
    ExtractPrepared: "prepare",
    OutputChecked: "check",
}
