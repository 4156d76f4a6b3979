"""What the consuming tests share: a small language, a service that echoes, records made by hand, a patient wait."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import ConsumerRecord, TopicPartition
from invariant import check_invariant

from chassis import dead_letters
from chassis.breaker import Limits
from chassis.clock import Clock, SystemClock
from chassis.database import Database
from chassis.engine import Engine
from chassis.ids import new_event_id
from chassis.metrics import Metrics
from chassis.reading import Consumer
from chassis.transaction import Transaction
from contracts import registry
from contracts.envelope import Envelope, Unreadable, encode
from contracts.facts import Fact

NOTED, ECHOED, IGNORED = "guichet.note.taken.v1", "guichet.note.echoed.v1", "guichet.note.ignored.v1"
STATES = """
CREATE TABLE IF NOT EXISTS public.counts (key text PRIMARY KEY, count int NOT NULL);
CREATE TABLE IF NOT EXISTS public.notes (id bigserial PRIMARY KEY, key text NOT NULL, number int NOT NULL);
"""


@dataclass(frozen=True)
class Language:
    """Two facts and the topics they stand on, different for each test."""

    noted: type[Fact]
    echoed: type[Fact]

    @classmethod
    def on(cls, incoming: str, outgoing: str) -> "Language":
        class Noted(Fact):
            event_type = NOTED
            topic = incoming
            number: int
            wish: str = "echo"

        class Echoed(Fact):
            event_type = ECHOED
            topic = outgoing
            number: int
            count: int

        return cls(Noted, Echoed)

    def read(self, envelope: Envelope, data: bytes, topic: str) -> Fact:
        if envelope.type != NOTED:
            raise Unreadable("unknown-type")
        if topic != self.noted.topic:
            raise Unreadable("wrong-topic")
        return registry.read_data(self.noted, data)


class Handler:
    """Counts per key under the key's lock and echoes. A note may wish for trouble instead."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.calls: list[int] = []
        self.cured = False
        self.cured_ids: set[str] = set()
        self.patience: dict[str, int] = {}

    async def __call__(self, transaction: Transaction, messages: Sequence) -> None:
        self.calls.append(len(messages))
        connection = transaction.connection
        keys = sorted({message.key.decode() if message.key else "-" for message in messages})
        await connection.execute(
            "INSERT INTO public.counts SELECT key, 0 FROM unnest($1::text[]) AS key ON CONFLICT DO NOTHING", keys
        )
        rows = await connection.fetch(
            "SELECT key, count FROM public.counts WHERE key = ANY($1) ORDER BY key FOR UPDATE", keys
        )
        counts = {row["key"]: row["count"] for row in rows}
        written = []
        for message in messages:
            key = message.key.decode() if message.key else "-"
            await self.grant(message.fact.wish, message.envelope.id, transaction)
            counts[key] += 1
            written.append((key, message.fact.number))
            echo = self.language.echoed(number=message.fact.number, count=counts[key])
            transaction.say(echo, subject=key, key=key, cause=message.envelope)
        await connection.copy_records_to_table(
            "notes", schema_name="public", columns=("key", "number"), records=written
        )
        await connection.execute(
            "UPDATE public.counts SET count = new.count FROM unnest($1::text[], $2::int[]) AS new (key, count) "
            "WHERE counts.key = new.key",
            list(counts),
            list(counts.values()),
        )

    async def grant(self, wish: str, event_id: str, transaction: Transaction) -> None:
        if wish == "echo" or self.cured or event_id in self.cured_ids:
            return
        if wish == "away":
            self.cured_ids.add(event_id)
            await transaction.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        if wish == "unreadable":
            raise Unreadable("unknown-request", "request_id: not known")
        if wish == "bug":
            raise ZeroDivisionError("a secret value")
        if wish == "nul":
            await transaction.connection.execute("SELECT $1::text", "a\x00b")
        if wish == "overflow":
            await transaction.connection.execute("SELECT 1 / 0")
        if wish == "twice":
            self.patience[event_id] = self.patience.get(event_id, 0) + 1
            if self.patience[event_id] % 3:
                raise ZeroDivisionError
        if wish == "late":
            transaction.say(self.language.echoed(number=1, count=1), subject="s", key="k", source="/x\x00y")


def headers(event_id: str, *, type_: str = NOTED, source: str = "/portals/one", subject: str = "s", time_=None):
    envelope = Envelope(event_id, type_, source, subject, time_ or datetime.now(UTC))
    return encode(envelope)


def body(number: int, wish: str = "echo") -> bytes:
    return json.dumps({"number": number, "wish": wish}).encode()


