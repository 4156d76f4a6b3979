"""The clock: the machine's, or a sandbox's that events move forwards."""

from datetime import UTC, datetime, timedelta

import pytest

from chassis.clock import SandboxClock, SystemClock
from chassis.database import Database
from contracts.system import ClockSet

WALL = datetime(2026, 3, 1, 12, tzinfo=UTC)


def clock_set(shift: timedelta) -> ClockSet:
    return ClockSet(instant=WALL + shift, wall=WALL)


def shift_of(instant: datetime) -> timedelta:
    """How far ahead of the machine, to the minute."""
    return timedelta(minutes=round((instant - datetime.now(UTC)) / timedelta(minutes=1)))


async def test_a_sandbox_shows_the_machine_s_time_until_it_is_set(database: Database) -> None:
    async with database.connection() as connection:
        assert shift_of(await SandboxClock().read(connection)) == timedelta()


async def test_a_set_clock_runs_on_from_where_it_was_put(database: Database) -> None:
    clock = SandboxClock()
    async with database.transaction() as connection:
        assert await clock.apply(connection, clock_set(timedelta(days=45)))
    async with database.transaction() as connection:
        first = await clock.read(connection)
        assert shift_of(first) == timedelta(days=45)
        assert await clock.read(connection) > first
    assert shift_of(clock.now()) == timedelta(days=45)


async def test_the_first_setting_may_lie_in_the_past_and_none_after_it_goes_back(database: Database) -> None:
    clock = SandboxClock()
    async with database.transaction() as connection:
        assert await clock.apply(connection, clock_set(timedelta(days=-300)))
        assert await clock.apply(connection, clock_set(timedelta(days=-200)))
        assert not await clock.apply(connection, clock_set(timedelta(days=-201)))
        assert not await clock.apply(connection, clock_set(timedelta(days=-200)))
        assert shift_of(await clock.read(connection)) == timedelta(days=-200)


async def test_a_setting_that_was_rolled_back_is_not_remembered(database: Database) -> None:
    clock = SandboxClock()
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await clock.apply(connection, clock_set(timedelta(days=45)))
            raise ZeroDivisionError
    assert shift_of(clock.now()) == timedelta()
    async with database.connection() as connection:
        assert shift_of(await clock.read(connection)) == timedelta()


async def test_another_process_sees_a_setting_in_its_next_transaction(database: Database) -> None:
    ours, theirs = SandboxClock(), SandboxClock()
    async with database.transaction() as connection:
        await ours.apply(connection, clock_set(timedelta(days=2)))
    assert shift_of(theirs.now()) == timedelta()
    async with database.transaction() as connection:
        assert shift_of(await theirs.read(connection)) == timedelta(days=2)


async def test_the_system_clock_is_not_moved(database: Database) -> None:
    clock = SystemClock()
    async with database.transaction() as connection:
        assert not await clock.apply(connection, clock_set(timedelta(days=45)))
        assert shift_of(await clock.read(connection)) == timedelta()
        assert await connection.fetchval("SELECT count(*) FROM chassis.clock") == 0
