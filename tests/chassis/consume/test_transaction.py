"""What is said in a transaction, and that it is written whole or not at all."""

from datetime import UTC, datetime, timedelta

import pytest
from workshop import Language, headers

from chassis import outbox
from chassis.transaction import Transaction
from contracts.envelope import MAX_BYTES, Unreadable, decode

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _say(transaction, number=1, subject="s", key="k", **how):
    fact = Language.on("in", "out").echoed(number=number, count=0)
    return transaction.say(fact, subject=subject, key=key, **how)


async def test_facts_are_kept_and_the_outbox_points_to_them(database):
    cause, _ = decode(headers("01902d3e-0000-7000-8000-000000000000"), b"{}")
    async with database.transaction() as connection:
        transaction = Transaction(connection, NOW, "echo")
        first = _say(transaction)
        second = _say(transaction, 2, cause=cause, time=NOW - timedelta(days=1), source="/guichet/operator")
        assert await transaction.flush() == 2
        assert await transaction.flush() == 0
        rows = await connection.fetch("SELECT * FROM chassis.facts ORDER BY event_id")
        pointers = await connection.fetch("SELECT * FROM chassis.outbox")
    assert [str(row["event_id"]) for row in rows] == [first, second]
    assert [row["source"] for row in rows] == ["/guichet/echo", "/guichet/operator"]
    assert [row["correlation_id"] for row in rows] == ["k", "k"]
    assert [row["causation_id"] for row in rows] == [None, cause.id]
    assert [row["time"] for row in rows] == [NOW, NOW - timedelta(days=1)]
    assert [row["sequence"] for row in rows] == [1, 1]
    (pointer,) = pointers
    assert [str(each) for each in pointer["events"]] == [first, second]
    assert pointer["shard"] == outbox.shard_of(b"k")


async def test_sequences_have_no_gap_even_after_a_rollback(database):
    for attempt in range(3):
        try:
            async with database.transaction() as connection:
                transaction = Transaction(connection, NOW, "echo")
                for number in range(3):
                    _say(transaction, number)
                    _say(transaction, number, subject="other")
                await transaction.flush()
                if attempt == 1:
                    raise LookupError
        except LookupError:
            pass
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT subject, sequence FROM chassis.facts ORDER BY event_id")
    for subject in ("s", "other"):
        assert [row["sequence"] for row in rows if row["subject"] == subject] == [1, 2, 3, 4, 5, 6]


async def test_what_is_taken_back_was_never_said(database):
    async with database.transaction() as connection:
        transaction = Transaction(connection, NOW, "echo")
        _say(transaction)
        await transaction.set_timer("s", "kept", NOW)
        mark = transaction.mark()
        _say(transaction, 2)
        await transaction.set_timer("s", "dropped", NOW)
        transaction.rewind(mark)
        assert await transaction.flush() == 1
        assert [row["kind"] for row in await connection.fetch("SELECT kind FROM chassis.timers")] == ["kept"]


async def test_there_is_one_timer_for_a_subject_and_kind(database):
    async with database.transaction() as connection:
        transaction = Transaction(connection, NOW, "echo")
        await transaction.set_timer("s", "a", NOW)
        await transaction.set_timer("s", "a", NOW + timedelta(days=1), key="request")
        await transaction.set_timer("s", "b", NOW)
        await transaction.cancel_timer("s", "b")
        await transaction.cancel_timer("s", "never set")
        await transaction.flush()
        await transaction.set_timer("t", "a", NOW)
        await transaction.set_timer("s", "a", NOW + timedelta(days=2))
        await transaction.flush()
        rows = await connection.fetch("SELECT subject, kind, due_at, key FROM chassis.timers ORDER BY subject")
    assert [tuple(row) for row in rows] == [("s", "a", NOW + timedelta(days=2), "s"), ("t", "a", NOW, "t")]


async def test_too_much_is_refused_where_it_is_said(database):
    class Long(Language.on("in", "out").echoed):
        text: str

    async with database.transaction() as connection:
        transaction = Transaction(connection, NOW, "echo")
        with pytest.raises(Unreadable, match="too-large"):
            transaction.say(Long(number=1, count=1, text="x" * MAX_BYTES), subject="s", key="k")
        with pytest.raises(Unreadable, match="too-large"):
            transaction.relay_record("in", b"k", b"x" * 1_000_000, [("name", b"x")])
        for subject, key in (("a\x00", "k"), ("a", "k\x00"), ("\ud800", "k")):
            with pytest.raises(Unreadable, match="invalid-text"):
                _say(transaction, subject=subject, key=key)
        assert await transaction.flush() == 0


async def test_raw_records_keep_every_byte_and_their_order_among_facts(database):
    odd = [("a", None), ("a", b""), ("nul\x00", b"\x00\xff"), ("", b"x")]
    async with database.transaction() as connection:
        transaction = Transaction(connection, NOW, "echo")
        _say(transaction)
        transaction.relay_record("in", b"k", b"\x00\xff", odd)
        _say(transaction, 2)
        await transaction.flush()
        row = await connection.fetchrow("SELECT * FROM chassis.raw_records")
        (pointer,) = await connection.fetch("SELECT events FROM chassis.outbox")
    assert (row["key"], row["value"]) == (b"k", b"\x00\xff")
    assert pointer["events"][1] == row["event_id"] and len(pointer["events"]) == 3


async def test_pointers_are_cut_before_a_row_grows_too_large(database):
    async with database.transaction() as connection:
        transaction = Transaction(connection, NOW, "echo")
        for number in range(450):
            _say(transaction, number)
        for _ in range(5):
            transaction.relay_record("in", b"k", b"x" * 400_000, [])
        await transaction.flush()
        rows = await connection.fetch("SELECT events, size_bytes FROM chassis.outbox ORDER BY id")
        state = await outbox.waiting(connection)
    assert [len(row["events"]) for row in rows] == [200, 200, 52, 2, 1]
    assert all(row["size_bytes"] <= outbox.ROW_BYTES for row in rows)
    assert state.records == 455 and 0 <= state.age_seconds < 60
