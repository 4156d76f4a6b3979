"""What timestamp tokens say of the times that events bear: an event lies between two tokens, or a clock was wrong.

A time in an event is its producer's word. A leaf below a stamped size was there when the token was given; one at or
above it came later.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime, timedelta

from rfc3161_client import decode_timestamp_response

TOLERANCE = timedelta(days=1)
"""How long what was said may wait before it is recorded, and how far clocks may differ."""


class Windows:
    """The tokens of one log, as they say of themselves: `guichet-verify --tsa` is what checks whose they are."""

    def __init__(self, tokens: Iterable[tuple[int, bytes]]) -> None:
        """`tokens` are sizes, rising, each with its token; raises ValueError for one that cannot be read."""
        self._sizes: list[int] = []
        self._times: list[datetime] = []
        for size, token in tokens:
            self._sizes.append(size)
            self._times.append(decode_timestamp_response(token).tst_info.gen_time)

    def refuses(self, index: int, said: datetime) -> str | None:
        """Why the leaf at `index` was not said then; None when no token speaks against it."""
        after = bisect_right(self._sizes, index)
        if after and said < self._times[after - 1] - TOLERANCE:
            return "time-before-its-token-window"
        if after < len(self._times) and said > self._times[after] + TOLERANCE:
            return "time-after-its-token-window"
        return None
