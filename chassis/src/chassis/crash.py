"""Crash points: places where a test ends the process as a power cut would."""

import os

VARIABLE = "GUICHET_CRASH_POINT"
"""`name`, or `name:n` for the n-th time the point is passed; unset in production."""

_passed: dict[str, int] = {}


def crash_point(name: str) -> None:
    """End the process at once, exit code 137, if the environment names this point."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    point, _, count = wanted.partition(":")
    if point == name:
        _passed[name] = _passed.get(name, 0) + 1
        if _passed[name] >= int(count or 1):
            os._exit(137)
