"""The portals: who they are by their token, and how fast each may come."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from chassis.logs import logger

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")

log = logger()


class PortalsRefused(ValueError):
    """The portals' file is not JSON of names and SHA-256 digests; its text never holds what was in it."""


def read_portals(path: Path) -> dict[str, str]:
    """The SHA-256 of each portal's token in lower-case hex; raises `PortalsRefused`."""
    try:
        found = json.loads(path.read_bytes())
    except OSError:
        raise PortalsRefused("the portals' file cannot be read") from None
    except ValueError:
        raise PortalsRefused("the portals' file is not JSON") from None
    if not isinstance(found, dict) or not all(
        _NAME.fullmatch(name) and isinstance(digest, str) and _DIGEST.fullmatch(digest)
        for name, digest in found.items()
    ):
        raise PortalsRefused("the portals' file must name the SHA-256 of each portal's token in lower-case hex")
    return found


class Portals:
    """Tells a portal by its bearer token (RFC 6750). A file that changes is read again; a bad one changes nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changed = _changed(path)
        self._digests: Mapping[str, str] = read_portals(path)

    def named_by(self, authorization: str | None) -> str | None:
        """The portal whose token an Authorization header holds, or None. Takes as long whoever it is."""
        self._read_again()
        scheme, _, token = (authorization or "").partition(" ")
        digest = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).hexdigest()
        found = None
        for name, kept in self._digests.items():
            if hmac.compare_digest(digest, kept):
                found = name
        return found if scheme.lower() == "bearer" else None

    def _read_again(self) -> None:
        changed = _changed(self._path)
        if changed in (None, self._changed):
            return
        self._changed = changed
        try:
            self._digests = read_portals(self._path)
        except PortalsRefused as error:
            log.error("portals_refused", error=error)


def _changed(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


class Buckets:
    """A token bucket for each portal: `per_second` in the long run, `at_once` in a burst."""

    def __init__(self, per_second: float, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._at_once = at_once
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, portal: str, events: int) -> float:
        """Take room for so many events and return 0, or take none and return the seconds until there is room."""
        now = self._clock()
        level, since = self._levels.get(portal, (float(self._at_once), now))
        level = min(self._at_once, level + (now - since) * self._per_second)
        # A batch larger than the bucket would never pass: it needs a full one.
        needed = min(events, self._at_once)
        if level >= needed:
            self._levels[portal] = (level - needed, now)
            return 0.0
        self._levels[portal] = (level, now)
        return (needed - level) / self._per_second
