"""The zip file of a bundle, read as strictly as it is written: one reading for every reader, nothing hidden in it.

Local headers follow one another without a gap and say what the directory says; the directory ends the file. Memory does
not grow with the number of members: the directory is walked, and a member is found again by its place in it.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

STORED, DEFLATED = 0, 8
NEW_YEAR_1980 = 0x21
"""1980-01-01 as a zip file writes a date; the time beside it is 0."""

END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")
CENTRAL = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
EXTRA64 = struct.Struct("<HHQ")
END_MARK, END64_MARK, LOCATOR_MARK = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
CENTRAL_MARK, LOCAL_MARK = b"PK\x01\x02", b"PK\x03\x04"

_U16, _U32 = 0xFFFF, 0xFFFFFFFF
_HARMLESS = 0x0806
"""Flags that change nothing: how hard the writer compressed, and that names are UTF-8."""
_NAME = re.compile(r"[a-z0-9._/-]{1,200}", re.ASCII)
_PIECE = 64 << 10


class NotABundle(ValueError):
    """A container that is not of this format; the text names the rule."""


class Member(NamedTuple):
    """One file in the container; `offset` is that of its local header."""

    name: str
    offset: int
    packed: int
    size: int
    crc: int
    method: int


class Container:
    """An open zip file. Raises NotABundle wherever it is not as a bundle must be, OSError where it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            if not stat.S_ISREG(os.fstat(self._file).st_mode):
                raise NotABundle("not a regular file")
            self.start, self.end, self.count = self._find_directory(os.fstat(self._file).st_size)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._file)

    def walk(self) -> Iterator[tuple[int, Member]]:
        """Every member in the order of the directory, each with its place; local headers are held against it."""
        place, expected = self.start, 0
        for _ in range(self.count):
            member, after = self.at(place)
            if member.offset != expected:
                raise NotABundle("members do not follow one another")
            expected = self._data(member) + member.packed
            yield place, member
            place = after
        if place != self.end:
            raise NotABundle("directory of another length")
        if expected != self.start:
            raise NotABundle("members do not follow one another")

    def at(self, place: int) -> tuple[Member, int]:
        """The member whose directory entry stands at this place, and the place after it."""
        if place + CENTRAL.size > self.end:
            raise NotABundle("directory of another length")
        record = self._read(place, min(CENTRAL.size + 220, self.end - place))
        (mark, _, _, flags, method, time, date, crc, packed, size, named, extra, comment, disk, _, mode, offset) = (
            CENTRAL.unpack_from(record)
        )
        after = CENTRAL.size + named + extra + comment
        if mark != CENTRAL_MARK or len(record) < after or disk:
            raise NotABundle("directory entry")
        if comment:
            raise NotABundle("a member has a comment")
        if offset == _U32:
            offset = _offset64(record[CENTRAL.size + named : after])
        elif extra:
            raise NotABundle("extra field")
        name = _name(record[CENTRAL.size : CENTRAL.size + named])
        if flags & ~_HARMLESS:
            raise NotABundle("encrypted, or of unknown length")
        if method not in (STORED, DEFLATED) or (method == STORED and packed != size):
            raise NotABundle("neither stored nor deflated")
        if (date, time) != (NEW_YEAR_1980, 0):
            raise NotABundle("member time")
        if mode & 0x10 or stat.S_IFMT(mode >> 16) not in (0, stat.S_IFREG):
            raise NotABundle("a directory or a link")
        return Member(name, offset, packed, size, crc, method), place + after

    def read(self, member: Member) -> bytes:
        """The bytes of a member, of exactly the size and checksum that the directory states."""
        start = self._data(member)
        data = self._read(start, member.size) if member.method == STORED else self._inflate(start, member)
        if len(data) != member.size or zlib.crc32(data) != member.crc:
            raise NotABundle("a member's bytes are not those its size and checksum state")
        return data

    def _inflate(self, start: int, member: Member) -> bytes:
        inflater = zlib.decompressobj(-15)
        parts, room, end = [], member.size + 1, start + member.packed
        try:
            for at in range(start, end, _PIECE):
                parts.append(inflater.decompress(self._read(at, min(_PIECE, end - at)), room))
                room -= len(parts[-1])
                if room <= 0 or (inflater.eof and at + _PIECE < end):
                    raise NotABundle("a member is longer than its size")
        except zlib.error as error:
            raise NotABundle("a member does not inflate") from error
        if not inflater.eof or inflater.unused_data:
            raise NotABundle("a member ends early or late")
        return b"".join(parts)

    def _data(self, member: Member) -> int:
        """Where a member's bytes begin; its local header has to say what the directory says."""
        name = member.name.encode("ascii")
        header = self._read(member.offset, LOCAL.size + len(name))
        if len(header) != LOCAL.size + len(name):
            raise NotABundle("local header")
        (mark, _, flags, method, time, date, crc, packed, size, named, extra) = LOCAL.unpack_from(header)
        if mark != LOCAL_MARK or flags & ~_HARMLESS or header[LOCAL.size :] != name or named != len(name) or extra:
            raise NotABundle("local header")
        if (method, time, date, crc, packed, size) != (
            member.method,
            0,
            NEW_YEAR_1980,
            member.crc,
            member.packed,
            member.size,
        ):
            raise NotABundle("local header differs from the directory")
        return member.offset + len(header)

    def _find_directory(self, length: int) -> tuple[int, int, int]:
        record = self._read(max(0, length - END.size), END.size)
        if len(record) != END.size:
            raise NotABundle("not a zip file")
        mark, disk, other, here, count, size, offset, comment = END.unpack(record)
        if mark != END_MARK or comment:
            raise NotABundle("not a zip file, or one with a comment")
        end = length - END.size
        if self._read(max(0, end - LOCATOR.size), 4) == LOCATOR_MARK:
            end, here, count, size, offset = self._find_directory64(end)
        if disk or other or here != count or offset + size != end:
            raise NotABundle("directory is not at the end")
        if not count or size < count * (CENTRAL.size + 1):
            raise NotABundle("directory of another length")
        return offset, end, count

    def _find_directory64(self, end: int) -> tuple[int, int, int, int, int]:
        start = end - LOCATOR.size - END64.size
        record = self._read(max(0, start), LOCATOR.size + END64.size)
        if start < 0 or len(record) != LOCATOR.size + END64.size:
            raise NotABundle("not a zip file")
        mark, length, _, _, disk, other, here, count, size, offset = END64.unpack_from(record)
        locator = LOCATOR.unpack_from(record, END64.size)
        if mark != END64_MARK or length != END64.size - 12 or disk or other or locator != (LOCATOR_MARK, 0, start, 1):
            raise NotABundle("directory is not at the end")
        return start, here, count, size, offset

    def _read(self, at: int, length: int) -> bytes:
        parts = []
        while length > 0:
            part = os.pread(self._file, length, at)
            if not part:
                break
            parts.append(part)
            at, length = at + len(part), length - len(part)
        return b"".join(parts)


def _offset64(extra: bytes) -> int:
    if len(extra) != EXTRA64.size:
        raise NotABundle("extra field")
    tag, length, offset = EXTRA64.unpack(extra)
    if (tag, length) != (1, 8) or offset < _U32:
        raise NotABundle("extra field")
    return int(offset)


def _name(raw: bytes) -> str:
    name = raw.decode("latin-1")
    if not _NAME.fullmatch(name) or any(part in ("", ".", "..") for part in name.split("/")):
        raise NotABundle("member name")
    return name
