"""What is set aside and what waits behind it: redriven, discarded, released in order."""

from datetime import UTC, datetime

import pytest
from workshop import Shop, body, headers, until

from chassis import dead_letters
from chassis.breaker import Limits
from chassis.dead_letters import LETTER, REDRIVE, LetterRefused
from chassis.ids import new_event_id


async def test_a_poisoned_key_waits_in_order_and_goes_on_after_redrive(shop):
    shop.note("a")
    bad = shop.note("a", "bug", good=True)
    for _ in range(3):
        shop.note("a")
        shop.note("b")
    await shop.work()
    assert [row["record_offset"] for row in await shop.fetch("SELECT * FROM chassis.parked ORDER BY id")] == [2, 4, 6]
    for _ in range(2):
        shop.note("a")
    await shop.work(most=1)
    (letter,) = await shop.letters("open")
    assert letter.event_id == bad
    shop.handler.cured = True
    await shop.redrive(letter)
    await shop.work()
    await shop.check()
    assert not await shop.fetch("SELECT FROM chassis.parked") and not await shop.fetch(
        "SELECT FROM chassis.blocked_keys"
    )
    assert [each.state for each in await shop.letters()] == ["resolved"]


async def test_a_redriven_record_keeps_its_bytes_its_id_and_its_partition(database, language):
    shop = await Shop(database, language, partitions=3).open()
    shop.note("a", "unreadable", partition=2)
    await shop.work()
    (letter,) = await shop.letters()
    record = await shop.redrive(letter)
    assert (record.key, record.value, record.partition) == (letter.key, letter.value, 2)
    assert list(record.headers) == [*letter.headers, (REDRIVE, b"echo"), (LETTER, letter.letter_id.encode())]


async def test_a_redrive_that_fails_again_opens_the_same_letter(shop):
    shop.note("a", "bug")
    shop.note("a", good=True)
    shop.inputs.clear()
    await shop.work()
    (letter,) = await shop.letters()
    await shop.redrive(letter)
    await shop.work()
    (again,) = await shop.letters()
    assert (again.letter_id, again.state, again.attempts) == (letter.letter_id, "open", 6)
    assert len(await shop.fetch("SELECT FROM chassis.parked")) == 1
    types = [row["type"] for row in await shop.fetch("SELECT type FROM chassis.facts ORDER BY event_id")]
    assert [each.split(".")[2] for each in types] == ["recorded", "redriven", "recorded"]


async def test_a_repeated_redrive_is_acted_upon_once(shop):
    shop.note("a", "bug", good=True)
    await shop.work()
    (letter,) = await shop.letters()
    shop.handler.cured = True
    record = await shop.redrive(letter)
    shop.bus.write(record.key, record.value, record.headers)
    await shop.work()
    shop.bus.write(record.key, record.value, record.headers)
    await shop.work()
    await shop.check()


async def test_a_redrive_for_another_group_is_passed_over(shop):
    shop.note("a")
    shop.bus.write(b"a", body(9), [*headers(new_event_id()), (REDRIVE, b"other"), (LETTER, new_event_id().encode())])
    await shop.work()
    await shop.check()


async def test_a_redrive_header_without_a_letter_opens_no_blocked_key(shop):
    shop.note("a", "bug")
    await shop.work()
    for letter_id in (new_event_id().encode(), b"\xff", b""):
        shop.bus.write(b"a", body(9), [*headers(new_event_id()), (REDRIVE, b"echo"), (LETTER, letter_id)])
    await shop.work()
    await shop.check()
    assert len(await shop.fetch("SELECT FROM chassis.parked")) == 3


async def test_discarding_lets_the_queue_go_and_is_said(shop):
    shop.note("a", "bug")
    shop.note("a")
    await shop.work()
    (letter,) = await shop.letters()
    async with shop.database.connection() as connection:
        now = datetime.now(UTC)
        await dead_letters.discard(connection, letter.letter_id, now=now, by="officer-1", code="test-data")
        with pytest.raises(LetterRefused, match="discarded, not open"):
            await dead_letters.redrive(connection, letter.letter_id, now=now, by="officer-1")
        with pytest.raises(LetterRefused, match="there is none"):
            await dead_letters.discard(connection, new_event_id(), now=now, by="officer-1", code="test-data")
        assert (await dead_letters.show(connection, letter.letter_id)).state == "discarded"
    shop.poison.clear()
    await shop.work()
    await shop.check()
    assert not await shop.fetch("SELECT FROM chassis.blocked_keys")


async def test_a_second_poison_in_the_queue_stops_it_there(shop):
    shop.note("a", "bug", good=True)
    shop.note("a")
    second = shop.note("a", "unreadable", good=False)
    shop.note("a")
    await shop.work()
    (letter,) = await shop.letters("open")
    shop.handler.grant = _grant_all_but("unreadable", shop.handler.grant)
    await shop.redrive(letter)
    await shop.work()
    (letter,) = await shop.letters("open")
    assert letter.event_id == second
    assert len(await shop.fetch("SELECT FROM chassis.parked")) == 1
    shop.poison.clear()
    shop.inputs.insert(2, ("a", second, 2))
    shop.handler.cured = True
    await shop.redrive(letter)
    await shop.work()
    await shop.check()


def _grant_all_but(wish, grant):
    async def granted(wanted, event_id, transaction):
        if wanted == wish:
            await grant(wanted, event_id, transaction)

    return granted


async def test_an_unreadable_record_behind_a_failing_one_waits_for_its_turn(shop):
    shop.note("a", "bug")
    shop.bus.write(b"a", b"{", headers(new_event_id()))
    shop.note("b")
    await shop.work()
    await shop.check()
    assert [row["record_offset"] for row in await shop.fetch("SELECT * FROM chassis.parked")] == [1]


async def test_the_breaker_stops_a_bad_release_and_lets_go_later(database, language):
    limits = Limits(letters_per_minute=10, pause_seconds=0.3)
    shop = await Shop(database, language, limits=limits).open()
    for number in range(60):
        shop.note(f"k{number}", "unreadable")
    await shop.engine.handle(shop.bus.poll(5))
    assert not shop.engine.paused
    await shop.engine.handle(shop.bus.poll(20))
    assert shop.engine.paused and shop.bus.poll() == ()
    await until(lambda: _true(not shop.bus.paused))
    await shop.work()
    assert len(await shop.letters()) == 60


async def _true(value):
    return value
