"""Stops consuming when too much is set aside: otherwise one bad release drains a topic into the dead letters."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

WINDOW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop, looked at after each batch over the last minute.

    A portal's bad afternoon must pass: a few dozen letters, even if they are a tenth of a quiet minute. So the share
    counts only among at least `sample` records. `pause_seconds` doubles each time it opens again, up to an hour,
    and falls back after an hour without.
    """

    letters_per_minute: int = 100
    share: float = 0.05
    sample: int = 1000
    pause_seconds: float = 60
    longest_pause_seconds: float = 3600


class Breaker:
    """Counts records and letters; open while `remaining` is above zero."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._counts: deque[tuple[float, int, int]] = deque()
        self._openings = 0
        self._opened_at = 0.0
        self._open_until = 0.0

    @property
    def remaining(self) -> float:
        """Seconds until consuming goes on; 0 when nothing is wrong."""
        return max(0.0, self._open_until - self._clock())

    def count(self, records: int, letters: int) -> bool:
        """Count a batch; True when this opens the breaker."""
        now = self._clock()
        self._counts.append((now, records, letters))
        while self._counts[0][0] <= now - WINDOW_SECONDS:
            self._counts.popleft()
        if not letters or not self._is_too_much():
            return False
        if now - self._opened_at > self._limits.longest_pause_seconds:
            self._openings = 0
        pause = min(self._limits.pause_seconds * 2**self._openings, self._limits.longest_pause_seconds)
        self._openings += 1
        self._opened_at = now
        self._open_until = now + pause
        self._counts.clear()
        return True

    def _is_too_much(self) -> bool:
        records = sum(count for _, count, _ in self._counts)
        letters = sum(count for _, _, count in self._counts)
        if letters > self._limits.letters_per_minute:
            return True
        return records >= self._limits.sample and letters > self._limits.share * records
