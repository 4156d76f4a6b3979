"""Intake as a process, with a broker and a database of its own, for the tests of this package."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from chassis.ids import new_event_id as new_id
from contracts.envelope import decode, encode
from contracts.identity import request_id
from contracts.registry import short
from contracts.structured import decode_structured
from contracts.topics import CATALOGUE, ENVIRONMENTS, PORTAL, REQUESTS, TOPICS
from guichet.stack.kafka import Kafka, create_topics
from guichet.stack.postgres import Postgres
from guichet.stack.state import new_home
from programs import Program

T = TypeVar("T")
Headers = Sequence[tuple[str, bytes | None]]
Json = dict[str, Any]

TOKENS = {"portal-hdh": "token-of-hdh", "portal-other": "token-of-other"}
SECONDS = 60
"""How long anything may take; generous, because the machine is shared."""


def make_event(
    data: Any = None,
    *,
    kind: str = "guichet.request.submitted.v1",
    source: str = "/portals/portal-hdh",
    subject: str | None = None,
    **attributes: Any,
) -> Json:
    """A structured CloudEvent; the subject of a submission is computed."""
    event = {
        "specversion": "1.0",
        "id": str(new_id()),
        "type": kind,
        "source": source,
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "data": {} if data is None else data,
    }
    if subject is not None:
        event["subject"] = subject
    elif isinstance(data, dict) and "dossier" in data:
        event["subject"] = request_id(str(data["dossier"]["portal"]), str(data["dossier"]["portal_reference"]))
    return event | attributes


class Office:
    """Intake as a process, with its broker and its database."""

    def __init__(self, folder: Path, kafka: str, database_url: str, **variables: str) -> None:
        portals = folder / "portals.json"
        portals.write_text(json.dumps({name: sha256(token.encode()).hexdigest() for name, token in TOKENS.items()}))
        self.kafka = kafka
        self.database_url = database_url
        self.log = folder / "intake.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GUICHET_")}
        given = {
            "GUICHET_KAFKA": kafka,
            "GUICHET_DATABASE_URL": database_url,
            "GUICHET_HTTP_PORT": "0",
            "GUICHET_LOG_LEVEL": "debug",
            "GUICHET_PORTALS_FILE": str(portals),
        }
        self.log.write_bytes(b"")
        self.process = Program("intake", env=inherited | given | variables, stdout=self.log, stderr=self.log)
        self.client = httpx.AsyncClient(timeout=30)

    async def open(self, path: str = "/readyz") -> None:
        """Returns when the door is open and, unless another path is asked, the consumer has its partitions."""
        self.client.base_url = f"http://127.0.0.1:{(await self._logged('http_listening'))['port']}"

        async def is_open() -> bool:
            return (await self.client.get(path)).status_code == 200

        await self.until(is_open)

    async def close(self) -> int:
        """Stops the process; gives its exit code."""
        await self.client.aclose()
        self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), SECONDS)

    async def until(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Asks until the answer is true; fails after a generous deadline."""
        deadline = time.monotonic() + SECONDS
        while not (answer := await ask()):
            assert self.process.returncode is None, self.log.read_text()
            assert time.monotonic() < deadline, f"{ask} not in time: {self.log.read_text()[-5000:]}"
            await asyncio.sleep(0.05)
        return answer

    async def quiet(self) -> None:
        """Returns when everything that was sent was dealt with."""

        async def is_quiet() -> bool:
            status = (await self.client.get("/status")).json()
            return all(status.get(name) == 0 for name in ("lag_total", "outbox"))

        await self.until(is_quiet)

    async def post(self, body: Any, *, portal: str = "portal-hdh", media: str | None = None) -> httpx.Response:
        """The answer to an event (a dict), a batch (a list) or anything else (bytes)."""
        mode = "application/cloudevents-batch+json" if isinstance(body, list) else "application/cloudevents+json"
        headers = {"Authorization": f"Bearer {TOKENS[portal]}", "Content-Type": media or mode}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post("/events", content=content, headers=headers)

    async def get(self, path: str, *, portal: str = "portal-hdh") -> httpx.Response:
        """What a portal sees."""
        return await self.client.get(path, headers={"Authorization": f"Bearer {TOKENS[portal]}"})

    async def send(self, topic: str, key: str | None, headers: Headers, value: bytes | None) -> None:
        """Puts a raw record on a topic."""
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka, acks="all")
        await producer.start()
        try:
            await producer.send_and_wait(topic, value, key=key.encode() if key else None, headers=list(headers))
        finally:
            await producer.stop()

    async def emit(self, *events: Json, topic: str = PORTAL, key: str | None = None) -> None:
        """Puts structured events on a topic, in order, in binary mode, keyed by their subject."""
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka, acks="all")
        await producer.start()
        try:
            for event in events:
                envelope, data = decode_structured(json.dumps(event).encode())
                await producer.send_and_wait(
                    topic, data, key=(key or envelope.subject).encode(), headers=list(encode(envelope))
                )
        finally:
            await producer.stop()

    async def records(self, topic: str) -> list[ConsumerRecord]:
        """Everything on a topic, as it stands."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            parts = [TopicPartition(topic, part) for part in range(TOPICS[topic].partitions_embedded)]
            consumer.assign(parts)
            ends = await consumer.end_offsets(parts)
            found: list[ConsumerRecord] = []
            while any([await consumer.position(part) < ends[part] for part in parts]):
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    found += batch
            return found
        finally:
            await consumer.stop()

    async def said(self, subject: str) -> list[tuple[str, Json]]:
        """The facts on guichet.requests about a request: short type and data, in order."""
        await self.quiet()
        facts = []
        for record in await self.records(REQUESTS):
            envelope, data = decode(record.headers, record.value)
            if envelope.subject == subject:
                facts.append((short(envelope.type), json.loads(data)))
        return facts

    async def letters(self) -> list[asyncpg.Record]:
        """The dead letters, oldest first."""
        return await self.fetch("SELECT code, detail, key, event_id FROM chassis.dead_letters ORDER BY recorded_at")

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of intake's database."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return list(await connection.fetch(sql, *arguments))
        finally:
            await connection.close()

    async def _logged(self, event: str) -> Json:
        async def found() -> Json | None:
            for line in self.log.read_text().splitlines(keepends=True):
                if line.endswith("\n") and line.startswith("{") and json.loads(line)["event"] == event:
                    return dict(json.loads(line))
            return None

        line = await self.until(found)
        assert line is not None
        return line


DATASETS = {"snds-main": "2026.1", "pmsi-mco": "2025.2"}
ENVIRONMENTS_KNOWN = ("env-souverain", "env-clinique")


def dataset_described(dataset_id: str, version: str) -> Json:
    """What a holder says of a dataset."""
    data = {
        "dataset_id": dataset_id,
        "title": "A dataset",
        "version": version,
        "holder": "cnam",
        "trusted_holder": False,
        "holder_exempt": False,
        "country": "FR",
        "source": "SNDS_MAIN",
        "categories": ["a"],
        "class": "snds",
        "publicly_funded": True,
    }
    return make_event(data, kind="guichet.dataset.described.v1", source="/holders/cnam", subject=dataset_id)


def environment_registered(environment_id: str) -> Json:
    """What a host says of itself."""
    data = {
        "environment_id": environment_id,
        "operator": "A host",
        "storage_country": "FR",
        "controlling_jurisdiction": "FR",
        "adequacy": False,
        "evidence": [],
    }
    source = f"/hosts/{environment_id}"
    return make_event(data, kind="guichet.environment.registered.v1", source=source, subject=environment_id)


@pytest.fixture(scope="package", name="make_event")
def make_event_fixture() -> Callable[..., Json]:
    """`make_event(data, kind=…, source=…, subject=…)`: a structured CloudEvent."""
    return make_event


@pytest.fixture(scope="package")
def describe() -> Callable[[str, str], Json]:
    """`describe(dataset_id, version)`: what a holder says of a dataset."""
    return dataset_described


@pytest.fixture(scope="package")
def intake_home() -> Iterator[Path]:
    """Where the broker of these tests lives."""
    home = new_home("intake")
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="package")
async def intake_broker(intake_home: Path) -> AsyncIterator[Kafka]:
    """A broker for intake alone: its topics have fixed names, and other tests write on them too."""
    cluster = Kafka(intake_home)
    try:
        await cluster.start()
        await create_topics(cluster.bootstrap, {name: topic.partitions_embedded for name, topic in TOPICS.items()})
        yield cluster
    finally:
        await cluster.stop()


@asynccontextmanager
async def open_office(folder: Path, kafka: str, database_url: str, *, path: str = "/readyz", **variables: str) -> Any:
    """Intake as a process, from its opening to its end."""
    found = Office(folder, kafka, database_url, **variables)
    try:
        await found.open(path)
        yield found
    finally:
        await found.close()


@pytest.fixture(scope="package", name="open_office")
def open_office_fixture() -> Callable[..., AbstractAsyncContextManager[Office]]:
    """`async with open_office(folder, kafka, database_url, GUICHET_…="…") as office`: a process of its own."""
    return open_office


@pytest.fixture(scope="package")
async def office(intake_broker: Kafka, postgres: Postgres, tmp_path_factory: Any) -> AsyncIterator[Office]:
    """Intake, open, knowing a few datasets and environments."""
    folder, url = tmp_path_factory.mktemp("intake"), await postgres.create_database()
    async with open_office(folder, intake_broker.bootstrap, url) as found:
        await found.emit(*(dataset_described(*each) for each in DATASETS.items()), topic=CATALOGUE)
        await found.emit(*(environment_registered(each) for each in ENVIRONMENTS_KNOWN), topic=ENVIRONMENTS)
        await found.quiet()
        yield found


@pytest.fixture
def reference() -> str:
    """A portal's reference that no other test uses."""
    return f"ref-{uuid4().hex[:12]}"
