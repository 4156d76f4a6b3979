"""What a service tells the chassis about itself: its topics, its handlers, its routes and its own loops."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from chassis.database import Connection
    from chassis.messages import Message
    from chassis.runtime import Runtime
    from chassis.transaction import Transaction
    from contracts.facts import Fact


@dataclass(frozen=True, slots=True)
class Timer:
    """A row of `chassis.timers` whose instant has come; one for each (subject, kind)."""

    subject: str
    kind: str
    due_at: datetime


Handle = Callable[["Transaction", "Sequence[Message]"], Awaitable[None]]
OnTimer = Callable[["Transaction", Timer], Awaitable[None]]
Routes = Callable[["Runtime"], "Sequence[BaseRoute]"]
Tasks = Callable[["Runtime"], Sequence[Coroutine[object, object, None]]]
Pending = Callable[["Connection"], Awaitable[int]]
Lag = Callable[["Runtime"], Awaitable[Mapping[str, int]]]
Ready = Callable[["Runtime"], Mapping[str, bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service, as plain data: everything the runtime needs to run it.

    handle     a batch, in order, never twice the same event, never a blocked key. May raise `Unreadable`: the engine
               then finds the message, dead-letters it and repeats the others.
    on_timer   one due timer, in a transaction of its own. The timer is deleted in the same transaction; a new one may
               be set. It reads the subject's state under its lock and decides from that, not from the timer.
    migrations package holding the numbered SQL files of the service's own schema (named after the service).
    deployed   whether a superuser makes the tables at deployment: then the service only waits for them, and its role
               may define nothing.
    routes     HTTP routes beside /livez, /readyz, /startupz, /metrics and /status; they answer 503 until started.
    tasks      loops of the service's own. The function is called again to restart a loop that crashed, so it must
               always return the same loops in the same order. A loop ends when `runtime.stopping` is set.
    pending    how much accepted work is not done yet (counted in /status).
    lag        records behind, for each topic, of a consumer of the service's own (added to the engine's in /status).
    ready      further named conditions of /readyz.
    """

    name: str
    topics: tuple[str, ...] = ()
    facts: Mapping[str, type[Fact]] = field(default_factory=dict)
    handle: Handle | None = None
    on_timer: OnTimer | None = None
    migrations: str | None = None
    deployed: bool = False
    routes: Routes | None = None
    tasks: Tasks | None = None
    pending: Pending | None = None
    lag: Lag | None = None
    ready: Ready | None = None
