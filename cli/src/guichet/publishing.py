"""Publishing facts of others on their topics: made or read, checked against their contract, acknowledged."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from chassis.ids import new_event_id
from contracts import registry
from contracts.envelope import Envelope, Unreadable, encode, write_time
from contracts.facts import Fact
from contracts.structured import decode_structured
from guichet.stack.errors import StackError
from guichet.stack.state import StackState

OF_REFERENCE_DATA = {
    "guichet.dataset.described.v1": "dataset_id",
    "guichet.dataset.withdrawn.v1": "dataset_id",
    "guichet.environment.registered.v1": "environment_id",
    "guichet.environment.qualified.v1": "environment_id",
    "guichet.environment.qualification-lost.v1": "environment_id",
    "guichet.optout.recorded.v1": "ref",
    "guichet.optout.reversed.v1": "ref",
}
"""Events about no single request: the member that is their key. The key of all others is the request id."""


@dataclass(frozen=True, slots=True)
class Event:
    """A fact ready to be published: envelope, data as they travel, topic and key."""

    envelope: Envelope
    data: bytes
    topic: str
    key: str


def _key(envelope: Envelope, data: bytes) -> str:
    member = OF_REFERENCE_DATA.get(envelope.type)
    if envelope.partition_key:
        return envelope.partition_key
    return str(json.loads(data)[member]) if member else envelope.subject


def _checked(envelope: Envelope, data: bytes) -> Event:
    known = registry.FACTS.get(envelope.type)
    if known is None:
        raise Unreadable("unknown-type")
    registry.read(envelope, data, known.topic)
    return Event(envelope, data, known.topic, _key(envelope, data))


def stated(
    fact: Fact, *, source: str, subject: str, time: datetime, key: str | None = None, event_id: str | None = None
) -> Event:
    """A fact as its publisher states it at `time`; raises Unreadable when the source may not state it."""
    envelope = Envelope(
        id=event_id or new_event_id(),
        type=fact.event_type,
        source=source,
        subject=subject,
        time=time,
        partition_key=key,
    )
    return _checked(envelope, fact.wire())


def read(event: Mapping[str, object], now: datetime) -> Event:
    """A structured CloudEvent as an event to publish; id, time and specversion are filled in when absent.

    Raises Unreadable, which names the rule it breaks. `partitionkey` names the request when the subject is not it.
    """
    filled = {"specversion": "1.0", "id": new_event_id(), "time": write_time(now), **event}
    if isinstance(filled.get("type"), str) and not str(filled["type"]).startswith(registry.PREFIX):
        filled["type"] = f"{registry.PREFIX}{filled['type']}"
    envelope, data = decode_structured(json.dumps(filled, ensure_ascii=False).encode())
    return _checked(envelope, data)


async def publish(state: StackState, events: Sequence[Event], seconds: float = 60.0) -> None:
    """Returns when every event is acknowledged by all in-sync replicas, in the given order for each key.

    Raises StackError when that did not happen within `seconds`; then some may have been published.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=state.kafka.split(","), acks="all", enable_idempotence=True, linger_ms=2
    )
    try:
        async with asyncio.timeout(seconds):
            await producer.start()
            sent = [
                await producer.send(event.topic, event.data, key=event.key.encode(), headers=encode(event.envelope))
                for event in events
            ]
            await asyncio.gather(*sent)
    except (KafkaError, TimeoutError, OSError) as error:
        raise StackError(f"not published: {type(error).__name__}", "guichet status; guichet up") from None
    finally:
        try:
            async with asyncio.timeout(5):
                await producer.stop()
        except TimeoutError:
            pass


async def clock_now(state: StackState) -> datetime:
    """What time it is for the services: the sandbox clock when they follow one, else this machine's.

    Raises StackError when no service answers.
    """
    if not state.sandbox:
        return datetime.now(UTC)
    from guichet.stack.quiet import client, statuses

    async with client() as asking:
        found = await statuses(state, asking)
    times = [datetime.fromisoformat(status["now"]) for status in found.values() if status and "now" in status]
    if not times:
        raise StackError("no service answers", "guichet status; guichet up")
    return min(times)
