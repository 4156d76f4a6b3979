"""Twenty poisoned messages among two hundred good ones: the good are processed, the others set aside with a reason."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaProducer

from chassis import dead_letters
from contracts.envelope import encode
from dossiers import dossier, id_of, say
from guichet.publishing import Event, clock_now
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import StackState
from stacks import Json, query

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

    for broken in (b"{not json", b'{"dossier": ', b"\xff\xfe\x00"):
        event, headers, key = fresh()
        yield Poison("not-json", event.topic, key, broken, headers)
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
    yield Poison("not-json", event.topic, key, b"[" * 5000 + b"]" * 5000, headers)
    event, headers, key = fresh()
    yield Poison("invalid-id", event.topic, key, event.data, [*without(headers, "ce_id"), ("ce_id", CUNNING.encode())])


async def send(
    state: StackState, records: list[tuple[str, bytes | None, bytes | None, Headers]]
) -> dict[tuple[str, int, int], int]:
    """Publish raw records, and give the number of each by where it came to stand."""
    producer = AIOKafkaProducer(bootstrap_servers=state.kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        futures = [
            await producer.send(topic, value, key=key, headers=headers) for topic, key, value, headers in records
        ]
        stood = await asyncio.gather(*futures)
    finally:
        await producer.stop()
    return {(each.topic, each.partition, each.offset): number for number, each in enumerate(stood)}


async def letters(state: StackState) -> list[Json]:
    rows: list[Json] = []
    for service in ("intake", "compliance", "provisioning"):
        rows += [dict(row) for row in await query(state, service, "SELECT * FROM chassis.dead_letters")]
    return rows


async def test_the_good_are_processed_and_each_poison_is_set_aside_with_its_reason(standing: StackState) -> None:
    now = await clock_now(standing)
    before = {(row["topic"], row["partition"], row["offset"]) for row in await letters(standing)}
    wholesome = [good(number, now) for number in range(200)]
    poisoned = list(poisons(now))
    assert len(poisoned) == 20
    records: list[tuple[str, bytes | None, bytes | None, Headers]] = []
    for number, event in enumerate(wholesome):
        records.append((event.topic, event.key.encode(), event.data, list(encode(event.envelope))))
        if number % 10 == 5:
            poison = poisoned[number // 10]
            records.append((poison.topic, poison.key, poison.value, poison.headers))
    stood = await send(standing, records)
    await wait_quiet(standing, 180)

    accepted = {
        row["subject"]
        for row in await query(
            standing, "intake", "SELECT subject FROM chassis.facts WHERE type = 'guichet.request.accepted.v1'"
        )
    }
    assert {event.key for event in wholesome} <= accepted

    reasons: dict[tuple[str, int, int], set[str]] = {}
    for row in await letters(standing):
        place = (row["topic"], row["partition"], row["offset"])
        if place not in before:
            reasons.setdefault(place, set()).add(row["code"])
    by_number = {number: place for place, number in stood.items()}
    expected: dict[tuple[str, int, int], set[str]] = {}
    position = 0
    for number in range(200):
        position += 1
        if number % 10 == 5:
            expected[by_number[position]] = {poisoned[number // 10].reason}
            position += 1
    assert reasons == expected
    for row in await letters(standing):
        assert CUNNING not in str(row["code"]) + str(row["fingerprint"])


async def test_a_redriven_message_is_processed_once_and_what_waited_behind_it_follows(standing: StackState) -> None:
    """The clock of a portal ran ahead; when our own has caught up the operator redrives what was set aside."""
    from guichet.stack.prepare import set_clock

    now = await clock_now(standing)
    made = dossier("N-no-environment", f"AHEAD-{uuid4()}")
    request = id_of(made)
    ahead = say("request.submitted.v1", {"dossier": made}, request, now + timedelta(minutes=30))
    withdrawn = say("request.withdrawn.v1", {}, request, now)
    await send(
        standing,
        [(each.topic, each.key.encode(), each.data, list(encode(each.envelope))) for each in (ahead, withdrawn)],
    )
    await wait_quiet(standing)
    types = "SELECT type FROM chassis.facts WHERE subject = $1 ORDER BY sequence"
    assert await query(standing, "intake", types, request) == []

    await set_clock(standing, datetime.fromtimestamp(now.timestamp(), UTC) + timedelta(hours=1))
    connection = await asyncpg.connect(standing.services["intake"].database_url)
    try:
        mine = [
            letter for letter in await dead_letters.list_letters(connection) if letter.event_id == ahead.envelope.id
        ]
        assert [letter.code for letter in mine] == ["clock-skew"]
        for _ in range(2):
            await dead_letters.redrive(connection, mine[0].letter_id)
    finally:
        await connection.close()
    await wait_quiet(standing)
    said = [row["type"] for row in await query(standing, "intake", types, request)]
    assert said == ["guichet.request.accepted.v1", "guichet.request.withdrawal-recorded.v1"]
