"""A bundle's zip file, written member by member without going back: equal content gives equal bytes."""

from __future__ import annotations

import zlib

from guichet_verify.container import (
    CENTRAL,
    CENTRAL_MARK,
    DEFLATED,
    END,
    END64,
    END64_MARK,
    END_MARK,
    EXTRA64,
    LOCAL,
    LOCAL_MARK,
    LOCATOR,
    LOCATOR_MARK,
    NEW_YEAR_1980,
)

_VERSION = 20
_VERSION64 = 45
_PRIVATE_FILE = 0o600 << 16
_U16, _U32 = 0xFFFF, 0xFFFFFFFF


class Packer:
    """Turns members into the bytes of a zip file, to be sent on as they come. The caller keeps the order of names."""

    def __init__(self) -> None:
        self._directory = bytearray()
        self._count = self._written = 0

    def add(self, name: str, data: bytes) -> bytes:
        """One member, which has to fit in memory: header and deflated bytes."""
        deflater = zlib.compressobj(wbits=-15)
        packed = deflater.compress(data) + deflater.flush()
        named = name.encode("ascii")
        sizes = zlib.crc32(data), len(packed), len(data)
        offset, extra = self._written, b""
        if offset >= _U32:
            offset, extra = _U32, EXTRA64.pack(1, 8, self._written)
        self._directory += CENTRAL.pack(
            CENTRAL_MARK,
            _VERSION,
            _VERSION64 if extra else 20,
            0,
            DEFLATED,
            0,
            NEW_YEAR_1980,
            *sizes,
            len(named),
            len(extra),
            0,
            0,
            0,
            _PRIVATE_FILE,
            offset,
        )
        self._directory += named + extra
        written = LOCAL.pack(LOCAL_MARK, 20, 0, DEFLATED, 0, NEW_YEAR_1980, *sizes, len(named), 0) + named + packed
        self._written += len(written)
        self._count += 1
        return written

    def end(self) -> bytes:
        """The directory, after the last member."""
        size, offset, tail = len(self._directory), self._written, b""
        count, end = self._count, self._written + len(self._directory)
        if count >= _U16 or size >= _U32 or offset >= _U32:
            tail = END64.pack(END64_MARK, END64.size - 12, _VERSION, _VERSION64, 0, 0, count, count, size, offset)
            tail += LOCATOR.pack(LOCATOR_MARK, 0, end, 1)
            count, size, offset = min(count, _U16), min(size, _U32), min(offset, _U32)
        return bytes(self._directory) + tail + END.pack(END_MARK, 0, 0, count, count, size, offset, 0)
