"""A whole service as a process: started, fed, asked, hindered, stopped."""

import asyncio
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from contracts.envelope import Envelope, decode, encode
from contracts.facts import Fact
from contracts.persons import OptoutRecorded
from contracts.system import ClockSet
from contracts.topics import CLOCK, DEAD_LETTERS, ENVIRONMENTS, OPTOUTS
from guichet.stack.kafka import Kafka, create_topics
from guichet.stack.postgres import Postgres

RunTiny = Callable[..., Any]
TOPICS = {OPTOUTS: 6, ENVIRONMENTS: 6, CLOCK: 1, DEAD_LETTERS: 6}


@pytest.fixture(scope="session")
async def servers(kafka: str) -> str:
    """A broker with the topics of the tiny service."""
    await create_topics(kafka, TOPICS)
    return kafka


@pytest.fixture
def name() -> str:
    """A service of its own for each test, hence a group, on topics that all tests share."""
    return f"tiny{uuid4().hex[:8]}"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A home for servers that a test stops and starts."""
    with tempfile.TemporaryDirectory(prefix="guichet-tests-") as home:
        Path(home).chmod(0o711)
        yield Path(home)


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """The address of an OTLP collector, and the bodies it was sent."""
    bodies: list[bytes] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", bodies
        server.shutdown()
        thread.join()


async def publish(servers: str, topic: str, source: str, *facts: tuple[str, Fact], trace: str | None = None) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for key, fact in facts:
            envelope = Envelope(
                id=str(uuid4()),
                type=fact.event_type,
                source=source,
                subject=key,
                time=datetime.now(UTC),
                trace_parent=trace,
            )
            await producer.send_and_wait(topic, fact.wire(), key=key.encode(), headers=encode(envelope))
    finally:
        await producer.stop()


async def opt_out(servers: str, *refs: str, trace: str | None = None) -> None:
    facts = [(ref, OptoutRecorded(ref=ref, list_version=1)) for ref in refs]
    await publish(servers, OPTOUTS, "/persons/tests", *facts, trace=trace)


async def heard(servers: str, topic: str, source: str, *subjects: str) -> list[Envelope]:
    """What that source said on a topic about these subjects, until something was said about each."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    found: list[Envelope] = []
    try:
        async with asyncio.timeout(60):
            async for record in consumer:
                envelope, _ = decode(record.headers, record.value)
                if envelope.source == source and envelope.subject in subjects:
                    found.append(envelope)
                if {envelope.subject for envelope in found} == set(subjects):
                    break
    finally:
        await consumer.stop()
    return found


async def notes(url: str, name: str, how: str = "event") -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(f'SELECT ref FROM "{name}".notes WHERE how = $1 ORDER BY ref', how)
        return [row["ref"] for row in rows]
    finally:
        await connection.close()


async def test_an_event_comes_in_and_a_fact_goes_out(tiny: RunTiny, servers: str, database_url: str, name: str) -> None:
    refs = sorted(f"{name}-{number}" for number in range(20))
    await opt_out(servers, *refs)
    async with tiny(KAFKA=servers, DATABASE_URL=database_url, TINY_NAME=name) as process:
        await process.until("/readyz", 200)
        status = await process.quiet()
        assert set(refs) <= set(await notes(database_url, name))
        assert len(await heard(servers, ENVIRONMENTS, f"/guichet/{name}", *refs)) == 20
        assert status["service"] == name
        assert status["ready"] is True
        assert status["lag"] == {OPTOUTS: 0}
        assert status["dead_letters"] == status["blocked_keys"] == status["parked"] == 0
        assert abs(datetime.fromisoformat(str(status["now"])) - datetime.now(UTC)) < timedelta(minutes=1)
        text = (await process.get("/metrics")).text
        assert f'guichet_lag{{topic="{OPTOUTS}"}} 0.0' in text
        assert f'guichet_processed_total{{topic="{OPTOUTS}"}}' in text
        assert f'guichet_published_total{{topic="{ENVIRONMENTS}"}}' in text
        assert await process.stop() == 0
    assert process.lines()[-1]["event"] == "service_stopped"


