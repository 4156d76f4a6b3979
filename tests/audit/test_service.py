"""The service as a process: follows all topics, answers over HTTP, loses and doubles nothing when killed."""

import asyncio
import os
import random
import signal
import socket
from datetime import UTC, datetime

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaProducer

from contracts.envelope import Envelope, encode
from contracts.identity import request_id
from contracts.topics import REQUESTS, TOPICS
from guichet_verify.leaves import parse
from programs import Program
from threats import write_table

KILLS = int(os.environ.get("GUICHET_TEST_KILLS", "3"))
"""How often the writer is killed under load; the default is a look, 50 is the proof."""
REQUEST = request_id("portal-hdh", "2026-0043")


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


class Service:
    """The program, started as often as it is killed."""

    def __init__(self, kafka, url):
        self.port = free_port()
        self.environment = os.environ | {
            "GUICHET_KAFKA": kafka,
            "GUICHET_DATABASE_URL": url,
            "GUICHET_HTTP_PORT": str(self.port),
        }
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=10)

    async def start(self):
        self.process = Program("audit", env=self.environment)

    async def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return await self.process.wait()

    async def status(self):
        try:
            answer = await self.client.get("/status")
        except httpx.HTTPError:
            return {}
        return answer.json()


@pytest.fixture
async def service(trail):
    await trail.make_topics(*TOPICS)
    trail.topics = tuple(TOPICS)
    await trail.open_logs()
    trail.topics = (REQUESTS,)
    service = Service(trail.kafka, trail.url_of("audit_ingest"))
    await service.start()
    yield service
    if service.process.returncode is None:
        await service.kill(signal.SIGTERM)
    await service.client.aclose()


async def caught_up(trail, service):
    async def fact():
        status = await service.status()
        return status.get("ready") is True and status.get("lag_total") == 0

    await trail.until(fact)


def headers_of(number):
    return encode(
        Envelope(
            f"0199f0c0-0000-7000-8000-{number:012}",
            "guichet.request.accepted.v1",
            "/guichet/intake",
            REQUEST,
            datetime(2026, 11, 24, 12, tzinfo=UTC),
            sequence=number,
        )
    )


async def test_every_topic_is_followed_and_the_story_is_told(trail, service):
    offset = await trail.send(b'{"n":1}', headers_of(1), REQUEST.encode(), partition=2)
    await caught_up(trail, service)
    logs = (await service.client.get("/logs")).json()["logs"]
    assert {each["topic"] for each in logs} == set(TOPICS)
    assert len(logs) == sum(topic.partitions_embedded for topic in TOPICS.values())
    story = (await service.client.get(f"/stories/{REQUEST}")).json()
    assert story["request_id"] == REQUEST
    place = story["events"][-1]["recorded"][-1]
    assert place["origin"] == f"guichet.example/audit/trail/{REQUESTS}/2/1"
    tile = await service.client.get(f"/{place['origin']}/tile/0/000.p/{place['index'] + 1}")
    assert tile.content[-32:].hex() == place["leaf_hash"]
    event = (await service.client.get("/events/0199f0c0-0000-7000-8000-000000000001")).json()["events"][0]
    assert (event["data"], offset) == ({"n": 1}, offset)


REFUSED = {
    "/stories/nobody": 404,
    "/stories/%00": 404,
    "/events/nobody": 404,
    "/guichet.example/audit/trail/guichet.requests/0/1/tile/0/000": 404,
    "/guichet.example/audit/trail/guichet.requests/0/1/tile/9/000.p/1": 404,
    "/elsewhere/tile/0/000.p/1": 404,
    "/elsewhere/tile/00/000": 400,
    "/elsewhere/tile/0/1": 400,
    "/elsewhere/tile/0/000.p/0": 400,
    "/elsewhere/tile/0/000.p/256": 400,
    "/elsewhere/tile/0/entries/000": 400,
}


