"""Epochs whose records were dropped when they had been kept long enough, as the trail itself says it.

Of such a log its head, tiles and checkpoints stay, or, in a database that was built again since, what was said of it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from audit import reading
from audit.stories import record_of
from audit.succession import read_beginnings
from contracts.envelope import Unreadable, decode
from contracts.system import EpochDropped
from contracts.topics import stream_of
from guichet_verify.leaves import NotALeaf, Record

if TYPE_CHECKING:
    from chassis.database import Connection

TYPE = EpochDropped.event_type
SOURCE = "/guichet/audit"
SHORTEST_RETENTION = 365
"""Days that no stream is kept less."""


class Dropped(NamedTuple):
    """That the records of a log are to be dropped: said when, by whom, and where it is recorded."""

    fact: EpochDropped
    said_at: datetime
    recorded_in: str = ""
    recorded_at: int = -1

    @property
    def root(self) -> bytes:
        return base64.b64decode(self.fact.root)

    def was_due(self) -> bool:
        """Whether the records had been kept as long as it says that they were to be, and not less than anything is."""
        kept = timedelta(days=self.fact.retention_days)
        return self.fact.retention_days >= SHORTEST_RETENTION and self.said_at >= self.fact.ended_at + kept


@dataclass(frozen=True, slots=True)
class DroppedEpochs:
    """What is known to be dropped, by origin, and the numbers that this was said to leave out."""

    by_origin: Mapping[str, Dropped]
    numbers: Mapping[tuple[str, str], frozenset[int]]

    def of_stream(self, topic: str) -> bool:
        """Whether anything of the stream of this topic was dropped."""
        return any(stream_of(_topic(origin)) == stream_of(topic) for origin in self.by_origin)

    def first(self, lowest: int, topic: str) -> int:
        """From where on the numbers of a subject have to be there, of which `lowest` is the lowest that is, on `topic`:
        from 1 where nothing of its stream was dropped."""
        return lowest if self.of_stream(topic) else 1

    def missing(self, source: str, subject: str, first: int, last: int) -> Iterator[tuple[int, int]]:
        """What of a hole is no number of a dropped epoch, as runs; both ends included."""
        for number in sorted(each for each in self.numbers.get((source, subject), ()) if first <= each <= last):
            if number > first:
                yield first, number - 1
            first = number + 1
        if first <= last:
            yield first, last


def gathered(found: Iterable[Dropped]) -> DroppedEpochs:
    """The first statement about each log, and the numbers of all of them."""
    by_origin: dict[str, Dropped] = {}
    numbers: dict[tuple[str, str], set[int]] = {}
    for each in found:
        if by_origin.setdefault(each.fact.origin, each) is each:
            for number in each.fact.numbers:
                numbers.setdefault((number.source, number.subject), set()).add(number.sequence)
    return DroppedEpochs(by_origin, {place: frozenset(known) for place, known in numbers.items()})


NOTHING = gathered(())


def dropped_until(dropped: DroppedEpochs) -> dict[str, datetime]:
    """By topic, the end of the newest epoch that was dropped: what was said until then can have been in it."""
    until: dict[str, datetime] = {}
    for origin, each in dropped.by_origin.items():
        topic = _topic(origin)
        until[topic] = max(each.fact.ended_at, until.get(topic, each.fact.ended_at))
    return until


def _topic(origin: str) -> str:
    return origin.rsplit("/", 3)[1]


def said_by(record: Record) -> tuple[EpochDropped, datetime] | None:
    """What a record says was dropped, and when it said so; None when it is no statement of the audit service."""
    try:
        envelope, data = decode(record.headers, record.value)
        if (envelope.type, envelope.source) != (TYPE, SOURCE):
            return None
        return EpochDropped.read(data or b""), envelope.time
    except (Unreadable, ValueError):
        return None


async def read_dropped(connection: Connection, origins: Iterable[str] = ()) -> DroppedEpochs:
    """What the trail says of every log that is dropped, of every log before one that is there, and of `origins`.

    What is said of a log whose records are there does not count: it is not dropped yet.
    """
    states = {row["origin"]: row["state"] for row in await connection.fetch("SELECT origin, state FROM audit.log")}
    before = {first.previous_origin for first in await read_beginnings(connection) if first.previous_origin}
    wanted = {origin for origin, state in states.items() if state == "dropped"}
    return gathered(await read_said(connection, wanted | (before | {*origins}) - states.keys()))


async def read_said(connection: Connection, origins: Iterable[str]) -> list[Dropped]:
    """Everything recorded that says of one of these logs that it is to be dropped, in the order of log and index."""
    wanted = sorted(set(origins))
    if not wanted:
        return []
    found = []
    for entry in await reading.read_by_type(connection, [TYPE], wanted):
        try:
            said = said_by(record_of(entry))
        except (NotALeaf, TypeError):
            continue  # Found by a verification; no statement.
        if said is not None and said[0].origin in wanted:
            found.append(Dropped(*said, entry.origin, entry.leaf_index))
    return found
