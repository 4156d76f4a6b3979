"""Hop ratio: one safe hop against the bare loop, on the same broker and the same database, in turns."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.topology import ensure_topics
from contracts import topics
from contracts.identity import request_id
from contracts.portals import RequestWithdrawn
from guichet.publishing import Event, publish, stated
from guichet.stack import processes
from guichet.stack.errors import StackError
from guichet.stack.kafka import Kafka, create_topics, new_uuid
from guichet.stack.ports import free_ports
from guichet.stack.postgres import Postgres
from guichet.stack.processes import Process
from guichet.stack.state import PostgresState, StackState

KEYS = 997
PARTITIONS = 6
BARE_TARGET = "bench.bare"


@dataclass(frozen=True, slots=True)
class Base:
    """A broker and a database that nothing else uses."""

    home: Path
    kafka: Kafka
    postgres: Postgres

    def state(self) -> StackState:
        """As much of a stack as publishing needs."""
        return StackState(
            cluster_id=self.kafka.cluster_id,
            kafka=self.kafka.bootstrap,
            postgres=PostgresState(password=self.postgres.password),
        )


@asynccontextmanager
async def base(home: Path) -> AsyncIterator[Base]:
    """PostgreSQL and Kafka in a folder of their own, with the topics of the wire; ended on leaving."""
    found = Base(home, Kafka(home, cluster_id=new_uuid()), Postgres(home))
    try:
        await found.postgres.start()
        await found.kafka.start()
        await ensure_topics(found.kafka.bootstrap, partitions=PARTITIONS, replication=1)
        await create_topics(found.kafka.bootstrap, {BARE_TARGET: PARTITIONS})
        yield found
    finally:
        await found.kafka.stop()
        await found.postgres.stop()


def events(count: int) -> list[Event]:
    """As many events of portals, over a thousand requests."""
    keys = [request_id("bench", str(number)) for number in range(KEYS)]
    now = datetime.now(UTC)
    fact = RequestWithdrawn()
    return [stated(fact, source="/portals/bench", subject=keys[n % KEYS], time=now) for n in range(count)]


class Meter:
    """Reads how far a topic has grown."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
        self._partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]

    async def __aenter__(self) -> "Meter":
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def records(self) -> int:
        """Records in all partitions."""
        return sum((await self._consumer.end_offsets(self._partitions)).values())

    async def rate(self, process: Process, count: int, seconds: float) -> float:
        """Records a second between a tenth and nine tenths of `count` more records; waits for all of them."""
        first = await self.records()
        deadline = time.monotonic() + seconds
        marks: list[tuple[float, int]] = []
        while True:
            done = await self.records() - first
            marks.append((time.monotonic(), done))
            if done >= count:
                break
            if time.monotonic() > deadline or not process.alive():
                raise StackError(f"only {done} of {count} records came through", "look at the logs of the bench")
            await asyncio.sleep(0.01)
        return middle_rate(marks, count)


def middle_rate(marks: Sequence[tuple[float, int]], count: int) -> float:
    """Records a second between a tenth and nine tenths of `count`, given how many were done at which times."""
    middle = [mark for mark in marks if count * 0.1 <= mark[1] <= count * 0.9]
    (start, low), (end, high) = (middle[0], middle[-1]) if len(middle) > 1 else (marks[0], marks[-1])
    return (high - low) / max(end - start, 1e-6)


def steady_rate(marks: Sequence[tuple[float, int]], count: int) -> float:
    """Records a second from a tenth of `count` on to the end, where records come thousands at a time."""
    steps = [mark for before, mark in pairwise(marks) if mark[1] > before[1] and mark[1] >= count * 0.1]
    (start, low), (end, high) = (steps[0], steps[-1]) if len(steps) > 1 else (marks[0], marks[-1])
    return (high - low) / max(end - start, 1e-6)


async def _run(found: Base, module: str, database: str, target: str, count: int) -> float:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GUICHET_")}
    environment |= {
        "GUICHET_KAFKA": found.kafka.bootstrap,
        "GUICHET_DATABASE_URL": database,
        "GUICHET_HTTP_PORT": str(free_ports(1)[0]),
        "GUICHET_BENCH_FROM": topics.PORTAL,
        "GUICHET_BENCH_TO": target,
        "GUICHET_LOG_LEVEL": "warning",
    }
    async with Meter(found.kafka.bootstrap, target) as meter:
        command = [sys.executable, "-m", module]
        process = processes.spawn(module, command, home=found.home, log=_log(found, module), environment=environment)
        try:
            return await meter.rate(process, count, 180)
        finally:
            await asyncio.to_thread(process.stop)


def _log(found: Base, module: str) -> Path:
    return found.home / "logs" / f"{module}.log"


async def hop_ratio(home: Path, count: int = 30_000, rounds: int = 3) -> dict[str, Any]:
    """Rates of both, in turns on new records each time, and the middle of the ratios of the rounds."""
    async with base(home) as found:
        hop, bare = await found.postgres.create_database("hop"), await found.postgres.create_database("bare")
        ratios: list[tuple[float, float]] = []
        for _ in range(rounds):
            await publish(found.state(), events(count), 120)
            slow = await _run(found, "guichet.bench.hop", hop, topics.REQUESTS, count)
            quick = await _run(found, "guichet.bench.bare", bare, BARE_TARGET, count)
            ratios.append((slow, quick))
        await _check(hop, count * rounds)
        return summary(ratios)


async def _check(database: str, count: int) -> None:
    connection = await asyncpg.connect(database)
    try:
        facts = await connection.fetchval("SELECT count(*) FROM chassis.facts")
    finally:
        await connection.close()
    if facts != count:
        raise StackError(f"{facts} facts from {count} events: the measurement is void", "report it")


def summary(rounds: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """What is reported of the rounds, each (hop, bare) in records a second."""
    return {
        "hop_ratio": round(median(slow / quick for slow, quick in rounds), 3),
        "hop_per_second": round(median(slow for slow, _ in rounds)),
        "bare_per_second": round(median(quick for _, quick in rounds)),
        "hop_ratio_rounds": [round(slow / quick, 3) for slow, quick in rounds],
    }
