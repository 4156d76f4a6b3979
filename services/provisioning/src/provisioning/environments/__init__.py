"""What a hosting environment must be able to do for a workspace, and how it says that it could not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from provisioning.environments.rows import Column, Rows
from provisioning.project import Extract, Grant, Permit, Table


class Refused(Exception):
    """Trying again cannot help: a person is needed. `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Trouble(Exception):
    """The environment did not do it this time; it may the next. `code` says what failed, never with which values."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Superseded(Exception):
    """Someone with a newer lease has worked on this workspace since: whoever sees this stops and changes nothing."""


@dataclass(frozen=True, slots=True)
class Order:
    """For which workspace, under which lease. An environment refuses a smaller fence than it has seen.

    `occasion` is the same for every attempt at one due step, and another for the next time that the step is due.
    """

    workspace_id: str
    fence: int
    occasion: int = 0


@dataclass(frozen=True, slots=True)
class Cohort:
    """Who is left out of an extraction, and the key that gives the others their pseudonyms in this project only."""

    excluded: frozenset[str]
    key: bytes


@dataclass(frozen=True, slots=True)
class Extraction:
    """What an extraction brought: datasets without the opt-out list's version, and how many excluded persons it met."""

    tables: Mapping[Grant, tuple[Table, ...]]
    excluded: int


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was verified after a destruction: objects of the workspace that were still found (none, or it failed).

    `backups` names the backup sets that hold the data on, when backups are not covered.
    """

    objects_left: int
    covers_backups: bool
    backups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Login:
    """A login as an environment has it: `names.login` of a person, whether it lets in now, and until when."""

    name: str
    enters: bool
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Actual:
    """What an environment has of a workspace by its own look, whatever it was told to have.

    tables    {table: dataset}; logins without the probe's; sessions are those of anybody
    unread    tables and logins that lack a right they should have, so that somebody admitted could not read
    beyond    names of what a login of this workspace reaches and should not
    """

    there: bool
    tables: Mapping[str, str]
    logins: tuple[Login, ...]
    sessions: int
    unread: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()


class Environment(Protocol):
    """One hosting environment. Every method can be repeated; it raises Refused, Trouble, Superseded or TimeoutError."""

    async def prepare(self, order: Order) -> None:
        """Makes the empty place of the workspace, closed to everybody."""
        ...

    async def fill(self, order: Order, permit: Permit, grants: Sequence[Grant], cohort: Cohort) -> Extraction:
        """Extracts these datasets anew: permitted columns, years and persons only."""
        ...

    async def drop(self, order: Order, dataset_ids: Sequence[str]) -> None:
        """Takes the tables of these datasets away."""
        ...

    async def remove(
        self, order: Order, refs: frozenset[str], tables: Sequence[Table], key: bytes
    ) -> tuple[Table, ...]:
        """Takes these persons out of the tables and gives the manifests anew."""
        ...

    async def admit(self, order: Order, refs: Sequence[str], until: datetime, enter: bool) -> None:
        """Gives exactly these persons a login that ends at `until`; it lets them in only if `enter`."""
        ...

    async def open(self, order: Order, tables: Sequence[Table]) -> None:
        """Lets the persons in, and confirms by a probe that comes in and counts every row of the manifest."""
        ...

    async def freeze(self, order: Order) -> None:
        """Keeps everybody out, ends their sessions, and confirms by a probe that is refused."""
        ...

    async def close(self, order: Order) -> None:
        """The same for good: every login is tried and must be refused."""
        ...

    async def destroy(self, order: Order) -> Deletion:
        """Takes everything away and looks for what is left."""
        ...

    async def connect(self, workspace_id: str, ref: str, until: datetime) -> str:
        """A connection string with a fresh password for this person's login; raises Refused when there is none."""
        ...

    async def inspect(self, workspace_id: str) -> Actual:
        """What is really there; reads no row. A workspace that is gone, or never was, has nothing."""
        ...

    async def restore(self, order: Order, tables: Sequence[Table]) -> None:
        """Takes every right away but that of reading these tables, and gives that; lets nobody in."""
        ...

    async def manifests(self, workspace_id: str) -> tuple[Table, ...]:
        """Every table that is there, counted and hashed anew."""
        ...

    def read(self, workspace_id: str, table: str) -> AbstractAsyncContextManager[Rows]:
        """The rows of a table, to be copied to another environment. Raises Refused when there is no such table."""
        ...

    async def load(self, order: Order, dataset_id: str, table: str, rows: Rows) -> Table:
        """Makes a table of these rows in place of what was there, and counts and hashes what it then holds."""
        ...


__all__ = [
    "Actual",
    "Cohort",
    "Column",
    "Deletion",
    "Environment",
    "Extract",
    "Extraction",
    "Login",
    "Order",
    "Refused",
    "Rows",
    "Superseded",
    "Trouble",
]