async def test_a_trace_goes_through_the_outbox(tiny: RunTiny, servers: str, database_url: str, name: str) -> None:
    trace = f"00-{uuid4().hex}-{uuid4().hex[:16]}-01"
    async with tiny(KAFKA=servers, DATABASE_URL=database_url, TINY_NAME=name) as process:
        await process.until("/readyz", 200)
        await opt_out(servers, f"{name}-event", trace=trace)
        await process.get(f"/notes/{name}-http", "POST", headers={"traceparent": trace})
        said = await heard(servers, ENVIRONMENTS, f"/guichet/{name}", f"{name}-event", f"{name}-http")
    for envelope in said:
        assert envelope.trace_parent is not None
        _, trace_id, span_id, flags = envelope.trace_parent.split("-")
        assert (trace_id, flags) == (trace.split("-")[1], "01")
        assert span_id != trace.split("-")[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_a_signal_stops_it_in_order_with_exit_code_zero(
    tiny: RunTiny, servers: str, database_url: str, name: str, number: signal.Signals
) -> None:
    async with tiny(KAFKA=servers, DATABASE_URL=database_url, TINY_NAME=name) as process:
        await process.until("/readyz", 200)
        assert await process.stop(number) == 0
    assert not [line for line in process.lines() if line["level"] in ("error", "critical")]


async def test_a_service_without_topics_or_handler_runs(
    tiny: RunTiny, servers: str, database_url: str, name: str
) -> None:
    async with tiny(KAFKA=servers, DATABASE_URL=database_url, TINY_NAME=name, TINY_IDLE="1") as process:
        await process.until("/readyz", 200)
        assert (await process.get(f"/notes/{name}", "POST")).status_code == 202
        assert len(await heard(servers, ENVIRONMENTS, f"/guichet/{name}", name)) == 1
        assert (await process.quiet())["lag"] == {}
        assert await process.stop() == 0


async def test_it_waits_for_a_broker_that_is_down_and_takes_requests_meanwhile(
    tiny: RunTiny, database_url: str, name: str, folder: Path
) -> None:
    cluster = Kafka(folder)
    await cluster.start()
    await create_topics(cluster.bootstrap, TOPICS)
    await cluster.stop()
    try:
        async with tiny(KAFKA=cluster.bootstrap, DATABASE_URL=database_url, TINY_NAME=name) as process:
            await process.logged("service_started")
            assert (await process.get("/livez")).status_code == 200
            assert (await process.get("/readyz")).status_code == 503
            assert (await process.get(f"/notes/{name}", "POST")).status_code == 202
            status = (await process.get("/status")).json()
            assert status["outbox"] == 1
            assert status["lag_total"] == -1
            await cluster.start()
            await process.until("/readyz", 200)
            assert len(await heard(cluster.bootstrap, ENVIRONMENTS, f"/guichet/{name}", name)) == 1
            await cluster.stop()
            assert await process.stop() == 0
    finally:
        await cluster.stop()


async def test_it_waits_for_a_database_that_is_down_at_the_start_and_later(
    tiny: RunTiny, servers: str, name: str, folder: Path
) -> None:
    server = Postgres(folder, throwaway=True)
    await server.start()
    url = await server.create_database()
    await server.stop()
    try:
        async with tiny(KAFKA=servers, DATABASE_URL=url, TINY_NAME=name) as process:
            await process.logged("database_awaited")
            assert (await process.get("/livez")).status_code == 200
            assert (await process.get("/startupz")).status_code == 503
            assert (await process.get("/readyz")).status_code == 503
            refused = await process.get(f"/notes/{name}", "POST")
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "2"
            assert refused.json()["type"] == "urn:guichet:problem:not-started"
            await server.start()
            await process.until("/readyz", 200)
            await opt_out(servers, f"{name}-1")
            await process.quiet()
            await server.stop()
            await process.until("/readyz", 503)
            assert (await process.get("/livez")).status_code == 200
            refused = await process.get(f"/notes/{name}", "POST")
            assert refused.status_code == 503
            assert refused.json()["type"] == "urn:guichet:problem:unavailable"
            await opt_out(servers, f"{name}-2")
            await server.start()
            await process.until("/readyz", 200)
            await process.quiet()
            assert {f"{name}-1", f"{name}-2"} <= set(await notes(url, name))
            assert (await process.get("/status")).json()["dead_letters"] == 0
            assert await process.stop() == 0
    finally:
        await server.stop()


async def test_a_jump_of_the_sandbox_clock_fires_the_deadlines_it_passes(
    tiny: RunTiny, servers: str, database_url: str, name: str
) -> None:
    async with tiny(KAFKA=servers, DATABASE_URL=database_url, TINY_NAME=name, CLOCK="sandbox") as process:
        await opt_out(servers, name)
        await process.until("/readyz", 200)
        await process.quiet()
        before = await notes(database_url, name, "timer")
        wall = datetime.now(UTC)
        instant = wall + timedelta(days=31)
        await publish(servers, CLOCK, "/guichet/operator", ("clock", ClockSet(instant=instant, wall=wall)))
        status = await process.quiet()
        assert datetime.fromisoformat(str(status["now"])) >= instant
        assert name not in before
        assert name in await notes(database_url, name, "timer")
        assert CLOCK in status["lag"]  # type: ignore[operator]


async def test_an_answer_that_came_while_it_was_down_counts_before_the_deadline_that_passed(
    tiny: RunTiny, servers: str, database_url: str, name: str
) -> None:
    async with tiny(KAFKA=servers, DATABASE_URL=database_url, TINY_NAME=name) as process:
        await process.until("/readyz", 200)
        assert await process.stop() == 0
    connection = await asyncpg.connect(database_url)
    for ref in (f"{name}-answered", f"{name}-silent"):
        await connection.execute(
            "INSERT INTO chassis.timers VALUES ($1, 'deadline', now() - interval '1 day', $1)", ref
        )
    await connection.close()
    await opt_out(servers, f"{name}-answered")
    async with tiny(KAFKA=servers, DATABASE_URL=database_url, TINY_NAME=name) as process:
        await process.until("/readyz", 200)
        await process.quiet()
        assert f"{name}-answered" in await notes(database_url, name, "event")
        assert await notes(database_url, name, "timer") == [f"{name}-silent"]


async def test_a_loop_that_keeps_crashing_ends_the_process_with_70(
    tiny: RunTiny, servers: str, database_url: str, name: str
) -> None:
    marker = "zq7MARKERzq7"
    async with tiny(KAFKA=servers, DATABASE_URL=database_url, TINY_NAME=name, TINY_CRASHES=marker) as process:
        assert await process.ended() == 70
    assert [line["crashes"] for line in process.lines() if line["event"] == "loop_crashed"] == [1, 2, 3]
    assert marker not in process.log.read_text()


async def test_a_loop_that_will_not_end_does_not_hold_up_the_process(
    tiny: RunTiny, servers: str, database_url: str, name: str
) -> None:
    async with tiny(KAFKA=servers, DATABASE_URL=database_url, TINY_NAME=name, TINY_CLINGS="1") as process:
        await process.until("/readyz", 200)
        assert await process.stop() == 70


async def test_a_database_of_a_later_release_is_refused_with_78(
    tiny: RunTiny, servers: str, database_url: str, name: str
) -> None:
    async with tiny(KAFKA=servers, DATABASE_URL=database_url, TINY_NAME=name) as process:
        await process.logged("service_started")
        assert await process.stop() == 0
    connection = await asyncpg.connect(database_url)
    await connection.execute("INSERT INTO chassis.migrations VALUES ('tiny_migrations', 2, '002_later', 'x')")
    await connection.close()
    async with tiny(KAFKA=servers, DATABASE_URL=database_url, TINY_NAME=name) as process:
        assert await process.ended() == 78
        assert (await process.logged("migration_refused"))["reason"]


async def test_a_taken_port_is_refused_with_71(tiny: RunTiny, servers: str, database_url: str, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with tiny(KAFKA=servers, DATABASE_URL=database_url, HTTP_PORT=port) as process:
            assert await process.ended() == 71


async def test_no_value_reaches_a_log_a_trace_a_metric_or_an_answer(
    tiny: RunTiny, servers: str, database_url: str, name: str, collector: tuple[str, list[bytes]]
) -> None:
    marker = f"zq7MARKERzq7{name}"
    endpoint, spans = collector
    async with tiny(
        KAFKA=servers,
        DATABASE_URL=database_url,
        TINY_NAME=name,
        TINY_STUMBLES_AT=marker,
        LOG_LEVEL="debug",
        OTLP_ENDPOINT=endpoint,
    ) as process:
        await process.until("/readyz", 200)
        await opt_out(servers, marker, f"{name}-good", trace=f"00-{uuid4().hex}-{uuid4().hex[:16]}-01")
        producer = AIOKafkaProducer(bootstrap_servers=servers)
        await producer.start()
        bad = {"ce_id": marker, "ce_type": marker, marker: marker, "content-type": marker}
        await producer.send_and_wait(
            OPTOUTS, marker.encode(), key=b"another", headers=[(key, value.encode()) for key, value in bad.items()]
        )
        await producer.stop()
        await process.quiet()
        answers = [await process.get(path) for path in ("/livez", "/readyz", "/metrics", "/status", f"/no/{marker}")]
        answers.append(await process.get(f"/notes/{marker}", "POST"))
        assert answers[-1].status_code == 500
        assert answers[-1].headers["content-type"] == "application/problem+json"
        assert answers[3].json()["dead_letters"] >= 2
        assert f"{name}-good" in await notes(database_url, name)
        assert await process.stop() == 0
    for text in [process.log.read_text(), *(answer.text for answer in answers)]:
        assert "MARKER" not in text
    assert any(f"{name} batch event".encode() in body for body in spans)
    assert not any(b"MARKER" in body for body in spans)
