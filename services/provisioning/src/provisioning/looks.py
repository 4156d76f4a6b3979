"""Workspaces at which the sweep of this process is to look at once, because a host said what we do not know.

Kept in memory only: what a process that dies would have looked at, the next sweep looks at anyway.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from provisioning.domain import Closed, Destroyed, Open, State, settled

Reported = Literal["ready", "open", "frozen", "closed", "destroyed"]


def contradicts(state: State, reported: Reported) -> bool:
    """Whether a host says something else of a workspace than what we had it do last."""
    match settled(state):
        case Open():
            return reported != "open"
        case Closed():
            return reported != "closed"
        case Destroyed():
            return reported != "destroyed"
        case None:
            return False
        case _:
            # Not open yet, or frozen: in both nobody may be in, and everything is still there.
            return reported not in ("ready", "frozen")


class Looks:
    """What is to be looked at; asked twice, a workspace is looked at once."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._woken = asyncio.Event()

    def ask(self, workspace_id: str) -> None:
        """Have a workspace looked at. Call it after the commit of what is to be seen."""
        self._asked.add(workspace_id)
        self._woken.set()

    async def wait(self, stopping: asyncio.Event, seconds: float) -> frozenset[str]:
        """What was asked for meanwhile, as soon as something is; nothing after so many seconds, or on stopping."""
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._woken, stopping)]
        try:
            await asyncio.wait(waiting, timeout=max(0, seconds), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
        self._woken.clear()
        asked, self._asked = frozenset(self._asked), set()
        return asked
