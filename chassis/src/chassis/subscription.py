"""The raw batch subscriber: FastStream polls, the engine does all else, nothing is acknowledged for us."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka import ConsumerRebalanceListener, ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER
from faststream.kafka.message import KafkaMessage as RawKafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber

Records = tuple["ConsumerRecord[Any, Any]", ...]


def subscribe(
    broker: KafkaBroker,
    topics: Sequence[str],
    group: str,
    handle: Callable[[Records], Awaitable[None]],
    listener: ConsumerRebalanceListener,
    *,
    batch: int,
    session_seconds: float,
) -> BatchSubscriber:
    """Register the subscriber on a broker that is not started yet.

    FastStream's own parsers lose a whole batch for one bad record, and its acknowledgements pass over failures: so the
    records come through unread, and `handle` must not raise. `earliest` because `latest` loses what is written to new
    partitions. `rebalance_timeout_ms` stays below the broker's `request_timeout_ms`, or the group never forms.
    """
    subscriber = broker.subscriber(
        *topics,
        group_id=group,
        batch=True,
        max_records=batch,
        batch_timeout_ms=50,
        ack_policy=AckPolicy.MANUAL,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        parser=_parse,
        decoder=_decode,
        listener=listener,
        session_timeout_ms=int(session_seconds * 1000),
        heartbeat_interval_ms=int(session_seconds * 200),
        rebalance_timeout_ms=30_000,
        max_poll_interval_ms=300_000,
        fetch_max_wait_ms=250,
        max_partition_fetch_bytes=4 << 20,
    )

    async def consume(message: KafkaMessage) -> None:
        raw = message.raw_message
        await handle(raw if isinstance(raw, tuple) else (raw,))

    subscriber(consume)
    return subscriber


async def _parse(records: Records) -> RawKafkaMessage:
    """Read nothing, so that nothing can fail."""
    first = records[0]
    name = f"{first.topic}/{first.partition}/{first.offset}"
    return RawKafkaMessage(raw_message=records, body=b"", consumer=FAKE_CONSUMER, message_id=name)


async def _decode(_: RawKafkaMessage) -> None:
    return None
