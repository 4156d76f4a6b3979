"""What provisioning says on guichet.workspaces: source /guichet/provisioning, subject the workspace, key the
request id."""

from typing import Annotated

from pydantic import Field

from contracts import topics
from contracts.facts import OPTIONAL, Fact, Shape
from contracts.vocabulary import Citation, Code, Count, Day, Finding, Instant, Positive, Reference, Sha256, Uuid, Word

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.:-]{0,127}$")]
"""The name of a table, a role or another object in an environment."""


SignatureLine = Annotated[str, Field(pattern=r"^— [^\s+]{1,500} [A-Za-z0-9+/]{91}=$")]
"""Who signed, and the key id with the Ed25519 signature in base64."""


class WorkspaceFact(Fact):
    """A fact about one workspace."""

    workspace_id: Uuid
    request_id: Uuid


class Criterion(Shape):
    """One test of the hosting gate and whether it was met."""

    code: Code
    citation: Citation
    met: bool


class GateFact(WorkspaceFact):
    """What the hosting gate found, criterion by criterion, before anything is made."""

    environment_id: Reference
    findings: tuple[Finding, ...]
    criteria: tuple[Criterion, ...]


class EnvironmentCleared(GateFact):
    """Said when an environment may host every dataset class of the permit."""

    event_type = "guichet.environment.cleared.v1"
    topic = topics.WORKSPACES


class EnvironmentRejected(GateFact):
    """Said when an environment may not host, with every failure at once."""

    event_type = "guichet.environment.rejected.v1"
    topic = topics.WORKSPACES


class WorkspaceRequested(WorkspaceFact):
    """Said when a workspace is asked of its environment."""

    event_type = "guichet.workspace.requested.v1"
    topic = topics.WORKSPACES

    permit_id: Uuid
    permit_version: Annotated[int, Field(ge=1)]
    environment_id: Reference


class TableMade(Shape):
    """A table of a workspace, with the count and digest that a copy must equal."""

    dataset_id: Reference
    table: Name
    rows: Count
    sha256: Sha256


class WorkspaceProvisioned(WorkspaceFact):
    """Said when the data are in place, opted-out persons removed, and nobody can log in yet."""

    event_type = "guichet.workspace.provisioned.v1"
    topic = topics.WORKSPACES

    environment_id: Reference
    tables: tuple[TableMade, ...]
    opt_out_list_version: Count


class WorkspaceOpened(WorkspaceFact):
    """Said when the environment confirms that the persons named, and no other, can log in."""

    event_type = "guichet.workspace.opened.v1"
    topic = topics.WORKSPACES

    environment_id: Reference
    persons: tuple[Reference, ...]


class WorkspaceFrozen(WorkspaceFact):
    """Said when nobody can log in any more and the data are kept."""

    event_type = "guichet.workspace.frozen.v1"
    topic = topics.WORKSPACES

    environment_id: Reference
    code: Code


class WorkspaceClosed(WorkspaceFact):
    """Said when access has ended and a probe found every login refused."""

    event_type = "guichet.workspace.closed.v1"
    topic = topics.WORKSPACES

    environment_id: Reference
    code: Code


class TableDestroyed(Shape):
    """A table that is gone; `sha256` is the digest of its last manifest."""

    dataset_id: Reference
    table: Name
    rows: Count
    sha256: Sha256 | None = OPTIONAL


class DeletionCertificate(Shape):
    """What was destroyed, where and when, and what was found left afterwards (EHDS:68(12)).

    `sha256` is the digest of the certificate as provisioning keeps it, in canonical JSON without this member; `backups`
    names the backup sets that still hold the data when `covers_backups` is false. `signature` is the signature line of
    a signed note (C2SP signed-note, Ed25519) over three lines: `guichet deletion certificate v1`, the certificate's id,
    and `sha256` with the digest.
    """

    environment_id: Reference
    destroyed_at: Instant
    tables: tuple[TableDestroyed, ...]
    logins_removed: tuple[Reference, ...]
    objects_left: Count
    covers_backups: bool
    certificate_id: Uuid | None = OPTIONAL
    permit_id: Uuid | None = OPTIONAL
    permit_version: Positive | None = OPTIONAL
    pseudonym_key_destroyed: bool | None = OPTIONAL
    backups: tuple[Name, ...] | None = OPTIONAL
    sha256: Sha256 | None = OPTIONAL
    signature: SignatureLine | None = OPTIONAL


