"""The story of a request as the trail has it: its events, once each, causes before effects."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from audit import reading
from audit.reading import Entry
from contracts.envelope import Envelope, Unreadable, decode, write_time
from contracts.identity import permit_id, workspace_id
from contracts.topics import TOPICS
from guichet_verify.attributes import attributes_of, data_sha256
from guichet_verify.leaves import Claim, Record, parse, parse_blob

if TYPE_CHECKING:
    from chassis.database import Connection

OWN_TOPICS = tuple(topic.name for topic in TOPICS.values() if not topic.foreign)
"""Topics whose producers promise gapless numbers; what foreign parties number is theirs."""
LONGEST_STORY = 20_000
"""Leaves that a story is made of at most."""


@dataclass(slots=True)
class Event:
    """One event of a story, and every place where it is recorded: more than one when it was sent more than once."""

    record: Record
    places: list[Entry]
    envelope: Envelope | None
    data: bytes | None
    unreadable: str | None

    @property
    def order(self) -> tuple[str, str, int]:
        """By time, then by place, for events that no cause tells apart."""
        time = write_time(self.envelope.time) if self.envelope else attributes_of(self.record).time or ""
        return time, self.places[0].origin, self.places[0].leaf_index


@dataclass(frozen=True, slots=True)
class Story:
    """What was asked for, the request it belongs to if it belongs to one, and the events in order."""

    asked: str
    request_id: str | None
    subjects: tuple[str, ...]
    events: tuple[Event, ...]


async def read_story(connection: Connection, asked: str) -> Story:
    """The story that a request, permit, workspace or event belongs to; without events when nothing is known of it."""
    asked = asked.lower() if _is_uuid(asked) else asked
    subject, request = await _find(connection, asked)
    subjects = (request, permit_id(request), workspace_id(request)) if request else (subject,)
    entries = await reading.read_by_subject(connection, subjects, LONGEST_STORY)
    return Story(asked, request, subjects, tuple(in_order(read_events(entries))))


def begins_later(events: Iterable[Event]) -> bool:
    """Whether a source that numbers without a gap begins with a later number than 1."""
    lowest: dict[tuple[str | None, str | None], int] = {}
    for event in events:
        said = attributes_of(event.record)
        if said.sequence is not None and event.record.topic in OWN_TOPICS:
            place = said.source, said.subject
            lowest[place] = min(said.sequence, lowest.get(place, said.sequence))
    return any(number > 1 for number in lowest.values())


async def read_recorded(connection: Connection, event_id: str) -> list[Event]:
    """The event of this id: an empty list when it is not recorded, several when different records bear the id."""
    asked = event_id.lower() if _is_uuid(event_id) else event_id
    return read_events(await reading.read_by_event(connection, asked, LONGEST_STORY))


async def _find(connection: Connection, asked: str) -> tuple[str, str | None]:
    """The subject that `asked` stands for and the request it belongs to, which is the key of its records."""
    entries = await reading.read_by_event(connection, asked, 1)
    entries = entries or await reading.read_by_subject(connection, [asked], 1)
    if not entries:
        return asked, asked if _is_uuid(asked) else None
    record = record_of(entries[0])
    subject = attributes_of(record).subject or asked
    key = record.key.decode(errors="replace").lower() if record.key else ""
    if _is_uuid(key) and subject in (key, permit_id(key), workspace_id(key)):
        return subject, key
    return subject, subject if _is_uuid(subject) else None


def record_of(entry: Entry) -> Record:
    """The record that a leaf is or claims; raises NotALeaf when it is none, or its blob is missing."""
    leaf = parse(entry.leaf)
    if isinstance(leaf, Claim):
        return parse_blob(leaf, entry.blob or b"")
    if isinstance(leaf, Record):
        return leaf
    raise TypeError("the first leaf of a log has no attributes and is never found by them")


def read_events(entries: Iterable[Entry]) -> list[Event]:
    """The events of these leaves; a repetition with the same source, id and data adds a place to the first."""
    events: dict[tuple[str | None, str | None, str | None], Event] = {}
    for entry in entries:
        record = record_of(entry)
        said = attributes_of(record)
        identity = (said.source, said.id, data_sha256(record))
        if said.id is not None and identity in events:
            events[identity].places.append(entry)
            continue
        try:
            envelope, data = decode(record.headers, record.value)
        except Unreadable as error:
            events[identity] = Event(record, [entry], None, record.value, error.code)
        else:
            events[identity] = Event(record, [entry], envelope, data, None)
    return list(events.values())


def in_order(events: Sequence[Event]) -> list[Event]:
    """Causes before effects and each log in its own order; by time where neither decides, or where they contradict."""
    after = _predecessors(events)
    waiting = {number: len(before) for number, before in enumerate(after)}
    followers: dict[int, list[int]] = {}
    for number, before in enumerate(after):
        for each in before:
            followers.setdefault(each, []).append(number)
    ready = [(events[number].order, number) for number, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    found: list[Event] = []
    while waiting:
        if not ready:  # A cause that claims to come after its effect: take the earliest and go on.
            ready.append(min((events[number].order, number) for number in waiting))
        _, number = heapq.heappop(ready)
        if waiting.pop(number, None) is None:
            continue
        found.append(events[number])
        for follower in followers.get(number, ()):
            if follower in waiting:
                waiting[follower] -= 1
                if waiting[follower] == 0:
                    heapq.heappush(ready, (events[follower].order, follower))
    return found


def _predecessors(events: Sequence[Event]) -> list[set[int]]:
    by_id = {event.envelope.id: number for number, event in enumerate(events) if event.envelope}
    last: dict[str, int] = {}
    found: list[set[int]] = []
    for number, event in enumerate(events):
        before = set()
        cause = by_id.get(event.envelope.causation_id or "") if event.envelope else None
        if cause is not None and cause != number:
            before.add(cause)
        if (previous := last.get(event.places[0].origin)) is not None:
            before.add(previous)
        last[event.places[0].origin] = number
        found.append(before)
    return found


def event_body(event: Event) -> Mapping[str, object]:
    """An event as the HTTP interface shows it; `data` is null when the value is no JSON."""
    said, envelope, record = attributes_of(event.record), event.envelope, event.record
    return {
        "id": said.id,
        "type": said.type,
        "source": said.source,
        "subject": said.subject,
        "time": write_time(envelope.time) if envelope else said.time,
        "sequence": said.sequence,
        "correlation_id": envelope.correlation_id if envelope else None,
        "causation_id": envelope.causation_id if envelope else None,
        "topic": record.topic,
        "partition": record.partition,
        "unreadable": event.unreadable,
        "data": _json(event.data),
        "data_sha256": data_sha256(record),
        "recorded": [
            {"origin": place.origin, "index": place.leaf_index, "leaf_hash": place.leaf_hash.hex()}
            for place in event.places
        ],
    }


def _json(data: bytes | None) -> object:
    try:
        return orjson.loads(data or b"")
    except orjson.JSONDecodeError:
        return None


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
