"""What each step asks of an environment, with all that it needs read beforehand."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from chassis.crash import crash_point
from chassis.transaction import Transaction
from provisioning import registry, storage
from provisioning.domain import Closed, Destroyed, Open, freeze_code, settled
from provisioning.drift import KEY_MISSING, compare, desired
from provisioning.environments import Cohort, Deletion, Environment, Order, Refused, Superseded, Trouble
from provisioning.events import (
    Admitted,
    Copied,
    CutOver,
    Done,
    Filled,
    Froze,
    Mended,
    Opened,
    Prepared,
    Removed,
    RolledBack,
    ShutDown,
    Step,
)
from provisioning.places import place_of
from provisioning.project import Clearance, Extract, Move, Project
from provisioning.registry import day_is_over
from provisioning.storage import Ticket, Workspace

TO_BE_CLEARED = "ENVIRONMENT_TO_BE_CLEARED"
NO_ADAPTER = "NO_ADAPTER_FOR_ENVIRONMENT"
NOBODY = "NO_PERSON_MAY_ENTER"
KEY_BYTES = 32
MOVES = (Step.COPY, Step.SWITCH, Step.UNDO)


@dataclass(frozen=True, slots=True)
class Work:
    """One look at what a workspace should be: the environment is asked for this, whatever is wished meanwhile.

    logins_until   the end of the permit's last day, by the clock of the database server
    opted_out      who has opted out, at `list_version` of the list
    target         what the gate has just found about the target of a move
    """

    workspace: Workspace
    project: Project
    logins_until: datetime
    opted_out: frozenset[str]
    list_version: int
    key: bytes
    target: Clearance | None = None
    key_there: bool = True

    @classmethod
    async def read(
        cls,
        transaction: Transaction,
        step: Step,
        workspace: Workspace,
        project: Project,
        *,
        sandbox: bool,
        target: Clearance | None = None,
    ) -> Work:
        """What a step needs to know, as it stands in this transaction; the key is made when first needed."""
        opted_out, list_version = await registry.opted_out(transaction.connection)
        key = b""
        key_there = await storage.has_key(transaction.connection, workspace.workspace_id)
        if step in (Step.FILL, Step.REMOVE):
            if project.extracts and not key_there:
                # Another key would give everybody a second pseudonym.
                raise Refused(KEY_MISSING)
            fresh = secrets.token_bytes(KEY_BYTES)
            key = await storage.pseudonym_key(transaction.connection, workspace.workspace_id, fresh)
        return cls(
            workspace,
            project,
            logins_end(project, transaction.now, sandbox=sandbox),
            frozenset() if project.permit.includes_opted_out else opted_out,
            list_version,
            key,
            target,
            key_there,
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

    async def do(self, environments: Mapping[str, Environment], ticket: Ticket) -> Done | Deletion:
        """Has an environment do a step and gives what it brought about. Raises what an `Environment` raises."""
        project, move, leaving = self.project, self.project.move, self.project.leaving
        if ticket.step in MOVES and move is not None:
            return await self._move(environments, ticket, move)
        if ticket.step is Step.LEAVE and leaving is not None:
            return await _driven(environments, leaving.environment_id).destroy(self._order(ticket, leaving.place))
        environment = environments.get(project.environment_id or "")
        if environment is None:
            return self.without_environment(ticket.step, project)
        return await self._do_here(environment, ticket)

    def _order(self, ticket: Ticket, place: int) -> Order:
        return Order(place_of(ticket.workspace_id, place), ticket.fence, self.workspace.length)

    async def _do_here(self, environment: Environment, ticket: Ticket) -> Done | Deletion:
        project, permit = self.project, self.project.permit
        order = self._order(ticket, project.place)
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
                await environment.admit(order, project.entrants, self.logins_until, enter)
                return Admitted(project.entrants, permit.expires_on)
            case Step.OPEN:
                if not project.entrants:
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
            case Step.REPAIR:
                return await self._repair(environment, order)
            case Step.CLEAR | Step.PLAN:
                raise AssertionError("what is decided is not asked of an environment")
            case Step.COPY | Step.SWITCH | Step.UNDO | Step.LEAVE:
                raise AssertionError("a move needs a plan")
            case _:
                assert_never(ticket.step)

    async def _move(self, environments: Mapping[str, Environment], ticket: Ticket, move: Move) -> Done | Deletion:
        project = self.project
        target, there = _driven(environments, move.target), self._order(ticket, move.number)
        match ticket.step:
            case Step.COPY:
                source = _driven(environments, project.environment_id or "")
                await self._copy(source, target, there)
                return Copied()
            case Step.SWITCH:
                if self.target is None:
                    raise Superseded
                entrants = project.entrants
                # Logins at the target, all still shut: whoever was in the source is kept out of it since the freeze.
                await target.admit(there, entrants, self.logins_until, False)
                return CutOver(self.target, entrants, project.permit.expires_on)
            case _:
                await target.destroy(there)
                return RolledBack()

    async def _copy(self, source: Environment, target: Environment, there: Order) -> None:
        """Every table with equal rows; one that a worker who died had copied already is not copied again."""
        here = place_of(self.workspace.workspace_id, self.project.place)
        await target.prepare(there)
        copied = {table.table: table for table in await target.manifests(there.workspace_id)}
        for table in self.project.tables:
            if copied.get(table.table) == table:
                continue
            async with source.read(here, table.table) as rows:
                copy = await target.load(there, table.dataset_id, table.table, rows)
            if copy != table:
                raise Trouble("MANIFESTS_DIFFER")
            crash_point("table_copied")

    async def _repair(self, environment: Environment, order: Order) -> Mended:
        """Puts right what is safe, looks again, and gives what is gone; Refused for what then still differs."""
        project, state = self.project, settled(self.workspace.state)
        match state:
            case Destroyed():
                await environment.destroy(order)
            case Closed():
                await environment.restore(order, project.tables)
                await environment.admit(order, project.logins, self.logins_until, False)
                await environment.close(order)
            case _:
                if project.unsure:
                    await self._drop_what_was_cut_short(environment, order)
                enter = isinstance(state, Open)
                await environment.restore(order, project.tables)
                await environment.admit(order, project.logins, self.logins_until, enter)
                if not enter:
                    await environment.freeze(order)
        wanted = desired(state, order.workspace_id, self.logins_until) if state else None
        if wanted is None:
            return Mended(project.drift)
        # The key of what is destroyed goes with the word that it is gone.
        there = self.key_there and not isinstance(state, Destroyed)
        left = compare(wanted, await environment.inspect(order.workspace_id), key_there=there)
        for drift in left:
            if drift.mendable:
                raise Refused(drift.code)
        return Mended(tuple(drift for drift in project.drift if drift not in left))

    async def _drop_what_was_cut_short(self, environment: Environment, order: Order) -> None:
        """Our own extraction of a dataset that is no longer wished, where nobody recorded it."""
        there = (await environment.inspect(order.workspace_id)).tables.values()
        kept = {extract.grant.dataset_id for extract in self.project.extracts}
        if left := sorted({*there} - kept):
            await environment.drop(order, left)

    async def _fill(self, environment: Environment, order: Order) -> Filled:
        project = self.project
        if project.to_drop:
            await environment.drop(order, project.to_drop)
        cohort = Cohort(self.opted_out | project.objections, self.key)
        extraction = await environment.fill(order, project.permit, project.to_fill, cohort)
        extracts = tuple(Extract(grant, tables, self.list_version) for grant, tables in extraction.tables.items())
        return Filled(extracts, project.to_drop, self.list_version, extraction.excluded, project.objections)


def _driven(environments: Mapping[str, Environment], environment_id: str) -> Environment:
    environment = environments.get(environment_id)
    if environment is None:
        raise Refused(NO_ADAPTER)
    return environment


def logins_end(project: Project, now: datetime, *, sandbox: bool) -> datetime:
    """When logins end, by the database server's clock: 24:00 Europe/Paris of the permit's last day.

    PostgreSQL compares VALID UNTIL with its own clock. A sandbox lives at another time: there the end is as far from
    the server's now as the permit's end is from the sandbox's now. Moving the sandbox forwards does not move logins
    that exist; what closes them then is `permit.expired`, and VALID UNTIL is only the second lock.
    """
    end = day_is_over(project.permit.expires_on)
    return end - now + datetime.now(UTC) if sandbox else end
