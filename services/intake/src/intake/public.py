"""The public state of a request: what its portal may see of what the other services have said about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from pydantic import Field

from contracts import compliance, provisioning
from contracts.facts import Fact, Shape
from contracts.vocabulary import Day, Finding, Outcome, PermitKind, Reason

Status: TypeAlias = Literal[
    "received", "incomplete", "complete", "awaiting_confirmation", "decided", "lapsed", "converted", "closed"
]
PermitStatus: TypeAlias = Literal["active", "suspended", "expired", "revoked", "closed"]


class Deadline(Shape):
    """A period of the procedure: who is awaited is in the step, what silence means in `silence`."""

    step: str
    starts: Day
    due: Day
    silence: str
    state: str
    extended: bool
    citation: str


class Permit(Shape):
    """The permit of a request in its current version."""

    permit_id: str
    kind: PermitKind
    version: int
    status: PermitStatus
    issued_on: Day
    expires_on: Day
    months: int


class Workspace(Shape):
    """The workspace of a request as last reported by provisioning; `code` says why it is frozen, closed or stuck."""

    workspace_id: str
    state: str
    environment_id: str | None = None
    code: str | None = None


class Output(Shape):
    """A result that somebody asked to take out."""

    ref: str
    verdict: Literal["released", "returned", "rejected"]
    code: str | None


class Progress(Shape):
    """How far a request has come."""

    status: Status = "received"
    regime: str | None = None
    route: str | None = None
    citation: str | None = None
    outcome: Outcome | None = None
    reasons: tuple[Reason, ...] = ()
    missing: tuple[Finding, ...] = ()
    deadlines: tuple[Deadline, ...] = Field(default=(), description="In the order in which they first started.")
    permit: Permit | None = None
    workspace: Workspace | None = None
    outputs: tuple[Output, ...] = ()

    def __or__(self, changes: Mapping[str, object]) -> Progress:
        """The same progress with some members replaced."""
        return self.model_copy(update=dict(changes))


class PublicRequest(Shape):
    """What `GET /requests/{id}` answers to the portal that a request belongs to."""

    request_id: str
    portal: str
    portal_reference: str
    revision: int
    withdrawn: bool
    progress: Progress

    def wire(self) -> bytes:
        """JSON in UTF-8."""
        return self.model_dump_json().encode()


Followed: TypeAlias = compliance.CaseFact | provisioning.WorkspaceFact

FOLLOWED: Final[tuple[type[Followed], ...]] = (
    compliance.RouteDetermined,
    compliance.CompletenessPassed,
    compliance.CompletenessFailed,
    compliance.DeadlineStarted,
    compliance.DeadlineExtended,
    compliance.DeadlineMet,
    compliance.DeadlineElapsed,
    compliance.DeadlineStopped,
    compliance.RefusalProposed,
    compliance.RequestGranted,
    compliance.RequestRefused,
    compliance.RequestLapsed,
    compliance.RequestConverted,
    compliance.RequestClosed,
    compliance.PermitIssued,
    compliance.PermitAmended,
    compliance.PermitExtended,
    compliance.PermitSuspended,
    compliance.PermitResumed,
    compliance.PermitRevoked,
    compliance.PermitExpired,
    compliance.PermitClosed,
    provisioning.WorkspaceRequested,
    provisioning.WorkspaceProvisioned,
    provisioning.WorkspaceOpened,
    provisioning.WorkspaceFrozen,
    provisioning.WorkspaceClosed,
    provisioning.WorkspaceDestroyed,
    provisioning.WorkspacePersonNeeded,
    provisioning.OutputReleased,
    provisioning.OutputReturned,
    provisioning.OutputRejected,
)
"""The facts that change what a portal sees."""


def follow(progress: Progress, fact: Fact) -> Progress:
    """The progress after a fact; one that is not followed changes nothing."""
    match fact:
        case compliance.RouteDetermined():
            return progress | {"regime": fact.regime, "route": fact.route, "citation": fact.citation}
        case compliance.CompletenessPassed():
            return progress | {"status": _unless_over(progress, "complete"), "missing": ()}
        case compliance.CompletenessFailed():
            return progress | {"status": _unless_over(progress, "incomplete"), "missing": fact.missing}
        case compliance.DeadlineFact():
            return progress | {"deadlines": _with_deadline(progress.deadlines, fact)}
        case compliance.RefusalProposed():
            return progress | {
                "status": "awaiting_confirmation",
                "outcome": "REFUSAL_PROPOSED",
                "reasons": fact.reasons,
            }
        case compliance.RequestDecided():
            return progress | {"status": "decided", "outcome": fact.outcome, "reasons": fact.reasons}
        case compliance.RequestLapsed():
            return progress | {"status": "lapsed", "outcome": "LAPSED", "reasons": fact.reasons}
        case compliance.RequestConverted():
            return progress | {"status": "converted", "outcome": "CONVERTED"}
        case compliance.RequestClosed():
            return progress | {"status": "closed", "outcome": fact.outcome, "reasons": fact.reasons}
        case provisioning.OutputFact():
            return progress | {"outputs": _with_output(progress.outputs, fact)}
        case provisioning.WorkspaceFact():
            return progress | {"workspace": _workspace(progress.workspace, fact)}
        case _:
            return progress | {"permit": _permit(progress.permit, fact)}


def _unless_over(progress: Progress, status: Status) -> Status:
    return status if progress.status in ("received", "incomplete", "complete") else progress.status


def _with_deadline(deadlines: tuple[Deadline, ...], fact: compliance.DeadlineFact) -> tuple[Deadline, ...]:
    new = Deadline(
        step=fact.step,
        starts=fact.starts,
        due=fact.due,
        silence=fact.silence,
        state=fact.state,
        extended=fact.extended,
        citation=fact.citation,
    )
    if all(deadline.step != new.step for deadline in deadlines):
        return (*deadlines, new)
    return tuple(new if deadline.step == new.step else deadline for deadline in deadlines)


def _permit(permit: Permit | None, fact: Fact) -> Permit | None:
    if isinstance(fact, compliance.PermitIssued):
        return Permit(
            permit_id=fact.permit_id,
            kind=fact.kind,
            version=fact.version,
            status="active",
            issued_on=fact.issued_on,
            expires_on=fact.expires_on,
            months=fact.months,
        )
    if permit is None:
        return None
    match fact:
        case compliance.PermitAmended():
            changes: dict[str, object] = {"version": fact.version}
        case compliance.PermitExtended():
            changes = {"version": fact.version, "expires_on": fact.expires_on, "months": fact.months}
        case compliance.PermitSuspended():
            changes = {"status": "suspended"}
        case compliance.PermitResumed():
            changes = {"status": "active"}
        case compliance.PermitRevoked():
            changes = {"status": "revoked"}
        case compliance.PermitExpired():
            changes = {"status": "expired"}
        case compliance.PermitClosed():
            changes = {"status": "closed"}
        case _:
            return permit
    return permit.model_copy(update=changes)


def _workspace(workspace: Workspace | None, fact: provisioning.WorkspaceFact) -> Workspace | None:
    now = workspace or Workspace(workspace_id=fact.workspace_id, state="requested")
    match fact:
        case provisioning.WorkspaceRequested():
            changes: dict[str, object] = {"state": "requested", "environment_id": fact.environment_id, "code": None}
        case provisioning.WorkspaceProvisioned():
            changes = {"state": "ready", "environment_id": fact.environment_id, "code": None}
        case provisioning.WorkspaceOpened():
            changes = {"state": "open", "environment_id": fact.environment_id, "code": None}
        case provisioning.WorkspaceFrozen():
            changes = {"state": "frozen", "environment_id": fact.environment_id, "code": fact.code}
        case provisioning.WorkspaceClosed():
            changes = {"state": "closed", "environment_id": fact.environment_id, "code": fact.code}
        case provisioning.WorkspaceDestroyed():
            changes = {"state": "destroyed", "code": None}
        case provisioning.WorkspacePersonNeeded():
            changes = {"code": fact.code}
        case _:
            return workspace
    return now.model_copy(update=changes)


def _with_output(outputs: tuple[Output, ...], fact: provisioning.OutputFact) -> tuple[Output, ...]:
    match fact:
        case provisioning.OutputReleased():
            new = Output(ref=fact.ref, verdict="released", code=fact.code)
        case provisioning.OutputReturned():
            new = Output(ref=fact.ref, verdict="returned", code=fact.code)
        case _:
            new = Output(ref=fact.ref, verdict="rejected", code=fact.code)
    return (*(output for output in outputs if output.ref != new.ref), new)
