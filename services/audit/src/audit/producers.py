"""Which numbers a producer gave to the records of one partition, and which of them are not there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from guichet_verify.leaves import Record

_COUNT = re.compile(rb"[1-9][0-9]{0,14}", re.ASCII)
LONGEST_LIST = 1_000
"""Holes remembered for one producer and epoch."""


class Numbering:
    """The numbers of one partition: gapless from 1 for each producer and epoch; memory grows with producers alone.

    `partial`: earlier records are not at hand, so the first number of a producer that is seen says nothing about those
    before it.
    """

    def __init__(self, *, partial: bool = False) -> None:
        self._partial = partial
        self._highest: dict[tuple[bytes, int], int] = {}
        self._holes: dict[tuple[bytes, int], set[int]] = {}

    def __len__(self) -> int:
        return len(self._highest)

    def add(self, record: Record, *, beginning: bool = False) -> None:
        """Takes note of a record's number; a record without number, epoch or producer has none.

        `beginning`: not every record is at hand, so what lies between the numbers is not missed.
        """
        said = dict(record.headers)
        producer = said.get("ce_producer")
        if not producer:
            return
        epoch, number = _count(said.get("ce_producerepoch")), _count(said.get("ce_producersequence"))
        if epoch is None or number is None:
            return
        highest = self._highest.get((producer, epoch), 0)
        if number > highest:
            self._highest[producer, epoch] = number
            if number > highest + 1 and not beginning and (highest or not self._partial):
                holes = self._holes.setdefault((producer, epoch), set())
                room = LONGEST_LIST - len(holes)
                holes.update(range(highest + 1, min(number, highest + 1 + room)))
        elif holes := self._holes.get((producer, epoch), set()):
            holes.discard(number)

    def expect(self, producer: str, epoch: int, first: int, last: int) -> None:
        """These numbers are known to be missing."""
        holes = self._holes.setdefault((producer.encode(), epoch), set())
        holes.update(range(first, min(last + 1, first + LONGEST_LIST)))

    def highest(self, producer: str, epoch: int) -> int:
        """The highest number of a producer in an epoch; 0 before the first."""
        return self._highest.get((producer.encode(), epoch), 0)

    def holes(self) -> Iterator[tuple[str, int, int, int]]:
        """Each run of numbers that never came, as (producer, epoch, first, last)."""
        for (producer, epoch), holes in sorted(self._holes.items()):
            for first, last in runs(sorted(holes)):
                yield producer.decode(errors="replace"), epoch, first, last

    def missing(self) -> Iterator[tuple[int, int, int]]:
        """Each run of numbers that never came, as (epoch, first, last)."""
        for (_, epoch), holes in sorted(self._holes.items()):
            for first, last in runs(sorted(holes)):
                yield epoch, first, last


def runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Rising numbers as runs (first, last) without a hole."""
    first = last = None
    for number in numbers:
        if last is not None and number == last + 1:
            last = number
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = number
    if first is not None and last is not None:
        yield first, last


def _count(value: bytes | None) -> int | None:
    return int(value) if value is not None and _COUNT.fullmatch(value) else None
