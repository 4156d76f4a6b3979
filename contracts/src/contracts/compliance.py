"""What compliance says on guichet.decisions: source /guichet/compliance, subject and key the request id, or the dataset
where a duty of its holder is about no request; `on` is the local date it holds from."""

from typing import Annotated, Literal

from pydantic import Field

from contracts import topics
from contracts.dossier import Person
from contracts.facts import OPTIONAL, Fact, Shape
from contracts.vocabulary import (
    Body,
    Category,
    Citation,
    Code,
    Count,
    DatasetClass,
    DatasetDecision,
    Day,
    Finding,
    Form,
    Months,
    Outcome,
    PermitKind,
    Positive,
    Reason,
    Reference,
    Regime,
    Sha256,
    Source,
    Title,
    Uuid,
    Word,
)

RulePack = Annotated[str, Field(pattern=r"^[a-z]{2}-[0-9]{4}\.[0-9]+$")]
RouteName = Annotated[str, Field(pattern=r"^(FR|EU)_[A-Z0-9_]{1,60}$")]


class CaseFact(Fact):
    """A fact about one case."""

    request_id: Uuid
    on: Day


class Alternative(Shape):
    """A route that stands before the chosen one, with its first failing condition."""

    route: RouteName
    code: Code
    citation: Citation


class RouteDetermined(CaseFact):
    """Said when the route is known, or another than before; null at a hard stop."""

    event_type = "guichet.route.determined.v1"
    topic = topics.DECISIONS

    regime: Regime
    rule_pack: RulePack
    route: RouteName | None
    citation: Citation | None
    alternatives: tuple[Alternative, ...]
    reasons: tuple[Reason, ...]
    input_hash: Sha256


class CompletenessPassed(CaseFact):
    """Said when nothing is missing any more."""

    event_type = "guichet.completeness.passed.v1"
    topic = topics.DECISIONS

    complete_on: Day


class CompletenessFailed(CaseFact):
    """Said when items are missing, with all of them at once."""

    event_type = "guichet.completeness.failed.v1"
    topic = topics.DECISIONS

    missing: Annotated[tuple[Finding, ...], Field(min_length=1)]


class DeadlineFact(CaseFact):
    """A fact about one period: what is awaited, from when, until when, and what silence means."""

    step: Word
    starts: Day
    due: Day
    silence: Word
    state: Word
    extended: bool
    citation: Citation


class DeadlineStarted(DeadlineFact):
    """Said when a period begins to run."""

    event_type = "guichet.deadline.started.v1"
    topic = topics.DECISIONS


class DeadlineExtended(DeadlineFact):
    """Said when a period is extended."""

    event_type = "guichet.deadline.extended.v1"
    topic = topics.DECISIONS

    previous_due: Day


class DeadlineMet(DeadlineFact):
    """Said when the awaited act came, in time or late and still counting."""

    event_type = "guichet.deadline.met.v1"
    topic = topics.DECISIONS

    late: bool


class DeadlineElapsed(DeadlineFact):
    """Said when a period ended without an act that counts."""

    event_type = "guichet.deadline.elapsed.v1"
    topic = topics.DECISIONS


class DeadlineStopped(DeadlineFact):
    """Said when a period no longer matters."""

    event_type = "guichet.deadline.stopped.v1"
    topic = topics.DECISIONS


class OpinionDeemedFavourable(CaseFact):
    """Said when a committee's silence counts as a favourable opinion (D2019-536:90)."""

    event_type = "guichet.opinion.deemed-favourable.v1"
    topic = topics.DECISIONS

    body: Body
    citation: Citation


class AuthorisationDeemedGranted(CaseFact):
    """Said when the authority's silence counts as an authorisation (LIL:66-V)."""

    event_type = "guichet.authorisation.deemed-granted.v1"
    topic = topics.DECISIONS

    citation: Citation


class AuthorisationNotObtained(CaseFact):
    """Said when the authority's silence counts as a refusal (LIL:66-V)."""

    event_type = "guichet.authorisation.not-obtained.v1"
    topic = topics.DECISIONS

    code: Code
    citation: Citation


class RefusalProposed(CaseFact):
    """Said when the rules lead to a refusal that a person has to confirm."""

    event_type = "guichet.refusal.proposed.v1"
    topic = topics.DECISIONS

    reasons: Annotated[tuple[Reason, ...], Field(min_length=1)]