class WorkspaceDestroyed(WorkspaceFact):
    """Said when a workspace is gone and its absence was verified."""

    event_type = "guichet.workspace.destroyed.v1"
    topic = topics.WORKSPACES

    certificate: DeletionCertificate


class WorkspacePersonNeeded(WorkspaceFact):
    """Said when a step cannot go on without a person."""

    event_type = "guichet.workspace.person-needed.v1"
    topic = topics.WORKSPACES

    step: Word
    code: Code


class TermsAccepted(WorkspaceFact):
    """Said when a person accepted a version of the terms of use; where they are required, nobody enters before."""

    event_type = "guichet.terms.accepted.v1"
    topic = topics.WORKSPACES

    person: Reference
    terms: Reference
    on: Day
    sha256: Sha256 | None = OPTIONAL
    """Of the text that the portal showed."""


class OptoutFilterApplied(WorkspaceFact):
    """Said when the opted-out persons of a list version were left out: how many, never whom."""

    event_type = "guichet.optout-filter.applied.v1"
    topic = topics.WORKSPACES

    list_version: Count
    excluded: Count


class OutputFact(WorkspaceFact):
    """A fact about one output asked for (EHDS:73(2)); `cells` names those of a table that are under the threshold."""

    ref: Reference
    code: Code | None
    citation: Citation | None = OPTIONAL
    cells: tuple[Reference, ...] | None = OPTIONAL


class OutputReleased(OutputFact):
    """Said when an output may leave the workspace."""

    event_type = "guichet.output.released.v1"
    topic = topics.WORKSPACES


class OutputReturned(OutputFact):
    """Said when an output goes back to be changed."""

    event_type = "guichet.output.returned.v1"
    topic = topics.WORKSPACES


class OutputRejected(OutputFact):
    """Said when an output may not leave."""

    event_type = "guichet.output.rejected.v1"
    topic = topics.WORKSPACES


class DriftFact(WorkspaceFact):
    """A difference between what should be and what the environment has."""

    code: Code
    object: Name


class DriftFound(DriftFact):
    """Said when an environment differs from what it should have."""

    event_type = "guichet.drift.found.v1"
    topic = topics.WORKSPACES


class DriftRepaired(DriftFact):
    """Said when the difference is gone."""

    event_type = "guichet.drift.repaired.v1"
    topic = topics.WORKSPACES


class RehostingFact(WorkspaceFact):
    """A step of the move of a workspace to another environment."""

    source_environment_id: Reference
    target_environment_id: Reference


class RehostingPlanned(RehostingFact):
    """Said when a workspace is to move, and why."""

    event_type = "guichet.rehosting.planned.v1"
    topic = topics.WORKSPACES

    code: Code


class RehostingCutOver(RehostingFact):
    """Said when logins were switched to a copy whose manifest equals the original's."""

    event_type = "guichet.rehosting.cut-over.v1"
    topic = topics.WORKSPACES

    tables: tuple[TableMade, ...]


class RehostingRolledBack(RehostingFact):
    """Said when a move was given up and the source stays."""

    event_type = "guichet.rehosting.rolled-back.v1"
    topic = topics.WORKSPACES

    code: Code


class RehostingCompleted(RehostingFact):
    """Said when the source is destroyed after a move, with its certificate.

    `downtime_seconds`: from the moment nobody could enter any more until persons were let into the copy; absent when
    the permit did not allow to let them in.
    """

    event_type = "guichet.rehosting.completed.v1"
    topic = topics.WORKSPACES

    certificate: DeletionCertificate
    downtime_seconds: Count | None = OPTIONAL
