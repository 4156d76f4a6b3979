"""One way to change a workspace: decide, keep what happened, say it, and make the next step due."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from chassis.transaction import Transaction
from contracts.envelope import Envelope
from provisioning import registry, storage
from provisioning.certificate import Certificate
from provisioning.commands import CallOff, Command, GiveUp, Judge, LetGo, Plan, RequireTerms
from provisioning.domain import NOT_CLEARED, NOT_COVERED, decide, evolve, may_move, next_step, project_of
from provisioning.environments import Deletion
from provisioning.events import Erased, Event, Kept, Left, Planned, ShutDown, Step, Wished
from provisioning.gate import look
from provisioning.moves import downtime
from provisioning.places import place_of
from provisioning.project import Clearance, Project
from provisioning.registry import local_day
from provisioning.sayings import report_of, say_of
from provisioning.states import State
from provisioning.storage import Workspace
from provisioning.terms import Terms, counting, is_text_of

DELETION = "deletion"
"""The timer after which a closed workspace is destroyed; its subject is the workspace."""
ALARM = "deletion-alarm"
"""The timer after which a person is called because a closed workspace has not been destroyed."""
NO_TARGET = "NO_CLEARED_ENVIRONMENT"


class Progress:
    """What both the handlers and the step runner do to workspaces.

    served      environments that this service drives itself, and reports for as their host
    keep_days   how long a closed workspace is kept before it is destroyed
    terms       versions of the terms of use with the days from which they are required; None where that is not known
    alarm_days  after how many days more a person is called when it still is not
    """

    def __init__(
        self, served: Collection[str], keep_days: int, alarm_days: int = 7, terms: Sequence[Terms] | None = None
    ) -> None:
        self.served = served
        self._keep_days = keep_days
        self._alarm_days = alarm_days
        self._terms = terms

    async def apply(
        self,
        transaction: Transaction,
        workspace: Workspace,
        commands: Iterable[Command],
        cause: Envelope | None = None,
        certificate: Certificate | None = None,
    ) -> Workspace:
        """Decide on commands for a locked workspace and give the workspace as it is afterwards."""
        state = workspace.state
        happened: list[Event] = []
        why = cause or workspace.cause
        begun = await storage.begun(transaction.connection, workspace.workspace_id)
        for command in (*commands, *(() if begun is None else (LetGo(begun),))):
            if isinstance(command, LetGo) and not _is_cut_short(command.step, state, happened):
                break
            for event in decide(state, command):
                before, state = state, evolve(state, event)
                happened.append(event)
                project = project_of(state)
                environment_id = project.environment_id if project else None
                if isinstance(event, Erased) and certificate is None and project is not None:
                    # The host's own word, for an environment that we do not drive.
                    certificate = Certificate.of_workspace(workspace, project, Deletion(0, True), transaction.now)
                lost = await self._downtime(transaction, workspace, event)
                for fact in say_of(
                    event, before, state, workspace.workspace_id, workspace.request_id, certificate, lost
                ):
                    transaction.say(fact, subject=workspace.workspace_id, key=workspace.request_id, cause=why)
                report = report_of(event)
                if report is not None and environment_id is not None and environment_id in self.served:
                    transaction.say(
                        report,
                        subject=workspace.request_id,
                        key=workspace.request_id,
                        cause=why,
                        source=f"/hosts/{environment_id}",
                    )
                await self._note(transaction, workspace, event, state)
        project = project_of(state)
        environment_id = project.environment_id if project else None
        if happened:
            await storage.append_events(
                transaction.connection,
                workspace,
                happened,
                state=state,
                environment_id=environment_id,
                now=transaction.now,
                cause=cause,
            )
        await storage.schedule(transaction.connection, workspace.workspace_id, next_step(state))
        return replace(
            workspace,
            state=state,
            environment_id=environment_id,
            length=workspace.length + len(happened),
            cause=why,
        )

    async def _note(self, transaction: Transaction, workspace: Workspace, event: Event, state: State) -> None:
        """What an event means for timers, and for the ids under which environments know the workspace."""
        name, key, project = workspace.workspace_id, workspace.request_id, project_of(state)
        match event:
            case ShutDown():
                due = transaction.now + timedelta(days=self._keep_days)
                await transaction.set_timer(name, DELETION, due, key=key)
            case Kept():
                # Only now: when the clock has leapt over both days, the destruction has its time all the same.
                alarm = transaction.now + timedelta(days=self._alarm_days)
                await transaction.set_timer(name, ALARM, alarm, key=key)
            case Erased():
                await transaction.cancel_timer(name, DELETION)
                await transaction.cancel_timer(name, ALARM)
            case Planned() if project is not None and project.move is not None:
                place = place_of(name, project.move.number)
                await storage.keep_place(transaction.connection, place, name, project.move.target)
            case _:
                pass

    async def _downtime(self, transaction: Transaction, workspace: Workspace, event: Event) -> float | None:
        if not isinstance(event, Left):
            return None
        return downtime(await storage.history(transaction.connection, workspace.workspace_id))

    async def plan(self, transaction: Transaction, workspace: Workspace) -> Workspace:
        """Have a locked workspace that lost its environment move to the first that is cleared for it.

        Only environments that we drive and that the impact assessment covers count; a person is needed without one.
        """
        project = project_of(workspace.state)
        if project is None:
            return workspace
        for environment_id in sorted(self.served):
            if environment_id == project.environment_id or not project.permit.covers(environment_id):
                continue
            clearance = await clear(transaction, project, environment_id)
            if may_move(workspace.state, clearance) is None:
                return await self.apply(transaction, workspace, [Plan(clearance, NOT_CLEARED)])
        return await self.apply(transaction, workspace, [GiveUp(Step.PLAN, NO_TARGET)])

    async def judge_target(self, transaction: Transaction, workspace: Workspace) -> tuple[Workspace, Clearance | None]:
        """Ask the gate about the target of the move of a locked workspace; a move to one not cleared is called off.

        So is one to where the permit, amended meanwhile, no longer lets it.
        """
        project = project_of(workspace.state)
        if project is None or project.move is None or project.undoing:
            return workspace, None
        clearance = await clear(transaction, project, project.move.target)
        if not clearance.cleared:
            workspace = await self.apply(transaction, workspace, [CallOff("TARGET_NOT_CLEARED")])
        elif not project.permit.covers(project.move.target):
            workspace = await self.apply(transaction, workspace, [CallOff(NOT_COVERED)])
        return workspace, clearance

    async def judge(self, transaction: Transaction, workspace: Workspace, cause: Envelope | None = None) -> Workspace:
        """Ask the hosting gate about a locked workspace, today."""
        project = project_of(workspace.state)
        if project is None or project.environment_id is None:
            return workspace
        clearance = await clear(transaction, project, project.environment_id)
        asked: list[Command] = [Judge(clearance)]
        if (versions := self.terms_on(transaction.now)) is not None:
            asked.insert(0, RequireTerms(versions))
        return await self.apply(transaction, workspace, asked, cause)

    def is_text_of(self, version: str, sha256: str) -> bool:
        """Whether a text may be that of a version of the terms."""
        return is_text_of(self._terms or (), version, sha256)

    def terms_on(self, now: datetime) -> tuple[str, ...] | None:
        """The versions of the terms that count at an instant; None where this is not ours to say."""
        return None if self._terms is None else counting(self._terms, local_day(now))


def _is_cut_short(step: Step, state: State, happened: Sequence[Event]) -> bool:
    """Whether a step that was begun will not be done whole: it is no longer due, or now of other datasets."""
    return next_step(state) is not step or (step is Step.FILL and any(isinstance(each, Wished) for each in happened))


async def clear(transaction: Transaction, project: Project, environment_id: str) -> Clearance:
    """What the gate finds today for every dataset class of a permit: as granted, and as the catalogue has it now."""
    connection = transaction.connection
    known = await registry.environments(connection, [environment_id])
    described = await registry.dataset_classes(connection, (grant.dataset_id for grant in project.permit.datasets))
    return look(known.get(environment_id), environment_id, project.permit, described, local_day(transaction.now))
