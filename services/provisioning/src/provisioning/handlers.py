"""What happens when a fact arrives: permits, deliveries, objections, opt-outs and evidence become commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID

from chassis.errors import Unreadable
from chassis.logs import logger
from chassis.messages import Message
from chassis.service import Timer
from chassis.transaction import Transaction
from contracts import compliance, holders, hosts, intake, persons, portals
from contracts.dossier import Person as DossierPerson
from contracts.facts import Fact
from contracts.identity import workspace_id
from contracts.registry import short
from provisioning import commands as ask
from provisioning import registry, storage
from provisioning.commands import Command
from provisioning.domain import PersonNeeded, project_of
from provisioning.events import Examined, Step
from provisioning.progress import ALARM, DELETION, Progress
from provisioning.project import Grant, Permit, Person
from provisioning.registry import day_begins, local_day
from provisioning.storage import Workspace
from safeguards.hosting import Environment, Evidence

log = logger()

EVIDENCE = "evidence"
"""The timer of the day on which some evidence of an environment begins or is over; its subject is the environment."""

RECLASSIFIED = ""
"""In place of an environment: a dataset has another class than it was known to have."""

TERMS = short(portals.PermitTermsAccepted.event_type)
"""The one notice of portals that is acted upon here."""

FACTS: tuple[type[Fact], ...] = (
    intake.RequestNoticeRecorded,
    compliance.PermitIssued,
    compliance.PermitAmended,
    compliance.PermitExtended,
    compliance.PermitSuspended,
    compliance.PermitResumed,
    compliance.PermitRevoked,
    compliance.PermitExpired,
    compliance.PermitClosed,
    compliance.OutputAssessed,
    holders.DatasetDescribed,
    holders.DataDelivered,
    persons.OptoutRecorded,
    persons.OptoutReversed,
    persons.ObjectionReceived,
    hosts.EnvironmentRegistered,
    hosts.EnvironmentQualified,
    hosts.EnvironmentQualificationLost,
    hosts.WorkspaceReported,
    hosts.DeletionCertified,
)


class Handlers:
    """The handlers of the service, over one way to make progress."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    async def handle(self, transaction: Transaction, messages: Sequence[Message]) -> None:
        """A batch in order: first what everybody refers to, then what concerns single workspaces."""
        told: list[tuple[str, Message, list[Command]]] = []
        changed: dict[str, Message] = {}
        waiting: dict[str, str] = {}
        reclassified: Message | None = None
        for message in messages:
            noted = await self._note(transaction, message)
            if noted is RECLASSIFIED:
                reclassified = message
            elif noted is not None:
                changed[noted] = message
            elif request := _request_of(message):
                told.append((request, message, self._commands_of(message)))
        concerned = {workspace_id(request): request for request, _, _ in told}
        affected: dict[str, Message] = {}
        if reclassified is not None:
            live = await storage.live_workspaces(transaction.connection)
            concerned |= live
            affected |= dict.fromkeys(live, reclassified)
        for environment_id, message in changed.items():
            on_it = await storage.workspaces_on(transaction.connection, environment_id)
            concerned |= on_it
            affected |= dict.fromkeys(on_it, message)
            waiting = await storage.waiting_for_a_place(transaction.connection)
            concerned |= waiting
            await self._await_change(transaction, environment_id)
        if not concerned:
            return
        workspaces = await storage.lock_workspaces(transaction.connection, concerned)
        for request, message, wanted in told:
            workspace = workspaces[workspace_id(request)]
            if isinstance(message.fact, hosts.WorkspaceReported | hosts.DeletionCertified) and not self._believes(
                message, workspace.environment_id
            ):
                continue
            workspace = await self._progress.apply(transaction, workspace, wanted, message.envelope)
            if isinstance(message.fact, compliance.PermitAmended):
                workspace = await self._judge(transaction, workspace, message)
            workspaces[workspace.workspace_id] = workspace
        for affected_id, message in affected.items():
            workspaces[affected_id] = await self._judge(transaction, workspaces[affected_id], message)
        for waiting_id in waiting:
            await self._plan_again(transaction, workspaces[waiting_id])

    def _commands_of(self, message: Message) -> list[Command]:
        match message.fact:
            case intake.RequestNoticeRecorded(data=data, said_at=said_at, request_id=request):
                accepted = portals.PermitTermsAccepted.read(json.dumps(data))
                if not self._progress.is_text_of(accepted.terms, accepted.sha256):
                    # What was shown is not the text that counts: the person is still named as missing.
                    log.warning("terms_text_differs", request_id=request, terms=accepted.terms)
                    return []
                return [ask.AcceptTerms(accepted.person, accepted.terms, local_day(said_at), accepted.sha256)]
            case fact:
                return _commands_of(fact)

    async def _judge(self, transaction: Transaction, workspace: Workspace, message: Message | None = None) -> Workspace:
        """Ask the gate again about a workspace about which it was asked before."""
        project = project_of(workspace.state)
        if project is None or project.clearance is None:
            return workspace
        return await self._progress.judge(transaction, workspace, message.envelope if message else None)

    async def _plan_again(self, transaction: Transaction, workspace: Workspace) -> None:
        """A workspace for whose move no environment was cleared may find one now that evidence has changed."""
        if isinstance(workspace.state, PersonNeeded) and workspace.state.step is Step.PLAN:
            await self._progress.apply(transaction, workspace, [ask.Retry()])

    async def on_timer(self, transaction: Transaction, timer: Timer) -> None:
        """A closed workspace has been kept long enough, or far too long, or evidence begins or ends today."""
        if timer.kind in (DELETION, ALARM):
            workspace = await storage.lock_workspace(transaction.connection, timer.subject)
            if workspace is not None:
                due = ask.DeletionDue() if timer.kind == DELETION else ask.RaiseAlarm()
                await self._progress.apply(transaction, workspace, [due])
            return
        on_it = await storage.workspaces_on(transaction.connection, timer.subject)
        waiting = await storage.waiting_for_a_place(transaction.connection)
        workspaces = await storage.lock_workspaces(transaction.connection, on_it | waiting)
        for affected_id in on_it:
            workspaces[affected_id] = await self._judge(transaction, workspaces[affected_id])
        for waiting_id in waiting:
            await self._plan_again(transaction, workspaces[waiting_id])
        await self._await_change(transaction, timer.subject)

    async def _note(self, transaction: Transaction, message: Message) -> str | None:
        """Keep reference data; the environment whose evidence may have changed, or that a dataset has another class."""
        connection, at = transaction.connection, message.envelope.time
        match message.fact:
            case hosts.EnvironmentRegistered() as fact:
                _speaks_for_itself(message, fact.environment_id)
                await registry.register(connection, _environment(fact), at)
                return fact.environment_id
            case hosts.EnvironmentQualified(environment_id=name, evidence=evidence):
                _speaks_for_itself(message, name)
                await registry.qualify(connection, name, [_evidence(evidence)], at)
                return name
            case hosts.EnvironmentQualificationLost(environment_id=name, evidence=lost):
                _speaks_for_itself(message, name)
                await registry.disqualify(connection, name, lost, at)
                return name
            case holders.DatasetDescribed() as fact:
                if await registry.describe_dataset(connection, fact.dataset_id, fact.dataset_class, at):
                    return RECLASSIFIED
            case persons.OptoutRecorded(ref=ref, list_version=version):
                await registry.note_opt_out(connection, ref, True, version)
            case persons.OptoutReversed(ref=ref, list_version=version):
                await registry.note_opt_out(connection, ref, False, version)
            case _:
                pass
        return None

    async def _await_change(self, transaction: Transaction, environment_id: str) -> None:
        day = await registry.next_change(transaction.connection, environment_id, local_day(transaction.now))
        if day is None:
            await transaction.cancel_timer(environment_id, EVIDENCE)
        else:
            await transaction.set_timer(environment_id, EVIDENCE, day_begins(day))

    def _believes(self, message: Message, environment_id: str | None) -> bool:
        """A host is believed about its own workspaces, unless we drive it: then these are our own words coming back."""
        if environment_id is None or environment_id in self._progress.served:
            return False
        return message.envelope.source == f"/hosts/{environment_id}"


