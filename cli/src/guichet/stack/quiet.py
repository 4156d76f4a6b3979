"""Knowing when a stack has done everything it was asked: nothing read late, nothing unsent, no timer due."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import ACCESS, CHECKPOINTS, TOPICS
from guichet.stack.errors import StackError
from guichet.stack.state import StackState

Status = Mapping[str, Any]
"""What a service's /status answers."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
"""Seconds between two looks."""

IN_FLIGHT = ("lag_total", "outbox", "timers_due", "pending")


def client(seconds: float = 5.0) -> httpx.AsyncClient:
    """Speaks HTTP with the services on this machine: no proxy, no certificates to load."""
    return httpx.AsyncClient(timeout=seconds, trust_env=False, verify=False)


async def statuses(state: StackState, asking: httpx.AsyncClient) -> dict[str, Status | None]:
    """The /status of every process by its URL; None for one that does not answer."""

    async def ask(url: str) -> Status | None:
        try:
            response = await asking.get(f"{url}/status")
            found = response.json()
        except (httpx.HTTPError, ValueError):
            return None
        return found if isinstance(found, dict) and "service" in found else None

    urls = state.service_urls()
    return dict(zip(urls, await asyncio.gather(*(ask(url) for url in urls)), strict=True))


def unfinished(found: Mapping[str, Status | None]) -> list[str]:
    """What is still to be done, in words; empty when every service has nothing left."""
    left = []
    for url, status in found.items():
        if status is None:
            left.append(f"{url} does not answer")
            continue
        if not all(name in status for name in IN_FLIGHT):
            left.append(f"{status['service']}: cannot tell")
            continue
        left += [f"{status['service']}: {name} {status[name]}" for name in IN_FLIGHT if status.get(name)]
    return left


async def _ends(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    await consumer._client.force_metadata_update()
    partitions = [
        TopicPartition(topic, number)
        for topic in TOPICS
        if topic not in (ACCESS, CHECKPOINTS)  # They grow by the clock and by who looks, whatever happens.
        for number in consumer.partitions_for_topic(topic) or ()
    ]
    ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    return ends


async def wait_quiet(state: StackState, timeout: float = 120.0, *, after: datetime | None = None) -> None:
    """Returns when two looks in a row found nothing left to do and no topic grew between them.

    Both are needed: a message between two services is for a moment in neither's count, but then a log has grown.
    With `after`, every service's clock must have reached that instant. Raises StackError after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    consumer = AIOKafkaConsumer(bootstrap_servers=state.kafka.split(","))
    await consumer.start()
    try:
        async with client() as asking:
            before, rounds, pause = await _ends(consumer), 0, SHORTEST_PAUSE
            while True:
                found = await statuses(state.current(), asking)
                left = unfinished(found) + _behind(found, after)
                rounds = 0 if left else rounds + 1
                # Who is busy is asked less and less often: each answer takes from the work that is waited for.
                pause = min(pause * 1.5, LONGEST_PAUSE) if left else SHORTEST_PAUSE
                if rounds >= 2:
                    now = await _ends(consumer)
                    if now == before:
                        return
                    before, rounds = now, 0
                elif rounds == 0:
                    before = await _ends(consumer)
                if time.monotonic() > deadline:
                    raise StackError(
                        f"not quiet within {timeout:.0f} s: {', '.join(left) or 'topics still grow'}", "guichet status"
                    )
                await asyncio.sleep(pause)
    finally:
        await consumer.stop()


def _behind(found: Mapping[str, Status | None], after: datetime | None) -> list[str]:
    if after is None:
        return []
    return [
        f"{status['service']}: clock not set yet"
        for status in found.values()
        if status is not None and "now" in status and datetime.fromisoformat(status["now"]) < after
    ]
