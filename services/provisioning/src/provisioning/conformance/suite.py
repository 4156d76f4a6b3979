"""A check, what a check is given to try, and the run of all of them."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from provisioning.conformance.lines import Value, line_of
from provisioning.conformance.visits import Shut, Visit
from provisioning.environments import Column, Environment, Order, Refused, Rows, Superseded, Trouble
from provisioning.environments.extraction import pseudonym
from provisioning.environments.manifest import Manifest
from provisioning.project import Table

CHECK_SECONDS = 120
PERSONS = ("person-a", "person-b")
COLUMNS = (Column("person_id", "text"), Column("year", "integer"), Column("note", "text"))

Enter = Callable[[str], Awaitable[Visit]]


class Failed(Exception):
    """What a check found: one sentence that names no value."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: `name` for lists, `promise` for people."""

    name: str
    promise: str
    act: Callable[[Trial], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a check; `found` says what was wrong."""

    name: str
    promise: str
    passed: bool
    found: str
    seconds: float


@dataclass(slots=True)
class Trial:
    """A workspace to try things with. Orders carry growing fences, as the leases of a service do."""

    environment: Environment
    enter: Enter
    workspace_id: str = field(default_factory=lambda: str(uuid4()))
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    until: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(days=1))
    _fences: Iterable[int] = field(default_factory=lambda: itertools.count(int(time.time())))

    def order(self) -> Order:
        """The next order."""
        fence = next(iter(self._fences))
        return Order(self.workspace_id, fence, fence)

    def rows(self, count: int = 20) -> list[list[Value]]:
        """Invented rows about as many persons, under this project's pseudonyms."""
        return [
            [pseudonym(self.key, f"subject-{n}".encode()).decode(), str(2000 + n % 20), f"note {n}"]
            for n in range(count)
        ]

    async def load(self, dataset_id: str, table: str, rows: Sequence[Sequence[Value]]) -> Table:
        """Loads a table."""
        return await self.environment.load(self.order(), dataset_id, table, Rows(COLUMNS, _chunks(rows)))

    async def made(self, *, persons: Sequence[str] = PERSONS, opened: bool = False) -> tuple[Table, ...]:
        """A place with two tables of two datasets and these persons, perhaps opened."""
        await self.environment.prepare(self.order())
        tables = (
            await self.load("set-one", "set_one_records", self.rows(20)),
            await self.load("set-two", "set_two_records", self.rows(5)),
        )
        await self.environment.admit(self.order(), persons, self.until, False)
        if opened:
            await self.environment.open(self.order(), tables)
        return tables

    async def visit(self, ref: str) -> Visit:
        """A session of a person who should be let in."""
        try:
            return await self.enter(await self.environment.connect(self.workspace_id, ref, self.until))
        except (Shut, Refused):
            raise Failed("somebody who may come in was kept out") from None

    async def kept_out(self, ref: str) -> None:
        """Somebody gets no way in."""
        with suppress(Shut, Refused):
            await self.enter(await self.environment.connect(self.workspace_id, ref, self.until))
            raise Failed("somebody who may not come in was let in")


async def _chunks(rows: Sequence[Sequence[Value]]) -> AsyncIterator[bytes]:
    for row in rows:
        yield line_of(row) + b"\n"


def manifest_of(dataset_id: str, table: str, rows: Iterable[Sequence[Value]]) -> Table:
    """What a table of these rows must be counted and hashed as."""
    found = Manifest()
    found.add([line_of(row) for row in rows])
    return Table(dataset_id, table, found.rows, found.digest())


def expect(true: bool, found: str) -> None:
    """Raises Failed with what was found unless something is true."""
    if not true:
        raise Failed(found)


async def run(check: Check, environment: Environment, enter: Enter) -> Outcome:
    """Tries one promise on a fresh workspace, and takes the workspace away whatever came of it."""
    trial = Trial(environment, enter)
    began = time.monotonic()
    found = ""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check.act(trial)
    except Failed as failure:
        found = str(failure)
    except (Refused, Trouble) as trouble:
        found = f"the environment could not: {trouble.code}"
    except Superseded:
        found = "the newest order was refused as too old"
    except TimeoutError:
        found = f"not done within {CHECK_SECONDS} s"
    finally:
        with suppress(Refused, Trouble, Superseded, TimeoutError):
            async with asyncio.timeout(CHECK_SECONDS):
                await environment.destroy(trial.order())
    return Outcome(check.name, check.promise, not found, found, time.monotonic() - began)


async def certify(
    checks: Iterable[Check], environment: Environment, enter: Enter, tell: Callable[[Outcome], None] = lambda _: None
) -> list[Outcome]:
    """Tries every promise, one after the other; `tell` hears of each outcome as it comes."""
    outcomes = []
    for check in checks:
        outcomes.append(await run(check, environment, enter))
        tell(outcomes[-1])
    return outcomes
