"""Timers: each fires once, whoever fires it; a failing one is tried again and holds up no other."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from chassis.clock import Clock, SandboxClock, SystemClock
from chassis.database import Database
from chassis.metrics import Metrics
from chassis.service import Timer
from chassis.timers import Timers
from chassis.transaction import Transaction
from contracts.system import ClockSet

OnTimer = Callable[[Transaction, Timer], Awaitable[None]]
Eventually = Callable[..., Awaitable[object]]


class Running:
    """A loop of timers as a process would run it, with a pool of its own."""

    def __init__(self, database: Database, on_timer: OnTimer, clock: Clock | None = None) -> None:
        self.database = database
        self.clock = clock or SystemClock()
        self.metrics = Metrics()
        self.stopping = asyncio.Event()
        self.timers = Timers(database, self.clock, self.transaction, on_timer, self.metrics)

    @asynccontextmanager
    async def transaction(self, name: str) -> AsyncIterator[Transaction]:
        async with self.database.transaction() as connection:
            transaction = Transaction(connection, await self.clock.read(connection), "tiny")
            yield transaction
            await transaction.flush()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.timers.run(self.stopping))
        try:
            yield
        finally:
            self.stopping.set()
            self.timers.wake()
            await task


async def plant(database: Database, *timers: tuple[str, timedelta]) -> None:
    now = datetime.now(UTC)
    async with database.transaction() as connection:
        await connection.executemany(
            "INSERT INTO chassis.timers (subject, kind, due_at, key) VALUES ($1, 'deadline', $2, $1)",
            [(subject, now + delay) for subject, delay in timers],
        )


async def standing(database: Database) -> set[str]:
    async with database.connection() as connection:
        return {row["subject"] for row in await connection.fetch("SELECT subject FROM chassis.timers")}


@pytest.fixture
async def fired(database: Database) -> Callable[[], Awaitable[Counter[str]]]:
    """What `on_timer` wrote, by subject."""
    async with database.transaction() as connection:
        await connection.execute("CREATE TABLE chassis.fired (subject text NOT NULL)")

    async def count() -> Counter[str]:
        async with database.connection() as connection:
            return Counter(row["subject"] for row in await connection.fetch("SELECT subject FROM chassis.fired"))

    return count


async def note(transaction: Transaction, timer: Timer) -> None:
    await transaction.connection.execute("INSERT INTO chassis.fired VALUES ($1)", timer.subject)


Fired = Callable[[], Awaitable[Counter[str]]]


async def test_what_is_due_fires_and_what_is_not_stays(
    database: Database, fired: Fired, eventually: Eventually
) -> None:
    await plant(database, ("past", timedelta(days=-1)), ("soon", timedelta(seconds=0.3)), ("later", timedelta(days=1)))
    async with Running(database, note).running():

        async def both() -> bool:
            return (await fired()).keys() == {"past", "soon"}

        await eventually(both)
    assert await standing(database) == {"later"}


async def test_two_processes_fire_each_timer_once(database: Database, fired: Fired, eventually: Eventually) -> None:
    other = Database(database._url, service="tiny")
    await other.open()
    names = [f"subject-{number}" for number in range(300)]
    await plant(database, *((name, timedelta(seconds=-1)) for name in names))
    one, two = Running(database, note), Running(other, note)
    async with one.running(), two.running():

        async def none_left() -> bool:
            return not await standing(database)

        await eventually(none_left)
    await other.close()
    assert await fired() == Counter(names)


async def test_a_timer_that_raises_is_kept_and_holds_up_no_other(
    database: Database, fired: Fired, eventually: Eventually
) -> None:
    await plant(database, ("broken", timedelta(days=-9)), *((f"good-{n}", timedelta(days=-1)) for n in range(20)))
    healed = False

    async def on_timer(transaction: Transaction, timer: Timer) -> None:
        await note(transaction, timer)
        if timer.subject == "broken" and not healed:
            raise ZeroDivisionError

    process = Running(database, on_timer)
    async with process.running():

        async def others_done() -> bool:
            return await standing(database) == {"broken"}

        await eventually(others_done)
        assert process.timers.failing == 1
        assert b"guichet_timers_failing 1.0" in process.metrics.text()
        assert "broken" not in await fired()
        healed = True

        async def all_done() -> bool:
            return not await standing(database)

        await eventually(all_done)
        assert (await fired())["broken"] == 1
        assert process.timers.failing == 0


async def test_more_failing_timers_than_a_round_holds_do_not_starve_the_others(
    database: Database, fired: Fired, eventually: Eventually
) -> None:
    broken = [f"broken-{number}" for number in range(250)]
    await plant(database, *((name, timedelta(days=-9)) for name in broken), ("good", timedelta(days=-1)))

    async def on_timer(transaction: Transaction, timer: Timer) -> None:
        if timer.subject.startswith("broken"):
            raise ZeroDivisionError
        await note(transaction, timer)

    async with Running(database, on_timer).running():
        await eventually(fired)
    assert await standing(database) == set(broken)


async def test_a_jump_of_the_clock_fires_what_has_become_due(
    database: Database, fired: Fired, eventually: Eventually
) -> None:
    await plant(database, ("in-a-month", timedelta(days=30)), ("in-a-year", timedelta(days=365)))
    clock = SandboxClock()
    async with Running(database, note, clock).running():
        wall = datetime.now(UTC)
        async with database.transaction() as connection:
            await SandboxClock().apply(connection, ClockSet(instant=wall + timedelta(days=45), wall=wall))
        await eventually(fired)
    assert await standing(database) == {"in-a-year"}


async def test_a_timer_set_while_firing_stays(database: Database, fired: Fired, eventually: Eventually) -> None:
    await plant(database, ("again", timedelta(seconds=-1)))

    async def on_timer(transaction: Transaction, timer: Timer) -> None:
        await note(transaction, timer)
        await transaction.set_timer(timer.subject, timer.kind, transaction.now + timedelta(days=1))

    async with Running(database, on_timer).running():
        await eventually(fired)
    assert await standing(database) == {"again"}
    assert await fired() == Counter({"again": 1})


async def test_a_handler_and_a_timer_of_one_subject_never_deadlock(
    database: Database, fired: Fired, eventually: Eventually
) -> None:
    """The handler locks the subject, then sets the timer; firing takes the same two the same way round."""
    async with database.transaction() as connection:
        await connection.execute("CREATE TABLE chassis.subjects (subject text PRIMARY KEY)")
        await connection.execute("INSERT INTO chassis.subjects VALUES ('one')")
    await plant(database, ("one", timedelta(seconds=-1)))
    firing, locked = asyncio.Event(), asyncio.Event()
    lock = "SELECT FROM chassis.subjects WHERE subject = 'one' FOR UPDATE"

    async def on_timer(transaction: Transaction, timer: Timer) -> None:
        firing.set()
        await locked.wait()
        await transaction.connection.execute(lock)
        await note(transaction, timer)

    process = Running(database, on_timer)
    async with process.running():
        async with database.transaction() as connection:
            await connection.execute(lock)
            locked.set()
            await firing.wait()
            await connection.execute(
                "UPDATE chassis.timers SET due_at = now() + interval '1 day' WHERE subject = 'one'"
            )
        await eventually(fired)
    assert await standing(database) == {"one"}
    assert process.timers.failing == 0


async def test_a_lost_connection_is_not_the_timer_s_fault(
    database: Database, fired: Fired, eventually: Eventually
) -> None:
    await plant(database, ("unlucky", timedelta(seconds=-1)))
    tries = 0

    async def on_timer(transaction: Transaction, timer: Timer) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ConnectionResetError
        await note(transaction, timer)

    process = Running(database, on_timer)
    with pytest.raises(ConnectionResetError):
        await process.timers.run(process.stopping)
    async with process.running():
        await eventually(fired)
    assert tries == 2
