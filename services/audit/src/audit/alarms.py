"""Says when something is missing from the trail, and when it is there: guichet.gap.found.v1 and gap.closed.v1."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from audit.dropped import NOTHING, DroppedEpochs, read_dropped
from audit.ingest import Ingest
from audit.watching import NEVER_SENT, OFFSETS_LOST, RETENTION, SHORTER, SUBJECT_SEQUENCE, UNREADABLE, Gap, subject_gaps
from chassis.logs import logger
from chassis.supervision import wait_until
from chassis.transaction import Transaction
from contracts.system import GapClosed, GapFound

if TYPE_CHECKING:
    from chassis.database import Connection

LOOK_SECONDS = 5.0
GRACE_SECONDS = 60.0
"""How long something may be on its way."""
BEHIND = 0.25
"""The share of what the broker retains that may be unread."""
FEW = 10_000
"""Unread records that are no danger, however little the broker retains."""

HALTED = {"records-lost": OFFSETS_LOST, "header-name-not-utf8": UNREADABLE, "log-shorter": SHORTER}
"""What is missing where a partition is not read on; other halts are about what is stored, and miss nothing."""

log = logger(component="alarms")


class Alarms:
    """Compares what the writer took note of with what is known to be missing, every few seconds."""

    def __init__(
        self,
        ingest: Ingest,
        transaction: Callable[[], AbstractAsyncContextManager[Transaction]],
        grace: float = GRACE_SECONDS,
    ) -> None:
        self._ingest = ingest
        self._transaction = transaction
        self._grace = grace
        self._taken_up = False

    async def run(self, stopping: asyncio.Event, every: float = LOOK_SECONDS) -> None:
        """Until `stopping` is set."""
        while not await wait_until(stopping, every):
            if self._ingest.following:
                await self.look(time.monotonic())

    async def look(self, now: float) -> None:
        """One comparison; what is new and what has ended is said in one transaction."""
        watch = self._ingest.watch
        if not self._taken_up:
            await self._take_up()
        missing = {*watch.missing(now, self._grace), *self._of_the_broker()}
        lasting = watch.lasting(missing, now, self._grace)
        settled = watch.settled(now, self._grace)
        async with self._transaction() as transaction:
            connection = transaction.connection
            known = {gap for gap in await _known(connection) if gap.kind != NEVER_SENT}
            of_subjects = {gap for gap in known if gap.kind == SUBJECT_SEQUENCE}
            looked_at = {*settled, *((gap.source, gap.subject) for gap in of_subjects)}
            dropped = await read_dropped(connection) if looked_at else NOTHING
            for source, subject in looked_at:
                topic, sequences = await _sequences(connection, source, subject)
                gaps = subject_gaps(source, subject, sequences, topic, dropped)
                missing.update(gaps)
                lasting.update(gaps)
            missing |= await _dropped_with(connection, of_subjects - missing, dropped)
            await _say(transaction, lasting - known, known - missing)

    async def _take_up(self) -> None:
        async with self._transaction() as transaction:
            for gap in await _known(transaction.connection):
                self._ingest.watch.expect(gap)
        self._taken_up = True

    def _of_the_broker(self) -> Iterator[Gap]:
        """Records that are gone or unreadable before they were read, and those that soon may be gone."""
        for place, halt in self._ingest.halted.items():
            if halt.code in HALTED:
                yield Gap(HALTED[halt.code], "", "", place.topic, place.partition, halt.since, halt.until - 1)
        for (topic, part), (first, next_offset, end) in self._ingest.unread().items():
            if end - next_offset > max(FEW, BEHIND * (end - first)):
                yield Gap(RETENTION, "", "", topic, part, 0, 0)


async def say_never_sent(transaction: Transaction, gaps: Collection[Gap]) -> None:
    """Says what a reconciliation found that none found before, and that what an earlier one found is there now."""
    connection = transaction.connection
    known = {gap for gap in await _known(connection) if gap.kind == NEVER_SENT}
    ended = known - set(gaps)
    ended -= await _dropped_with(connection, ended, await read_dropped(connection))
    await _say(transaction, set(gaps) - known, ended)


async def _known(connection: Connection) -> set[Gap]:
    return {Gap(*row) for row in await connection.fetch(_KNOWN)}


async def _say(transaction: Transaction, found: Iterable[Gap], ended: Iterable[Gap]) -> None:
    for gap in sorted(found):
        await transaction.connection.execute(_ENTER, *gap)
        transaction.say(_fact(GapFound, gap), subject=_subject(gap), key=_subject(gap))
        log.error("gap_found", kind=gap.kind, topic=gap.topic, partition=gap.part, first=gap.first, last=gap.last)
    for gap in sorted(ended):
        await transaction.connection.execute(_REMOVE, *gap)
        transaction.say(_fact(GapClosed, gap), subject=_subject(gap), key=_subject(gap))
        log.warning("gap_closed", kind=gap.kind, topic=gap.topic, partition=gap.part)


async def _dropped_with(connection: Connection, gaps: Iterable[Gap], dropped: DroppedEpochs) -> set[Gap]:
    """Those in numbers of which nothing is left, because their epoch was dropped: missing for ever."""
    found: set[Gap] = set()
    for gap in gaps if dropped.by_origin else ():
        _, sequences = await _sequences(connection, gap.source, gap.subject)
        if gap.last < min(sequences, default=gap.last + 1):
            found.add(gap)
    return found


def _subject(gap: Gap) -> str:
    """Found and closed of one gap are numbered together, and stay in order."""
    return f"gap/{gap.kind}/{gap.topic or gap.subject}"[:200]


def _fact(kind: type[GapFound] | type[GapClosed], gap: Gap) -> GapFound | GapClosed:
    return kind(
        kind=gap.kind,
        source=gap.source[:200] or None,
        subject=gap.subject[:200] or None,
        gap_topic=gap.topic or None,
        partition=None if gap.part < 0 else gap.part,
        first_missing=gap.first,
        last_missing=gap.last,
    )


async def _sequences(connection: Connection, source: str, subject: str) -> tuple[str, list[int]]:
    """The numbers that are recorded, and a topic that they are on."""
    rows = await connection.fetch(
        "SELECT DISTINCT topic, sequence FROM audit.entry JOIN audit.log USING (log_id) "
        "WHERE subject = $1 AND source = $2 AND sequence IS NOT NULL",
        subject,
        source,
    )
    return min((row["topic"] for row in rows), default=""), [row["sequence"] for row in rows]


_KNOWN = "SELECT kind, source, subject, topic, part, first_missing, last_missing FROM audit.gap"
_ENTER = """
INSERT INTO audit.gap (kind, source, subject, topic, part, first_missing, last_missing)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
"""
_REMOVE = """
DELETE FROM audit.gap
WHERE (kind, source, subject, topic, part, first_missing, last_missing) = ($1, $2, $3, $4, $5, $6, $7)
"""
