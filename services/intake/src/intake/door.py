"""The HTTP door: one event, one transaction, one answer, given after the event is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus

from chassis.logs import logger
from chassis.runtime import Runtime
from chassis.transaction import Transaction
from contracts.envelope import Envelope, Unreadable, encode
from contracts.topics import PORTAL
from intake import answers, storage
from intake.answers import Result
from intake.desk import Desk
from intake.domain import Conflict, Decision, Foreign, Received, TurnedAway, Waiting
from intake.hearing import Heard, NotUnderstood, hear, requests_heard
from intake.reading import speaker

SKEW = timedelta(minutes=5)
"""How far ahead of our clock a portal's clock may be; the Kafka door allows as much."""
LONGEST_QUEUE = 100
"""Events that may wait for one request to be submitted."""
PATIENCE_SECONDS = 10
"""How long an event may wait for its turn before the portal is asked to come again."""

log = logger()


class _TurnedBack(Exception):
    """Ends a transaction of which nothing is to be kept."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.code)
        self.result = result


class Door:
    """Takes events of authenticated portals in; each is relayed to guichet.portal, so that the trail has it."""

    def __init__(self, runtime: Runtime, at_once: int, count: Callable[[str], None]) -> None:
        self._runtime = runtime
        self._turns = asyncio.Semaphore(at_once)
        self._count = count

    async def take(self, portal: str, envelope: Envelope, data: bytes) -> Result:
        """The answer to one event of a portal. Raises what a database that is away raises, having kept nothing."""
        try:
            if speaker(envelope.source) != portal:
                raise Unreadable("foreign-source", "the source is not /portals/ and the portal of the token")
            event = hear(_without_producer(envelope), data, envelope.partition_key)
            if isinstance(event, NotUnderstood):
                result = answers.not_acceptable(event.problems)
            else:
                result = await self._take(event)
        except Unreadable as error:
            result = answers.unreadable(error)
        self.note(portal, result)
        return result

    def note(self, portal: str, result: Result) -> None:
        """Count an answer, and log one that refuses."""
        self._count(result.code)
        if result.status >= HTTPStatus.BAD_REQUEST:
            log.info("event_refused", portal=portal, status=int(result.status), code=result.code)

    async def _take(self, event: Heard) -> Result:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._turns.acquire()
        try:
            async with self._runtime.transaction("take_event", parent=event.envelope.trace_parent) as transaction:
                return await self._deal_with(transaction, event)
        except _TurnedBack as turned_back:
            return turned_back.result
        finally:
            self._turns.release()

    async def _deal_with(self, transaction: Transaction, event: Heard) -> Result:
        if event.envelope.time - transaction.now > SKEW:
            raise Unreadable("clock-skew", "the time is more than 5 minutes ahead")
        [request] = await requests_heard(transaction.connection, [event])
        fresh = await transaction.seen(event.envelope.id, event.envelope.source)
        desk = await Desk.open(transaction, [(request, event)])
        decision = desk.look(request, event)
        result = await self._answer(transaction, request, decision, fresh=fresh)
        if fresh:
            headers = encode(event.envelope)
            transaction.relay_record(PORTAL, request.encode(), event.data, headers)
        desk.bring(request, event)
        await desk.close()
        return result

    async def _answer(self, transaction: Transaction, request: str, decision: Decision, *, fresh: bool) -> Result:
        match decision.answer:
            case Received():
                if decision.steps and not fresh:
                    raise _TurnedBack(answers.problem(HTTPStatus.CONFLICT, "event-id-reused", request_id=request))
                return answers.taken(request, "received")
            case Waiting():
                if fresh and await storage.count_waiting(transaction.connection, request) >= LONGEST_QUEUE:
                    raise _TurnedBack(answers.wait("too-many-waiting", 60))
                return answers.taken(request, "waiting")
            case Conflict():
                return answers.problem(HTTPStatus.CONFLICT, "conflict", request_id=request)
            case TurnedAway(problems):
                raise _TurnedBack(answers.not_acceptable(problems))
            case Foreign():
                raise _TurnedBack(answers.problem(HTTPStatus.FORBIDDEN, "foreign-source"))


def _without_producer(envelope: Envelope) -> Envelope:
    """What a portal brings by HTTP is put on the topic by us: counters of another producer would be a false trail."""
    return replace(envelope, producer=None, producer_epoch=None, producer_sequence=None)
