"""What a transaction has to say, written so that it is published if, and only if, the transaction commits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zlib import crc32

from chassis.crash import crash_point
from chassis.database import Connection
from chassis.messages import Headers, header_columns

SHARDS = 16
ROW_EVENTS = 200
ROW_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Said:
    """A fact on its way out, complete but for its sequence number."""

    event_id: str
    topic: str
    key: str
    type: str
    source: str
    subject: str
    time: datetime
    data_schema: str | None
    correlation_id: str | None
    causation_id: str | None
    trace_parent: str | None
    body: bytes

    @property
    def order_key(self) -> bytes:
        """The bytes of the Kafka key."""
        return self.key.encode()

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body)


@dataclass(frozen=True, slots=True)
class Raw:
    """A record to publish byte for byte, on a partition of its own or on that of its key."""

    event_id: str
    topic: str
    part: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def order_key(self) -> bytes:
        """The bytes of the Kafka key; a record without one stays in order with its like."""
        return self.key or b""

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return len(self.value or b"")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much is committed and not yet acknowledged by the broker."""

    records: int
    age_seconds: float


def shard_of(key: bytes) -> int:
    """The shard of a key: of the key alone, so that all writers of one key meet in one shard."""
    return crc32(key) % SHARDS


async def write(connection: Connection, entries: Sequence[Said | Raw]) -> None:
    """Write facts with their sequence numbers, raw records, then pointers to both in order.

    The sequences come first: their row locks are held until the commit, so the pointers of one subject stand in the
    outbox in the order of its facts.
    """
    said = [entry for entry in entries if isinstance(entry, Said)]
    raw = [entry for entry in entries if isinstance(entry, Raw)]
    if said:
        await _write_facts(connection, said, await _number(connection, said))
    if raw:
        await _write_raw(connection, raw)
    crash_point("facts-written")
    await connection.copy_records_to_table(
        "outbox", schema_name="chassis", columns=("shard", "events", "size_bytes"), records=_pointers(entries)
    )
    crash_point("outbox-written")


async def waiting(connection: Connection) -> Waiting:
    """How much waits to be published, and for how long its oldest part has."""
    row = await connection.fetchrow(
        """
        SELECT coalesce(sum(cardinality(events)), 0)::bigint AS records,
               coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS age
        FROM chassis.outbox
        """
    )
    return Waiting(row["records"], max(0.0, row["age"]))


async def _number(connection: Connection, said: Sequence[Said]) -> list[int]:
    """The next sequence number within its (source, subject) for each fact."""
    counts: dict[tuple[str, str], int] = {}
    for entry in said:
        place = (entry.subject, entry.source)
        counts[place] = counts.get(place, 0) + 1
    places = sorted(counts)
    rows = await connection.fetch(
        """
        INSERT INTO chassis.sequences AS kept (subject, source, last)
        SELECT subject, source, n FROM unnest($1::text[], $2::text[], $3::bigint[]) AS said (subject, source, n)
        ON CONFLICT (subject, source) DO UPDATE SET last = kept.last + excluded.last
        RETURNING subject, source, last
        """,
        [subject for subject, _ in places],
        [source for _, source in places],
        [counts[place] for place in places],
    )
    following = {(row["subject"], row["source"]): row["last"] - counts[row["subject"], row["source"]] for row in rows}
    numbers = []
    for entry in said:
        place = (entry.subject, entry.source)
        following[place] += 1
        numbers.append(following[place])
    return numbers


async def _write_facts(connection: Connection, said: Sequence[Said], numbers: Sequence[int]) -> None:
    await connection.copy_records_to_table(
        "facts",
        schema_name="chassis",
        columns=(
            "event_id",
            "topic",
            "key",
            "type",
            "source",
            "subject",
            "sequence",
            "time",
            "data_schema",
            "correlation_id",
            "causation_id",
            "trace_parent",
            "body",
        ),
        records=[
            (
                entry.event_id,
                entry.topic,
                entry.key,
                entry.type,
                entry.source,
                entry.subject,
                number,
                entry.time,
                entry.data_schema,
                entry.correlation_id,
                entry.causation_id,
                entry.trace_parent,
                entry.body,
            )
            for entry, number in zip(said, numbers, strict=True)
        ],
    )


async def _write_raw(connection: Connection, raw: Sequence[Raw]) -> None:
    await connection.copy_records_to_table(
        "raw_records",
        schema_name="chassis",
        columns=("event_id", "topic", "part", "key", "value", "header_names", "header_values"),
        records=[
            (entry.event_id, entry.topic, entry.part, entry.key, entry.value, *header_columns(entry.headers))
            for entry in raw
        ],
    )


def _pointers(entries: Iterable[Said | Raw]) -> list[tuple[int, list[str], int]]:
    """Rows of the outbox: entries of one shard together, in order, cut before a row grows too large to read."""
    closed: list[tuple[int, list[str], int]] = []
    growing: dict[int, tuple[list[str], int]] = {}
    for entry in entries:
        shard = shard_of(entry.order_key)
        events, size = growing.get(shard, ([], 0))
        if events and (len(events) == ROW_EVENTS or size + entry.size > ROW_BYTES):
            closed.append((shard, events, size))
            events, size = [], 0
        events.append(entry.event_id)
        growing[shard] = (events, size + entry.size)
    return closed + [(shard, events, size) for shard, (events, size) in growing.items()]
