"""The relay's producer: idempotent, given up on any error, never waited for without a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from chassis.errors import SURROUNDINGS

START_SECONDS = 15
STOP_SECONDS = 5


async def start_producer(servers: Sequence[str]) -> AIOKafkaProducer:
    """A started producer, within fifteen seconds or an error, with nothing left behind in that case."""
    producer = AIOKafkaProducer(
        bootstrap_servers=list(servers),
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
        max_batch_size=262_144,
        compression_type="lz4",
        request_timeout_ms=30_000,
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            await producer.start()
    except BaseException:
        await abandon(producer)
        raise
    return producer


async def abandon(producer: AIOKafkaProducer) -> None:
    """Give a producer up so that nothing it still holds is ever published.

    `stop()` waits for ever in an outage, and a sender that is merely forgotten reconnects and publishes later. So
    these are taken apart by their private names, which a canary test watches.
    """
    producer._closed = True
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
    closing = asyncio.create_task(producer.client.close())
    waited = {task for task in (sender, closing) if task is not None}
    await asyncio.wait(waited, timeout=STOP_SECONDS)
    for task in waited:
        if not task.done():
            task.cancel()
        elif not task.cancelled():
            task.exception()


async def stop_producer(producer: AIOKafkaProducer) -> None:
    """Stop a producer that holds nothing more; give it up when that takes too long."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await producer.stop()
    except SURROUNDINGS:
        await abandon(producer)
    except BaseException:
        # A bug, or our own end: raised again, but a producer that lives on could still send.
        await abandon(producer)
        raise


@lru_cache(maxsize=65_536)
def key_hash(key: bytes) -> int:
    """The hash by which every Kafka client puts a key on a partition: take it modulo the number of partitions."""
    return int(murmur2(key)) & 0x7FFF_FFFF
