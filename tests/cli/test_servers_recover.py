"""Servers of a stack are killed, their ports taken, their files left behind: the next start recovers."""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from guichet.stack import jars, java, processes
from guichet.stack.errors import StackError
from guichet.stack.kafka import Kafka, create_topics
from guichet.stack.postgres import Postgres
from guichet.stack.state import new_home

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]


@pytest.fixture
def home() -> Iterator[Path]:
    folder = new_home("home")
    yield folder
    for left in processes.members(folder):
        left.stop(seconds=1)
    shutil.rmtree(folder)


async def write(kafka: Kafka, topic: str, *values: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def read(kafka: Kafka, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


async def test_a_killed_broker_comes_back_on_its_port_with_all_it_acknowledged(home: Path) -> None:
    kafka = Kafka(home)
    await kafka.start()
    await create_topics(kafka.bootstrap, {"kept": 1})
    await write(kafka, "kept", b"1", b"2")
    address = kafka.bootstrap
    assert kafka.brokers[0].process
    kafka.brokers[0].process.send(signal.SIGKILL)
    await kafka.start()
    assert kafka.bootstrap == address
    await write(kafka, "kept", b"3")
    assert await read(kafka, "kept", 3) == [b"1", b"2", b"3"]
    await kafka.stop()
    assert not list(processes.members(home))


async def test_a_broker_whose_port_was_taken_chooses_another(home: Path) -> None:
    kafka = Kafka(home)
    await kafka.start()
    await create_topics(kafka.bootstrap, {"kept": 1})
    await write(kafka, "kept", b"1")
    await kafka.stop()
    before = kafka.brokers[0].port
    with (
        socket.create_server(("127.0.0.1", before)),
        socket.create_server(("127.0.0.1", kafka.brokers[0].controller_port)),
    ):
        await kafka.start()
        assert kafka.brokers[0].port != before
        assert await read(kafka, "kept", 1) == [b"1"]
    await kafka.stop()


async def test_a_broker_of_another_cluster_on_the_port_is_not_taken_for_ours(home: Path) -> None:
    kafka = Kafka(home)
    await kafka.start()
    stranger = Kafka(home, 1, "A" * 22, kafka.brokers)
    assert await kafka.serves()
    assert not await stranger.serves()
    await kafka.stop()


async def test_three_brokers_go_on_acknowledging_when_one_is_killed_and_take_it_back(home: Path) -> None:
    kafka = Kafka(home, 3)
    await kafka.start()
    await create_topics(kafka.bootstrap, {"kept": 3})
    victim = kafka.brokers[1]
    assert victim.process
    victim.process.send(signal.SIGKILL)
    await write(kafka, "kept", *(b"%d" % number for number in range(20)))
    await kafka.start()
    assert kafka.alive()
    assert len(await read(kafka, "kept", 20)) == 20
    await kafka.stop()
    assert not list(processes.members(home))


@pytest.mark.parametrize("throwaway", [False, True])
async def test_a_killed_server_comes_back_with_its_data_and_without_its_stale_lock(home: Path, throwaway: bool) -> None:
    server = Postgres(home, throwaway=throwaway)
    await server.start()
    url = await server.create_database("kept")
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SHOW fsync") == ("off" if throwaway else "on")
    await connection.execute("CREATE TABLE facts AS SELECT 1 AS number")
    assert server.process
    server.process.send(signal.SIGKILL)
    await server.start()
    assert server.url_of(server.superuser, server.password, "kept") == url
    again = await asyncpg.connect(url)
    assert await again.fetchval("SELECT number FROM facts") == 1
    await again.close()
    connection.terminate()
    await server.stop()
    # A lock file that names a process which lives but is not the server.
    (home / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{home}\n", "ascii")
    await server.start()
    await server.stop()
    assert not list(processes.members(home))


async def test_a_server_whose_port_was_taken_chooses_another(home: Path) -> None:
    server = Postgres(home)
    await server.start()
    await server.stop()
    before = server.port
    with socket.create_server(("127.0.0.1", before)):
        await server.start()
        assert server.port != before
    await server.stop()


async def test_an_initdb_that_was_cut_off_is_begun_again(home: Path) -> None:
    (home / "postgres" / "base").mkdir(parents=True)
    (home / "postgres" / "PG_VERSION").write_text("18\n", "ascii")
    server = Postgres(home)
    await server.start()
    await server.stop()


async def test_a_folder_that_is_copied_is_the_one_that_kafkas_own_tool_makes(home: Path, tmp_path: Path) -> None:
    made = []
    for name in ("by-the-tool", "copied"):
        kafka = Kafka(home / name, cluster_id="4L6g3nShT-eMCtK--X86sw")
        kafka._choose_ports()
        (home / name / "kafka").mkdir(parents=True)
        file = home / name / "kafka" / "1.properties"
        file.write_text(kafka._properties(kafka.brokers[0]), "utf-8")
        tool = [*java.command(jars.classpath(), heap_mb=256), "kafka.tools.StorageTool", "format", "-c", str(file)]
        kept = tmp_path / "kept"
        folder = home / name / "kafka" / "1"
        await kafka._format(kafka.brokers[0], folder, kept, tool if name == "by-the-tool" else ["false"])
        lines = (folder / "meta.properties").read_text("ascii").splitlines()
        meta = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
        assert len(meta.pop("directory.id")) == 22
        files = {each.name: each.read_bytes() for each in folder.iterdir() if each.name != "meta.properties"}
        made.append((meta, files))
    assert made[0] == made[1]


async def test_a_broker_that_cannot_start_says_where_to_look(home: Path) -> None:
    kafka = Kafka(home)
    await kafka.start()
    await kafka.stop()
    meta = home / "kafka" / "1" / "meta.properties"
    meta.write_text(meta.read_text("ascii").replace("node.id=1", "node.id=9"), "ascii")
    with pytest.raises(StackError) as caught:
        await kafka.start(seconds=30)
    assert "kafka-1.log" in caught.value.remedy
