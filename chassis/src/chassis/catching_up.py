"""Waiting until what stood on the topics at the start has been read."""

from __future__ import annotations

import asyncio
import time

from aiokafka import TopicPartition

from chassis import positions
from chassis.database import Database
from chassis.ends import Ends
from chassis.supervision import wait_until

LONGEST_SECONDS = 60
LOOK_SECONDS = 0.1


async def catch_up(ends: Ends, database: Database, group: str, stopping: asyncio.Event) -> None:
    """Returns when the group has read up to the present ends of its topics, after a minute, or when `stopping` is set.

    A deadline that passed while a service was down must not fire before the answer that came in time. A broker that is
    down is waited for without limit, a poisoned or paused partition is not.
    """
    goals: dict[TopicPartition, int] = {}
    while not stopping.is_set():
        spans = await ends.ask()
        if all(spans.values()):
            goals = {
                TopicPartition(topic, part): end
                for topic, parts in spans.items()
                for part, (first, end) in (parts or {}).items()
                if end > first
            }
            break
        await wait_until(stopping, 0.5)
    deadline = time.monotonic() + LONGEST_SECONDS
    while goals and not stopping.is_set() and time.monotonic() < deadline:
        async with database.connection() as connection:
            reached = await positions.read(connection, group, goals)
        goals = {place: end for place, end in goals.items() if reached.get(place, 0) < end}
        await wait_until(stopping, LOOK_SECONDS if goals else 0)
