"""Twenty poisoned messages among two hundred good ones: the good are processed, the others set aside with a reason."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from chassis import dead_letters
from contracts.envelope import encode
from dossiers import dossier, id_of, say
from guichet.publishing import Event, clock_now
from guichet.stack.prepare import set_clock
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import StackState
from stacks import query

Headers = list[tuple[str, bytes | None]]
CUNNING = "Jeanne-Calment-1875"
"""Free text that must never come back out of an error."""


@dataclass(frozen=True)
class Poison:
    """A record no service can act upon, and the reason it must be set aside for."""

    reason: str
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


def good(number: int, now: datetime) -> Event:
    made = dossier("N-no-environment", f"GOOD-{number}")
    return say("request.submitted.v1", {"dossier": made}, id_of(made), now)


def poisons(now: datetime) -> Iterator[Poison]:
    """Each kind of the list, on the portal's topic unless the kind is about another."""

    def fresh(**changes: object) -> tuple[Event, Headers, bytes]:
        made = dossier("F02a", f"POISON-{uuid4()}", title=CUNNING)
        event = say("request.submitted.v1", {"dossier": made}, id_of(made), now)
        envelope = replace(event.envelope, **changes)  # type: ignore[arg-type]  # each change names a field
        return event, list(encode(envelope)), event.key.encode()

    def without(headers: Headers, name: str) -> Headers:
        return [each for each in headers if each[0] != name]

    for reason, broken in (("not-json", b"{not json"), ("not-json", b'{"dossier": '), ("not-utf8", b"\xff\xfe\x00")):
        event, headers, key = fresh()
        yield Poison(reason, event.topic, key, broken, headers)
    for name in ("ce_id", "ce_type", "ce_source"):
        event, headers, key = fresh()
        yield Poison("missing-header", event.topic, key, event.data, without(headers, name))
    event, headers, key = fresh()
    yield Poison(
        "not-utf8", event.topic, key, event.data, [*without(headers, "ce_subject"), ("ce_subject", b"\xff\xfe")]
    )
    event, headers, key = fresh()
    yield Poison("null-header", event.topic, key, event.data, [*without(headers, "ce_subject"), ("ce_subject", None)])
    event, headers, key = fresh()
    yield Poison("null-value", event.topic, key, None, headers)
    event, headers, key = fresh(type="guichet.request.imagined.v1")
    yield Poison("unknown-type", event.topic, key, event.data, headers)
    event, headers, key = fresh(type="guichet.request.submitted.v99")
    yield Poison("unknown-version", event.topic, key, event.data, headers)
    event, headers, key = fresh(source="/authorities/CNIL")
    yield Poison("foreign-source", event.topic, key, event.data, headers)
    event, headers, key = fresh(time=now + timedelta(days=3))
    yield Poison("clock-skew", event.topic, key, event.data, headers)
    event, headers, key = fresh()
    yield Poison(
        "time-out-of-range",
        event.topic,
        key,
        event.data,
        [*without(headers, "ce_time"), ("ce_time", b"9999-12-31T00:00:00Z")],
    )
    for broken_type in (
        {"body": 7, "verdict": "granted", "by": ["a-1"]},
        {"body": "CNIL", "verdict": CUNNING, "by": ["a-1"]},
    ):
        decision = say("decision.issued.v1", {"body": "CNIL", "verdict": "granted", "by": ["a-1"]}, str(uuid4()), now)
        yield Poison(
            "invalid-data",
            decision.topic,
            decision.key.encode(),
            json.dumps(broken_type).encode(),
            list(encode(decision.envelope)),
        )
    event, headers, key = fresh()
    yield Poison("wrong-topic", "guichet.authorities", key, event.data, headers)
    decision = say("decision.issued.v1", {"body": "CNIL", "verdict": "granted", "by": ["a-1"]}, str(uuid4()), now)
    yield Poison(
        "wrong-topic", "guichet.catalogue", decision.key.encode(), decision.data, list(encode(decision.envelope))
    )
    event, headers, key = fresh()
    yield Poison("invalid-data", event.topic, key, b"[" * 5000 + b"]" * 5000, headers)
    event, headers, key = fresh()
    yield Poison("invalid-id", event.topic, key, event.data, [*without(headers, "ce_id"), ("ce_id", CUNNING.encode())])


