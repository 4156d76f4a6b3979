"""Fires what is due: one timer, one transaction; one that fails is tried again and holds up no other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.clock import Clock
from chassis.database import Connection, Database
from chassis.errors import Kind, kind_of
from chassis.logs import logger
from chassis.metrics import Metrics
from chassis.service import OnTimer, Timer
from chassis.supervision import backoff_seconds, wait_until

if TYPE_CHECKING:
    from chassis.transaction import Transaction

BATCH = 200
POLL_SECONDS = 1.0
"""How late a timer or a jump of the clock may be noticed that another process stored."""
LOCKS = 44
"""First half of the advisory locks that keep two processes from firing one timer."""

log = logger()


@dataclass(frozen=True, slots=True)
class _Held:
    tries: int
    until: float


class Timers:
    """The loop over `chassis.timers`.

    The row is not locked first, as a queue's would be: a handler locks its subject and then sets a timer, and firing
    would take the two locks the other way round and end in deadlocks. An advisory lock keeps other processes off
    instead, and the row is deleted last, if it is still the one that was due: what `on_timer` or a handler put in its
    place meanwhile stays.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        transaction: Callable[[str], AbstractAsyncContextManager[Transaction]],
        on_timer: OnTimer,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._clock = clock
        self._transaction = transaction
        self._on_timer = on_timer
        self._metrics = metrics
        self._woken = asyncio.Event()
        self._held: dict[Timer, _Held] = {}

    @property
    def failing(self) -> int:
        """How many timers have raised and wait for another try here."""
        return len(self._held)

    def wake(self) -> None:
        """Looks again at once: a timer was set, the clock jumped, or the process stops."""
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Fires until `stopping` is set; raises when the database is away, so that a supervisor waits."""
        while not stopping.is_set():
            self._woken.clear()
            if not (seconds := await self._round(stopping)):
                continue
            await wait_until(self._woken, seconds)

    async def _round(self, stopping: asyncio.Event) -> float:
        """Tries everything due once, and says after how many seconds to look again."""
        async with self._database.connection() as connection:
            now = await self._clock.read(connection)
            await self._forget_settled(connection)
            resting = [timer for timer, held in self._held.items() if held.until > time.monotonic()]
            due = await connection.fetch(_DUE, now, *_columns(resting), BATCH)
            following = await connection.fetchval("SELECT min(due_at) FROM chassis.timers WHERE due_at > $1", now)
        fired = 0
        for row in due:
            if stopping.is_set():
                return 0
            fired += await self._fire(Timer(row["subject"], row["kind"], row["due_at"]), row["xmin"])
        if fired and len(due) == BATCH:
            return 0
        return min(POLL_SECONDS, (following - now).total_seconds()) if following else POLL_SECONDS

    async def _fire(self, timer: Timer, version: int) -> bool:
        try:
            async with self._transaction("timer") as transaction:
                connection = transaction.connection
                if not await connection.fetchval(_TRY_LOCK, LOCKS, timer.subject, timer.kind):
                    return False
                if not await connection.fetchval(_STILL_THERE, timer.subject, timer.kind, version):
                    return False
                await self._on_timer(transaction, timer)
                await connection.execute(_DELETE, timer.subject, timer.kind, version)
        except Exception as error:  # a service's code, as in `batch._attempt`: one timer must not hold up the others
            self._hold(timer, error)
            if kind_of(error) is Kind.UNAVAILABLE:
                raise
            return False
        self._held.pop(timer, None)
        self._metrics.timers_fired.inc()
        self._metrics.timer_delay_seconds.observe((self._clock.now() - timer.due_at).total_seconds())
        return True

    def _hold(self, timer: Timer, error: Exception) -> None:
        tries = self._held[timer].tries + 1 if timer in self._held else 1
        away = kind_of(error) is Kind.UNAVAILABLE
        pause = backoff_seconds(tries) if away else backoff_seconds(tries, first=1, most=300)
        self._held[timer] = _Held(tries, time.monotonic() + pause)
        self._metrics.timers_failed.inc()
        self._metrics.timers_failing.set(len(self._held))
        log.error("timer_failed", subject=timer.subject, kind=timer.kind, tries=tries, error=error)

    async def _forget_settled(self, connection: Connection) -> None:
        """Drops what another process fired, replaced or cancelled."""
        if self._held:
            rows = await connection.fetch(_AMONG, *_columns(list(self._held)))
            standing = {Timer(row["subject"], row["kind"], row["due_at"]) for row in rows}
            self._held = {timer: held for timer, held in self._held.items() if timer in standing}
        self._metrics.timers_failing.set(len(self._held))


def _columns(timers: Sequence[Timer]) -> tuple[list[str], list[str], list[datetime]]:
    return [each.subject for each in timers], [each.kind for each in timers], [each.due_at for each in timers]


_DUE = """
SELECT subject, kind, due_at, xmin FROM chassis.timers
WHERE due_at <= $1
AND (subject, kind, due_at) NOT IN (SELECT * FROM unnest($2::text[], $3::text[], $4::timestamptz[]))
ORDER BY due_at LIMIT $5
"""
_AMONG = """
SELECT subject, kind, due_at FROM chassis.timers
JOIN unnest($1::text[], $2::text[], $3::timestamptz[]) AS held (subject, kind, due_at) USING (subject, kind, due_at)
"""
_TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1, hashtext($2 || ' ' || $3))"
# A statement after the lock, so that it sees what the last holder of the lock committed.
_STILL_THERE = "SELECT EXISTS (SELECT FROM chassis.timers WHERE subject = $1 AND kind = $2 AND xmin = $3)"
_DELETE = "DELETE FROM chassis.timers WHERE subject = $1 AND kind = $2 AND xmin = $3"
