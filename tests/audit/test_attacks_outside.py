"""What root and the machine do to a trail, behind PostgreSQL: files edited, processes killed at any moment."""

import asyncio
import os
import random
import shutil
import signal
from pathlib import Path

import asyncpg
import pytest
from aiokafka.errors import KafkaError
from tests.audit.conftest import verify
from tests.audit.test_trace import guichet

import pages
from audit.deployment import ROLES, ensure_database, ensure_roles, ensure_tables
from chassis.database import Database
from guichet.stack.postgres import Postgres
from guichet.stack.state import new_home
from guichet_verify.leaves import parse
from threats import write_table

KILLS = int(os.environ.get("GUICHET_TEST_KILLS", "3"))
"""How often the server is killed under load; the default is a look, 50 is the proof."""
AWAY = (OSError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


async def copied(trail) -> tuple[str, Path]:
    """A copy of the trail's database that no page of is in memory: its URL, and the file of its first log's leaves."""
    url = trail.url.replace(trail.url.rpartition("/")[2], f"{trail.url.rpartition('/')[2]}_copy")
    name, original = url.rpartition("/")[2], trail.url.rpartition("/")[2]
    await trail.postgres.execute(f'DROP DATABASE IF EXISTS "{name}"')
    await trail.postgres.execute(f'CREATE DATABASE "{name}" TEMPLATE "{original}" STRATEGY FILE_COPY')
    connection = await asyncpg.connect(trail.postgres.superuser_url)
    try:
        oid = await connection.fetchval("SELECT oid FROM pg_database WHERE datname = $1", name)
    finally:
        await connection.close()
    return url, trail.postgres.folder / "base" / str(oid)


@pytest.mark.threat(11)
async def test_a_data_file_edited_on_disk_is_found_by_its_page_and_with_a_new_checksum_by_the_tree(trail):
    for number in range(20):
        await trail.send(b"the applicant said %04d" % number)
    await trail.record()
    (row,) = await trail.fetch("SELECT pg_relation_filenode('audit.entry_1') AS node")
    await trail.database.close()
    old, new = b"the applicant said 0007", b"the applicant said 7000"

    url, folder = await copied(trail)
    pages.replace(folder / str(row["node"]), old, new, checksummed=False)
    with pytest.raises(asyncpg.DataCorruptedError, match="invalid page"):
        await verify(url)
    code, _, error = await guichet("audit", "verify", "--database", url)
    assert (code, "a page of the database is damaged" in error) == (1, True)

    url, folder = await copied(trail)
    pages.replace(folder / str(row["node"]), old, new, checksummed=True)
    report = await verify(url)
    found = [each for each in report.failures if each.level == "L2"]
    assert (report.exit_code, found[0].index) == (12, 8)
    assert {each.reason for each in found} >= {"leaf-differs-from-its-hash", "head-differs"}
    rows = [
        ("data file edited on disk", "root, data file", "detected", "page checksum"),
        ("the same, page checksum recomputed", "root, data file", "detected", f"hashes: {found[0].reason}"),
    ]
    write_table(rows, afresh="root, data file")
    await trail.database.open()


@pytest.fixture
def home():
    """A folder of its own, which the server's user can pass through."""
    found = new_home("killed")
    yield found
    shutil.rmtree(found, ignore_errors=True)


@pytest.fixture
async def own_server(trail, home):
    """The trail's database on a server that only this test uses, and may kill."""
    server = Postgres(home, throwaway=True)
    await server.start()
    try:
        connection = await asyncpg.connect(server.superuser_url)
        try:
            await ensure_roles(connection, {role: role for role in ROLES})
        finally:
            await connection.close()
        await trail.database.close()
        trail.postgres, trail.url = server, await server.create_database()
        connection = await asyncpg.connect(trail.url)
        try:
            await ensure_database(connection, trail.url.rpartition("/")[2])
            await ensure_tables(connection)
        finally:
            await connection.close()
        trail.database = Database(trail.url_of("audit_ingest"), service="audit")
        await trail.database.open()
        yield server
        await trail.database.close()
    finally:
        await server.stop()


@pytest.mark.threat(3)
async def test_a_server_killed_at_any_moment_of_ingest_leaves_a_trail_that_holds_with_nothing_twice_or_missing(
    trail, own_server
):
    await trail.open_logs()
    writer, stopping = trail.writer(), asyncio.Event()

    async def write() -> None:
        """As the supervisor does: another life after whatever ended the last one."""
        while not stopping.is_set():
            try:
                await writer.run(stopping)
            except AWAY:
                await asyncio.sleep(0.05)

    async def recorded() -> int:
        connection = await asyncpg.connect(trail.url)
        try:
            return int(await connection.fetchval("SELECT sum(tree_size)::bigint FROM audit.head"))
        finally:
            await connection.close()

    async def kill() -> None:
        chance = random.Random(KILLS)
        for _ in range(KILLS):
            size = await recorded()

            async def further(size: int = size) -> bool:
                return await recorded() > size

            await trail.until(further)
            await asyncio.sleep(chance.random() * 0.3)  # Any moment will do: that is the point.
            own_server.process.send(signal.SIGKILL)
            await own_server.start()

    writing, killing, sent = asyncio.create_task(write()), asyncio.create_task(kill()), 0
    while not killing.done():
        await trail.producer.send(trail.topic, b"%d" % sent, partition=sent % 2)
        sent += 1
        if sent % 100 == 0:
            await trail.producer.flush()
    await trail.producer.flush()
    await killing
    await trail.caught_up(writer)
    stopping.set()
    await writing
    for part in (0, 1):
        values = [parse(leaf).value for leaf in (await trail.leaves(part))[1:]]
        assert values == [b"%d" % number for number in range(part, sent, 2)]
    assert (await trail.verify()).holds
    row = (
        f"server killed with -9 at {KILLS} moments of ingest",
        "root, kill -9",
        "no effect",
        "one transaction a batch",
    )
    write_table([row], afresh="root, kill -9")
