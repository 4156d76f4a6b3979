"""A page of the outbox: pointers in order, and the records they point to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from chassis.database import Connection
from chassis.messages import headers_of
from contracts.envelope import Envelope, encode

PAGE_ROWS = 200
PAGE_EVENTS = 2000
PAGE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record on its way to the broker: a fact that gets its headers when it is stamped, or a raw one as it is."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    stamped: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of the outbox and the records they stand for, in order."""

    rows: list[int]
    records: list[Outgoing]


async def read(connection: Connection, owned: Sequence[int]) -> Page:
    """The first rows of these shards, as many as are sensible at once; at least one if there is any."""
    rows = await connection.fetch(
        "SELECT id, events, size_bytes FROM chassis.outbox WHERE shard = ANY($1::smallint[]) ORDER BY id LIMIT $2",
        owned,
        PAGE_ROWS,
    )
    taken: list[int] = []
    events: list[object] = []
    size = 0
    for row in rows:
        if taken and (len(events) + len(row["events"]) > PAGE_EVENTS or size + row["size_bytes"] > PAGE_BYTES):
            break
        taken.append(row["id"])
        events += row["events"]
        size += row["size_bytes"]
    if not taken:
        return Page([], [])
    found = {row["event_id"]: _fact(row) for row in await connection.fetch(_FACTS, events)}
    if len(found) < len(events):
        raw = [event for event in events if event not in found]
        found |= {row["event_id"]: _raw(row) for row in await connection.fetch(_RAW, raw)}
    return Page(taken, [found[event] for event in events])


async def delete(connection: Connection, rows: Sequence[int]) -> None:
    """Remove pointers whose records are acknowledged."""
    await connection.execute("DELETE FROM chassis.outbox WHERE id = ANY($1::bigint[])", rows)


def stamp(record: Outgoing, producer: str, epoch: int, sequence: int) -> list[tuple[str, bytes | None]]:
    """The headers of a record: a fact's gain the producer, its epoch and the sequence on the partition, by which a
    record lost between here and the trail is missed. A raw record stays as it is."""
    if not record.stamped:
        return record.headers
    return [
        *record.headers,
        ("ce_producer", producer.encode()),
        ("ce_producerepoch", b"%d" % epoch),
        ("ce_producersequence", b"%d" % sequence),
    ]


def _fact(row: asyncpg.Record) -> Outgoing:
    key = row["key"]
    envelope = Envelope(
        str(row["event_id"]),
        row["type"],
        row["source"],
        row["subject"],
        row["time"],
        row["data_schema"],
        key,
        row["sequence"],
        row["correlation_id"],
        row["causation_id"],
        trace_parent=row["trace_parent"],
    )
    headers: list[tuple[str, bytes | None]] = [*encode(envelope)]
    return Outgoing(row["topic"], None, key.encode(), row["body"], headers, True)


def _raw(row: asyncpg.Record) -> Outgoing:
    headers = headers_of(row["header_names"], row["header_values"])
    return Outgoing(row["topic"], row["part"], row["key"], row["value"], headers, False)


_FACTS = """
SELECT event_id, topic, key, type, source, subject, sequence, time, data_schema, correlation_id, causation_id,
       trace_parent, body
FROM chassis.facts WHERE event_id = ANY($1::uuid[])
"""
_RAW = """
SELECT event_id, topic, part, key, value, header_names, header_values
FROM chassis.raw_records WHERE event_id = ANY($1::uuid[])
"""
