"""A lost database is built again to the same roots."""

import asyncpg
from tests.audit.conftest import NAME

from audit.deployment import ensure_database, ensure_logs, ensure_tables
from audit.restoring import catch_up, take_up_numbers
from chassis.database import Database


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
        await catch_up(connection, trail.url_of("audit_ingest"), [trail.kafka], NAME, {}, trail.topics)
        await take_up_numbers(connection)
        assert await connection.fetchval("SELECT last FROM chassis.sequences") == 40
        assert await connection.fetchval("SELECT epoch FROM chassis.producer") == 4
    finally:
        await connection.close()
    trail.database = Database(trail.url_of("audit_ingest"), service="audit")
    await trail.database.open()
    assert await heads(trail) == before
    assert (await trail.verify()).holds
