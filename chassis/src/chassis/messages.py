"""What a handler is given: one readable event and where it stood."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.envelope import Envelope
from contracts.facts import Fact

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Record:
    """A Kafka record as it came, read or unread: from a topic, from the parked rows, from a dead letter."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Message:
    """One event, read by its contract, with the bytes and the place it was read from."""

    envelope: Envelope
    data: bytes
    fact: Fact
    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: Headers
    redriven: bool
