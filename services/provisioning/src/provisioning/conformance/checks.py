"""The promises, by what they are about; the names are stable."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from provisioning.conformance import access, data, lives, orders
from provisioning.conformance.suite import Check, Trial


def _named(act: Callable[[Trial], Awaitable[None]]) -> Check:
    return Check(getattr(act, "__name__", "").replace("_", "-"), (act.__doc__ or "").strip().rstrip("."), act)


CHECKS: tuple[Check, ...] = tuple(_named(act) for module in (lives, data, access, orders) for act in module.ALL)
"""Every check, in the order in which a reader would ask."""
