"""What a person wrote about somebody is erased everywhere at once, and every proof still holds."""

from __future__ import annotations

import json
from pathlib import Path

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import TOPICS
from dossiers import dossier, id_of
from guichet.publishing import clock_now
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import StackState
from programs import run_guichet
from stacks import insist, submission

NAME = "Mme Zéphirine Quelconque"


async def guichet(home: Path, *arguments: str, given: str = "", code: int = 0) -> str:
    ran = await run_guichet(*arguments, given=given, GUICHET_HOME=str(home))
    assert ran.code == code, ran.err
    return ran.out


async def everything_said(state: StackState) -> bytes:
    """Every key, header and value on every topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=state.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()
        places = [TopicPartition(t, n) for t in TOPICS for n in consumer.partitions_for_topic(t) or ()]
        consumer.assign(places)
        ends, found = await consumer.end_offsets(places), b""
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    found += (record.key or b"") + (record.value or b"") + repr(record.headers).encode()
        return found
    finally:
        await consumer.stop()


async def everything_recorded(state: StackState) -> bytes:
    connection = await asyncpg.connect(state.services["audit"].database_url)
    try:
        leaves = await connection.fetch("SELECT leaf FROM audit.entry")
        blobs = await connection.fetch("SELECT data FROM audit.blob")
        return b"".join(row[0] for row in (*leaves, *blobs))
    finally:
        await connection.close()


async def refused_with(home: Path, state: StackState, reference: str, comment: str) -> str:
    """A request whose refusal an officer confirmed with a comment; its id."""
    made = dossier("F12", reference)
    async with httpx.AsyncClient(timeout=60) as client:
        assert (await insist(client, state, submission(made, await clock_now(state)))).status_code == 202
    await wait_quiet(state)
    event = {
        "type": "refusal.confirmed.v1",
        "source": "/authorities/HDH",
        "subject": id_of(made),
        "data": {"by": ["officer-1"], "comment": comment},
    }
    await guichet(home, "emit", "-", given=json.dumps(event, ensure_ascii=False))
    await wait_quiet(state)
    return id_of(made)


async def test_a_comment_is_read_until_its_key_is_destroyed(standing_at_home: tuple[Path, StackState]) -> None:
    home, state = standing_at_home
    request = await refused_with(home, state, "ERASURE-1", f"{NAME} a confirmé par téléphone")
    assert NAME in await guichet(home, "trace", request)

    (key,) = json.loads(await guichet(home, "audit", "keys", "list", "--json"))
    assert key["request_id"] == request
    await guichet(home, "audit", "keys", "destroy", key["key_id"], "--by", "dpo-1", code=1)
    assert NAME in await guichet(home, "trace", request)
    await guichet(home, "audit", "keys", "destroy", key["key_id"], "--by", "dpo-1", "--by", "archivist-2")
    await wait_quiet(state)

    told = await guichet(home, "trace", request)
    assert NAME not in told and "erased with its key" in told and "key is destroyed" in told
    for where in (await everything_said(state), await everything_recorded(state)):
        assert b"officer-1" in where
        assert NAME.encode() not in where and json.dumps(NAME).encode() not in where
    await guichet(home, "audit", "verify")
    assert json.loads(await guichet(home, "audit", "keys", "check", "--json")) == {
        "sealed_under": 1,
        "destroyed": 1,
        "gone_without_event": [],
        "event_but_kept": [],
    }


@pytest.mark.threat(20)
async def test_a_key_that_vanishes_without_two_persons_is_found(standing_at_home: tuple[Path, StackState]) -> None:
    home, state = standing_at_home
    request = await refused_with(home, state, "ERASURE-2", NAME)
    for file in (home / "request-keys").iterdir():
        file.unlink()
    assert f"{request}.1" in await guichet(home, "audit", "keys", "check", code=1)