def _speaks_for_itself(message: Message, environment_id: str) -> None:
    if message.envelope.source != f"/hosts/{environment_id}":
        raise Unreadable("foreign-source", "a host speaks for its own environment only")


def _request_of(message: Message) -> str | None:
    """The request a message is about, None for reference data."""
    match message.fact:
        case intake.RequestNoticeRecorded(notice=notice) if notice != TERMS:
            return None
        case (
            holders.DataDelivered()
            | persons.ObjectionReceived()
            | hosts.WorkspaceReported()
            | hosts.DeletionCertified()
        ):
            try:
                return str(UUID((message.key or b"").decode()))
            except ValueError:
                raise Unreadable("invalid-key", "the key is the request id") from None
        case _:
            request: str | None = getattr(message.fact, "request_id", None)
            return request


def _commands_of(fact: Fact) -> list[Command]:
    match fact:
        case compliance.PermitIssued():
            return [ask.Grant(_permit(fact))]
        case compliance.PermitAmended(version=version, persons=named, datasets=datasets):
            return [ask.Amend(version, _persons(named), _grants(datasets))]
        case compliance.PermitExtended(version=version, expires_on=expires_on):
            return [ask.Extend(version, expires_on)]
        case compliance.PermitSuspended():
            return [ask.Suspend()]
        case compliance.PermitResumed():
            return [ask.Resume()]
        case compliance.PermitRevoked():
            return [ask.End("PERMIT_REVOKED")]
        case compliance.PermitExpired():
            return [ask.End("PERMIT_EXPIRED")]
        case compliance.PermitClosed():
            return [ask.End("PERMIT_CLOSED", delete=True)]
        case compliance.OutputAssessed(verdict="released" | "returned" | "rejected" as verdict):
            return [ask.Examine(Examined(fact.ref, verdict, fact.code, fact.citation, fact.cells))]
        case holders.DataDelivered(dataset_ids=ids):
            return [ask.Deliver(ids or ())]
        case persons.ObjectionReceived(ref=ref):
            return [ask.Object(ref)]
        case hosts.WorkspaceReported(state="open" | "frozen" | "closed" as state):
            return [ask.Report(state)]
        case hosts.DeletionCertified(scope="all"):
            return [ask.Report("destroyed")]
        case _:
            return []


