"""Ids of events: UUIDv7, strictly increasing within a process."""

import os
import time

_last = 0


def new_event_id() -> str:
    """Give the text of a new UUIDv7 (RFC 9562 5.7), greater than every one this process gave before.

    48 bits of milliseconds, then 12 bits of the millisecond's fraction (method 3 of RFC 9562 6.2), which count on when
    the clock stands still or goes back; then 62 random bits.
    """
    global _last
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    _last = max(_last + 1, milliseconds << 12 | (nanoseconds << 12) // 1_000_000)
    chance = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    whole = (_last >> 12) << 80 | 0x7 << 76 | (_last & 0xFFF) << 64 | 0x2 << 62 | chance
    text = f"{whole:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
