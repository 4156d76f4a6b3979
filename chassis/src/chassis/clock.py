"""The one clock: the system's, or a sandbox's that events move forwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chassis.database import Connection
    from contracts.system import ClockSet


class Clock(Protocol):
    """What time it is for everything the service decides; always aware and in UTC."""

    def now(self) -> datetime:
        """The time as far as this process knows: may lag behind a setting that another process has just stored."""
        ...

    async def read(self, connection: Connection) -> datetime:
        """The time for a transaction, after a look at what is stored."""
        ...

    async def apply(self, connection: Connection, fact: ClockSet) -> bool:
        """Stores a setting in the transaction of `connection`; False when it changes nothing."""
        ...


class SystemClock:
    """The machine's clock; `clock.set` events mean nothing to it."""

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC)

    async def read(self, connection: Connection) -> datetime:
        """See `Clock.read`."""
        return self.now()

    async def apply(self, connection: Connection, fact: ClockSet) -> bool:
        """See `Clock.apply`."""
        return False


class SandboxClock:
    """Time as `guichet.clock.set.v1` last put it: now = instant + (system now - wall).

    The first setting may lie anywhere, so that a sandbox can begin in the past; each later one only moves forwards.
    """

    def __init__(self) -> None:
        self._shift = timedelta()

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC) + self._shift

    async def read(self, connection: Connection) -> datetime:
        """See `Clock.read`."""
        shift = await connection.fetchval("SELECT instant - wall FROM chassis.clock")
        if shift is not None:
            self._shift = shift
        return self.now()

    async def apply(self, connection: Connection, fact: ClockSet) -> bool:
        """See `Clock.apply`. Nothing is remembered here before the commit: the next `read` finds the row."""
        status = await connection.execute(
            """
            INSERT INTO chassis.clock AS kept ("only", instant, wall) VALUES (true, $1, $2)
            ON CONFLICT ("only") DO UPDATE SET instant = excluded.instant, wall = excluded.wall
            WHERE excluded.instant - excluded.wall > kept.instant - kept.wall
            """,
            fact.instant,
            fact.wall,
        )
        return bool(status != "INSERT 0 0")
