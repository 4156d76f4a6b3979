"""A producer says how far it is, so that a lost tail and a silent producer show (guichet.producer.reported.v1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from chassis import outbox
from chassis.relay import Relay
from chassis.supervision import wait_until
from chassis.transaction import Transaction
from contracts.system import ProducerReported, Published


class Reporter:
    """Says every `seconds` what this process's relay had acknowledged, and what its service has said in all."""

    def __init__(
        self, relay: Relay, transaction: Callable[[], AbstractAsyncContextManager[Transaction]], seconds: float
    ) -> None:
        self._relay = relay
        self._transaction = transaction
        self._seconds = seconds

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping` is set; the first report comes once something can be reported."""
        while not await wait_until(stopping, self._seconds):
            acknowledged = self._relay.acknowledged
            if acknowledged is None:
                continue
            async with self._transaction() as transaction:
                # Numbers first: a sum over what was said before is never more than what will be recorded.
                said = await transaction.connection.fetchval(
                    "SELECT coalesce(sum(last), 0)::bigint FROM chassis.sequences"
                )
                pending = (await outbox.waiting(transaction.connection)).records
                report = ProducerReported(
                    producer=transaction.service,
                    epoch=acknowledged.epoch,
                    published=tuple(
                        Published(topic=place.topic, partition=place.partition, sequence=number)
                        for place, number in sorted(acknowledged.sequences.items())
                    ),
                    facts_appended=said,
                    outbox_pending=pending,
                )
                transaction.say(report, subject=transaction.service, key=transaction.service)
