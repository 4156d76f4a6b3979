"""Whom a verifier trusts: logs, witnesses, and how many of them must agree (C2SP tlog-policy)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from guichet_verify.encoding import read_decimal
from guichet_verify.notes import COSIGNATURE, ED25519, Key, NotAKey, read_vkey

NO_QUORUM = "none"
POLICY_LIMIT = 1 << 20

_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")


class NotAPolicy(ValueError):
    """Bytes that are no policy; the text names the line and the rule."""


@dataclass(frozen=True, slots=True)
class Group:
    """Members, by name, of which at least `threshold` must have seen a checkpoint."""

    threshold: int
    members: tuple[str, ...]


@dataclass(slots=True)
class Policy:
    """The keys of logs, those of witnesses by name, groups by name, and the name of what must have cosigned."""

    logs: list[Key] = field(default_factory=list)
    witnesses: dict[str, Key] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str = ""

    @property
    def keys(self) -> list[Key]:
        """Every key that the policy knows."""
        return [*self.logs, *self.witnesses.values()]

    @property
    def asks_witnesses(self) -> bool:
        return self.quorum != NO_QUORUM

    def met_by(self, keys: Collection[Key]) -> bool:
        """Whether cosignatures by these keys make the quorum."""
        return not self.asks_witnesses or self._saw(self.quorum, keys)

    def _saw(self, name: str, keys: Collection[Key]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return self.witnesses[name] in keys
        return sum(self._saw(member, keys) for member in group.members) >= group.threshold


def read_policy(data: bytes, *, allow_published: bool = False) -> Policy:
    """Reads a policy file; raises NotAPolicy. Keys whose secret half is published are refused outside tests."""
    if len(data) > POLICY_LIMIT:
        raise NotAPolicy("longer than 1 MiB")
    if _FORBIDDEN.search(data):
        raise NotAPolicy("control character")
    reader = _Reader(allow_published)
    for number, line in enumerate(data.split(b"\n"), 1):
        # Names are opaque octets: what is not UTF-8 is kept apart from everything that is.
        words = [word.decode("utf-8", "surrogateescape") for word in re.split(rb"[ \t]+", line.strip(b" \t")) if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            reader.read(words)
        except (ValueError, UnicodeError) as error:
            raise NotAPolicy(f"line {number}: {error}") from error
    if not reader.policy.quorum:
        raise NotAPolicy("no quorum")
    return reader.policy


class _Reader:
    """A policy line by line: what a line names must stand above it."""

    def __init__(self, allow_published: bool) -> None:
        self.policy = Policy()
        self._allow_published = allow_published
        self._members: set[str] = set()

    def read(self, words: list[str]) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self._log(vkey)
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                self._witness(name, vkey)
            case ["group", name, threshold, _, *_]:
                self._group(name, threshold, tuple(words[3:]))
            case ["quorum", name]:
                self._quorum(name)
            case _:
                raise ValueError("unknown or incomplete line")

    def _key(self, vkey: str, kind: int, others: Collection[Key]) -> Key:
        key = read_vkey(vkey, allow_published=self._allow_published)
        if key.kind != kind:
            raise NotAKey("key of another type than its role asks")
        if any(key.public == other.public for other in others):
            raise ValueError("key listed twice")
        return key

    def _log(self, vkey: str) -> None:
        self.policy.logs.append(self._key(vkey, ED25519, self.policy.logs))

    def _witness(self, name: str, vkey: str) -> None:
        self._new(name)
        self.policy.witnesses[name] = self._key(vkey, COSIGNATURE, self.policy.witnesses.values())

    def _group(self, name: str, threshold: str, members: tuple[str, ...]) -> None:
        self._new(name)
        for member in members:
            self._known(member)
            if member in self._members:
                raise ValueError("name is a member twice")
            self._members.add(member)
        needed = {"any": 1, "all": len(members)}.get(threshold)
        needed = read_decimal(threshold) if needed is None else needed
        if not 1 <= needed <= len(members):
            raise ValueError("threshold")
        self.policy.groups[name] = Group(needed, members)

    def _quorum(self, name: str) -> None:
        if self.policy.quorum:
            raise ValueError("second quorum")
        if name != NO_QUORUM:
            self._known(name)
        self.policy.quorum = name

    def _new(self, name: str) -> None:
        if name == NO_QUORUM or name in self.policy.witnesses or name in self.policy.groups:
            raise ValueError("name is taken")

    def _known(self, name: str) -> None:
        if name not in self.policy.witnesses and name not in self.policy.groups:
            raise ValueError("name is not defined above")
