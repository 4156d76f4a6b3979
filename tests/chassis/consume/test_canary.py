"""The private attributes of aiokafka that we read, each by name: a new version that moves one fails here."""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from chassis.producer import abandon, start_producer, stop_producer
from chassis.watchdog import dead_task


async def test_the_producer_is_taken_apart_by_names_that_exist(kafka):
    producer = await start_producer([kafka])
    assert isinstance(producer, AIOKafkaProducer)
    assert producer._closed is False
    assert not producer._sender.sender_task.done()
    assert hasattr(producer.client, "close")
    await abandon(producer)
    assert producer._closed is True and producer._sender.sender_task.done()


async def test_the_consumer_is_watched_by_names_that_exist(kafka, topics):
    await topics({"canary.watched": 1})
    consumer = AIOKafkaConsumer("canary.watched", bootstrap_servers=kafka, group_id="canary")
    assert dead_task(consumer) is None
    await consumer.start()
    try:
        await consumer.getmany(timeout_ms=2000)
        assert dead_task(consumer) is None
        assert hasattr(consumer._coordinator, "_heartbeat_task")
        assert not consumer._coordinator._coordination_task.done()
    finally:
        await consumer.stop()
    assert dead_task(consumer) is not None


async def test_a_producer_that_holds_nothing_stops_by_itself(kafka):
    producer = await start_producer([kafka])
    await stop_producer(producer)
    assert producer._closed is True
