"""What data holders say on guichet.catalogue: source /holders/<holder>, key the dataset, or the request for
deliveries and assessments."""

from typing import Annotated, Literal

from pydantic import Field

from contracts import topics
from contracts.facts import OPTIONAL, Fact
from contracts.vocabulary import Category, Country, DatasetClass, Reference, Source, Title


class DatasetDescribed(Fact):
    """Said when a dataset enters the catalogue or its description changes."""

    event_type = "guichet.dataset.described.v1"
    topic = topics.CATALOGUE

    dataset_id: Reference
    title: Title
    version: Reference
    holder: Reference
    trusted_holder: bool
    holder_exempt: bool
    country: Country
    source: Source
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]
    dataset_class: Annotated[DatasetClass, Field(alias="class")]
    publicly_funded: bool


class DatasetWithdrawn(Fact):
    """Said when a dataset is no longer offered."""

    event_type = "guichet.dataset.withdrawn.v1"
    topic = topics.CATALOGUE

    dataset_id: Reference


class DataDelivered(Fact):
    """Said when a holder has delivered the datasets of a permit, all of them when none is named (EHDS:60(2))."""

    event_type = "guichet.data.delivered.v1"
    topic = topics.CATALOGUE

    dataset_ids: tuple[Reference, ...] | None = OPTIONAL


class HolderAssessmentSubmitted(Fact):
    """Said when a trusted holder proposes to grant or to refuse (EHDS:72(5))."""

    event_type = "guichet.holder-assessment.submitted.v1"
    topic = topics.CATALOGUE

    holder: Reference
    proposal: Literal["grant", "refuse"]
