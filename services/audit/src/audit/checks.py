"""The checks of the whole trail that somebody has to ask for: when each was made last, and what came out."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from audit.reading import Entry
from audit.stories import record_of
from chassis.logs import logger
from chassis.metrics import Metrics
from chassis.supervision import wait_until
from chassis.transaction import Transaction
from contracts.system import TrailChecked
from contracts.topics import ACCESS
from guichet_verify.leaves import NotALeaf

if TYPE_CHECKING:
    from chassis.database import Connection

VERIFIED, RECONCILED, KEYS_COMPARED, DRILLED = "verified", "reconciled", "keys_compared", "drilled"

WITHIN: Mapping[str, timedelta] = {
    VERIFIED: timedelta(hours=26),
    RECONCILED: timedelta(hours=26),
    KEYS_COMPARED: timedelta(hours=26),
    DRILLED: timedelta(days=32),
}
"""How long ago each may have held last: the first three are made every night, the drill every month."""

LOOK_SECONDS = 60.0
LOOKED_BACK = 200
"""Runs of one check among which the last that held is looked for."""

log = logger(component="checks")


@dataclass(frozen=True, slots=True)
class Check:
    """One check, as the trail has it; None where it never was made, or never held."""

    name: str
    made_at: datetime | None = None
    failures: int = 0
    held_at: datetime | None = None

    def overdue(self, now: datetime) -> bool:
        """Whether the check did not hold the last time, or it is longer ago than it may be."""
        return self.held_at is None or self.failures > 0 or now - self.held_at > WITHIN[self.name]


def say_checked(transaction: Transaction, check: str, by: str, door: str, failures: int) -> None:
    """Says what came out of a check."""
    subject = f"check/{check}"
    fact = TrailChecked(check=check, by=by, door=door, holds=not failures, failures=failures)
    transaction.say(fact, subject=subject, key=subject)


async def read_checks(connection: Connection) -> list[Check]:
    """Every check there is, as far as the trail has recorded it."""
    return [await _read(connection, name) for name in WITHIN]


async def _read(connection: Connection, name: str) -> Check:
    found = Check(name)
    for row in await connection.fetch(_NEWEST, f"check/{name}", ACCESS, LOOKED_BACK):
        try:
            said = json.loads(record_of(Entry(*tuple(row)[:5])).value or b"")
            failures, holds = int(said["failures"]), said["holds"] is True
        except (NotALeaf, ValueError, KeyError, TypeError):
            continue  # Whoever may write the topic may say anything.
        if found.made_at is None:
            found = Check(name, row["event_time"], failures)
        if holds:
            return Check(name, found.made_at, found.failures, row["event_time"])
    return found


class Overdue:
    """An alarm for each check that was not made, or did not hold, for longer than it may be."""

    def __init__(self, transaction: Callable[[], AbstractAsyncContextManager[Transaction]], metrics: Metrics) -> None:
        self._transaction = transaction
        self._metrics = metrics
        self._said: set[str] = set()

    async def run(self, stopping: asyncio.Event, every: float = LOOK_SECONDS) -> None:
        """Until `stopping` is set."""
        while not await wait_until(stopping, every):
            await self.look()

    async def look(self) -> None:
        """Measures how long ago each check held, for ever where it never did, and says once what is overdue."""
        async with self._transaction() as transaction:
            now, checks = transaction.now, await read_checks(transaction.connection)
        for check in checks:
            age = math.inf if check.held_at is None else (now - check.held_at).total_seconds()
            self._metrics.ages.set(f"trail_{check.name}", age)
            if not check.overdue(now):
                self._said.discard(check.name)
            elif check.name not in self._said:
                self._said.add(check.name)
                held = None if math.isinf(age) else round(age)
                log.error("check_overdue", check=check.name, failures=check.failures, held=held)


_NEWEST = """
SELECT origin, leaf_index, leaf, leaf_hash, NULL::bytea, event_time
FROM audit.entry JOIN audit.log USING (log_id)
WHERE subject = $1 AND source = '/guichet/audit' AND sequence IS NOT NULL
    AND event_type = 'guichet.trail.checked.v1' AND topic = $2
ORDER BY sequence DESC LIMIT $3
"""