async def test_what_is_not_there_is_refused_by_name(trail, service):
    await caught_up(trail, service)
    for path, status in REFUSED.items():
        answer = await service.client.get(path)
        assert (path, answer.status_code) == (path, status)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_killed_under_load_it_loses_and_doubles_nothing(trail, service):
    await caught_up(trail, service)
    starts = {each["partition"]: each["size"] for each in await logs_of(service, REQUESTS)}
    producer = AIOKafkaProducer(bootstrap_servers=trail.kafka, enable_idempotence=True, linger_ms=5)
    await producer.start()
    killing = asyncio.create_task(kill_often(trail, service))
    sent = 0
    try:
        while not killing.done():
            await producer.send(REQUESTS, b"%d" % sent, partition=sent % 6)
            sent += 1
            if sent % 200 == 0:
                await producer.flush()
    finally:
        await producer.stop()
    await killing
    await caught_up(trail, service)
    for part, start in starts.items():
        rows = await trail.fetch(
            "SELECT leaf FROM audit.entry JOIN audit.log USING (log_id) "
            "WHERE topic = $1 AND part = $2 AND leaf_index >= $3 ORDER BY leaf_index",
            REQUESTS,
            part,
            start,
        )
        assert [int(parse(row["leaf"]).value) for row in rows] == list(range(part, sent, 6))
    report = await trail.verify()
    # The broker is that of other tests too, whose announcements bear the same numbers.
    assert [each for each in report.failures if "guichet.checkpoints" not in str(each.log)] == []
    by = "one transaction a batch; offset compared and swapped"
    row = (f"writer killed with -9 at {KILLS} moments of ingest", "root, kills the writer", "no effect", by)
    write_table([row], afresh="root, kills the writer")


async def logs_of(service, topic):
    return [each for each in (await service.client.get("/logs")).json()["logs"] if each["topic"] == topic]


async def kill_often(trail, service):
    """Again and again: some batches further on, killed at whatever instruction it is."""
    chance = random.Random(KILLS)
    for _ in range(KILLS):
        before = await batches(trail)

        async def further(before=before):
            return await batches(trail) > before + 3

        await trail.until(further)
        await asyncio.sleep(chance.random() * 0.2)  # Any moment will do: that is the point.
        await service.kill()
        await service.start()


async def batches(trail):
    return (await trail.fetch("SELECT count(*) FROM audit.batch WHERE n > 1"))[0]["count"]


READ_ONLY = (
    "ALTER DATABASE {name} SET default_transaction_read_only = on",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND usename = 'audit_ingest'",
)
FULL = (
    "CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'could not extend file: no space left' USING ERRCODE = 'disk_full'; END $$",
    "CREATE TRIGGER full_disk BEFORE INSERT ON audit.batch FOR EACH STATEMENT EXECUTE FUNCTION public.full_disk()",
)
"""What a full disk says, once entries and tiles of a batch are written."""


@pytest.mark.parametrize(
    ("trouble", "remedy"),
    [
        (READ_ONLY, ["ALTER DATABASE {name} RESET default_transaction_read_only"]),
        (FULL, ["DROP TRIGGER full_disk ON audit.batch"]),
    ],
    ids=["read-only", "full"],
)
async def test_a_database_that_takes_nothing_is_waited_for_and_no_record_is_skipped(trail, service, trouble, remedy):
    await caught_up(trail, service)
    superuser = await asyncpg.connect(trail.url, server_settings={"default_transaction_read_only": "off"})
    name = trail.url.rpartition("/")[2]
    heads = "SELECT log_id, tree_size, root FROM audit.head JOIN audit.log USING (log_id) WHERE topic = $1 ORDER BY 1"
    try:
        for statement in trouble:
            await superuser.execute(statement.format(name=name))
        before = [tuple(row) for row in await superuser.fetch(heads, REQUESTS)]
        offsets = []
        for number in range(3):
            placed = await trail.producer.send_and_wait(REQUESTS, b"%d" % number, partition=0)
            offsets.append(placed.offset)

        async def behind():
            status = await service.status()
            return status.get("ready") is False

        await trail.until(behind)
        assert [tuple(row) for row in await superuser.fetch(heads, REQUESTS)] == before, "size and root are unchanged"
        for statement in remedy:
            await superuser.execute(statement.format(name=name))
        await caught_up(trail, service)
        rows = await superuser.fetch(
            "SELECT kafka_offset FROM audit.entry JOIN audit.log USING (log_id) "
            "WHERE topic = $1 AND part = 0 AND kafka_offset >= $2 ORDER BY leaf_index",
            REQUESTS,
            offsets[0],
        )
        assert [row["kafka_offset"] for row in rows] == offsets
    finally:
        await superuser.close()
    assert service.process.returncode is None, "it never gave up"


async def test_it_stops_in_order(trail, service):
    await caught_up(trail, service)
    assert await service.kill(signal.SIGTERM) == 0
