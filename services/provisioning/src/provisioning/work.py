"""What each step asks of an environment, with all that it needs read beforehand."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from chassis.transaction import Transaction
from provisioning import registry, storage
from provisioning.domain import Open, freeze_code, settled
from provisioning.environments import Cohort, Deletion, Environment, Order, Refused
from provisioning.events import Admitted, Done, Filled, Froze, Opened, Prepared, Removed, ShutDown, Step
from provisioning.project import Extract, Project
from provisioning.registry import day_is_over
from provisioning.storage import Ticket, Workspace

TO_BE_CLEARED = "ENVIRONMENT_TO_BE_CLEARED"
NO_ADAPTER = "NO_ADAPTER_FOR_ENVIRONMENT"
NOBODY = "NO_PERSON_MAY_ENTER"
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Work:
    """One look at what a workspace should be: the environment is asked for this, whatever is wished meanwhile.

    logins_until   the end of the permit's last day, by the clock of the database server
    opted_out      who has opted out, at `list_version` of the list
    """

    workspace: Workspace
    project: Project
    logins_until: datetime
    opted_out: frozenset[str]
    list_version: int
    key: bytes

    @classmethod
    async def read(
        cls, transaction: Transaction, step: Step, workspace: Workspace, project: Project, *, sandbox: bool
    ) -> Work:
        """What a step needs to know, as it stands in this transaction; the key is made when first needed."""
        opted_out, list_version = await registry.opted_out(transaction.connection)
        key = b""
        if step in (Step.FILL, Step.REMOVE):
            fresh = secrets.token_bytes(KEY_BYTES)
            key = await storage.pseudonym_key(transaction.connection, workspace.workspace_id, fresh)
        return cls(
            workspace,
            project,
            logins_end(project, transaction.now, sandbox=sandbox),
            frozenset() if project.permit.includes_opted_out else opted_out,
            list_version,
            key,
        )

    @staticmethod
    def without_environment(step: Step, project: Project) -> Done | Deletion:
        """A step in an environment that we do not drive: nothing to do where nothing was made, else a person's work."""
        made = project.prepared or project.extracts or project.logins
        match step:
            case Step.CLOSE if not made:
                return ShutDown(project.why)
            case Step.DESTROY if not made:
                return Deletion(objects_left=0, covers_backups=True)
            case _:
                raise Refused(NO_ADAPTER)

    async def do(self, environment: Environment, ticket: Ticket) -> Done | Deletion:
        """Has the environment do a step and gives what it brought about. Raises what an `Environment` raises."""
        order = Order(ticket.workspace_id, ticket.fence, self.workspace.length)
        project, permit = self.project, self.project.permit
        match ticket.step:
            case Step.PREPARE:
                await environment.prepare(order)
                return Prepared()
            case Step.FILL:
                return await self._fill(environment, order)
            case Step.REMOVE:
                refs = project.to_remove
                tables = await environment.remove(order, refs, project.tables, self.key)
                return Removed(refs, tables, self.list_version)
            case Step.ADMIT:
                enter = isinstance(settled(self.workspace.state), Open)
                await environment.admit(order, permit.entrants, self.logins_until, enter)
                return Admitted(permit.entrants, permit.expires_on)
            case Step.OPEN:
                if not permit.entrants:
                    raise Refused(NOBODY)
                await environment.open(order, project.tables)
                return Opened(project.logins)
            case Step.FREEZE:
                await environment.freeze(order)
                return Froze(freeze_code(project))
            case Step.CLOSE:
                # Also what nobody recorded as made: a worker may have died in the middle of it.
                await environment.close(order)
                return ShutDown(project.why)
            case Step.DESTROY:
                return await environment.destroy(order)
            case Step.CLEAR:
                raise AssertionError("the gate is not asked of an environment")
            case _:
                assert_never(ticket.step)

    async def _fill(self, environment: Environment, order: Order) -> Filled:
        project = self.project
        if project.to_drop:
            await environment.drop(order, project.to_drop)
        cohort = Cohort(self.opted_out | project.objections, self.key)
        extraction = await environment.fill(order, project.permit, project.to_fill, cohort)
        extracts = tuple(Extract(grant, tables, self.list_version) for grant, tables in extraction.tables.items())
        return Filled(extracts, project.to_drop, self.list_version, extraction.excluded, project.objections)


def logins_end(project: Project, now: datetime, *, sandbox: bool) -> datetime:
    """When logins end, by the database server's clock: 24:00 Europe/Paris of the permit's last day.

    PostgreSQL compares VALID UNTIL with its own clock. A sandbox lives at another time: there the end is as far from
    the server's now as the permit's end is from the sandbox's now. Moving the sandbox forwards does not move logins
    that exist; what closes them then is `permit.expired`, and VALID UNTIL is only the second lock.
    """
    end = day_is_over(project.permit.expires_on)
    return end - now + datetime.now(UTC) if sandbox else end
