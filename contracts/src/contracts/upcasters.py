"""Older versions of a fact, read as the newest: pure functions from data to data. What was recorded never changes."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pydantic import JsonValue

Json = dict[str, JsonValue]


class Upcaster(NamedTuple):
    """One step: the full type it leads to, and the function that turns data of the older version into data of the
    newer."""

    to: str
    function: Callable[[Json], Json]


UPCASTERS: dict[str, Upcaster] = {}
"""By the full type they start from. None yet: every type is in its first version."""


def upcast(full_type: str, data: Json, upcasters: Mapping[str, Upcaster] = UPCASTERS) -> tuple[str, Json]:
    """The newest version of data, and its full type; a type without upcaster comes back as it is.

    The argument is not changed.
    """
    passed = {full_type}
    while (step := upcasters.get(full_type)) is not None:
        full_type, data = step.to, step.function(dict(data))
        if full_type in passed:
            raise ValueError(f"the upcasters of {full_type} go in a circle")
        passed.add(full_type)
    return full_type, data


def digest(upcasters: Mapping[str, Upcaster] = UPCASTERS) -> str:
    """SHA-256 (hex) over every step and its source: a replay says with which upcasters it read."""
    steps = [f"{start}\0{step.to}\0{inspect.getsource(step.function)}" for start, step in sorted(upcasters.items())]
    return hashlib.sha256("\0".join(steps).encode()).hexdigest()