class RequestDecided(CaseFact):
    """A decision on the request as a whole, with the rules and the inputs it rests on."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    conditions: tuple[Finding, ...]
    datasets: tuple[DatasetDecision, ...]
    rule_pack: RulePack
    input_hash: Sha256


class RequestGranted(RequestDecided):
    """Said when access is granted, wholly or in part, or may start without a decision."""

    event_type = "guichet.request.granted.v1"
    topic = topics.DECISIONS


class RequestRefused(RequestDecided):
    """Said when access is refused."""

    event_type = "guichet.request.refused.v1"
    topic = topics.DECISIONS


class RequestLapsed(CaseFact):
    """Said when a request was not completed in time (EHDS:68(4))."""

    event_type = "guichet.request.lapsed.v1"
    topic = topics.DECISIONS

    reasons: tuple[Reason, ...]


class RequestConverted(CaseFact):
    """Said when an application becomes a request for statistics (EHDS:68(3))."""

    event_type = "guichet.request.converted.v1"
    topic = topics.DECISIONS


class RequestClosed(CaseFact):
    """Said when a request ends otherwise: withdrawn, stopped, answered, blocked."""

    event_type = "guichet.request.closed.v1"
    topic = topics.DECISIONS

    outcome: Outcome
    reasons: tuple[Reason, ...]


class PermittedDataset(Shape):
    """A dataset of a permit, as the catalogue described it when the permit was issued."""

    dataset_id: Reference
    version: Reference
    source: Source
    dataset_class: Annotated[DatasetClass, Field(alias="class")]
    holder: Reference
    categories: tuple[Category, ...]
    years: Annotated[
        tuple[Annotated[int, Field(ge=1950, le=2100)], ...],
        Field(min_length=2, max_length=2, description="First and last year."),
    ]


class PermitIssued(CaseFact):
    """Said when a permit takes effect; everything provisioning needs to know is in it."""

    event_type = "guichet.permit.issued.v1"
    topic = topics.DECISIONS

    permit_id: Uuid
    kind: PermitKind
    version: Positive
    regime: Regime
    rule_pack: RulePack
    input_hash: Sha256
    issued_on: Day
    expires_on: Day
    months: Months
    persons: tuple[Person, ...]
    datasets: Annotated[tuple[PermittedDataset, ...], Field(min_length=1)]
    form: Form
    includes_opted_out: bool
    full_birth_date: bool
    crosses_potential_identifiers: bool
    environment_id: Reference | None
    state_body: bool
    conditions: tuple[Finding, ...]
    citation: Citation
    covers_environments: Annotated[
        tuple[Reference, ...] | None,
        Field(description="The environments that the impact assessment covers; absent when the dossier has none."),
    ] = OPTIONAL


class PermitAmended(CaseFact):
    """Said when persons or datasets of a permit change: the new lists whole, and the difference."""

    event_type = "guichet.permit.amended.v1"
    topic = topics.DECISIONS

    permit_id: Uuid
    version: Positive
    persons: tuple[Person, ...]
    datasets: tuple[PermittedDataset, ...]
    persons_added: tuple[Reference, ...]
    persons_removed: tuple[Reference, ...]
    datasets_added: tuple[Reference, ...]
    datasets_removed: tuple[Reference, ...]


class PermitExtended(CaseFact):
    """Said when a permit lasts longer, once at most (EHDS:68(12))."""

    event_type = "guichet.permit.extended.v1"
    topic = topics.DECISIONS

    permit_id: Uuid
    version: Positive
    expires_on: Day
    months: Annotated[int, Field(ge=1, le=1200, description="Months in all, from the issue.")]


class PermitSuspended(CaseFact):
    """Said when a permit is suspended."""

    event_type = "guichet.permit.suspended.v1"
    topic = topics.DECISIONS

    permit_id: Uuid
    reasons: tuple[Reason, ...]


class PermitResumed(CaseFact):
    """Said when a suspended permit is active again."""

    event_type = "guichet.permit.resumed.v1"
    topic = topics.DECISIONS

    permit_id: Uuid
    reasons: tuple[Reason, ...]


class PermitRevoked(CaseFact):
    """Said when a permit is revoked for good."""

    event_type = "guichet.permit.revoked.v1"
    topic = topics.DECISIONS

    permit_id: Uuid
    reasons: tuple[Reason, ...]


class PermitExpired(CaseFact):
    """Said on the day after the last day of a permit."""

    event_type = "guichet.permit.expired.v1"
    topic = topics.DECISIONS

    permit_id: Uuid


class PermitClosed(CaseFact):
    """Said when a permit has ended, deletion is certified and results are published."""

    event_type = "guichet.permit.closed.v1"
    topic = topics.DECISIONS

    permit_id: Uuid


class ExtensionRefused(CaseFact):
    """Said when an extension of a permit is refused by rule (EHDS:68(12))."""

    event_type = "guichet.extension.refused.v1"
    topic = topics.DECISIONS

    permit_id: Uuid
    code: Code
    citation: Citation


class AmendmentRefused(CaseFact):
    """Said when datasets that were to come or go do not: the body refused, or the rules keep some out (EHDS:68(13))."""

    event_type = "guichet.amendment.refused.v1"
    topic = topics.DECISIONS

    permit_id: Uuid
    add_datasets: tuple[Reference, ...]
    remove_datasets: tuple[Reference, ...]
    reasons: Annotated[tuple[Reason, ...], Field(min_length=1)]


class ApplicantExcluded(CaseFact):
    """Said when the user of a permit is excluded from access until a day, five years later at most (EHDS:63(3))."""

    event_type = "guichet.applicant.excluded.v1"
    topic = topics.DECISIONS

    permit_id: Uuid
    until: Day
    reasons: Annotated[tuple[Reason, ...], Field(min_length=1)]


class AppealRecorded(CaseFact):
    """Said when an appeal or a complaint of the applicant is in the file; what was decided stands until a court or
    the body says otherwise (CJA:R421-1, EHDS:81)."""

    event_type = "guichet.appeal.recorded.v1"
    topic = topics.DECISIONS

    outcome: Annotated[Outcome | None, Field(description="What had been decided when it was recorded.")]
    code: Code
    citation: Citation


class DataRequested(CaseFact):
    """Said to a holder when a permit asks for its datasets (EHDS:68(7))."""

    event_type = "guichet.data.requested.v1"
    topic = topics.DECISIONS

    permit_id: Uuid
    holder: Reference
    dataset_ids: Annotated[tuple[Reference, ...], Field(min_length=1)]
    due: Day | None


class OutputAssessed(CaseFact):
    """Said when a result that is to leave a workspace was judged: by rule, or by a person who may check it.

    `threshold` is the smallest cell that may leave; `cells` names those under it.
    """

    event_type = "guichet.output.assessed.v1"
    topic = topics.DECISIONS

    ref: Reference
    verdict: Literal["in-review", "released", "returned", "rejected"]
    code: Code | None
    citation: Citation
    threshold: Count
    cells: tuple[Reference, ...]


class NoncomplianceFound(CaseFact):
    """Said when something is done that the law does not allow."""

    event_type = "guichet.noncompliance.found.v1"
    topic = topics.DECISIONS

    code: Code
    citation: Citation
    subject: Reference | None


class DutyOverdue(CaseFact):
    """Said when a duty was not done by its day."""

    event_type = "guichet.duty.overdue.v1"
    topic = topics.DECISIONS

    duty: Word
    due: Day
    code: Code
    citation: Citation


class DatasetCheckOverdue(Fact):
    """Said of a dataset on the day after its holder should have confirmed its description (EHDS:60(3)).

    Subject and key are the dataset.
    """

    event_type = "guichet.dataset.check-overdue.v1"
    topic = topics.DECISIONS

    dataset_id: Reference
    holder: Reference
    described_on: Day
    due: Day
    on: Day
    code: Code
    citation: Citation


class RegisterFact(CaseFact):
    """An entry of the public register (EHDS:57(1)(j)(iii), CSP:R1461-9-I)."""

    application_due: Day
    decision_due: Day | None
    decision_kind: Word | None
    title: Title
    organisation: Annotated[str, Field(max_length=200)]
    outcome: Outcome | None
    route: RouteName | None


class RegisterEntryPublished(RegisterFact):
    """Said when a request enters the public register."""

    event_type = "guichet.register.entry-published.v1"
    topic = topics.DECISIONS


class RegisterCorrected(RegisterFact):
    """Said when its entry says something new."""

    event_type = "guichet.register.corrected.v1"
    topic = topics.DECISIONS
