"""The bare loop a hop is held against: consume, COPY, produce, commit, and nothing that makes it safe."""

import asyncio
import os
import signal

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

TABLE = "CREATE TABLE IF NOT EXISTS bare (topic text, part int, place bigint, key bytea, value bytea)"


async def main() -> None:
    """Copies GUICHET_BENCH_FROM to GUICHET_BENCH_TO until SIGTERM."""
    servers = os.environ["GUICHET_KAFKA"]
    target = os.environ["GUICHET_BENCH_TO"]
    connection = await asyncpg.connect(os.environ["GUICHET_DATABASE_URL"])
    await connection.execute(TABLE)
    consumer = AIOKafkaConsumer(
        os.environ["GUICHET_BENCH_FROM"],
        bootstrap_servers=servers,
        group_id="bench-bare",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 << 20,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=servers, acks="all", enable_idempotence=True, linger_ms=5, max_batch_size=262144
    )
    await consumer.start()
    await producer.start()
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    while not stopping.is_set():
        found = await consumer.getmany(timeout_ms=100, max_records=500)
        records = [record for batch in found.values() for record in batch]
        if not records:
            continue
        rows = [(each.topic, each.partition, each.offset, each.key, each.value) for each in records]
        await connection.copy_records_to_table("bare", records=rows)
        sent = [await producer.send(target, each.value, key=each.key, headers=list(each.headers)) for each in records]
        await asyncio.gather(*sent)
        await consumer.commit()
    await producer.stop()
    await consumer.stop()
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
