"""What portals say on guichet.portal: source /portals/<portal>, subject and key the request id."""

from typing import Annotated, Literal

from pydantic import Field, GetJsonSchemaHandler, JsonValue
from pydantic_core import CoreSchema

from contracts import topics
from contracts.dossier import Document, Dossier, Person
from contracts.facts import OPTIONAL, Fact, Shape
from contracts.vocabulary import Count, Months, Reference, Sha256


class _PublishedDossier:
    """Writers owe a dossier in its closed published shape, although readers take any object."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, object]:
        return handler(Dossier.__pydantic_core_schema__ if handler.mode == "serialization" else core)


class RequestSubmitted(Fact):
    """Said when an applicant files a dossier, or a new revision of one.

    Its shape is judged by intake, so that every problem gets an answer.
    """

    event_type = "guichet.request.submitted.v1"
    topic = topics.PORTAL

    dossier: Annotated[dict[str, JsonValue], _PublishedDossier()]


class RequestCompleted(Fact):
    """Said when documents are added, or top-level members of the dossier replaced."""

    event_type = "guichet.request.completed.v1"
    topic = topics.PORTAL

    documents: tuple[Document, ...] = ()
    set: dict[str, JsonValue] = Field(default_factory=dict)


class RequestWithdrawn(Fact):
    """Said when the applicant withdraws."""

    event_type = "guichet.request.withdrawn.v1"
    topic = topics.PORTAL


class RequestAuthorityChosen(Fact):
    """Said when the applicant, after the committee's opinion, seizes the authority or stops (D2019-536:91)."""

    event_type = "guichet.request.authority-chosen.v1"
    topic = topics.PORTAL

    choice: Literal["seize", "stop"]


class RequestConversionAgreed(Fact):
    """Said when the applicant accepts an answer in statistical form instead (EHDS:68(3))."""

    event_type = "guichet.request.conversion-agreed.v1"
    topic = topics.PORTAL


class PermitPersonsUpdated(Fact):
    """Said when the list of persons with access changes; the new list is whole (EHDS:67(2)(a))."""

    event_type = "guichet.permit.persons-updated.v1"
    topic = topics.PORTAL

    persons: tuple[Person, ...]


class PermitTermsAccepted(Fact):
    """Said when a person accepts the terms of use of the workspace (CSP:L1461-3-I, EHDS:73(1)); `sha256` is of the
    text that was shown."""

    event_type = "guichet.permit.terms-accepted.v1"
    topic = topics.PORTAL

    person: Reference
    terms: Reference
    sha256: Sha256


class PermitAmendmentRequested(Fact):
    """Said when other datasets, or another duration, are asked for (EHDS:68(13))."""

    event_type = "guichet.permit.amendment-requested.v1"
    topic = topics.PORTAL

    add_datasets: tuple[Reference, ...] = ()
    remove_datasets: tuple[Reference, ...] = ()
    months: Months | None = OPTIONAL


class PermitExtensionRequested(Fact):
    """Said when a longer duration is asked for, with or without the documents that justify it (EHDS:68(12))."""

    event_type = "guichet.permit.extension-requested.v1"
    topic = topics.PORTAL

    months: Annotated[int, Field(ge=1, le=1200)]
    documents: bool


class PermitProcessingCompleted(Fact):
    """Said when the processing is finished, before or at the end of the permit."""

    event_type = "guichet.permit.processing-completed.v1"
    topic = topics.PORTAL


class PermitResultsPublished(Fact):
    """Said when the results are public (EHDS:61(4))."""

    event_type = "guichet.permit.results-published.v1"
    topic = topics.PORTAL


class Cell(Shape):
    """A cell of a table that is to leave: its name in the table and the persons behind it."""

    name: Reference
    persons: Count


class OutputRequested(Fact):
    """Said when a user asks to take a result out of the workspace (EHDS:73(2)).

    `cells` lets the answer name those that are too small; `min_cell` is the smallest of all.
    """

    event_type = "guichet.output.requested.v1"
    topic = topics.PORTAL

    ref: Reference
    kind: Literal["aggregate_table", "row_level", "figure", "model"]
    min_cell: Count | None = OPTIONAL
    personal: bool
    cells: Annotated[tuple[Cell, ...], Field(max_length=1000)] | None = OPTIONAL


class FindingReported(Fact):
    """Said when a finding significant for the health of persons is reported (EHDS art. 61(5))."""

    event_type = "guichet.finding.reported.v1"
    topic = topics.PORTAL


class AppealLodged(Fact):
    """Said when the applicant appeals against a decision (CJA:R421-1)."""

    event_type = "guichet.appeal.lodged.v1"
    topic = topics.PORTAL
