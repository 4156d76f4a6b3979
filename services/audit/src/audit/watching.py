"""What is missing from the trail, as far as the records themselves tell: numbers, reports, silence. Pure: no clock."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from audit.dropped import NOTHING, DroppedEpochs
from audit.producers import Numbering, runs
from contracts.topics import CHECKPOINTS, TOPICS
from guichet_verify.attributes import Attributes, attributes_of
from guichet_verify.leaves import Record

REPORT = "guichet.producer.reported.v1"
PRODUCER_SEQUENCE, REPORTED_TAIL, SILENT_PRODUCER = "producer_sequence", "reported_tail", "silent_producer"
SUBJECT_SEQUENCE, OFFSETS_LOST, RETENTION = "subject_sequence", "offsets_lost", "retention"
UNREADABLE, SHORTER = "record_unreadable", "broker_shorter"
NEVER_SENT = "never_sent"
"""A fact in a service's database that the trail does not have: found by the daily reconciliation alone."""
AT_ONCE = frozenset({SILENT_PRODUCER, OFFSETS_LOST, RETENTION, UNREADABLE, SHORTER})
"""Kinds that have lasted by the time they are seen."""

Place = tuple[str, int]
"""A partition: topic and number."""


class Gap(NamedTuple):
    """A range that should be in the trail, both ends included; empty texts and -1 where a kind has no such thing."""

    kind: str
    source: str
    subject: str
    topic: str
    part: int
    first: int
    last: int


class Report(NamedTuple):
    """What a producer last said of itself in an epoch: the number of the report, and the last number on each place."""

    epoch: int
    sequence: int
    published: dict[Place, int]
    heard: float


class Watch:
    """Takes note of every record; its memory grows with producers and with subjects not yet looked at."""

    def __init__(self) -> None:
        self._numbering: dict[Place, Numbering] = {}
        self._whole: set[Place] = set()
        self._reports: dict[str, Report] = {}
        self._subjects: dict[tuple[str, str], float] = {}
        self._since: dict[Gap, float] = {}

    def begin(self, place: Place, records: Iterable[Record], *, whole: bool, now: float) -> None:
        """Starts a partition from its newest recorded leaves; `whole` when these are all there are, in any epoch.

        What is missing among them is found by a verification of the whole trail, or was found before.
        """
        numbering = self._numbering[place] = Numbering(partial=not whole)
        (self._whole.add if whole else self._whole.discard)(place)
        for record in records:
            numbering.add(record, beginning=True)
            if place[0] == CHECKPOINTS:
                self._hear(record, attributes_of(record), now)

    def add(self, place: Place, records: Iterable[Record], now: float) -> None:
        """Takes note of records that were just recorded, at the monotonic time `now`."""
        numbering = self._numbering.setdefault(place, Numbering())
        own = place[0] in TOPICS and not TOPICS[place[0]].foreign
        for record in records:
            numbering.add(record)
            if not own:
                continue
            said = attributes_of(record)
            if said.sequence is not None and said.source and said.subject:
                self._subjects[said.source, said.subject] = now
            if place[0] == CHECKPOINTS:
                self._hear(record, said, now)

    def expect(self, gap: Gap) -> None:
        """A gap that was found in an earlier life, and goes on until its numbers come."""
        producer, _, epoch = gap.source.rpartition("/")
        if gap.kind == PRODUCER_SEQUENCE and (gap.topic, gap.part) in self._numbering:
            self._numbering[gap.topic, gap.part].expect(producer, int(epoch), gap.first, gap.last)

    def _hear(self, record: Record, said: Attributes, now: float) -> None:
        if said.type != REPORT or record.value is None:
            return
        try:
            report = json.loads(record.value)
            published = {(each["topic"], each["partition"]): int(each["sequence"]) for each in report["published"]}
            producer, epoch = str(report["producer"]), int(report["epoch"])
        except (ValueError, KeyError, TypeError):
            return
        known = self._reports.get(producer)
        if known is None or epoch >= known.epoch:
            self._reports[producer] = Report(epoch, said.sequence or 0, published, now)

    def missing(self, now: float, silence: float) -> Iterator[Gap]:
        """What is missing at this moment; most of it will come within the next second."""
        for (topic, part), numbering in self._numbering.items():
            for producer, epoch, first, last in numbering.holes():
                yield Gap(PRODUCER_SEQUENCE, f"{producer}/{epoch}", "", topic, part, first, last)
        for producer, report in self._reports.items():
            for (topic, part), sequence in report.published.items():
                numbered = self._numbering.get((topic, part))
                highest = numbered.highest(producer, report.epoch) if numbered else 0
                if highest < sequence and (highest or (topic, part) in self._whole):
                    yield Gap(REPORTED_TAIL, f"{producer}/{report.epoch}", "", topic, part, highest + 1, sequence)
            if now - report.heard > silence:
                missing = report.sequence + 1
                yield Gap(SILENT_PRODUCER, f"/guichet/{producer}", producer, "", -1, missing, missing)

    def settled(self, now: float, after: float) -> list[tuple[str, str]]:
        """The (source, subject) whose last event is older than `after` seconds; each is given out once."""
        found = [place for place, heard in self._subjects.items() if now - heard > after]
        for place in found:
            del self._subjects[place]
        return found

    def lasting(self, missing: Iterable[Gap], now: float, grace: float) -> set[Gap]:
        """Those that have been missing for longer than `grace`."""
        current = set(missing)
        self._since = {gap: self._since.get(gap, now) for gap in current}
        return {gap for gap, since in self._since.items() if now - since >= grace or gap.kind in AT_ONCE}


def subject_gaps(
    source: str, subject: str, sequences: Iterable[int], topic: str = "", dropped: DroppedEpochs = NOTHING
) -> list[Gap]:
    """The numbers below the highest that no recorded event of this source and subject on `topic` bears, nor bore in an
    epoch that was dropped."""
    known = set(sequences)
    since = dropped.first(min(known, default=1), topic)
    missing = [number for number in range(since, max(known, default=0)) if number not in known]
    return [
        Gap(SUBJECT_SEQUENCE, source, subject, "", -1, first, last)
        for run in runs(missing)
        for first, last in dropped.missing(source, subject, *run)
    ]
