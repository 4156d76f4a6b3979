"""The records of the trail up to a vector of sizes, log by log, each in its own order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from audit.inspection import read_stored_logs, stream_leaves
from contracts.envelope import Envelope, Unreadable, decode
from contracts.facts import Fact
from contracts.registry import read
from guichet_verify.leaves import Claim, FirstLeaf, Record, parse, parse_blob

if TYPE_CHECKING:
    from asyncpg import Connection

    from guichet.replay.instants import Vector


class Place(NamedTuple):
    """Where a record stands on the broker: the order that does not depend on who read it when."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as recorded; `fact` is what it states."""

    place: Place
    key: str
    envelope: Envelope
    data: bytes
    fact: Fact


class NotRead(NamedTuple):
    """A record that states no fact, and why: named, never passed over in silence."""

    place: Place
    code: str


async def dropped_among(connection: Connection, vector: Vector) -> list[str]:
    """The logs of a vector whose records were dropped since: what they said is in no replay any more."""
    logs = await read_stored_logs(connection)
    return sorted(log.origin for log in logs if log.dropped and vector.sizes.get(log.origin, 0))


async def records_until(
    connection: Connection, vector: Vector, topics: Iterable[str] | None = None
) -> AsyncIterator[Record]:
    """Every record below the sizes of a vector, of these topics or of all; within the caller's transaction."""
    wanted = None if topics is None else frozenset(topics)
    for log in sorted(await read_stored_logs(connection), key=lambda log: log.origin):
        size = vector.sizes.get(log.origin, 0)
        if size == 0 or log.dropped or (wanted is not None and log.topic not in wanted):
            continue
        async for page in stream_leaves(connection, log.log_id):
            for stored in page:
                if stored.leaf_index >= size:
                    break
                leaf = parse(stored.leaf)
                if isinstance(leaf, Claim):
                    leaf = parse_blob(leaf, stored.blob or b"")
                if not isinstance(leaf, FirstLeaf):
                    yield leaf
            if page[-1].leaf_index >= size - 1:
                break


def read_record(record: Record) -> Recorded | NotRead:
    """What a record states, read as strictly as the services read it."""
    place = Place(record.topic, record.partition, record.offset)
    try:
        envelope, data = decode(record.headers, record.value)
        fact = read(envelope, data, record.topic)
    except Unreadable as error:
        return NotRead(place, error.code)
    return Recorded(place, (record.key or b"").decode("ascii", "replace"), envelope, data, fact)
