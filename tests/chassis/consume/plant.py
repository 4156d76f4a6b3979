"""A running system for one test: topics, a database, worker processes, a producer that loses nothing, and the check."""

import asyncio
import json
import os
import random
import signal
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from invariant import check_invariant
from workshop import Language, body, headers, until

from chassis.database import Database
from chassis.ids import new_event_id
from chassis.producer import key_hash, start_producer, stop_producer
from chassis.supervision import wait_until
from programs import Program

PARTITIONS = 4
WORKER = Path(__file__).with_name("worker.py")


class Plant:
    """Everything a test starts, stopped by `close`."""

    def __init__(self, kafka: str, database: Database, language: Language, superuser_url: str) -> None:
        self.superuser_url = superuser_url
        self.kafka = kafka
        self.database = database
        self.language = language
        self.producer: AIOKafkaProducer | None = None
        self.workers: list[Program] = []
        self.inputs: list[tuple[str, str, int]] = []
        self.poison: list[str] = []
        self.numbers: dict[str, int] = defaultdict(int)
        self.folder = tempfile.TemporaryDirectory()
        self.log = Path(self.folder.name) / "workers.log"
        self.random = random.Random(7)

    @property
    def incoming(self) -> str:
        return self.language.noted.topic

    @property
    def outgoing(self) -> str:
        return self.language.echoed.topic

    async def start(self, roles: str = "engine relay", **environment: str) -> Program:
        ready = Path(self.folder.name) / f"ready-{len(self.workers)}"
        told = {
            "ready": str(ready),
            "kafka": self.kafka,
            "database": self.database._url,
            "incoming": self.incoming,
            "outgoing": self.outgoing,
            "roles": roles,
            # Its own: in one that tests share, each would wait for the sessions of those that were killed before it.
            "group": f"echo-{self.incoming.removeprefix('in.')}",
        }
        given = os.environ | {"WORKER": json.dumps(told)} | environment
        worker = Program(WORKER, env=given, stdout=self.log, stderr=self.log)
        self.workers.append(worker)

        async def is_ready() -> bool:
            return ready.exists() or worker.returncode is not None

        await until(is_ready)
        return worker

    async def close(self) -> None:
        for worker in self.workers:
            if worker.returncode is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
        await asyncio.gather(*(worker.wait() for worker in self.workers))
        if self.producer is not None:
            await stop_producer(self.producer)
        self.folder.cleanup()

    async def send(self, count: int, *, keys: int = 23, poison: int = 0, repeat: float = 0.1) -> None:
        """Send notes, some twice, some poisoned under keys of their own, and wait for every acknowledgement."""
        self.producer = self.producer or await start_producer([self.kafka])
        bad = set(self.random.sample(range(count), poison))
        futures = []
        for index in range(count):
            event_id = new_event_id()
            if index in bad:
                self.poison.append(event_id)
                key = f"bad-{event_id}"
                value = self.random.choice([b"{", b'{"number":"x"}', body(1, "unreadable")])
            else:
                key = f"k{self.random.randrange(keys)}"
                value = body(self.numbers[key])
                self.inputs.append((key, event_id, self.numbers[key]))
                self.numbers[key] += 1
            copies = 2 if index not in bad and self.random.random() < repeat else 1
            for _ in range(copies):
                futures.append(await self._send(self.producer, key, value, event_id))
        await asyncio.gather(*futures)

    @asynccontextmanager
    async def load(self, **how: int) -> AsyncIterator[None]:
        """A steady stream of notes for as long as the block lasts, some hundreds a second."""
        stopping = asyncio.Event()

        async def stream() -> None:
            while not await wait_until(stopping, 0.05):
                await self.send(40, **how)

        streaming = asyncio.create_task(stream())
        try:
            yield
        finally:
            stopping.set()
            await streaming

    async def _send(self, producer: AIOKafkaProducer, key: str, value: bytes, event_id: str):
        partition = key_hash(key.encode()) % PARTITIONS
        return await producer.send(self.incoming, value, key.encode(), partition=partition, headers=headers(event_id))

    async def ends(self, topic: str) -> Mapping[TopicPartition, int]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka)
        await consumer.start()
        try:
            return await consumer.end_offsets([TopicPartition(topic, p) for p in range(PARTITIONS)])
        finally:
            await consumer.stop()

    async def quiet(self, seconds: float = 90) -> None:
        """Wait until everything sent was consumed and everything said was published."""
        ends = {place: end for place, end in (await self.ends(self.incoming)).items() if end}
        connection = await asyncpg.connect(self.database._url)

        async def is_quiet() -> bool:
            rows = await connection.fetch("SELECT topic, part, next_offset FROM chassis.offsets")
            known = {TopicPartition(row["topic"], row["part"]): row["next_offset"] for row in rows}
            if any(known.get(place, 0) < end for place, end in ends.items()):
                return False
            return not await connection.fetchval("SELECT count(*) FROM chassis.outbox")

        try:
            await until(is_quiet, seconds)
        finally:
            await connection.close()

    async def progress(self, facts: int) -> None:
        """Wait until so many facts more were written."""
        connection = await asyncpg.connect(self.database._url)
        try:
            before = await connection.fetchval("SELECT count(*) FROM chassis.facts")

            async def moved() -> bool:
                return await connection.fetchval("SELECT count(*) FROM chassis.facts") >= before + facts

            await until(moved)
        finally:
            await connection.close()

    async def published_since(self, records: int) -> None:
        """Wait until so many records more stand on the outgoing topic."""
        before = sum((await self.ends(self.outgoing)).values())

        async def grew() -> bool:
            return sum((await self.ends(self.outgoing)).values()) >= before + records

        await until(grew)

    async def disconnect_everyone(self) -> None:
        """End every connection of the workers, in the middle of whatever they do."""
        connection = await asyncpg.connect(self.superuser_url)
        try:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'guichet-echo'"
            )
        finally:
            await connection.close()

    async def crash_or_quiet(self, worker: Program) -> int | None:
        """The exit code of a worker, or None when everything is done and it is still there."""
        ended = asyncio.create_task(worker.wait())
        quiet = asyncio.create_task(self.quiet())
        await asyncio.wait({ended, quiet}, return_when=asyncio.FIRST_COMPLETED)
        quiet.cancel()
        if not ended.done():
            ended.cancel()
        return worker.returncode

    async def published(self) -> list[tuple[str, str, int]]:
        """What stands on the outgoing topic as (key, event id, number), by partition and offset."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            places = [TopicPartition(self.outgoing, p) for p in range(PARTITIONS)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            records = []
            while sum([await consumer.position(place) for place in places]) < sum(ends.values()):
                for part in (await consumer.getmany(timeout_ms=500)).values():
                    records += part
            self.records = sorted(records, key=lambda record: (record.partition, record.offset))
        finally:
            await consumer.stop()
        return [
            (r.key.decode(), dict(r.headers)["ce_id"].decode(), json.loads(r.value)["number"]) for r in self.records
        ]

    async def check(self) -> None:
        await self.quiet()
        connection = await asyncpg.connect(self.database._url)
        try:
            await check_invariant(
                connection,
                inputs=self.inputs,
                poison=self.poison,
                ends=await self.ends(self.incoming),
                published=await self.published(),
            )
        finally:
            await connection.close()

    def logged(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""
