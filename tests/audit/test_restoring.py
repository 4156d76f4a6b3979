"""A lost database is built again to the same roots."""

import base64
from datetime import UTC, datetime

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.audit.conftest import NAME
from tests.audit.test_ingest import send_raw

from audit.anchors import read_published
from audit.announcements import read_announced
from audit.deployment import ensure_database, ensure_logs, ensure_tables
from audit.openings import announcement
from audit.restoring import catch_up, take_up_checkpoints, take_up_numbers
from chassis.database import Database
from contracts.system import CheckpointPublished
from contracts.topics import CHECKPOINTS
from guichet.replay.instants import sizes_published
from guichet_verify.leaves import FirstLeaf
from guichet_verify.notes import SigningKey, sign_note
from signed_trails import KEY, POLICY, sign


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
    return [tuple(row) for row in await trail.fetch(HEADS)]


HEADS = "SELECT origin, tree_size, root FROM audit.log JOIN audit.head USING (log_id) ORDER BY 1"


@pytest.mark.threat(14)
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


async def test_what_was_published_when_is_known_again_in_a_trail_that_is_built_again(trail):
    """Only the log of checkpoints says it: the table is gone with its database."""
    await trail.make_topics(CHECKPOINTS)
    trail.topics = (*trail.topics, CHECKPOINTS)
    times = [datetime(2026, 11, 24, 10, minute, tzinfo=UTC) for minute in (1, 2, 3)]
    origin = f"{NAME}/trail/{trail.topic}/0/1"
    for minute in times:
        await trail.send(b"%d" % minute.minute)
        await trail.record()
        signed = (await sign(trail, published=minute))[origin]
        note = sign_note(signed.text(), [KEY.sign(signed.text())]).decode()
        await publish(trail, signed, note, minute)
    forged = signed._replace(size=7, root=bytes(32))
    await publish(trail, forged, sign_note(forged.text(), [OTHER.sign(forged.text())]).decode(), times[0])
    await trail.record()
    async with trail.database.connection() as connection:
        (held,) = await read_published(connection, POLICY.logs)
        assert held.checkpoint == signed, "what was said after it is not signed by the log"
        before = await connection.fetch(f"{PUBLISHED} WHERE origin = $1 ORDER BY 2", origin)
    await trail.tamper("DELETE FROM audit.checkpoint")
    async with trail.database.connection() as connection:
        assert await take_up_checkpoints(connection, POLICY.logs) == 3
        assert await take_up_checkpoints(connection, POLICY.logs) == 3, "a second time there is nothing to do"
        after = await connection.fetch(f"{PUBLISHED} WHERE origin = $1 ORDER BY 2", origin)
        assert (await sizes_published(connection, times[1])).sizes == {origin: 3}
    assert (len(before), after) == (3, before)


PUBLISHED = "SELECT origin, tree_size, note, published_at FROM audit.checkpoint JOIN audit.log USING (log_id)"
OTHER = SigningKey(NAME, Ed25519PrivateKey.generate())


async def publish(trail, checkpoint, note, time):
    fact = CheckpointPublished(
        origin=checkpoint.origin, size=checkpoint.size, root=base64.b64encode(checkpoint.root).decode(), note=note
    )
    said = {"type": fact.event_type, "subject": checkpoint.origin, "time": time.isoformat(), "id": time.isoformat()}
    headers = [(f"ce_{name}", value.encode()) for name, value in said.items()]
    await trail.producer.send_and_wait(CHECKPOINTS, fact.wire(), headers=headers, partition=0)


async def test_what_is_announced_before_and_after_a_record_that_no_consumer_can_read_is_known(trail):
    async def announce(epoch):
        first = FirstLeaf(f"{NAME}/trail/{trail.topic}/0/{epoch}", epoch)
        said = announcement(first, trail.topic, 0).wire()
        headers = [("ce_type", b"guichet.epoch.opened.v1"), ("ce_id", b"%d" % epoch), ("ce_source", b"/guichet/audit")]
        await trail.send(said, headers)
        return first

    before = await announce(1)
    await send_raw(trail, b"\xff\xfe\xfd\xfc")
    await send_raw(trail, b"\xff\xfe\xfd\xfc")
    after = await announce(2)
    async with trail.database.connection() as connection:
        found = await read_announced(connection, [trail.kafka], NAME, trail.topic)
    assert found.opened == {each.origin: each for each in (before, after)}
