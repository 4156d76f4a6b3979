"""From a record to an event a service acts upon, by the contracts."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.messages import Message, Record
from chassis.service import Handle
from chassis.verdicts import Verdict, condemn
from contracts import registry
from contracts.envelope import Envelope, Unreadable, decode
from contracts.facts import Fact

SKEW = timedelta(minutes=5)
"""How far ahead of our clock a producer's clock may be."""
SKEWED = "clock-skew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """One consuming group: what it acts upon, with what, and how it reads.

    Types in `known` but not in `facts` are somebody else's business and passed over; other types are Unreadable.
    """

    name: str
    facts: Mapping[str, type[Fact]]
    handle: Handle
    release: str
    known: Collection[str] = frozenset(registry.FACTS)
    read: Callable[[Envelope, bytes, str], Fact] = registry.read


def read_record(
    record: Record, consumer: Consumer, now: datetime, *, letter_id: str | None
) -> Message | Verdict | None:
    """The event a record holds; None for one this consumer does not act upon; a verdict on one nobody can read.

    No bytes make it raise: a reader says `Unreadable`. Anything else is a bug of the reader, which the engine isolates
    as it does a bug of the handler.
    """
    envelope = None
    try:
        envelope, data = decode(record.headers, record.value)
        if envelope.type not in consumer.facts and envelope.type in consumer.known:
            somebody_elses = registry.FACTS.get(envelope.type)
            if somebody_elses is not None and somebody_elses.topic != record.topic:
                raise Unreadable("wrong-topic", f"{registry.short(envelope.type)} belongs on {somebody_elses.topic}")
            return None
        fact = consumer.read(envelope, data, record.topic)
        if envelope.time - now > SKEW:
            raise Unreadable(SKEWED, f"the time is more than {SKEW.seconds // 60} minutes ahead")
    except Unreadable as error:
        return condemn(record, error, envelope=envelope, letter_id=letter_id)
    return Message(
        envelope,
        data,
        fact,
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.headers,
        letter_id is not None,
    )
