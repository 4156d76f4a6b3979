"""Any order of deliveries, repeats, crashes, zombies, outages, redrives and discards ends in the one sentence."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest
from aiokafka import TopicPartition
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from workshop import STATES, Language, Shop, build_engine, headers

from chassis import dead_letters
from chassis.breaker import Limits
from chassis.database import Database
from chassis.ids import new_event_id

KEYS = ("a", "b", "c")
TABLES = (
    *("offsets", "inbox", "facts", "raw_records", "outbox", "sequences"),
    *("blocked_keys", "dead_letters", "parked", "timers"),
)
NO_LIMITS = Limits(letters_per_minute=10**9, share=1)


class Machine(RuleBasedStateMachine):
    """One partition, three keys; the model is the list of what was written and what was given up."""

    url: str
    runner: asyncio.Runner

    def run(self, work):
        return self.runner.run(work)

    @initialize()
    def open(self):
        self.database = Database(self.url, service="echo")
        self.run(self.database.open())
        self.run(self._clear())
        self.shop = Shop(self.database, Language.on("in", "out"), limits=NO_LIMITS)
        self.place = TopicPartition("in", 0)
        self.zombies = []
        self.given_up = set()
        self.run(self.shop.open())

    async def _clear(self):
        async with self.database.connection() as connection:
            await connection.execute("DELETE FROM public.notes; DELETE FROM public.counts")
            await connection.execute("; ".join(f"DELETE FROM chassis.{table}" for table in TABLES))

    @rule(key=st.sampled_from(KEYS), wish=st.sampled_from(["echo"] * 4 + ["bug", "unreadable", "nul", "twice", "away"]))
    def write(self, key, wish):
        self.shop.note(key, wish, good=True)

    @rule(key=st.sampled_from(KEYS))
    def write_rubbish(self, key):
        event_id = new_event_id()
        self.given_up.add(event_id)
        self.shop.bus.write(key.encode(), b"{", headers(event_id))

    @rule(back=st.integers(1, 6))
    def repeat(self, back):
        log = self.shop.bus.logs[self.place]
        if len(log) >= back:
            again = log[-back]
            discarded = self._id_of(again) in self.given_up
            if not discarded and not any(name == dead_letters.REDRIVE for name, _ in again.headers):
                self.shop.bus.write(again.key, again.value, again.headers)

    @rule(most=st.integers(1, 7))
    def work(self, most):
        if records := self.shop.bus.poll(most):
            self.run(self.shop.engine.handle(records))

    @rule()
    def release(self):
        self.run(self.shop.engine._release(2))

    @rule(most=st.integers(1, 5))
    def lose_a_batch_to_a_zombie(self, most):
        """A process holds a batch while its partition goes to another, which begins where the database says."""
        """A process stops with a batch in hand, and another begins where the database says."""
        if records := self.shop.bus.poll(most):
            self.zombies.append((self.shop.engine, records))
            self.crash(told=self.shop.bus.positions[self.place])
            self.crash(told=records[-1].offset + 1)

    @rule()
    def wake_a_zombie(self):
        if self.zombies:
            engine, records = self.zombies.pop(0)
            self.run(engine.handle(records))

    @rule(told=st.integers(0, 30))
    def crash_anywhere(self, told):
        self.crash(told)

    def crash(self, told):
        """Begin again in a new process, while Kafka believes whatever it was told last."""
        shop = self.shop
        shop.engine = build_engine(self.database, shop.language, shop.handler, bus=shop.bus, limits=NO_LIMITS)
        shop.bus.paused.clear()
        shop.bus.positions[self.place] = min(told, len(shop.bus.logs[self.place]))
        self.run(shop.open())

    @rule(cure=st.booleans(), pick=st.integers(0, 5))
    def redrive(self, cure, pick):
        letters = self.run(self.shop.letters("open"))
        if letters:
            letter = letters[pick % len(letters)]
            if cure:
                self.shop.handler.cured_ids.add(letter.event_id)
            self.run(self.shop.redrive(letter))

    @rule(pick=st.integers(0, 5))
    def discard(self, pick):
        """Give up an event that was delivered once: a discarded record says nothing of another copy."""
        copies = Counter(self._id_of(record) for record in self.shop.bus.logs[self.place])
        letters = [each for each in self.run(self.shop.letters("open")) if copies[each.event_id] == 1]
        if letters:
            self.run(self._discard(letters[pick % len(letters)]))

    @staticmethod
    def _id_of(record):
        return dict(record.headers)["ce_id"].decode()

    async def _discard(self, letter):
        self.given_up.add(letter.event_id)
        async with self.database.connection() as connection:
            await dead_letters.discard(connection, letter.letter_id, now=datetime.now(UTC), by="o", code="no-use")

    def teardown(self):
        if hasattr(self, "shop"):
            try:
                self.run(self._settle())
            finally:
                self.run(self.database.close())

    async def _settle(self):
        """Cure what can be cured, give up the rest, and check the sentence."""
        shop = self.shop
        for engine, records in self.zombies:
            await engine.handle(records)
        shop.handler.cured = True
        while True:
            await self._finish_work()
            letters = await shop.letters("open")
            if not letters:
                break
            for letter in letters:
                if letter.event_id in self.given_up:
                    await self._discard(letter)
                else:
                    await shop.redrive(letter)
        shop.inputs = [each for each in shop.inputs if each[1] not in self.given_up]
        shop.poison = []
        await shop.check()
        for table in ("parked", "blocked_keys"):
            assert not await shop.fetch(f"SELECT FROM chassis.{table}")

    async def _finish_work(self):
        shop = self.shop
        async with asyncio.timeout(60):
            while shop.bus.positions[self.place] < len(shop.bus.logs[self.place]) or shop.bus.paused:
                if records := shop.bus.poll():
                    await shop.engine.handle(records)
                await asyncio.sleep(0)
        while await shop.engine._release(200):
            pass


@pytest.fixture
async def url(postgres):
    """A database for the machine, which has an event loop of its own."""
    url = await postgres.create_database()
    database = Database(url, service="echo")
    await database.open()
    await database.migrate(None)
    async with database.connection() as connection:
        await connection.execute(STATES)
        name = url.rpartition("/")[2]
        await connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    await database.close()
    return url


def test_whatever_happens_effects_equal_inputs(url):
    with asyncio.Runner() as runner:
        Machine.url, Machine.runner = url, runner
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=30,
                stateful_step_count=25,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate, Phase.shrink],
            ),
        )
