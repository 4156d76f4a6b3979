"""The sweep: again and again, what every environment has is compared with what its workspaces should have.

It only finds and says. What is safe to put right becomes a step like any other, under a lease; for the rest a person
is needed. A workspace for which a step is due is left alone: there something is being changed anyway.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import TYPE_CHECKING

from chassis.logs import logger
from chassis.transaction import Transaction
from provisioning import storage
from provisioning.commands import Notice, RequireTerms
from provisioning.domain import project_of, settled
from provisioning.drift import compare, desired
from provisioning.environments import Environment, Refused, Trouble
from provisioning.looks import Looks
from provisioning.places import place_of
from provisioning.progress import Progress
from provisioning.project import Drift
from provisioning.settings import ProvisioningSettings
from provisioning.work import logins_end

if TYPE_CHECKING:
    from chassis.runtime import Runtime  # An operator's command needs the desk, and no service around it.

DESTROYED_DAYS = 31
"""For how long it is looked whether what was destroyed stays away."""
LOOK_SECONDS = 60

log = logger()

Transactions = Callable[[], AbstractAsyncContextManager[Transaction]]


class Sweep:
    """Looks at every workspace at rest. Several may sweep side by side: what one has said the other does not repeat."""

    def __init__(
        self,
        transactions: Transactions,
        progress: Progress,
        environment_of: Callable[[str], Environment | None],
        *,
        sandbox: bool,
    ) -> None:
        self._transactions = transactions
        self._progress = progress
        self._environment_of = environment_of
        self._sandbox = sandbox
        self.unseen: dict[str, str] = {}
        """Workspaces that the last sweep could not look at, and why."""

    async def once(self) -> dict[str, tuple[Drift, ...]]:
        """One sweep: {workspace id: every difference}, only those that have some; new ones are said."""
        async with self._transactions() as transaction:
            since = transaction.now - timedelta(days=DESTROYED_DAYS)
            ids = await storage.at_rest(transaction.connection, since)
        return await self._look_at(ids)

    async def at(self, workspace_ids: Collection[str]) -> dict[str, tuple[Drift, ...]]:
        """The same for some workspaces, those apart for which a step is due."""
        async with self._transactions() as transaction:
            steps = {each: await storage.step_row(transaction.connection, each) for each in sorted(workspace_ids)}
        return await self._look_at([each for each, step in steps.items() if step is None])

    async def _look_at(self, ids: Iterable[str]) -> dict[str, tuple[Drift, ...]]:
        found = {}
        self.unseen = {}
        for workspace_id in ids:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    differences = await self._look(workspace_id)
            except (Refused, Trouble) as problem:
                self.unseen[workspace_id] = problem.code
                continue
            except TimeoutError:
                self.unseen[workspace_id] = "LOOK_TIMED_OUT"
                continue
            if differences:
                found[workspace_id] = differences
        return found

    async def _look(self, workspace_id: str) -> tuple[Drift, ...]:
        async with self._transactions() as transaction:
            before = (await storage.read_workspaces(transaction.connection, [workspace_id]))[workspace_id]
            key_there = await storage.has_key(transaction.connection, workspace_id)
            now = transaction.now
        state, project = settled(before.state), project_of(before.state)
        if state is None or project is None:
            return ()
        versions = self._progress.terms_on(now)
        if versions is not None and versions != project.terms and project.standing != "ended":
            return await self._require_terms(workspace_id, versions)
        environment = self._environment_of(project.environment_id or "")
        place = place_of(workspace_id, project.place)
        # A sandbox's logins end by a clock that has moved since they were made.
        wanted = desired(state, place, None if self._sandbox else logins_end(project, now, sandbox=False))
        if environment is None or wanted is None:
            return ()
        found = compare(wanted, await environment.inspect(place), key_there=key_there)
        if found == project.drift and not any(drift.mendable for drift in found):
            return found
        async with self._transactions() as transaction:
            workspace = await storage.lock_workspace(transaction.connection, workspace_id)
            # Whatever happened meanwhile, this look no longer says anything about it.
            if workspace is None or workspace.length != before.length:
                return ()
            if await storage.step_row(transaction.connection, workspace_id) is None:
                await self._progress.apply(transaction, workspace, [Notice(found)])
        return found

    async def _require_terms(self, workspace_id: str, versions: tuple[str, ...]) -> tuple[Drift, ...]:
        """The day has come on which other terms are required; what follows for logins is a step like any other."""
        async with self._transactions() as transaction:
            workspace = await storage.lock_workspace(transaction.connection, workspace_id)
            if workspace is not None:
                await self._progress.apply(transaction, workspace, [RequireTerms(versions)])
        return ()


async def sweep_for_ever(
    runtime: Runtime,
    progress: Progress,
    environments: Mapping[str, Environment],
    settings: ProvisioningSettings,
    looks: Looks,
) -> None:
    """One sweep after the other until the service stops, and a look between them where `looks` asks for one."""
    sweep = Sweep(lambda: runtime.transaction("sweep"), progress, environments.get, sandbox=settings.clock == "sandbox")
    due = time.monotonic() + settings.sweep_seconds
    while True:
        asked = await looks.wait(runtime.stopping, due - time.monotonic())
        if runtime.stopping.is_set():
            return
        if time.monotonic() < due:
            found = await sweep.at(asked)
            log.info("workspaces_looked_at", workspaces=len(asked), workspaces_with_drift=len(found))
            continue
        found = await sweep.once()
        due = time.monotonic() + settings.sweep_seconds
        log.info("sweep_done", workspaces_with_drift=len(found), workspaces_unseen=len(sweep.unseen))
