"""Partitions that come and go: where reading begins, and what Kafka no longer has."""

import asyncio
from dataclasses import replace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from workshop import Shop, until


async def test_records_fetched_before_the_assignment_was_ready_are_dropped(shop):
    place = TopicPartition(shop.bus.topic, 0)
    for _ in range(4):
        shop.note("a")
    await shop.work()
    shop.note("a")
    shop.note("a")
    ahead = shop.bus.logs[place][5:]
    shop.bus.positions[place] = 6
    await shop.engine.on_partitions_revoked({place})
    await shop.engine.handle(ahead)
    await shop.engine.on_partitions_assigned({place})
    assert shop.bus.positions[place] == 4, "consuming begins at the database's offset"
    await shop.engine.handle(ahead)
    await shop.work()
    await shop.check()


async def test_an_offset_ahead_in_kafka_skips_nothing(database, language):
    shop = Shop(database, language)
    for _ in range(5):
        shop.note("a")
    shop.bus.positions[TopicPartition(shop.bus.topic, 0)] = 3
    await shop.open()
    await shop.work()
    await shop.check()


def answers_with(bus, trouble):
    """The broker answers with each of these errors once before it says where its logs begin."""
    honest = bus.beginning_offsets

    async def beginning_offsets(partitions):
        if trouble:
            raise trouble.pop()
        return await honest(partitions)

    bus.beginning_offsets = beginning_offsets


async def test_an_assignment_during_an_outage_is_made_ready_by_the_loop(database, language):
    shop = Shop(database, language)
    shop.note("a")
    answers_with(shop.bus, [KafkaConnectionError(), TimeoutError()])
    await shop.open()
    assert shop.bus.paused == set(shop.bus.logs) and not shop.engine.partitions
    stopping = asyncio.Event()
    loop = asyncio.create_task(shop.engine.run(stopping))

    async def ready():
        return bool(shop.engine.partitions)

    await until(ready)
    stopping.set()
    await loop
    await shop.work()
    await shop.check()


async def test_a_bug_in_making_ready_ends_the_loop_where_the_supervisor_sees_it(database, language, monkeypatch):
    monkeypatch.setattr("chassis.partitions.ASK_SECONDS", 0.1)
    shop = Shop(database, language)
    answers_with(shop.bus, [ZeroDivisionError(), ZeroDivisionError()])
    with pytest.raises(ZeroDivisionError):
        await shop.open()
    with pytest.raises(ZeroDivisionError):
        await shop.engine.run(asyncio.Event())
    loop = asyncio.create_task(shop.engine.run(stopping := asyncio.Event()))

    async def ready():
        return bool(shop.engine.partitions)

    await until(ready)
    stopping.set()
    await loop


async def test_records_lost_to_retention_raise_an_alarm(shop, capsys):
    place = TopicPartition(shop.bus.topic, 0)
    shop.note("a")
    await shop.work()
    for _ in range(4):
        shop.note("a")
    shop.bus.first[place] = 3
    await shop.engine.on_partitions_assigned({place})
    assert "records_lost" in capsys.readouterr().out
    assert shop.bus.positions[place] == 3
    assert _count(shop.engine, "guichet_records_lost_total") == 2


async def test_records_lost_while_a_partition_was_paused_raise_an_alarm(shop, capsys):
    place = TopicPartition(shop.bus.topic, 0)
    shop.note("a")
    await shop.work()
    for _ in range(4):
        shop.note("a")
    shop.bus.positions[place] = shop.bus.first[place] = 3
    await shop.work()
    await shop.engine._partitions.look_for_losses()
    assert "records_lost" in capsys.readouterr().out
    assert _count(shop.engine, "guichet_records_lost_total") == 2


async def test_holes_in_the_offsets_are_no_loss(shop, capsys):
    place = TopicPartition(shop.bus.topic, 0)
    shop.note("a")
    await shop.work()
    shop.note("b")
    shop.bus.logs[place][1] = replace(shop.bus.logs[place][1], offset=5)
    await shop.work()
    await shop.engine._partitions.look_for_losses()
    assert "records_lost" not in capsys.readouterr().out


async def test_a_log_that_lost_its_tail_raises_an_alarm_and_what_is_written_next_is_read(shop, capsys):
    place = TopicPartition(shop.bus.topic, 0)
    for _ in range(5):
        shop.note("a")
    await shop.work()
    del shop.bus.logs[place][3:]
    await shop.engine.on_partitions_assigned({place})
    assert "log_shortened" in capsys.readouterr().out
    shop.note("a")
    shop.note("a", "unreadable")
    await shop.work()
    await shop.check()


def _count(engine, name):
    samples = [s for metric in engine._metrics.registry.collect() for s in metric.samples if s.name == name]
    return sum(sample.value for sample in samples)
