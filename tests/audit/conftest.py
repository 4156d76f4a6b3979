"""A trail of its own for each test: an empty database with the tables, and topics nobody else writes to."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from hypothesis import settings

from audit.deployment import ROLES, ensure_database, ensure_logs, ensure_roles, ensure_tables
from audit.ingest import Ingest
from audit.report import Report
from audit.verification import verify_live
from chassis.database import Database
from chassis.metrics import Metrics
from chassis.transaction import Transaction
from contracts.topics import TOPICS
from guichet.stack.kafka import create_topics
from guichet.stack.postgres import Postgres

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

Header = tuple[str, bytes | None]
NAME = "guichet.example/audit"


async def until(fact: Callable[[], Awaitable[bool]], seconds: float = 120) -> None:
    """Waits for a fact, however long within the deadline."""
    deadline = time.monotonic() + seconds
    while not await fact():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.05)


@dataclass
class Trail:
    """One topic, one database, and a writer between them when it is asked for."""

    kafka: str
    url: str
    postgres: Postgres
    database: Database
    topics: tuple[str, ...]
    producer: AIOKafkaProducer
    sent: list[tuple[int, int]] = field(default_factory=list)

    @property
    def topic(self) -> str:
        return self.topics[0]

    def url_of(self, role: str) -> str:
        """The same database as one of its roles."""
        return self.postgres.url_of(role, role, self.url.rpartition("/")[2])

    async def open_logs(self) -> None:
        """What a deployment does for partitions that are new."""
        connection = await asyncpg.connect(self.url)
        try:
            await ensure_logs(connection, [self.kafka], NAME, self.topics)
        finally:
            await connection.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """The writer's, in which the audit service says something."""
        async with self.database.transaction() as connection:
            opened = Transaction(connection, datetime.now(UTC), "audit")
            yield opened
            await opened.flush()

    async def make_topics(self, *names: str) -> None:
        """Topics of the product, which other tests on this broker share: as large as they are, or theirs would fail."""
        await create_topics(self.kafka, {name: TOPICS[name].partitions_embedded for name in names})

    async def tamper(self, *statements: str) -> None:
        """What a superuser does who first puts the guards out of action."""
        await tamper(self.url, *statements)

    async def send(
        self, value: bytes | None, headers: Sequence[Header] = (), key: bytes | None = b"k", partition: int = 0
    ) -> int:
        placed = await self.producer.send_and_wait(
            self.topic, value, key=key, headers=list(headers), partition=partition
        )
        return int(placed.offset)

    def writer(self, database: Database | None = None) -> Ingest:
        return Ingest(database or self.database, [self.kafka], NAME, Metrics(), self.topics)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Ingest]:
        """A writer at work, with a log for each partition; what it raised is raised on leaving."""
        await self.open_logs()
        async with self.running(self.writer()) as writer:
            yield writer

    @asynccontextmanager
    async def running(self, writer: Ingest) -> AsyncIterator[Ingest]:
        """This writer at work."""
        stopping = asyncio.Event()
        task = asyncio.create_task(writer.run(stopping))
        try:
            yield writer
        finally:
            stopping.set()
            await task

    async def caught_up(self, writer: Ingest) -> None:
        async def fact() -> bool:
            return writer.following and not any((await writer.lag()).values())

        await until(fact)

    async def until(self, fact: Callable[[], Awaitable[bool]]) -> None:
        await until(fact)

    async def record(self) -> None:
        """Everything sent so far is in the trail afterwards."""
        async with self.writing() as writer:
            await self.caught_up(writer)

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        async with self.database.connection() as connection:
            return await connection.fetch(query, *arguments)

    async def leaves(self, part: int = 0) -> list[bytes]:
        rows = await self.fetch(
            "SELECT leaf FROM audit.entry JOIN audit.log USING (log_id) WHERE part = $1 ORDER BY leaf_index", part
        )
        return [row["leaf"] for row in rows]

    async def verify(self) -> Report:
        return await verify(self.url)


async def verify(url: str) -> Report:
    connection = await asyncpg.connect(url)
    try:
        return await verify_live(connection)
    finally:
        await connection.close()


async def tamper(url: str, *statements: str) -> None:
    """Runs statements as a superuser, with every trigger of the trail disabled."""
    connection = await asyncpg.connect(url)
    try:
        for table in ("log", "head", "source", "batch", "entry", "blob", "tile", "checkpoint"):
            await connection.execute(f"ALTER TABLE audit.{table} DISABLE TRIGGER USER")
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
async def roles(postgres: Postgres) -> Postgres:
    """The server with the roles of the trail; the password of each is its name."""
    connection = await asyncpg.connect(postgres.superuser_url)
    try:
        await ensure_roles(connection, {role: role for role in ROLES})
    finally:
        await connection.close()
    return postgres


@pytest.fixture
async def trail(kafka: str, roles: Postgres) -> AsyncIterator[Trail]:
    topic = f"trail.{secrets.token_hex(4)}"
    await create_topics(kafka, {topic: 2})
    url = await roles.create_database()
    name = url.rpartition("/")[2]
    connection = await asyncpg.connect(url)
    try:
        await ensure_database(connection, name)
        await ensure_tables(connection)
    finally:
        await connection.close()
    database = Database(roles.url_of("audit_ingest", "audit_ingest", name), service="audit")
    await database.open()
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", max_request_size=4 << 20)
    await producer.start()
    yield Trail(kafka, url, roles, database, (topic,), producer)
    await producer.stop()
    await database.close()
