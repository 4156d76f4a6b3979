"""Where the logs end: the one question about them that must be answered even while the consumer is in trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

Span = tuple[int, int]
"""First offset still there, and the one after the last."""

ASK_SECONDS = 3


class Ends:
    """Asks the broker over a connection of its own, outside any group; makes a new one after any trouble."""

    def __init__(self, kafka: Sequence[str], topics: Sequence[str], seconds: float = ASK_SECONDS) -> None:
        self._kafka = list(kafka)
        self._topics = topics
        self._seconds = seconds
        self._consumer: AIOKafkaConsumer | None = None
        self._partitions: dict[str, list[int]] = {}
        self._asking = asyncio.Lock()

    async def ask(self) -> dict[str, dict[int, Span] | None]:
        """The span of every partition by topic; None for a topic that the broker does not know or did not speak of
        within three seconds, or as many as were given."""
        if not self._topics:
            return {}
        try:
            async with asyncio.timeout(self._seconds), self._asking:
                return await self._ask()
        except (KafkaError, OSError, TimeoutError):
            await self.close()
            return dict.fromkeys(self._topics)

    async def close(self) -> None:
        """Gives the connection up; the next question makes a new one."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            try:
                async with asyncio.timeout(2):
                    await consumer.stop()
            except (KafkaError, OSError, TimeoutError):
                return

    async def _ask(self) -> dict[str, dict[int, Span] | None]:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(bootstrap_servers=self._kafka, request_timeout_ms=int(self._seconds * 1000))
            try:
                await consumer.start()
            except BaseException:
                await asyncio.shield(consumer.stop())
                raise
            self._consumer = consumer
        if any(topic not in self._partitions for topic in self._topics):
            # The number of partitions of a topic never changes here, so one look is enough.
            cluster = await self._consumer._client.fetch_all_metadata()
            for topic in self._topics:
                if numbers := cluster.partitions_for_topic(topic):
                    self._partitions[topic] = sorted(numbers)
        known = [TopicPartition(topic, part) for topic in self._topics for part in self._partitions.get(topic, ())]
        first, end = await asyncio.gather(self._consumer.beginning_offsets(known), self._consumer.end_offsets(known))
        spans: dict[str, dict[int, Span] | None] = {
            topic: {} if topic in self._partitions else None for topic in self._topics
        }
        for tp in known:
            if (found := spans[tp.topic]) is not None:
                found[tp.partition] = (first[tp], end[tp])
        return spans
