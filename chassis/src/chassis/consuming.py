"""The way from the broker to the engine: a broker object of FastStream, made anew until one has started."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from faststream.kafka import KafkaBroker

from chassis.engine import Engine
from chassis.errors import SURROUNDINGS, Kind, kind_of
from chassis.logs import logger
from chassis.metrics import Metrics
from chassis.supervision import backoff_seconds, wait_until

START_SECONDS = 60
"""Joining a group waits for members that were killed: their session lasts fifteen seconds, a rebalance thirty."""
STOP_SECONDS = 4

log = logger()


class Consuming:
    """Connects an engine; once connected, FastStream and aiokafka reconnect by themselves, and a watchdog looks on."""

    def __init__(self, engine: Engine, kafka: Sequence[str], metrics: Metrics) -> None:
        self.engine = engine
        self._kafka = list(kafka)
        self._metrics = metrics
        self._broker: KafkaBroker | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Returns when the broker has started, or `stopping` is set; waits for a broker that is down, however long."""
        tries = 0
        while not stopping.is_set():
            # A broker object that failed to start cannot be started again.
            broker = KafkaBroker(
                self._kafka,
                client_id=f"guichet-{self.engine.name}",
                logger=None,
                allow_auto_create_topics=False,
                request_timeout_ms=40_000,
                graceful_timeout=STOP_SECONDS,
            )
            self.engine.attach(broker)
            try:
                await _start(broker)
            except SURROUNDINGS as error:
                if kind_of(error) is not Kind.UNAVAILABLE:
                    raise
                tries += 1
                self._metrics.retries.add("broker")
                log.warning("broker_awaited", tries=tries, error=error)
                await wait_until(stopping, backoff_seconds(tries, most=5))
            else:
                self._broker = broker
                log.info("consumer_started", group=self.engine.name)
                return

    async def stop(self) -> None:
        """Lets the batch in flight commit, then leaves the group, in four seconds at most."""
        broker, self._broker = self._broker, None
        if broker is not None:
            await self.engine.finish()
            await _give_up(broker)


async def _start(broker: KafkaBroker) -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            await broker.start()
    except BaseException:
        await _give_up(broker)
        raise


async def _give_up(broker: KafkaBroker) -> None:
    task = asyncio.current_task()
    cancelling = task.cancelling() if task else 0
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await broker.stop()
    except asyncio.CancelledError:
        # aiokafka raises it by itself when a consumer is stopped during an outage; ours is to be obeyed.
        if task and task.cancelling() > cancelling:
            raise
    except SURROUNDINGS as error:
        log.info("broker_left", error=error)
