"""What one Kafka record becomes in a tree: the bytes of a leaf, and what those bytes say when read back."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

LEAF_LIMIT = 65_535
"""The largest leaf, and so the largest record that is its own leaf (tlog-tiles writes a leaf's length in 16 bits)."""

BLOB_LIMIT = 2 << 20
"""The largest encoding of a claimed record that a verifier reads."""

OPENING, RECORD, CLAIM = range(3)
"""Kinds of leaves: the fifth byte."""

FIRST, PLANNED, REPARTITION, BREAK = range(4)
"""Why a log was opened: the reasons of a first leaf."""

_MAGIC = b"AE1\x00"
_OFFSET_LIMIT = 1 << 63
_PARTITION_LIMIT = 1 << 31
_TOPIC = re.compile(rb"[A-Za-z0-9._-]{1,249}", re.ASCII)
_NO_ROOT = bytes(32)

_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_I32 = struct.Struct(">i")
_U64 = struct.Struct(">Q")
_PLACE = struct.Struct(">IQBq")
_NULL_LENGTH = -1


class NotALeaf(ValueError):
    """Bytes that no leaf has, or a record that no leaf can hold; the text names the rule, never a value."""


class Record(NamedTuple):
    """One Kafka record as the broker delivered it: null and empty differ, headers keep order and repetition."""

    topic: str
    partition: int
    offset: int
    timestamp_type: int
    timestamp_ms: int
    key: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    value: bytes | None


class Claim(NamedTuple):
    """The leaf of a record too large to be one: the length and SHA-256 of its encoding, which is kept as a blob."""

    topic: str
    partition: int
    offset: int
    timestamp_type: int
    timestamp_ms: int
    length: int
    digest: bytes


class FirstLeaf(NamedTuple):
    """Leaf 0 of a log: which log this is, where it starts, why, and what it continues."""

    origin: str
    first_offset: int
    reason: int = FIRST
    previous_origin: str = ""
    previous_size: int = 0
    previous_root: bytes = _NO_ROOT
    lost: tuple[tuple[int, int], ...] = ()


Leaf = Record | Claim | FirstLeaf


class Encoded(NamedTuple):
    """A leaf, and for a record too large to be one the encoding that the leaf claims, with its SHA-256."""

    leaf: bytes
    blob: bytes | None = None
    digest: bytes | None = None


@lru_cache(maxsize=1024)
def _topic_bytes(topic: str) -> bytes:
    try:
        name = topic.encode("ascii")
    except UnicodeEncodeError as error:
        raise NotALeaf("topic") from error
    if not _TOPIC.fullmatch(name):
        raise NotALeaf("topic")
    return _U16.pack(len(name)) + name


def _place(record: Record | Claim) -> bytes:
    if not 0 <= record.partition < _PARTITION_LIMIT:
        raise NotALeaf("partition")
    if not 0 <= record.offset < _OFFSET_LIMIT:
        raise NotALeaf("offset")
    if record.timestamp_type not in (0, 1):
        raise NotALeaf("timestamp type")
    return _topic_bytes(record.topic) + _PLACE.pack(
        record.partition, record.offset, record.timestamp_type, record.timestamp_ms
    )


def _opt(value: bytes | None) -> bytes:
    return _I32.pack(_NULL_LENGTH) if value is None else _I32.pack(len(value)) + value


@lru_cache(maxsize=1024)
def _before_value(name: str, length: int) -> bytes:
    """What stands before a header's value. Few names and lengths are ever seen, so this is mostly looked up."""
    encoded = name.encode()
    return _U32.pack(len(encoded)) + encoded + _I32.pack(length)


def encode_record(record: Record) -> bytes:
    """The kind-1 encoding of a record, whatever its length; raises NotALeaf for a place Kafka cannot have."""
    parts = [_MAGIC, b"\x01", _place(record), _opt(record.key), _U32.pack(len(record.headers))]
    for name, value in record.headers:
        if value is None:
            parts.append(_before_value(name, _NULL_LENGTH))
        else:
            parts += _before_value(name, len(value)), value
    parts.append(_opt(record.value))
    return b"".join(parts)


def encode_claim(claim: Claim) -> bytes:
    """The leaf of kind 2; raises NotALeaf when the record would have been small enough to be a leaf itself."""
    if claim.length <= LEAF_LIMIT or len(claim.digest) != 32:
        raise NotALeaf("claim")
    return b"".join((_MAGIC, b"\x02", _place(claim), _U64.pack(claim.length), claim.digest))


def encode_first(first: FirstLeaf) -> bytes:
    """The leaf of kind 0; raises NotALeaf when reason, predecessor and lost ranges do not go together."""
    _check_first(first)
    origin, previous = first.origin.encode(), first.previous_origin.encode()
    return b"".join(
        (
            _MAGIC,
            b"\x00",
            _U16.pack(len(origin)),
            origin,
            _U64.pack(first.first_offset),
            bytes((first.reason,)),
            _U16.pack(len(previous)),
            previous,
            _U64.pack(first.previous_size),
            first.previous_root,
            _U32.pack(len(first.lost)),
            *(_U64.pack(start) + _U64.pack(end) for start, end in first.lost),
        )
    )


def leaf_of(record: Record) -> Encoded:
    """The leaf of a record: its own encoding up to 65,535 bytes, above that a claim with the encoding beside it."""
    encoding = encode_record(record)
    if len(encoding) <= LEAF_LIMIT:
        return Encoded(encoding)
    leaf, digest = claim_of(record, encoding)
    return Encoded(leaf, encoding, digest)


def claim_of(record: Record, encoding: bytes) -> tuple[bytes, bytes]:
    """The leaf of a record whose encoding is too large to be one, and the SHA-256 that it claims."""
    digest = hashlib.sha256(encoding).digest()
    return encode_claim(Claim(*record[:5], len(encoding), digest)), digest


def parse(leaf: bytes) -> Leaf:
    """Reads a leaf strictly: lengths checked before allocation, no trailing byte; raises NotALeaf."""
    if len(leaf) > LEAF_LIMIT:
        raise NotALeaf("longer than 65,535 bytes")
    kind, reader = _open(leaf)
    match kind:
        case 0:
            return _read_first(reader)
        case 1:
            return _read_record(reader)
        case 2:
            return _read_claim(reader)
        case _:
            raise NotALeaf("unknown kind")


def parse_blob(claim: Claim, blob: bytes) -> Record:
    """Reads the encoding that a claim stands for; raises NotALeaf when it is another record's, or no record's."""
    if len(blob) != claim.length or hashlib.sha256(blob).digest() != claim.digest:
        raise NotALeaf("blob differs from its claim")
    if len(blob) > BLOB_LIMIT:
        raise NotALeaf("blob longer than 2 MiB")
    kind, reader = _open(blob)
    if kind != 1:
        raise NotALeaf("blob is not a record")
    record = _read_record(reader)
    if record[:5] != claim[:5]:
        raise NotALeaf("blob is of another place than its claim")
    return record


class _Reader:
    """A cursor over bytes that refuses to pass their end."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def take(self, length: int) -> bytes:
        end = self.at + length
        if length < 0 or end > len(self.data):
            raise NotALeaf("shorter than its lengths say")
        taken, self.at = self.data[self.at : end], end
        return taken

    def number(self, form: struct.Struct) -> int:
        (value,) = form.unpack(self.take(form.size))
        return int(value)

    def opt(self) -> bytes | None:
        length = self.number(_I32)
        return None if length == _NULL_LENGTH else self.take(length)

    def text(self, form: struct.Struct) -> str:
        try:
            return self.take(self.number(form)).decode()
        except UnicodeDecodeError as error:
            raise NotALeaf("text is not UTF-8") from error

    def count(self, width: int) -> int:
        """A number of things of at least `width` bytes each, all of which must still fit."""
        count = self.number(_U32)
        if count * width > len(self.data) - self.at:
            raise NotALeaf("shorter than its lengths say")
        return count

    def headers(self) -> tuple[tuple[str, bytes | None], ...]:
        """Names and values, read in one loop: most of what reading a leaf costs."""
        data, end = self.data, len(self.data)
        found: list[tuple[str, bytes | None]] = []
        length_of, value_length_of = _U32.unpack_from, _I32.unpack_from
        count, at = self.count(8), self.at
        try:
            for _ in range(count):
                value_at = at + 4 + length_of(data, at)[0]
                length = value_length_of(data, value_at)[0]
                name, after = data[at + 4 : value_at].decode(), value_at + 4
                if length < 0:
                    if length != _NULL_LENGTH:
                        raise NotALeaf("shorter than its lengths say")
                    found.append((name, None))
                    at = after
                    continue
                at = after + length
                if at > end:
                    raise NotALeaf("shorter than its lengths say")
                found.append((name, data[after:at]))
        except struct.error as error:
            raise NotALeaf("shorter than its lengths say") from error
        except UnicodeDecodeError as error:
            raise NotALeaf("text is not UTF-8") from error
        self.at = at
        return tuple(found)

    def end(self) -> None:
        if self.at != len(self.data):
            raise NotALeaf("trailing bytes")


def _open(data: bytes) -> tuple[int, _Reader]:
    if len(data) < 5 or data[:4] != _MAGIC:
        raise NotALeaf("not a leaf of this format")
    return data[4], _Reader(data, 5)


def _read_place(reader: _Reader) -> tuple[str, int, int, int, int]:
    name = reader.take(reader.number(_U16))
    if not _TOPIC.fullmatch(name):
        raise NotALeaf("topic")
    partition, offset, timestamp_type, timestamp_ms = _PLACE.unpack(reader.take(_PLACE.size))
    if partition >= _PARTITION_LIMIT:
        raise NotALeaf("partition")
    if offset >= _OFFSET_LIMIT:
        raise NotALeaf("offset")
    if timestamp_type not in (0, 1):
        raise NotALeaf("timestamp type")
    return name.decode("ascii"), partition, offset, timestamp_type, timestamp_ms


def _read_record(reader: _Reader) -> Record:
    place = _read_place(reader)
    key = reader.opt()
    headers = reader.headers()
    value = reader.opt()
    reader.end()
    return Record(*place, key, headers, value)


def _read_claim(reader: _Reader) -> Claim:
    place = _read_place(reader)
    length, digest = reader.number(_U64), reader.take(32)
    reader.end()
    if length <= LEAF_LIMIT:
        raise NotALeaf("claim of a record small enough to be a leaf")
    return Claim(*place, length, digest)


def _read_first(reader: _Reader) -> FirstLeaf:
    first = FirstLeaf(
        origin=reader.text(_U16),
        first_offset=reader.number(_U64),
        reason=reader.take(1)[0],
        previous_origin=reader.text(_U16),
        previous_size=reader.number(_U64),
        previous_root=reader.take(32),
        lost=tuple((reader.number(_U64), reader.number(_U64)) for _ in range(reader.count(16))),
    )
    reader.end()
    _check_first(first)
    return first


def _check_first(first: FirstLeaf) -> None:
    if not first.origin:
        raise NotALeaf("origin")
    if not 0 <= first.first_offset < _OFFSET_LIMIT:
        raise NotALeaf("first offset")
    if len(first.previous_root) != 32:
        raise NotALeaf("previous root")
    if first.reason not in (FIRST, PLANNED, REPARTITION, BREAK):
        raise NotALeaf("reason")
    if first.reason == FIRST and first[3:6] != ("", 0, _NO_ROOT):
        raise NotALeaf("a first log names a predecessor")
    if first.reason != FIRST and not first.previous_origin:
        raise NotALeaf("no predecessor named")
    if first.lost and first.reason != BREAK:
        raise NotALeaf("lost ranges without a break")
    reached = -1
    for start, end in first.lost:
        if not reached < start < end <= _OFFSET_LIMIT:
            raise NotALeaf("lost ranges must rise and not touch")
        reached = end
