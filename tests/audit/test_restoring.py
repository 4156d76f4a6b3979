"""A lost database is built again to the same roots, a broken log goes on as a next epoch that names what is lost."""

import json

import asyncpg
import pytest
from tests.audit.conftest import NAME
from tests.audit.test_ingest import delete_before

from audit.breaking import NotBroken, break_log
from audit.deployment import ensure_database, ensure_logs, ensure_tables
from audit.restoring import catch_up, take_up_numbers
from chassis.database import Database
from guichet_verify.leaves import BREAK, FirstLeaf, parse


def own(number, sequence, epoch):
    said = {
        "ce_id": f"own-{number}",
        "ce_type": "t",
        "ce_source": "/guichet/audit",
        "ce_subject": "s",
        "ce_sequence": str(sequence),
        "ce_producer": "audit",
        "ce_producerepoch": str(epoch),
        "ce_producersequence": str((number + 1) // 2),
    }
    return [(name, value.encode()) for name, value in said.items()]


async def heads(trail):
    rows = await trail.fetch("SELECT origin, tree_size, root FROM audit.log JOIN audit.head USING (log_id) ORDER BY 1")
    return [tuple(row) for row in rows]


async def test_a_lost_database_is_built_again_from_the_topics_to_the_same_roots(trail):
    for number in range(1, 41):
        await trail.send(bytes(80_000) if number == 9 else b"%d" % number, own(number, number, 4), partition=number % 2)
    await trail.record()
    before = await heads(trail)
    await trail.database.close()
    url = await trail.postgres.create_database()
    name = url.rpartition("/")[2]
    connection = await asyncpg.connect(url)
    try:
        await ensure_database(connection, name)
        await ensure_tables(connection)
        await ensure_logs(connection, [trail.kafka], NAME, trail.topics, announce=False)
        assert await connection.fetchval("SELECT count(*) FROM chassis.facts") == 0, "announced once, not again"
        trail.url = url
        await catch_up(trail.url_of("audit_ingest"), [trail.kafka], NAME, trail.topics)
        await take_up_numbers(connection)
        assert await connection.fetchval("SELECT last FROM chassis.sequences") == 40
        assert await connection.fetchval("SELECT epoch FROM chassis.producer") == 4
    finally:
        await connection.close()
    trail.database = Database(trail.url_of("audit_ingest"), service="audit")
    await trail.database.open()
    assert await heads(trail) == before
    assert (await trail.verify()).holds


async def test_a_log_that_lost_records_ends_and_the_next_epoch_names_them(trail):
    await trail.send(b"read")
    await trail.record()
    for _ in range(4):
        await trail.send(b"lost")
    await delete_before(trail, 3)
    origin = f"{NAME}/trail/{trail.topic}/0/1"
    old = next(head for head in await heads(trail) if head[0] == origin)
    connection = await asyncpg.connect(trail.url)
    try:
        with pytest.raises(NotBroken, match="two different persons"):
            await break_log(connection, NAME, origin, 3, ["one", "one"])
        opened, lost = await break_log(connection, NAME, origin, 3, ["one", "two"])
        assert (opened.origin, lost) == (f"{NAME}/trail/{trail.topic}/0/2", [(1, 3)])
        said = await connection.fetchval("SELECT body FROM chassis.facts WHERE subject = $1", opened.origin)
        assert json.loads(said)["by"] == ["one", "two"], "on record for ever"
        with pytest.raises(NotBroken, match="named by letters"):
            await break_log(connection, NAME, opened.origin, 3, ["one", "two\nthree"])
        with pytest.raises(NotBroken, match="later epoch"):
            await break_log(connection, NAME, origin, 3, ["one", "two"])
    finally:
        await connection.close()
    await trail.record()
    rows = await trail.fetch(
        "SELECT leaf FROM audit.entry JOIN audit.log USING (log_id) WHERE origin = $1 ORDER BY leaf_index",
        opened.origin,
    )
    first, *others = [parse(row["leaf"]) for row in rows]
    assert first == FirstLeaf(opened.origin, 3, BREAK, origin, old[1], old[2], ((1, 3),))
    assert [each.offset for each in others] == [3, 4]
    report = await trail.verify()
    assert [each for each in report.failures if each.level == "L2"] == []
