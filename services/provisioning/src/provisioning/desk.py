"""The operator's desk: lists, shows, retries, gives up, and hands a person the way into an open workspace.

Works on the databases directly, so that it answers while the service is down; what it changes is said by the relay.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chassis.clock import Clock, SandboxClock, SystemClock
from chassis.database import Database
from chassis.transaction import Transaction
from provisioning import registry, storage, views
from provisioning.commands import Abandon, AcceptTerms, CallOff, Command, Plan, Retry
from provisioning.domain import Open, PersonNeeded, may_assign, may_move, project_of, settled
from provisioning.environments import Environment, Refused
from provisioning.environments.adapters import read_adapters
from provisioning.environments.http import HttpEnvironment
from provisioning.environments.postgres import PostgresEnvironment
from provisioning.places import place_of
from provisioning.progress import Progress, clear
from provisioning.project import Drift
from provisioning.registry import day_is_over, local_day
from provisioning.settings import database_urls
from provisioning.storage import Workspace
from provisioning.sweep import Sweep
from provisioning.terms import is_version
from provisioning.work import logins_end

SERVICE = "provisioning"
ORDERED = "ORDERED_BY_OPERATOR"
UNSEEN = "unseen"


class Desk:
    """Use as an async context manager. Every refusal is `Refused` with a code that says why.

    `environments` and `environments_file` as the service's settings of these names have them.
    """

    def __init__(
        self,
        database_url: str,
        workspaces_url: str,
        *,
        sandbox: bool,
        environments: Iterable[str] = (),
        environments_file: Path | None = None,
    ) -> None:
        self._database = Database(database_url, service=SERVICE, max_size=2)
        self._workspaces_url = workspaces_url
        self._urls = database_urls(workspaces_url, environments)
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

    async def certificates(self, workspace: str) -> list[tuple[str, str | None]]:
        """Every certificate of a workspace byte for byte, with the signed note about it where it was signed."""
        async with self._database.connection() as connection:
            return await storage.certificates(connection, await self._find(connection, workspace))

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
            if project is None or not isinstance(settled(found.state), Open) or not project.may_be_open:
                raise Refused("WORKSPACE_NOT_OPEN")
            if person_ref not in project.logins or person_ref not in project.entrants:
                raise Refused("PERSON_NOT_ADMITTED")
            if transaction.now >= day_is_over(project.permit.expires_on):
                raise Refused("PERMIT_EXPIRED")
            until = logins_end(project, transaction.now, sandbox=self._sandbox)
            # Under the lock on the workspace: a freeze that is decided now comes after, and shuts this login too.
            place = place_of(found.workspace_id, project.place)
            url = await self._environment(found.environment_id).connect(place, person_ref, until)
            await storage.note_password(transaction.connection, found.workspace_id, person_ref, transaction.now)
        return url

    def _environment(self, environment_id: str | None) -> Environment:
        host = self._hosts.get(environment_id or "")
        if host is not None:
            return HttpEnvironment(host, "")
        return PostgresEnvironment("", self._urls.get(environment_id or "", self._workspaces_url))

    async def accept_terms(self, workspace: str, person_ref: str, version: str | None = None) -> dict[str, Any]:
        """Put on record that a person accepted the terms of use, today: the version that is required, or the one named.

        Refused for somebody whom the permit does not name, and where no version is required and none was named.
        """
        async with self._transaction() as transaction:
            found = await self._lock(transaction, workspace)
            project = project_of(found.state)
            if project is None or person_ref not in {person.ref for person in project.permit.persons}:
                raise Refused("PERSON_NOT_IN_PERMIT")
            accepted = version or next(iter(project.terms), None)
            if accepted is None:
                raise Refused("NO_TERMS_REQUIRED")
            if not is_version(accepted):
                raise Refused("NOT_A_VERSION")
            return await self._tell(transaction, found, AcceptTerms(person_ref, accepted, local_day(transaction.now)))

    async def retry(self, workspace: str, environment_id: str | None = None) -> dict[str, Any]:
        """Have a step tried again that needed a person, in `environment_id` where the permit left it open.

        Refused for another environment than the permit's, and once something was begun in the one it is in.
        """
        async with self._transaction() as transaction:
            found = await self._lock(transaction, workspace)
            project = project_of(found.state)
            if not isinstance(found.state, PersonNeeded) or project is None:
                raise Refused("NO_PERSON_NEEDED")
            if environment_id is not None:
                if (obstacle := may_assign(project)) is not None:
                    raise Refused(obstacle)
                if environment_id not in await registry.environments(transaction.connection, [environment_id]):
                    raise Refused("UNKNOWN_ENVIRONMENT")
            return await self._tell(transaction, found, Retry(environment_id))

    async def abandon(self, workspace: str) -> dict[str, Any]:
        """Give a workspace up: the service closes and destroys whatever was made of it."""
        async with self._transaction() as transaction:
            return await self._tell(transaction, await self._lock(transaction, workspace), Abandon())

    async def drift(self) -> list[dict[str, Any]]:
        """Every difference between what environments have and what they should, looked for now; new ones are said.

        The service then puts right what is safe. A workspace for which a step is due is left out.
        """
        sweep = Sweep(self._transaction, self._progress, self._environment, sandbox=self._sandbox)
        found = await sweep.once()
        async with self._database.connection() as connection:
            known = await storage.read_workspaces(connection, [*found, *sweep.unseen])
        lines = [
            views.drift_line(known[workspace_id], drift)
            for workspace_id, differences in found.items()
            for drift in differences
        ]
        # What could not be looked at is not known to be as it should.
        unseen = [views.drift_line(known[name], Drift(code, UNSEEN)) for name, code in sweep.unseen.items()]
        return lines + unseen

    async def list_moves(self) -> list[dict[str, Any]]:
        """Every move there was or is, with the instants of its steps and for how long nobody could enter."""
        async with self._database.connection() as connection:
            return await views.show_moves(connection)

    async def rehost(self, source: str, target: str, *, dry_run: bool = False) -> list[dict[str, Any]]:
        """Plan the move of every workspace of one environment to another; a line for each, with why one cannot move.

        The gate is asked about the target for each permit. With `dry_run` nothing is changed.
        """
        async with self._transaction() as transaction:
            connection = transaction.connection
            known = await registry.environments(connection, [source, target])
            if source not in known or target not in known:
                raise Refused("UNKNOWN_ENVIRONMENT")
            on_it = await storage.workspaces_on(connection, source)
            lines = []
            for workspace in (await storage.lock_workspaces(connection, on_it)).values():
                project = project_of(workspace.state)
                if project is None:
                    continue
                clearance = await clear(transaction, project, target)
                obstacle = may_move(workspace.state, clearance)
                if obstacle is None and not dry_run:
                    workspace = await self._progress.apply(transaction, workspace, [Plan(clearance, ORDERED)])
                lines.append(views.move_line(workspace, target, clearance, obstacle))
            return lines

    async def call_off(self, source: str, target: str) -> list[dict[str, Any]]:
        """Give up every move between two environments that has not been cut over."""
        async with self._transaction() as transaction:
            on_it = await storage.workspaces_on(transaction.connection, source)
            lines = []
            for workspace in (await storage.lock_workspaces(transaction.connection, on_it)).values():
                project = project_of(workspace.state)
                if project is not None and project.move is not None and project.move.target == target:
                    lines.append(await self._tell(transaction, workspace, CallOff(ORDERED)))
            return lines

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
