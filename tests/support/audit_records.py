"""Records as replay reads them, each read once however often a test folds it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from guichet.replay.recorded import read_record
from guichet.replay.state import Memory
from guichet_verify.leaves import Record

read = cache(read_record)


def memory_of(records: Iterable[Record]) -> Memory:
    memory = Memory()
    for record in records:
        memory.hear(read(record))
    return memory
