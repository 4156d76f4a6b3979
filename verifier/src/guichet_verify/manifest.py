"""`bundle.json`: what a bundle says it holds, read strictly; everything else in it must follow from this."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NoReturn

from guichet_verify.tiles import WIDTH
from guichet_verify.tree import SIZE_LIMIT

MANIFEST_LIMIT = 16 << 20
LOG_LIMIT = 4096
TEXT_LIMIT = 1024
STRUCTURE_LIMIT = 500_000
"""Objects and arrays in the text: each costs a reader far more memory than its two characters."""

FORMAT, VERSION = "guichet.auditbundle", 1
ALL, LOG, SUBJECT, POINTS = "all", "log", "subject", "points"
RANGE = "range"

_KINDS = (ALL, LOG, SUBJECT, POINTS)
_BASES = ("now", "sizes", "published", "token")
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class NotAManifest(ValueError):
    """A text that is no `bundle.json`; names the member and the rule."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What was asked for; `complete` claims that nothing of it is left out."""

    kind: str
    value: str | None
    complete: bool


@dataclass(frozen=True, slots=True)
class AsOf:
    """Which moment the sizes stand for, and by what."""

    asked: str | None = None
    basis: str = "now"


@dataclass(frozen=True, slots=True)
class LogPart:
    """What a bundle holds of one log: leaves [start, end), or the leaves `indexes` when those are given."""

    origin: str
    size: int
    start: int
    end: int
    indexes: tuple[int, ...] | None
    older: tuple[int, ...]

    @property
    def whole(self) -> bool:
        return self.indexes is None and (self.start, self.end) == (0, self.size)


