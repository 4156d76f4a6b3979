"""What the leaves tell about a subject: its story in one canonical text, and whether its numbers are whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from guichet_verify.attributes import Attributes, attributes_of, data_sha256
from guichet_verify.leaves import Record
from guichet_verify.manifest import Subject
from guichet_verify.report import Failure, Level


def canonical(value: object) -> bytes:
    """JSON of texts, whole numbers, null, lists and objects in its one spelling (RFC 8785).

    Members are sorted as their UTF-16 code units are, which matters for names that this project never writes.
    """
    return json.dumps(_sorted(value), ensure_ascii=False, separators=(",", ":")).encode()


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    if isinstance(value, list):
        return [_sorted(each) for each in value]
    if isinstance(value, float):
        raise ValueError("fractions have no place in canonical text here")
    return value


def event_text(origin: str, index: int, said: Attributes, data: str | None) -> bytes:
    """One event of a story."""
    return canonical(
        {
            "data_sha256": data,
            "id": said.id,
            "index": index,
            "origin": origin,
            "sequence": said.sequence,
            "source": said.source,
            "time": said.time,
            "type": said.type,
        }
    )


@dataclass(slots=True)
class StoryText:
    """The canonical text of a story, made event by event: only its hash is kept, so that length costs no memory."""

    subject: str
    events: int = 0
    _hash: hashlib._Hash = field(default_factory=lambda: hashlib.sha256(b'{"events":['))

    def add(self, event: bytes) -> None:
        self._hash.update(b"," + event if self.events else event)
        self.events += 1

    def digest(self) -> bytes:
        """SHA-256 of the whole text."""
        whole = self._hash.copy()
        whole.update(b'],"subject":' + canonical(self.subject) + b"}")
        return whole.digest()


@dataclass(slots=True)
class Numbers:
    """The numbers that one source gave to events about one subject."""

    seen: dict[int, bytes] = field(default_factory=dict)
    disputed: int | None = None

    def add(self, said: Attributes, data: str | None) -> None:
        if said.sequence is None:
            return
        content = hashlib.sha256(canonical([said.id, data])).digest()[:16]
        if self.seen.setdefault(said.sequence, content) != content and self.disputed is None:
            self.disputed = said.sequence


class Stories:
    """Listens to the leaves of a bundle in the order of origin and index, for the subjects that it lists."""

    def __init__(self, subjects: Sequence[Subject], complete: bool) -> None:
        self._subjects = subjects
        self._complete = complete
        self._names = frozenset(subject.name for subject in subjects)
        self._texts: dict[str, StoryText] = {}
        self._numbers: dict[tuple[str, str], Numbers] = {}

    def listen(self, origin: str, index: int, record: Record) -> None:
        if not self._names:
            return
        said = attributes_of(record)
        if said.subject is None or said.subject not in self._names:
            return
        data = data_sha256(record)
        self._texts.setdefault(said.subject, StoryText(said.subject)).add(event_text(origin, index, said, data))
        if self._complete and said.source is not None:
            self._numbers.setdefault((said.subject, said.source), Numbers()).add(said, data)

    def digest(self, number: int) -> bytes:
        """SHA-256 of the story of subject `number`."""
        name = self._subjects[number].name
        return self._texts.get(name, StoryText(name)).digest()

    def gaps(self) -> list[Failure]:
        """What is missing of the numbers that each subject's sources gave, or was given twice."""
        sources: dict[str, set[str]] = {}
        for name, source in self._numbers:
            sources.setdefault(name, set()).add(source)
        found: list[Failure] = []
        for number, subject in enumerate(self._subjects):
            reasons = _gaps(subject.last, sources.get(subject.name, set()), self._numbers, subject.name)
            found += [Failure(Level.L6, None, None, f"subject {number}: {reason}") for reason in reasons]
        return found


def _gaps(
    last: Mapping[str, int | None], sources: set[str], numbers: Mapping[tuple[str, str], Numbers], subject: str
) -> list[str]:
    reasons = []
    if sources - last.keys():
        reasons.append("an event of a source that is not listed")
    for source, highest in last.items():
        given = numbers.get((subject, source))
        if given is None:
            reasons.append(f"no event of {source}")
        elif highest is None:
            if given.seen:
                reasons.append(f"{source} gave numbers, and none is listed")
        elif missing := next((each for each in range(1, highest + 1) if each not in given.seen), None):
            reasons.append(f"{source} number {missing} is missing")
        elif max(given.seen) > highest:
            reasons.append(f"{source} gave a number beyond the last")
        elif given.disputed is not None:
            reasons.append(f"{source} number {given.disputed} was given twice")
    return reasons
