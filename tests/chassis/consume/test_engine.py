"""The engine over a bus in memory and a real database."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import TopicPartition
from workshop import IGNORED, Shop, body, build_engine, headers, until

from chassis.ids import new_event_id


async def test_every_event_is_acted_upon_once_and_in_order(database, language):
    shop = await Shop(database, language, partitions=2).open()
    for number in range(50):
        shop.note(f"k{number % 7}", partition=number % 7 % 2)
    await shop.work()
    await shop.check()
    assert shop.handler.calls == [50]


async def test_an_event_delivered_twice_is_acted_upon_once_in_one_batch_and_in_two(shop):
    shop.note("a")
    shop.note("b")
    again = [shop.bus.logs[TopicPartition(shop.bus.topic, 0)][0]] * 2
    for record in again:
        shop.bus.write(record.key, record.value, record.headers)
    await shop.work(most=3)
    await shop.check()


async def test_the_same_id_from_another_source_is_another_event(shop):
    event_id = shop.note("a", source="/portals/one")
    shop.bus.write(b"b", body(99), headers(event_id, source="/portals/two"))
    await shop.work()
    assert len(await shop.fetch("SELECT FROM chassis.facts")) == 2


async def test_a_batch_delivered_again_after_its_commit_is_fenced(shop):
    shop.note("a")
    records = shop.bus.poll()
    await shop.engine.handle(records)
    shop.bus.positions[TopicPartition(shop.bus.topic, 0)] = 1
    zombie = build_engine(shop.database, shop.language, shop.handler, bus=shop.bus)
    await zombie.on_partitions_assigned(set(shop.bus.logs))
    shop.bus.positions[TopicPartition(shop.bus.topic, 0)] = 1
    await zombie.handle(records)
    await shop.check()


POISON = {
    "not JSON": (b"{", {}, "not-json"),
    "not UTF-8": (b'{"number":"\xff"}', {}, "not-utf8"),
    "wrong type": (b'{"number":"one"}', {}, "invalid-data"),
    "null value": (None, {}, "null-value"),
    "empty value": (b"", {}, "not-json"),
    "deep nesting": (b"[" * 100_000, {}, "invalid-data"),
    "too large": (b'{"number":1,"wish":"' + b"x" * 300_000 + b'"}', {}, "too-large"),
    "unknown version": (b"{}", {"type_": "guichet.note.taken.v9"}, "unknown-type"),
    "a day ahead": (body(1), {"time_": datetime.now(UTC) + timedelta(days=1)}, "clock-skew"),
}


@pytest.mark.parametrize("kind", POISON)
async def test_what_nobody_can_read_is_set_aside_among_good_neighbours(shop, kind):
    value, how, code = POISON[kind]
    for _ in range(5):
        shop.note("a")
    event_id = new_event_id()
    sent = headers(event_id, **how)
    shop.bus.write(b"bad", value, sent)
    shop.poison.append(event_id)
    for _ in range(5):
        shop.note("a")
    await shop.work()
    await shop.check()
    (letter,) = await shop.letters()
    assert (letter.code, letter.value, letter.attempts, letter.kind) == (code, value, 1, "unreadable")
    assert letter.headers == sent


async def test_headers_that_break_every_rule_are_kept_as_bytes(shop):
    shop.note("a")
    odd = [("ce_id", b"\xff\xfe"), ("ce_id", None), ("", b""), ("nul\x00", b"\x00")]
    shop.bus.write(b"\x00\xff", b"\x00", odd)
    shop.note("a")
    shop.poison.append(None)
    await shop.work()
    await shop.check()
    (letter,) = await shop.letters()
    assert (letter.headers, letter.key, letter.value) == (odd, b"\x00\xff", b"\x00")


@pytest.mark.parametrize(
    ("wish", "code", "attempts", "kind"),
    [
        ("unreadable", "unknown-request", 1, "unreadable"),
        ("nul", "sqlstate-22021", 1, "unreadable"),
        ("overflow", "sqlstate-22012", 1, "unreadable"),
        ("bug", "bug-zerodivisionerror", 3, "bug"),
    ],
)
async def test_what_the_handler_fails_at_is_found_by_halves_and_set_aside_alone(shop, wish, code, attempts, kind):
    for number in range(20):
        shop.note(f"k{number % 5}")
    for number in range(3):
        shop.note(f"bad{number}", wish)
        shop.note("k1")
    await shop.work()
    await shop.check()
    letters = await shop.letters()
    assert {(each.code, each.attempts, each.kind) for each in letters} == {(code, attempts, kind)}
    assert len({each.fingerprint for each in letters}) == 1
    assert "secret" not in str(letters)


async def test_a_bug_of_the_reader_is_set_aside_alone_and_blocks_its_key(shop):
    read = shop.engine._consumer.read

    def stumbling(envelope, data, topic):
        fact = read(envelope, data, topic)
        return fact if fact.wish != "stumble" else fact.number / 0

    shop.engine._consumer = replace(shop.engine._consumer, read=stumbling)
    for number in range(9):
        shop.note(f"k{number}")
    shop.note("bad", "stumble")
    shop.note("k1")
    await shop.work()
    await shop.check()
    (letter,) = await shop.letters()
    assert (letter.code, letter.kind) == ("bug-zerodivisionerror", "bug")
    shop.note("bad")
    await shop.work()
    assert sum(shop.handler.calls) == 10, "what comes later under the key waits"
    await shop.redrive(letter)
    await shop.work()
    assert [each.letter_id for each in await shop.letters("open")] == [letter.letter_id], "the same letter, open again"


async def test_a_bug_that_passes_at_the_third_try_harms_nobody(shop):
    shop.note("a")
    shop.note("b", "twice")
    await shop.work()
    await shop.check()
    assert await shop.letters() == []


async def test_an_effect_that_cannot_be_written_condemns_its_message_only(shop):
    for number in range(9):
        shop.note(f"k{number}")
    shop.note("late", "late")
    shop.note("k1")
    await shop.work()
    assert [letter.code for letter in await shop.letters()] == ["sqlstate-22021"]
    await shop.check()


async def test_a_record_without_key_blocks_nothing(shop):
    shop.note(None, "bug")
    shop.note(None)
    await shop.work()
    await shop.check()
    assert not await shop.fetch("SELECT FROM chassis.blocked_keys")


async def test_types_of_no_concern_move_the_offset_and_nothing_else(shop):
    shop.bus.write(b"a", b"not even json", headers(new_event_id(), type_=IGNORED))
    await shop.work()
    await shop.check()
    assert shop.handler.calls == []


async def test_what_is_away_pauses_and_is_tried_again_and_sets_nothing_aside(shop):
    tries = 0

    async def fail(wanted, event_id, transaction):
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ConnectionResetError

    shop.handler.grant = fail
    shop.note("a")
    shop.note("b")
    records = shop.bus.poll()
    await shop.engine.handle(records)
    place = TopicPartition(shop.bus.topic, 0)
    assert shop.bus.paused == {place} and shop.bus.positions[place] == 0 and shop.engine.paused

    async def done():
        if records := shop.bus.poll():
            await shop.engine.handle(records)
        return bool(await shop.fetch("SELECT FROM chassis.facts"))

    await until(done)
    await shop.check()
    assert not shop.engine.paused


async def test_a_batch_that_takes_too_long_is_made_smaller(shop):
    sizes = []

    async def handle(transaction, messages):
        sizes.append(len(messages))
        if len(messages) > 10:
            raise TimeoutError

    shop.engine._consumer = replace(shop.engine._consumer, handle=handle)
    for number in range(40):
        shop.note(f"k{number}")

    async def done():
        if records := shop.bus.poll():
            await shop.engine.handle(records)
        rows = await shop.fetch("SELECT next_offset FROM chassis.offsets")
        return bool(rows) and rows[0]["next_offset"] == 40

    await until(done)
    assert sizes[0] == 40 and min(sizes) <= 10


async def test_twenty_poisoned_among_two_hundred_good_ones_pass_the_breaker(shop):
    for number in range(220):
        shop.note(f"k{number}", "unreadable" if number % 11 == 0 else "echo")
    await shop.work(most=50)
    await shop.check()
    assert len(shop.poison) == 20 and not shop.engine.paused


async def test_two_owners_of_one_partition_take_turns(database, language):
    first = await Shop(database, language).open()
    for number in range(200):
        first.note(f"k{number % 9}")
    records = first.bus.poll()
    engines = [first.engine] + [build_engine(database, language, first.handler, bus=first.bus) for _ in range(3)]
    for engine in engines[1:]:
        await engine.on_partitions_assigned(set(first.bus.logs))
    first.bus.positions[TopicPartition(first.bus.topic, 0)] = len(records)
    halves = [records, records[:120], records[60:], records]
    await asyncio.gather(*(engine.handle(part) for engine, part in zip(engines, halves, strict=True)))
    await first.work()
    await first.check()
