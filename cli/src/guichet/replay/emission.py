"""Saying recorded events again on a topic that no service reads: the same keys, values, headers and timestamps."""

from __future__ import annotations

import asyncio
import heapq
import re
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from contracts.topics import REPLAY_PREFIX
from guichet.stack.errors import StackError

if TYPE_CHECKING:
    from guichet_verify.leaves import Record

JOB = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
BATCH = 500
"""Records in a transaction."""

_ANY = str(2**63 - 1)
AS_RECORDED = {
    "message.timestamp.type": "CreateTime",
    "message.timestamp.before.max.ms": _ANY,
    "message.timestamp.after.max.ms": _ANY,
    "retention.ms": "-1",
}
"""What a topic must be told to keep a record as it was, whenever that was."""


def topic_of(job: str) -> str:
    """The topic of a job; raises StackError for a name that no topic should have."""
    if not JOB.fullmatch(job):
        raise StackError("the name of a job is lower-case letters, digits and hyphens, 64 at most", "--emit may-2026")
    return REPLAY_PREFIX + job


def merged(logs: Sequence[Sequence[Record]]) -> list[Record]:
    """Every record, each log in its own order, the earliest of the next ones first: the same on every machine."""
    return list(heapq.merge(*logs, key=lambda record: (record.timestamp_ms, record.topic, record.partition)))


def headers_of(record: Record, job: str) -> list[tuple[str, bytes | None]]:
    """The recorded headers, in order and repetition, then which job this is and which record it repeats."""
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return [*record.headers, ("replay-job", job.encode()), ("replay-of", place.encode())]


async def emit(kafka: str, job: str, records: AsyncIterator[Record]) -> int:
    """Write records to the topic of a job, in transactions; returns how many.

    The partition is the recorded one, so that the order of each key holds. A job is written once: a second run of the
    same name is refused, and one under a name of its own, or after the topic was deleted, writes the same bytes.
    """
    topic = topic_of(job)
    logs: dict[tuple[str, int], list[Record]] = {}
    async for record in records:
        logs.setdefault((record.topic, record.partition), []).append(record)
    ordered = merged([logs[place] for place in sorted(logs)])
    await _create(kafka, topic, 1 + max((partition for _, partition in logs), default=0))
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.split(","), transactional_id=f"guichet-replay-{job}", acks="all", linger_ms=5
    )
    try:
        await producer.start()
        for start in range(0, len(ordered), BATCH):
            async with producer.transaction():
                sent = [
                    await producer.send(
                        topic,
                        record.value,
                        key=record.key,
                        partition=record.partition,
                        timestamp_ms=record.timestamp_ms,
                        headers=headers_of(record, job),
                    )
                    for record in ordered[start : start + BATCH]
                ]
                await asyncio.gather(*sent)
    except (KafkaError, OSError) as error:
        raise StackError(f"not emitted: {type(error).__name__}", "guichet status; guichet up") from None
    finally:
        await producer.stop()
    return len(ordered)


async def _create(kafka: str, topic: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.split(","))
    await admin.start()
    try:
        replication = min(3, len((await admin.describe_cluster())["brokers"]))
        answer = await admin.create_topics([NewTopic(topic, partitions, replication, topic_configs=AS_RECORDED)])
        for _, code, *_ in answer.topic_errors:
            if code:
                raise for_code(code)
    except TopicAlreadyExistsError:
        raise StackError("a job of this name was emitted before", "choose another name for --emit") from None
    except (KafkaError, OSError) as error:
        raise StackError(f"the topic was not made: {type(error).__name__}", "guichet status; guichet up") from None
    finally:
        await admin.close()
