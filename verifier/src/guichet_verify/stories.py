"""What the leaves tell about a subject: its story in one canonical text, and whether its numbers are whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from guichet_verify.attributes import Attributes, attributes_of, data_sha256
from guichet_verify.leaves import Record

_OPENING = b'{"events":['


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


class Telling:
    """A story as it is told, event by event: of its text only the hash is kept, unless the text itself is wanted."""

    def __init__(self, subject: str, *, keep: bool = False, numbered: bool = True) -> None:
        self.subject = subject
        self.events = 0
        self._numbered = numbered
        self._numbers: dict[str, Numbers] = {}
        self._hash = hashlib.sha256(_OPENING)
        self._kept: list[bytes] | None = [] if keep else None

    def add(self, origin: str, index: int, said: Attributes, data: str | None) -> None:
        """The next event, in the order of origin and index."""
        event = event_text(origin, index, said, data)
        self._hash.update(b"," + event if self.events else event)
        if self._kept is not None:
            self._kept.append(event)
        if self._numbered and said.source is not None:
            self._numbers.setdefault(said.source, Numbers()).add(said, data)
        self.events += 1

    def digest(self) -> bytes:
        """SHA-256 of the whole text."""
        whole = self._hash.copy()
        whole.update(self._closing())
        return whole.digest()

    def text(self) -> bytes:
        """The whole text, when it was kept."""
        return _OPENING + b",".join(self._kept or []) + self._closing()

    def last(self) -> dict[str, int | None]:
        """The highest number of each source; None for a source that gave none."""
        return {source: max(numbers.seen, default=None) for source, numbers in sorted(self._numbers.items())}

    def gaps(self, last: Mapping[str, int | None]) -> Iterator[str]:
        """What is missing of numbers 1 to `last` of each source, or was given to two events."""
        if self._numbers.keys() - last.keys():
            yield "an event of a source that is not listed"
        for source, highest in last.items():
            given = self._numbers.get(source)
            if given is None:
                yield f"no event of {source}"
            elif highest is None:
                if given.seen:
                    yield f"{source} gave numbers, and none is listed"
            elif missing := next((each for each in range(1, highest + 1) if each not in given.seen), None):
                yield f"{source} number {missing} is missing"
            elif max(given.seen) > highest:
                yield f"{source} gave a number beyond the last"
            elif given.disputed is not None:
                yield f"{source} number {given.disputed} was given twice"

    def _closing(self) -> bytes:
        return b'],"subject":' + canonical(self.subject) + b"}"


class Stories:
    """Listens to leaves in the order of origin and index, for some subjects."""

    def __init__(self, subjects: Iterable[str], *, keep: bool = False, numbered: bool = True) -> None:
        self._subjects = frozenset(subjects)
        self._keep, self._numbered = keep, numbered
        self._told: dict[str, Telling] = {}

    def listen(self, origin: str, index: int, record: Record) -> None:
        if not self._subjects:
            return
        said = attributes_of(record)
        if said.subject is None or said.subject not in self._subjects:
            return
        self.of(said.subject).add(origin, index, said, data_sha256(record))

    def of(self, subject: str) -> Telling:
        """The story of a subject, as far as it is told."""
        if subject not in self._told:
            self._told[subject] = Telling(subject, keep=self._keep, numbered=self._numbered)
        return self._told[subject]
