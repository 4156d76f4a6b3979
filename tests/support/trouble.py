"""What goes wrong around provisioning on a running stack: kill -9, lost sessions, a provisioner that misbehaves."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Collection, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from tests.provisioning.workers import persist

from chassis.supervision import wait_until
from guichet.stack.services import desk_of
from guichet.stack.state import StackState, load
from reference_provisioner import Provisioner
from stacks import until

SERVICE = "provisioning"
TROUBLES = ("broken", "forgetful", "forged", "garbled", "slow", "loses-rows", "wrong-state")
"""What the reference provisioner is told to do, each once."""


@dataclass
class Trouble:
    """Everything that goes wrong while `going_wrong` is open, and what is seen of the workspaces meanwhile.

    pace     how many events happen to workspaces, about, before the process with the workers is killed again
    hopeless the code of a need that no further attempt helps
    states   {request id: state}, and the number of events, as they were a moment ago
    """

    home: Path
    state: StackState
    provisioner: Provisioner
    pace: int
    hopeless: str
    seconds: float
    over: asyncio.Event = field(default_factory=asyncio.Event)
    states: dict[str, str] = field(default_factory=dict)
    events: int = 0
    done: Counter[str] = field(default_factory=Counter)

    @asynccontextmanager
    async def going_wrong(self) -> AsyncIterator[None]:
        dice = random.Random(20261126)
        going: list[Coroutine[object, object, None]] = [
            self._watching(),
            self._killing(dice),
            self._failing(dice),
            self._answering(),
        ]
        async with asyncio.TaskGroup() as tasks:
            for each in going:
                tasks.create_task(each)
            try:
                yield
            finally:
                self.over.set()

    async def until_all(self, requests: Collection[str], *states: str) -> None:
        """Returns when the workspaces of all these requests are in one of these states."""

        async def are() -> bool:
            return {self.states.get(request) for request in requests} <= {*states}

        await until(are, f"{len(requests)} workspaces {' or '.join(states)}", self.seconds)

    async def kill(self) -> None:
        """kill -9 of the process whose workers do the steps; returns when the supervisor has started another."""
        victim = self._pid()
        assert victim is not None
        os.kill(victim, signal.SIGKILL)

        async def is_back() -> bool:
            return self._pid() not in (None, victim)

        await until(is_back, f"{SERVICE} again", self.seconds)

    def _pid(self) -> int | None:
        found = (each for each in load(self.home).processes() if each.name == SERVICE)
        return next((each.pid for each in found if each.alive()), None)

    async def _watching(self) -> None:
        """One look again and again for all who wait for something, so that looking does not keep it from coming."""
        connection = await asyncpg.connect(self.state.services[SERVICE].database_url)
        try:
            while not self.over.is_set():
                rows = await connection.fetch("SELECT request_id::text, state FROM provisioning.workspaces")
                self.states = {row["request_id"]: row["state"] for row in rows}
                self.events = await connection.fetchval("SELECT count(*) FROM provisioning.events")
                await wait_until(self.over, 0.3)
        finally:
            await connection.close()

    async def _progress(self, events: int) -> bool:
        """When so many more events have happened to workspaces, however slow the machine is; False when all is over."""
        wanted = self.events + events
        while not self.over.is_set() and self.events < wanted:
            await wait_until(self.over, 0.3)
        return not self.over.is_set()

    async def _killing(self, dice: random.Random) -> None:
        while await self._progress(dice.randint(self.pace // 2, self.pace)):
            await self.kill()
            self.done["killed"] += 1

    async def _failing(self, dice: random.Random) -> None:
        """One environment loses its sessions in the middle of whatever it does, the other does all kinds of things."""
        admin = await asyncpg.connect(self.state.postgres.url("postgres"))
        try:
            while await self._progress(dice.randint(3, 12)):
                lost = await admin.fetch(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'guichet-workspaces'"
                )
                self.done["sessions lost"] += len(lost)
                trouble = dice.choice(TROUBLES)
                self.provisioner.misbehave[trouble] = self.provisioner.misbehave.get(trouble, 0) + 1
                self.done["misbehaved"] += 1
        finally:
            await admin.close()

    async def _answering(self) -> None:
        while not self.over.is_set():
            if "person-needed" in self.states.values():
                await persist(self.answer)
            await wait_until(self.over, 2)

    async def answer(self) -> None:
        """Attempts that ran out meanwhile: the operator asks for another."""
        async with desk_of(self.state) as desk:
            for line in await desk.list_workspaces("person-needed"):
                if line["code"] != self.hopeless:
                    await desk.retry(line["workspace_id"])
                    self.done["retried"] += 1
