"""What the table of checkpoints says is what was signed, of the tree that is there, published when the trail says."""

import json
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.audit.conftest import NAME

from audit.checkpoints import check_checkpoints
from audit.report import Report
from contracts.topics import CHECKPOINTS
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.notes import SigningKey, sign_note
from signed_trails import KEY, sign
from threats import write_table

NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)


@pytest.fixture
async def published(trail):
    """Three leaves, signed, and said on the topic to have been published."""
    await trail.make_topics(CHECKPOINTS)
    await trail.send(b"1")
    await trail.send(b"2")
    await trail.record()
    signed = await sign(trail, NOW)
    origin = f"{NAME}/trail/{trail.topic}/0/1"
    said = {
        "id": "01930000-0000-7000-8000-000000000001",
        "type": "guichet.checkpoint.published.v1",
        "source": "/guichet/audit",
        "subject": origin,
        "time": NOW.isoformat(),
    }
    headers = [(f"ce_{name}", value.encode()) for name, value in said.items()]
    await trail.producer.send_and_wait(CHECKPOINTS, b'{"size":%d}' % signed[origin].size, headers=headers)
    trail.topics = (*trail.topics, CHECKPOINTS)
    await trail.record()
    return trail, origin, signed[origin]


async def checked(trail, keys=(KEY.log_key,)):
    report = Report()
    connection = await asyncpg.connect(trail.url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await check_checkpoints(connection, report, keys)
    finally:
        await connection.close()
    return [(each.level, each.log, each.reason) for each in report.failures]


def note_of(checkpoint, key=KEY):
    return sign_note(checkpoint.text(), [key.sign(checkpoint.text())]).decode()


INSERT = "INSERT INTO audit.checkpoint (log_id, tree_size, note, published_at) VALUES (1, $1, $2, $3)"


@pytest.mark.threat(1)
async def test_a_checkpoint_that_the_services_account_made_up_is_found(published):
    trail, origin, signed = published
    assert await checked(trail) == []
    stranger = SigningKey(KEY.log_key.name, Ed25519PrivateKey.generate())
    forged = Checkpoint(origin, 2, signed.root)
    async with trail.database.connection() as connection:  # As the service: it may enter checkpoints.
        await connection.execute(INSERT, 2, note_of(forged, stranger), NOW - timedelta(days=300))
    ((level, log, reason),) = await checked(trail)
    assert (level, log) == ("L1", origin) and reason.startswith("checkpoint at size 2: ")
    row = (
        "a checkpoint that nobody signed, of an earlier day",
        "service account",
        "detected",
        f"audit verify: {level}",
    )
    write_table([row], afresh="service account")


async def test_a_checkpoint_of_another_tree_and_one_under_another_day_are_found(published):
    trail, origin, signed = published
    async with trail.database.connection() as connection:
        await connection.execute(INSERT, 2, note_of(Checkpoint(origin, 2, bytes(32))), NOW)
        await connection.execute(INSERT, 1, note_of(Checkpoint(origin, signed.size, signed.root)), NOW)
    assert await checked(trail) == [
        ("L1", origin, "checkpoint at size 1: of another log or size"),
        ("L2", origin, "checkpoint at size 2: the tree does not lead to it"),
    ]


async def test_a_checkpoint_that_is_said_to_have_been_known_earlier_is_found(published):
    trail, origin, signed = published
    await trail.tamper(f"UPDATE audit.checkpoint SET published_at = '2026-01-01Z' WHERE tree_size = {signed.size}")
    reason = f"checkpoint at size {signed.size}: entered under another time than said"
    assert ("L2", origin, reason) in await checked(trail)


async def test_what_a_key_signed_that_was_retired_since_still_counts(published):
    trail, _, _ = published
    new = SigningKey(KEY.log_key.name, Ed25519PrivateKey.generate())
    assert [level for level, *_ in await checked(trail, (new.log_key,))] != []
    turn = {"old_key": KEY.log_key.vkey(), "new_key": new.log_key.vkey()}
    headers = [("ce_id", b"r"), ("ce_type", b"guichet.log-key.rotated.v1"), ("ce_source", b"/guichet/operator")]
    await trail.producer.send_and_wait(CHECKPOINTS, json.dumps(turn).encode(), headers=headers)
    await trail.record()
    assert await checked(trail, (new.log_key,)) == []
    assert await checked(trail, ()) == [], "without keys nothing can be said"
