"""The operator's desk: lists, shows, retries, gives up, and hands a person the way into an open workspace.

Works on the databases directly, so that it answers while the service is down; what it changes is said by the relay.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chassis.clock import Clock, SandboxClock, SystemClock
from chassis.database import Database
from chassis.transaction import Transaction
from provisioning import storage, views
from provisioning.commands import Abandon, Command, Retry
from provisioning.domain import Open, PersonNeeded, project_of, settled
from provisioning.environments import Environment, Refused
from provisioning.environments.adapters import read_adapters
from provisioning.environments.http import HttpEnvironment
from provisioning.environments.postgres import PostgresEnvironment
from provisioning.progress import Progress
from provisioning.registry import day_is_over, local_day
from provisioning.storage import Workspace
from provisioning.work import logins_end

SERVICE = "provisioning"


class Desk:
    """Use as an async context manager. Every refusal is `Refused` with a code that says why."""

    def __init__(
        self, database_url: str, workspaces_url: str, *, sandbox: bool, environments_file: Path | None = None
    ) -> None:
        self._database = Database(database_url, service=SERVICE, max_size=2)
        self._postgres = PostgresEnvironment("", workspaces_url)
        self._hosts = read_adapters(environments_file, production=False).hosts if environments_file else {}
        self._sandbox = sandbox
        self._clock: Clock = SandboxClock() if sandbox else SystemClock()
        # The desk reports nothing as a host: whatever it decides is carried out, and reported, by the service.
        self._progress = Progress(frozenset(), 0)

    async def __aenter__(self) -> Desk:
        await self._database.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._database.close()

    async def list_workspaces(self, state: str | None = None) -> list[dict[str, Any]]:
        """A line for each workspace; `state` narrows it to one state, such as `person-needed`."""
        async with self._database.connection() as connection:
            return await views.show_all(connection, state)

    async def show(self, workspace: str) -> dict[str, Any]:
        """Everything about one workspace, named by its id, its request's id, or the beginning of either."""
        async with self._database.connection() as connection:
            shown = await views.show(connection, await self._find(connection, workspace))
        if shown is None:
            raise Refused("UNKNOWN_WORKSPACE")
        return shown

    async def list_environments(self) -> list[dict[str, Any]]:
        """Every hosting environment with its evidence and what is valid today."""
        async with self._database.connection() as connection:
            return await views.show_environments(connection, local_day(await self._clock.read(connection)))

    async def connect(self, workspace: str, person_ref: str) -> str:
        """A connection string with a fresh password for a person's login; earlier ones stop to work.

        Refused unless the workspace is open, the person is one of those who may enter, and the permit has not ended.
        """
        async with self._transaction() as transaction:
            found = await self._lock(transaction, workspace)
            project = project_of(found.state)
            if (
                project is None
                or not isinstance(settled(found.state), Open)
                or not (project.active and project.cleared)
            ):
                raise Refused("WORKSPACE_NOT_OPEN")
            if person_ref not in project.logins or person_ref not in project.permit.entrants:
                raise Refused("PERSON_NOT_ADMITTED")
            if transaction.now >= day_is_over(project.permit.expires_on):
                raise Refused("PERMIT_EXPIRED")
            until = logins_end(project, transaction.now, sandbox=self._sandbox)
            # Under the lock on the workspace: a freeze that is decided now comes after, and shuts this login too.
            url = await self._environment(found.environment_id).connect(found.workspace_id, person_ref, until)
            await storage.note_password(transaction.connection, found.workspace_id, person_ref, transaction.now)
        return url

    def _environment(self, environment_id: str | None) -> Environment:
        host = self._hosts.get(environment_id or "")
        return self._postgres if host is None else HttpEnvironment(host, "")

    async def retry(self, workspace: str, environment_id: str | None = None) -> dict[str, Any]:
        """Have a step tried again that needed a person, in `environment_id` where the permit left it open."""
        async with self._transaction() as transaction:
            found = await self._lock(transaction, workspace)
            if not isinstance(found.state, PersonNeeded):
                raise Refused("NO_PERSON_NEEDED")
            return await self._tell(transaction, found, Retry(environment_id))

    async def abandon(self, workspace: str) -> dict[str, Any]:
        """Give a workspace up: the service closes and destroys whatever was made of it."""
        async with self._transaction() as transaction:
            return await self._tell(transaction, await self._lock(transaction, workspace), Abandon())

    async def _tell(self, transaction: Transaction, workspace: Workspace, command: Command) -> dict[str, Any]:
        return views.summary(await self._progress.apply(transaction, workspace, [command]))

    async def _find(self, connection: Any, workspace: str) -> str:
        found = await storage.find_workspace(connection, workspace)
        if found is None:
            raise Refused("UNKNOWN_WORKSPACE")
        return found

    async def _lock(self, transaction: Transaction, workspace: str) -> Workspace:
        connection = transaction.connection
        found = await storage.lock_workspace(connection, await self._find(connection, workspace))
        if found is None:
            raise Refused("UNKNOWN_WORKSPACE")
        return found

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        async with self._database.transaction() as connection:
            transaction = Transaction(connection, await self._clock.read(connection), SERVICE)
            yield transaction
            await transaction.flush()
