"""What hosts say on guichet.environments: source /hosts/<environment_id>, key the environment, or the request for
its workspace."""

from typing import Annotated, Literal

from pydantic import Field

from contracts import topics
from contracts.facts import Fact, Shape
from contracts.vocabulary import Country, Day, Evidence, Reference, Title, Word, WorkspaceState


class EvidenceItem(Shape):
    """A qualification held by an environment, between two days, both included."""

    type: Evidence
    issuer: Reference
    reference: Reference
    valid_from: Day
    valid_to: Day


class EnvironmentRegistered(Fact):
    """Said when a hosting environment presents itself, with what it can prove."""

    event_type = "guichet.environment.registered.v1"
    topic = topics.ENVIRONMENTS

    environment_id: Reference
    operator: Title
    storage_country: Country
    controlling_jurisdiction: Country
    adequacy: bool
    evidence: tuple[EvidenceItem, ...]


class EnvironmentQualified(Fact):
    """Said when an environment obtains or renews a qualification."""

    event_type = "guichet.environment.qualified.v1"
    topic = topics.ENVIRONMENTS

    environment_id: Reference
    evidence: EvidenceItem


class EnvironmentQualificationLost(Fact):
    """Said when an environment no longer holds a qualification."""

    event_type = "guichet.environment.qualification-lost.v1"
    topic = topics.ENVIRONMENTS

    environment_id: Reference
    evidence: Evidence


class WorkspaceReported(Fact):
    """Said when an environment reports the state a workspace is really in."""

    event_type = "guichet.workspace.reported.v1"
    topic = topics.ENVIRONMENTS

    state: WorkspaceState


class IncidentReported(Fact):
    """Said when an environment reports a breach of the conditions of access."""

    event_type = "guichet.incident.reported.v1"
    topic = topics.ENVIRONMENTS

    kind: Literal["SHARED_ACCESS", "REIDENTIFICATION_ATTEMPT", "PERSONAL_DATA_EXTRACTION", "PROHIBITED_USE"]


class DeletionCertified(Fact):
    """Said when a host certifies that the data of a permit are gone, backups included."""

    event_type = "guichet.deletion.certified.v1"
    topic = topics.ENVIRONMENTS

    scope: Annotated[Word, Field(description="`all` when nothing is left.")]
