"""What a handler is given: one readable event and where it stood."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.envelope import Envelope
from contracts.facts import Fact

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it came. A `ConsumerRecord` of aiokafka has the same attributes and stands for one."""

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


def header_columns(headers: Headers) -> tuple[list[bytes], list[bytes | None]]:
    """Headers as two columns of bytes, in order, repetitions kept: a name may hold what a text column refuses."""
    return [name.encode() for name, _ in headers], [value for _, value in headers]


def headers_of(names: Sequence[bytes], values: Sequence[bytes | None]) -> list[tuple[str, bytes | None]]:
    """The headers that two columns hold."""
    return [(name.decode(), value) for name, value in zip(names, values, strict=True)]