class Bus:
    """Partitions in memory with the manners of aiokafka's consumer: position, seek, pause; batches as `getmany`'s."""

    def __init__(self, topic: str, partitions: int = 1) -> None:
        self.topic = topic
        self.logs: dict[TopicPartition, list[ConsumerRecord]] = {
            TopicPartition(topic, p): [] for p in range(partitions)
        }
        self.first = dict.fromkeys(self.logs, 0)
        self.positions = dict.fromkeys(self.logs, 0)
        self.paused: set[TopicPartition] = set()
        self.committed: dict[TopicPartition, int] = {}

    def write(self, key: bytes | None, value: bytes | None, headers, partition: int = 0) -> ConsumerRecord:
        place = TopicPartition(self.topic, partition)
        log = self.logs[place]
        offset = len(log)
        record = ConsumerRecord(
            self.topic, partition, offset, 0, 0, key, value, None, len(key or b""), len(value or b""), tuple(headers)
        )
        log.append(record)
        return record

    def poll(self, most: int = 500) -> tuple[ConsumerRecord, ...]:
        taken = []
        for place, log in self.logs.items():
            if place in self.paused:
                continue
            position = max(self.positions[place], self.first[place])
            part = log[position : position + most - len(taken)]
            if part:
                taken += part
                self.positions[place] = position + len(part)
        return tuple(taken)

    def seek(self, partition, offset) -> None:
        self.positions[partition] = offset

    def pause(self, *partitions) -> None:
        self.paused.update(partitions)

    def resume(self, *partitions) -> None:
        self.paused.difference_update(partitions)

    async def position(self, partition) -> int:
        return self.positions[partition]

    async def commit(self, offsets) -> None:
        self.committed |= offsets

    async def beginning_offsets(self, partitions):
        return {place: self.first[place] for place in partitions}

    async def end_offsets(self, partitions):
        return {place: len(self.logs[place]) for place in partitions}


class BusEngine(Engine):
    """An engine whose consumer is a bus."""

    bus: Bus

    @property
    def consumer(self):
        return self.bus


def build_engine(
    database: Database,
    language: Language,
    handler: Handler,
    *,
    bus: Bus | None = None,
    clock: Clock | None = None,
    limits: Limits | None = None,
    committed: Callable[[int], None] = lambda _: None,
    topics: Sequence[str] = (),
    name: str = "echo",
) -> Engine:
    consumer = Consumer(
        name=name,
        facts={NOTED: language.noted},
        handle=handler,
        release="test",
        known={NOTED, IGNORED},
        read=language.read,
    )
    kind = Engine if bus is None else BusEngine
    engine = kind(
        consumer,
        topics or (language.noted.topic,),
        database,
        clock or SystemClock(),
        Metrics(),
        committed=committed,
        limits=limits,
        session_seconds=6,
    )
    if bus is not None:
        engine.bus = bus
    return engine


async def drain(engine: Engine, bus: Bus, most: int = 500) -> None:
    """Poll until nothing is left, as FastStream's loop would, and let blocked keys go."""
    while records := bus.poll(most):
        await engine.handle(records)
    while await engine._release(200):
        pass


async def until(fact: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Wait for a fact, with a deadline."""
    deadline = time.monotonic() + seconds
    while not await fact():
        if time.monotonic() > deadline:
            raise AssertionError(f"still not so after {seconds} s")
        await asyncio.sleep(0.02)


class Shop:
    """An engine on a bus, and what was put on it."""

    def __init__(self, database, language, partitions=1, **how):
        self.database = database
        self.language = language
        self.bus = Bus(language.noted.topic, partitions)
        self.handler = Handler(language)
        self.engine = build_engine(database, language, self.handler, bus=self.bus, **how)
        self.inputs, self.poison = [], []
        self.number = 0

    async def open(self):
        await self.engine.on_partitions_assigned(set(self.bus.logs))
        return self

    def note(self, key, wish="echo", *, event_id=None, good=None, partition=0, **how):
        event_id = event_id or new_event_id()
        good = wish in ("echo", "twice", "away") if good is None else good
        if good:
            self.inputs.append((key or "-", event_id, self.number))
        else:
            self.poison.append(event_id)
        record_key = None if key is None else key.encode()
        self.bus.write(record_key, body(self.number, wish), headers(event_id, **how), partition)
        self.number += 1
        return event_id

    async def work(self, most=500):
        await drain(self.engine, self.bus, most)

    async def check(self, **how):
        async with self.database.connection() as connection:
            await check_invariant(
                connection,
                inputs=self.inputs,
                poison=self.poison,
                ends={place: len(log) for place, log in self.bus.logs.items()},
                **how,
            )

    async def fetch(self, query, *values):
        async with self.database.connection() as connection:
            return await connection.fetch(query, *values)

    async def letters(self, state=None):
        async with self.database.connection() as connection:
            return await dead_letters.list_letters(connection, state=state)

    async def redrive(self, letter):
        """Redrive a letter and put on the bus what the relay would publish."""
        async with self.database.connection() as connection:
            await dead_letters.redrive(connection, letter.letter_id, now=datetime.now(UTC), by="officer-1")
            row = await connection.fetchrow("SELECT * FROM chassis.raw_records ORDER BY event_id DESC LIMIT 1")
        found = [(name.decode(), value) for name, value in zip(row["header_names"], row["header_values"], strict=True)]
        return self.bus.write(row["key"], row["value"], found, row["part"])
