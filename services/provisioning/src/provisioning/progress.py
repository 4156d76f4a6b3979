"""One way to change a workspace: decide, keep what happened, say it, and make the next step due."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from datetime import timedelta

from chassis.transaction import Transaction
from contracts.envelope import Envelope
from provisioning import registry, storage
from provisioning.commands import Command, Judge
from provisioning.domain import decide, evolve, next_step, project_of
from provisioning.environments import Deletion
from provisioning.events import Erased, ShutDown
from provisioning.project import Clearance, Project
from provisioning.registry import local_day
from provisioning.sayings import Certificate, report_of, say_of
from provisioning.storage import Workspace
from safeguards.hosting import Environment, Need, criteria

DELETION = "deletion"
"""The timer after which a closed workspace is destroyed; its subject is the workspace."""


class Progress:
    """What both the handlers and the step runner do to workspaces.

    served      environments that this service drives itself, and reports for as their host
    keep_days   how long a closed workspace is kept before it is destroyed
    """

    def __init__(self, served: Container[str], keep_days: int) -> None:
        self.served = served
        self._keep_days = keep_days

    async def apply(
        self,
        transaction: Transaction,
        workspace: Workspace,
        commands: Iterable[Command],
        cause: Envelope | None = None,
        certificate: Certificate | None = None,
    ) -> Workspace:
        """Decide on commands for a locked workspace and give the workspace as it is afterwards."""
        state, happened = workspace.state, []
        why = cause or workspace.cause
        for command in commands:
            for event in decide(state, command):
                before, state = state, evolve(state, event)
                happened.append(event)
                project = project_of(state)
                environment_id = project.environment_id if project else None
                if isinstance(event, Erased) and certificate is None and project is not None:
                    # The host's own word, for an environment that we do not drive.
                    certificate = Certificate(workspace, project, Deletion(0, True), transaction.now)
                for fact in say_of(event, before, state, workspace.workspace_id, workspace.request_id, certificate):
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
                if isinstance(event, ShutDown):
                    due = transaction.now + timedelta(days=self._keep_days)
                    await transaction.set_timer(workspace.workspace_id, DELETION, due, key=workspace.request_id)
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

    async def judge(self, transaction: Transaction, workspace: Workspace, cause: Envelope | None = None) -> Workspace:
        """Ask the hosting gate about a locked workspace, today."""
        project = project_of(workspace.state)
        if project is None or project.environment_id is None:
            return workspace
        clearance = await clear(transaction, project, project.environment_id)
        return await self.apply(transaction, workspace, [Judge(clearance)], cause)


async def clear(transaction: Transaction, project: Project, environment_id: str) -> Clearance:
    """What the gate finds for every dataset class of a permit: as granted, and as the catalogue has it now."""
    day, connection = local_day(transaction.now), transaction.connection
    known = await registry.environments(connection, [environment_id])
    # Of an environment that never presented itself nothing is proven.
    environment = known.get(environment_id) or Environment(environment_id, "", "", "", False, ())
    granted = {grant.dataset_class for grant in project.permit.datasets}
    described = await registry.dataset_classes(connection, (grant.dataset_id for grant in project.permit.datasets))
    need = Need(frozenset(granted | described), project.permit.state_body, project.permit.regime)
    return Clearance(environment_id, day, criteria(environment, need, day))