@dataclass(frozen=True, slots=True)
class Subject:
    """Someone or something whose story is told; `last` is the highest number by each source, null when it gave none."""

    name: str
    last: dict[str, int | None]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole `bundle.json`."""

    created_at: str
    tool: str
    scope: Scope
    as_of: AsOf
    logs: tuple[LogPart, ...]
    subjects: tuple[Subject, ...]
    absent: tuple[str, ...]

    def write(self) -> bytes:
        """The text, in the one spelling that this project writes."""
        body = {
            "format": FORMAT,
            "version": VERSION,
            "created_at": self.created_at,
            "tool": self.tool,
            "scope": {"kind": self.scope.kind, "value": self.scope.value, "complete": self.scope.complete},
            "as_of": {"asked": self.as_of.asked, "basis": self.as_of.basis},
            "logs": [_log_body(number, log) for number, log in enumerate(self.logs)],
            "subjects": [{"subject": subject.name, "last": subject.last} for subject in self.subjects],
            "absent": list(self.absent),
        }
        return (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode()


def read_manifest(data: bytes) -> Manifest:
    """Reads the text of a `bundle.json`; raises NotAManifest."""
    if len(data) > MANIFEST_LIMIT or data.count(b"{") + data.count(b"[") > STRUCTURE_LIMIT:
        raise NotAManifest("larger than any bundle needs")
    try:
        whole = json.loads(
            data.decode(), object_pairs_hook=_members, parse_int=_number, parse_float=_no, parse_constant=_no
        )
    except NotAManifest:
        raise
    except (ValueError, RecursionError) as error:
        raise NotAManifest("not strict JSON") from error
    body = _object(whole, "", "format version created_at tool scope as_of logs subjects absent")
    if body["format"] != FORMAT or body["version"] != VERSION or isinstance(body["version"], bool):
        raise NotAManifest("another format or version")
    logs = _list(body["logs"], "logs")
    if not 1 <= len(logs) <= LOG_LIMIT:
        raise NotAManifest("no log, or more than 4,096")
    manifest = Manifest(
        _text(body["created_at"], "created_at"),
        _text(body["tool"], "tool"),
        _scope(body["scope"]),
        _as_of(body["as_of"]),
        tuple(_log(each, number) for number, each in enumerate(logs)),
        tuple(_subject(each) for each in _list(body["subjects"], "subjects")),
        tuple(_digest(each) for each in _list(body["absent"], "absent")),
    )
    _together(manifest)
    return manifest


def _together(manifest: Manifest) -> None:
    if len({log.origin for log in manifest.logs}) != len(manifest.logs):
        raise NotAManifest("an origin twice")
    names = {subject.name for subject in manifest.subjects}
    if len(names) != len(manifest.subjects):
        raise NotAManifest("a subject twice")
    _rising(manifest.absent, "absent")
    kind, value = manifest.scope.kind, manifest.scope.value
    if kind == SUBJECT and value not in names:
        raise NotAManifest("scope is a subject that is not listed")
    if kind == LOG and value not in {log.origin for log in manifest.logs}:
        raise NotAManifest("scope is a log that is not listed")


def _scope(value: object) -> Scope:
    body = _object(value, "scope", "kind value complete")
    kind, named, complete = body["kind"], body["value"], body["complete"]
    if kind not in _KINDS or not isinstance(kind, str) or not isinstance(complete, bool):
        raise NotAManifest("scope")
    if (kind in (LOG, SUBJECT)) != (named is not None):
        raise NotAManifest("scope value")
    return Scope(kind, None if named is None else _text(named, "scope value"), complete)


def _as_of(value: object) -> AsOf:
    body = _object(value, "as_of", "asked basis")
    asked, basis = body["asked"], body["basis"]
    if not isinstance(basis, str) or basis not in _BASES:
        raise NotAManifest("as_of basis")
    return AsOf(None if asked is None else _text(asked, "as_of"), basis)


def _log(value: object, position: int) -> LogPart:
    shape = value.get("shape") if isinstance(value, dict) else None
    if shape == RANGE:
        body = _object(value, "log", "n origin size shape from to older")
        start, end = _integer(body["from"], "from"), _integer(body["to"], "to")
        indexes = None
    elif shape == POINTS:
        body = _object(value, "log", "n origin size shape indexes older")
        indexes = tuple(_integer(each, "index") for each in _list(body["indexes"], "indexes"))
        start = end = 0
    else:
        raise NotAManifest("log shape")
    size, older = (
        _integer(body["size"], "size"),
        tuple(_integer(each, "older") for each in _list(body["older"], "older")),
    )
    if body["n"] != position or isinstance(body["n"], bool):
        raise NotAManifest("log number")
    if size < 1:
        raise NotAManifest("log size")
    _rising(older, "older")
    if older and not 1 <= older[0] <= older[-1] < size:
        raise NotAManifest("older")
    if indexes is not None:
        _rising(indexes, "indexes")
        if indexes and indexes[-1] >= size:
            raise NotAManifest("indexes")
    elif not 0 <= start < end <= size or start % WIDTH or (end % WIDTH and end != size):
        raise NotAManifest("from and to")
    return LogPart(_text(body["origin"], "origin"), size, start, end, indexes, older)


def _log_body(number: int, log: LogPart) -> dict[str, object]:
    head: dict[str, object] = {"n": number, "origin": log.origin, "size": log.size}
    if log.indexes is None:
        shape: dict[str, object] = {"shape": RANGE, "from": log.start, "to": log.end}
    else:
        shape = {"shape": POINTS, "indexes": list(log.indexes)}
    return {**head, **shape, "older": list(log.older)}


def _subject(value: object) -> Subject:
    body = _object(value, "subject", "subject last")
    last = body["last"]
    if not isinstance(last, dict):
        raise NotAManifest("last")
    return Subject(
        _text(body["subject"], "subject"),
        {
            _text(source, "source"): None if number is None else _positive(number, "last")
            for source, number in last.items()
        },
    )


def _digest(value: object) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise NotAManifest("absent")
    return value


def _object(value: object, what: str, members: str) -> dict[str, object]:
    if not isinstance(value, dict) or value.keys() != set(members.split()):
        raise NotAManifest(f"members of {what or 'the whole'}")
    return value


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise NotAManifest(what)
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        raise NotAManifest(what)
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise NotAManifest(f"control character in {what}")
    return value


def _integer(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= SIZE_LIMIT:
        raise NotAManifest(what)
    return value


def _positive(value: object, what: str) -> int:
    if not (number := _integer(value, what)):
        raise NotAManifest(what)
    return number


def _rising(values: Sequence[int] | Sequence[str], what: str) -> None:
    if any(not one < other for one, other in pairwise(values)):  # type: ignore[operator]  # all numbers, or all texts
        raise NotAManifest(f"{what} must rise")


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotAManifest("a member twice")
    return members


def _number(text: str) -> int:
    if text.startswith("-") or len(text) > 16:
        raise NotAManifest("a number is not between 0 and 2^53-1")
    return int(text)


def _no(_: str) -> NoReturn:
    raise NotAManifest("a number is not between 0 and 2^53-1")