Raw = tuple[str, bytes | None, bytes | None, Headers]
Place = tuple[str, int, int]


def raw(each: Event | Poison) -> Raw:
    """Topic, key, value and headers as they go to the broker."""
    if isinstance(each, Poison):
        return each.topic, each.key, each.value, each.headers
    return each.topic, each.key.encode(), each.data, list(encode(each.envelope))


async def send(state: StackState, records: list[Raw]) -> list[Place]:
    """Publish raw records, and give the place where each came to stand."""
    producer = AIOKafkaProducer(bootstrap_servers=state.kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        futures = [
            await producer.send(topic, value, key=key, headers=headers) for topic, key, value, headers in records
        ]
        stood = await asyncio.gather(*futures)
    finally:
        await producer.stop()
    return [(each.topic, each.partition, each.offset) for each in stood]


async def letters(state: StackState) -> list[dead_letters.Letter]:
    """What every service has set aside."""
    found = []
    for service in ("intake", "compliance", "provisioning"):
        connection = await asyncpg.connect(state.services[service].database_url)
        try:
            found += await dead_letters.list_letters(connection)
        finally:
            await connection.close()
    return found


def place(letter: dead_letters.Letter) -> Place:
    return letter.topic, letter.partition, letter.offset


async def test_the_good_are_processed_and_each_poison_is_set_aside_with_its_reason(standing: StackState) -> None:
    now = await clock_now(standing)
    before = {place(letter) for letter in await letters(standing)}
    wholesome = [good(number, now) for number in range(200)]
    poisoned = list(poisons(now))
    assert len(poisoned) == 20
    mixed: list[Event | Poison] = []
    for number, event in enumerate(wholesome):
        mixed.append(event)
        if number % 10 == 5:
            mixed.append(poisoned[number // 10])
    stood = await send(standing, [raw(each) for each in mixed])
    await wait_quiet(standing, 180)

    accepted = "SELECT subject FROM chassis.facts WHERE type = 'guichet.request.accepted.v1'"
    assert {event.key for event in wholesome} <= {row["subject"] for row in await query(standing, "intake", accepted)}

    reasons: dict[Place, set[str]] = {}
    for letter in await letters(standing):
        assert CUNNING not in letter.code + letter.detail + letter.fingerprint
        if place(letter) not in before:
            reasons.setdefault(place(letter), set()).add(letter.code)
    assert reasons == {stood[n]: {each.reason} for n, each in enumerate(mixed) if isinstance(each, Poison)}


async def test_a_redriven_message_is_processed_once_and_what_waited_behind_it_follows(standing: StackState) -> None:
    """The clock of a portal ran ahead; when our own has caught up the operator redrives what was set aside."""
    now = await clock_now(standing)
    made = dossier("N-no-environment", f"AHEAD-{uuid4()}")
    request = id_of(made)
    ahead = say("request.submitted.v1", {"dossier": made}, request, now + timedelta(minutes=30))
    withdrawn = say("request.withdrawn.v1", {}, request, now)
    await send(standing, [raw(each) for each in (ahead, withdrawn)])
    await wait_quiet(standing)
    types = "SELECT type FROM chassis.facts WHERE subject = $1 AND topic = 'guichet.requests' ORDER BY sequence"
    assert await query(standing, "intake", types, request) == []

    await set_clock(standing, now + timedelta(hours=1))
    connection = await asyncpg.connect(standing.services["intake"].database_url)
    try:
        known = await dead_letters.list_letters(connection)
        mine = [letter for letter in known if letter.event_id == ahead.envelope.id]
        assert [letter.code for letter in mine] == ["clock-skew"]
        caught_up = await clock_now(standing)
        await dead_letters.redrive(connection, mine[0].letter_id, now=caught_up, by="operator-1")
        with pytest.raises(dead_letters.LetterRefused):
            await dead_letters.redrive(connection, mine[0].letter_id, now=caught_up, by="operator-1")
    finally:
        await connection.close()
    await wait_quiet(standing)
    said = [row["type"] for row in await query(standing, "intake", types, request)]
    assert said == ["guichet.request.accepted.v1", "guichet.request.withdrawal-recorded.v1"]
