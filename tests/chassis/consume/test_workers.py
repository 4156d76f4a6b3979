"""Workers as processes on a real broker and a real database, and everything that is done to them."""

import asyncio
import signal

import pytest

pytestmark = pytest.mark.long


async def test_a_worker_consumes_and_publishes(plant):
    await plant.send(300, poison=6)
    await plant.start()
    await plant.check()
    numbers = {}
    for record in plant.records:
        headers = dict(record.headers)
        assert headers["ce_producer"] == b"echo"
        place = (headers["ce_producerepoch"], record.partition)
        numbers.setdefault(place, []).append(int(headers["ce_producersequence"]))
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values()), "gapless for each partition"


async def test_members_come_and_go_under_load(plant):
    await plant.start()
    async with plant.load(keys=97, poison=1):
        second = await plant.start()
        await plant.progress(1000)
        second.terminate()
        assert await second.wait() == 0
        third = await plant.start()
        await plant.progress(1000)
        third.kill()
        await plant.progress(500)
    await plant.check()


async def test_a_zombie_worker_changes_nothing_when_it_wakes(plant):
    zombie = await plant.start()
    async with plant.load():
        await plant.progress(200)
        zombie.send_signal(signal.SIGSTOP)
        await plant.start()
        await plant.progress(2000)
        zombie.send_signal(signal.SIGCONT)
        await plant.progress(1000)
    await plant.check()
    assert zombie.returncode is None


async def test_a_stopped_relay_loses_its_shards_and_another_takes_over(plant):
    stopped = await plant.start("relay")
    await plant.start("engine")
    async with plant.load():
        await plant.progress(500)
        stopped.send_signal(signal.SIGSTOP)
        await plant.start("relay")
        await plant.progress(500)
        await plant.published_since(500)
        stopped.send_signal(signal.SIGCONT)
        await plant.progress(500)
    await plant.check()


async def test_three_relays_share_and_survive_kills(plant):
    relays = [await plant.start("relay") for _ in range(3)]
    await plant.start("engine")
    async with plant.load():
        for relay in relays[:2]:
            await plant.progress(500)
            relay.kill()
            await plant.start("relay")
    await plant.check()


async def test_a_database_that_goes_away_pauses_and_sets_nothing_aside(plant):
    await plant.start()
    async with plant.load(poison=1):
        for _ in range(5):
            await plant.progress(300)
            await plant.disconnect_everyone()
    await plant.check()


POINTS = [
    *("batch-received", "fenced", "inbox-written", "handled", "facts-written", "outbox-written", "before-commit"),
    *("committed", "told", "relay-read", "relay-sent", "relay-acknowledged", "relay-deleted"),
]


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_at_any_instruction_repeats_work_and_changes_nothing(plant, point):
    await plant.send(600, poison=2)
    first = await plant.start(GUICHET_CRASH_POINT=point)
    assert await first.wait() == 137
    second = await plant.start(GUICHET_CRASH_POINT=f"{point}:2")
    await plant.send(600)
    assert await asyncio.wait_for(plant.crash_or_quiet(second), 90) in (137, None)
    await plant.start()
    await plant.send(100)
    await plant.check()