def _permit(fact: compliance.PermitIssued) -> Permit:
    return Permit(
        permit_id=fact.permit_id,
        version=fact.version,
        kind=fact.kind,
        regime=fact.regime,
        expires_on=fact.expires_on,
        persons=_persons(fact.persons),
        datasets=_grants(fact.datasets),
        environment_id=fact.environment_id,
        state_body=fact.state_body,
        includes_opted_out=fact.includes_opted_out,
        full_birth_date=fact.full_birth_date,
        crosses_potential_identifiers=fact.crosses_potential_identifiers,
        covers_environments=fact.covers_environments,
    )


def _persons(named: Sequence[DossierPerson]) -> tuple[Person, ...]:
    return tuple(Person(p.ref, p.habilitated, p.confidentiality_signed) for p in named)


def _grants(datasets: Sequence[compliance.PermittedDataset]) -> tuple[Grant, ...]:
    return tuple(
        Grant(d.dataset_id, d.version, d.dataset_class, d.holder, tuple(d.categories), d.years[0], d.years[-1])
        for d in datasets
    )


def _evidence(item: hosts.EvidenceItem) -> Evidence:
    return Evidence(item.type, item.issuer, item.reference, item.valid_from, item.valid_to)


def _environment(fact: hosts.EnvironmentRegistered) -> Environment:
    return Environment(
        fact.environment_id,
        fact.operator,
        fact.storage_country,
        fact.controlling_jurisdiction,
        fact.adequacy,
        tuple(_evidence(item) for item in fact.evidence),
    )
