"""The step runner: takes one due step at a time, has an environment do it, and records what it brought.

A lease lasts seconds and is renewed while the work goes on, so that the step of a worker that died is soon taken by
another; its fence keeps the dead one, should it come back, from changing anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from chassis.crash import crash_point
from chassis.logs import logger
from chassis.runtime import Runtime
from chassis.supervision import backoff_seconds, wait_until
from chassis.transaction import Transaction
from guichet_verify.notes import NotAKey, SigningKey
from provisioning import storage
from provisioning.certificate import Certificate
from provisioning.certificate_keys import Signers
from provisioning.commands import GiveUp, Record, Unlock
from provisioning.domain import Destroyed, next_step, project_of, settled
from provisioning.environments import Deletion, Environment, Refused, Superseded, Trouble
from provisioning.events import CutOver, Done, Erased, Left, Mended, Step
from provisioning.progress import Progress
from provisioning.project import Clearance
from provisioning.settings import ProvisioningSettings
from provisioning.storage import Ticket, Workspace
from provisioning.work import TO_BE_CLEARED, Work

POLL_SECONDS = 1.0
"""How late a step may be noticed that another process made due, or whose pause or lease has ended."""
GATED = (Step.CLEAR, Step.FILL, Step.OPEN, Step.PLAN)
"""What is done only where the gate has just been asked."""
LONG = (Step.FILL, Step.COPY)
NO_KEY = "CERTIFICATE_KEY_UNREADABLE"

log = logger()


class Runner:
    """Workers over the due steps of all workspaces. Any number of processes may run them side by side."""

    def __init__(
        self,
        runtime: Runtime,
        progress: Progress,
        environments: Mapping[str, Environment],
        settings: ProvisioningSettings,
        signers: Signers | None = None,
    ) -> None:
        self._runtime = runtime
        self._progress = progress
        self._environments = environments
        self._settings = settings
        self._signers = signers

    async def run(self) -> None:
        """One worker, until the service stops. Raises what the service's own database raises."""
        while not self._runtime.stopping.is_set():
            self._runtime.changed.clear()
            # Not a transaction of the runtime: looking wakes nobody.
            async with self._runtime.database.transaction() as connection:
                ticket = await storage.lease(connection, self._settings.lease_seconds)
            if ticket is None:
                await wait_until(self._runtime.changed, POLL_SECONDS)
                continue
            crash_point(f"step_{ticket.step.value}_leased")
            await self._take(ticket)
            crash_point(f"step_{ticket.step.value}_recorded")

    async def _take(self, ticket: Ticket) -> None:
        if ticket.attempts > self._settings.step_attempts:
            # The worker died in each attempt: whatever kills it must not do so for ever.
            return await self._give_up(ticket, "ATTEMPTS_EXHAUSTED")
        seconds = self._settings.fill_seconds if ticket.step in LONG else self._settings.step_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._while_leased(ticket)
        except Superseded:
            log.warning("step_superseded", workspace_id=ticket.workspace_id, step=ticket.step.value)
        except Refused as refusal:
            await self._give_up(ticket, refusal.code)
        except Trouble as trouble:
            await self._fail(ticket, trouble.code)
        except TimeoutError:
            await self._fail(ticket, "STEP_TIMED_OUT")
        return None

    async def _while_leased(self, ticket: Ticket) -> None:
        """Does the step as long as it is due and ours; stops at once when another step became due meanwhile."""
        working = asyncio.create_task(self._do(ticket))
        keeping = asyncio.create_task(self._keep_lease(ticket))
        try:
            await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, keeping):
                task.cancel()
            await asyncio.wait({working, keeping})
        for task in (working, keeping):
            if not task.cancelled():
                return task.result()
        raise Superseded

    async def _keep_lease(self, ticket: Ticket) -> None:
        pause = self._settings.lease_seconds / 4
        while not await wait_until(self._runtime.stopping, pause):
            async with self._runtime.transaction("renew") as transaction:
                step = await storage.renew(transaction.connection, ticket, self._settings.lease_seconds)
            if step is not ticket.step:
                raise Superseded
        async with self._runtime.transaction("release") as transaction:
            await storage.put_off(transaction.connection, ticket, 0, None)

    async def _do(self, ticket: Ticket) -> None:
        begun = await self._begin(ticket)
        if begun is None:
            return
        workspace, target = begun
        project = project_of(workspace.state)
        assert project is not None, "a step is due only after a permit"
        async with self._runtime.transaction("work") as transaction:
            # The key of a project is made here: never for a workspace that another worker has destroyed meanwhile.
            await storage.lock_workspace(transaction.connection, ticket.workspace_id)
            # Where nobody drives the environment, nothing can have been begun.
            begin = storage.begin if project.environment_id in self._environments else storage.holds
            if not await begin(transaction.connection, ticket):
                raise Superseded
            work = await Work.read(
                transaction, ticket.step, workspace, project, sandbox=self._settings.clock == "sandbox", target=target
            )
        done = await work.do(self._environments, ticket)
        crash_point(f"step_{ticket.step.value}_done")
        await self._record(ticket, done)

    async def _begin(self, ticket: Ticket) -> tuple[Workspace, Clearance | None] | None:
        """The workspace, if there is work for an environment. The gate is asked here, right before what needs it.

        With it what the gate found about the target, where the step is one of a move.
        """
        target = None
        async with self._runtime.transaction("begin") as transaction:
            workspace = await storage.lock_workspace(transaction.connection, ticket.workspace_id)
            if workspace is None or not await storage.holds(transaction.connection, ticket):
                raise Superseded
            project = project_of(workspace.state)
            if ticket.step in GATED:
                if project is None or project.environment_id is None:
                    raise Refused(TO_BE_CLEARED)
                workspace = await self._progress.judge(transaction, workspace)
            if ticket.step in (Step.COPY, Step.SWITCH):
                workspace, target = await self._progress.judge_target(transaction, workspace)
            if next_step(workspace.state) is ticket.step and ticket.step is Step.PLAN:
                workspace = await self._progress.plan(transaction, workspace)
            elif next_step(workspace.state) is ticket.step and ticket.step is not Step.CLEAR:
                if ticket.step is Step.OPEN:
                    # Before the doors open: whatever becomes of this worker, what must be shut again is known.
                    workspace = await self._progress.apply(transaction, workspace, [Unlock()])
                return workspace, target
            # Something else is due, or nothing.
            await storage.finish(transaction.connection, ticket)
            await self._progress.apply(transaction, workspace, [])
            return None

    async def _record(self, ticket: Ticket, done: Done | Deletion) -> None:
        async with self._runtime.transaction("record") as transaction:
            workspace = await storage.lock_workspace(transaction.connection, ticket.workspace_id)
            if workspace is None or not await storage.finish(transaction.connection, ticket):
                raise Superseded
            certificate = None
            if isinstance(done, CutOver):
                # Asked once more in the transaction that switches: until then the move can be called off.
                workspace, _ = await self._progress.judge_target(transaction, workspace)
            if isinstance(done, Mended) and isinstance(settled(workspace.state), Destroyed):
                await storage.destroy_key(transaction.connection, workspace.workspace_id)
            if isinstance(done, Deletion):
                done, certificate = await self._certify(transaction, workspace, done)
            await self._progress.apply(transaction, workspace, [Record(done)], certificate=certificate)
        log.info("step_done", workspace_id=ticket.workspace_id, step=ticket.step.value, attempts=ticket.attempts)

    async def _certify(
        self, transaction: Transaction, workspace: Workspace, done: Deletion
    ) -> tuple[Erased | Left, Certificate]:
        project = project_of(workspace.state)
        assert project is not None, "only a workspace with a permit is destroyed"
        connection, name, key = transaction.connection, workspace.workspace_id, self._key_of(transaction.now)
        if project.leaving is not None:
            certificate = Certificate.of_move(workspace, project, project.leaving, done, transaction.now, key)
            await storage.keep_certificate(connection, name, certificate, project.leaving.place)
            return Left(certificate.sha256), certificate
        certificate = Certificate.of_workspace(workspace, project, done, transaction.now, key)
        # The key goes in the same transaction as the word that it is gone.
        await storage.destroy_key(connection, name)
        await storage.keep_certificate(connection, name, certificate)
        return Erased(certificate.sha256), certificate

    def _key_of(self, now: datetime) -> SigningKey | None:
        if self._signers is None:
            return None
        try:
            return self._signers.at(now)
        except (OSError, NotAKey):
            raise Refused(NO_KEY) from None

    async def _fail(self, ticket: Ticket, code: str) -> None:
        if ticket.attempts >= self._settings.step_attempts:
            return await self._give_up(ticket, code)
        seconds = backoff_seconds(ticket.attempts, first=0.5, most=60)
        async with self._runtime.transaction("fail") as transaction:
            await storage.put_off(transaction.connection, ticket, seconds, code)
        log.warning(
            "step_failed",
            workspace_id=ticket.workspace_id,
            step=ticket.step.value,
            attempts=ticket.attempts,
            code=code,
        )
        return None

    async def _give_up(self, ticket: Ticket, code: str) -> None:
        async with self._runtime.transaction("give-up") as transaction:
            workspace = await storage.lock_workspace(transaction.connection, ticket.workspace_id)
            begun = await storage.begun(transaction.connection, ticket.workspace_id) is ticket.step
            if workspace is None or not await storage.finish(transaction.connection, ticket):
                return
            await self._progress.apply(transaction, workspace, [GiveUp(ticket.step, code, begun)])
        log.warning("person_needed", workspace_id=ticket.workspace_id, step=ticket.step.value, code=code)
