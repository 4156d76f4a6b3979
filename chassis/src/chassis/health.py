"""What a service says about itself: alive, ready, started, its metrics, and how much it has left to do."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chassis.errors import SURROUNDINGS, kind_of
from chassis.logs import logger
from chassis.metrics import Metrics
from chassis.supervision import wait_until

if TYPE_CHECKING:
    from chassis.runtime import Runtime

LONGEST_LOOP_LAG = 5.0
"""Seconds; a loop that was held up for longer within the last fifteen is not alive."""
LONGEST_OUTBOX_AGE = 60.0
"""Seconds; what waits longer to be published makes a service unready."""
UNKNOWN = -1
"""The lag while the broker cannot be asked."""

log = logger()


class LoopLag:
    """Measures how late the event loop wakes a sleeper: the longest delay of the last fifteen seconds."""

    EVERY = 0.25

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._delays: deque[float] = deque(maxlen=round(15 / self.EVERY))

    @property
    def worst(self) -> float:
        """In seconds."""
        return max(self._delays, default=0.0)

    async def run(self, stopping: asyncio.Event) -> None:
        """Measures until `stopping` is set."""
        while not stopping.is_set():
            began = time.monotonic()
            await wait_until(stopping, self.EVERY)
            self._delays.append(max(0.0, time.monotonic() - began - self.EVERY))
            self._metrics.loop_lag_seconds.set(self.worst)


def health_routes(runtime: Runtime) -> Sequence[BaseRoute]:
    """The five endpoints of every service; all answer JSON but /metrics."""

    async def livez(_: Request) -> Response:
        checks = {"loop": runtime.loop_lag.worst < LONGEST_LOOP_LAG, "watchdog": runtime.watched}
        return _answer(checks)

    async def readyz(_: Request) -> Response:
        return _answer(await readiness(runtime))

    async def startupz(_: Request) -> Response:
        return _answer({"started": runtime.started})

    async def metrics(_: Request) -> Response:
        await status(runtime)  # Sets the gauges of what is counted in the database and at the ends of the logs.
        return Response(runtime.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def status_(_: Request) -> Response:
        found = await status(runtime)
        return _json(found, 200 if "now" in found else 503)

    return [
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/startupz", startupz),
        Route("/metrics", metrics),
        Route("/status", status_),
    ]


async def readiness(runtime: Runtime) -> dict[str, bool]:
    """Each condition of being ready, by name."""
    checks = {"started": runtime.started, "not_stopping": not runtime.stopping.is_set(), "database": False}
    try:
        async with asyncio.timeout(2), runtime.database.connection() as connection:
            age = await connection.fetchval(_OUTBOX_AGE) if runtime.started else 0
        checks |= {"database": True, "outbox": age < LONGEST_OUTBOX_AGE}
    except SURROUNDINGS as error:
        log.info("database_unready", kind=kind_of(error).value, error=error)
    if (engine := runtime.engine) is not None:
        checks |= {"partitions": engine.assigned, "not_paused": not engine.paused}
    if runtime.service.ready is not None:
        checks |= runtime.service.ready(runtime)
    return checks


async def status(runtime: Runtime) -> dict[str, object]:
    """What is left to do, counted in the database at this instant; `lag` also against the ends of the log.

    Without `now` and the counts while the database is away.
    """
    checks = await readiness(runtime)
    answer: dict[str, object] = {
        "service": runtime.service.name,
        "release": runtime.settings.release,
        "ready": all(checks.values()),
        "checks": checks,
    }
    if not (checks["database"] and runtime.started):
        return answer
    try:
        ends = await runtime.ends()
        async with asyncio.timeout(4), runtime.database.connection() as connection:
            # Offsets first: what they say was consumed is then seen by every count after them, the clock too.
            offsets = await connection.fetch(_OFFSETS, runtime.engine.name if runtime.engine else None)
            now = await runtime.clock.read(connection)
            counts = dict(await connection.fetchrow(_COUNTS, now))
            pending = await runtime.service.pending(connection) if runtime.service.pending else 0
            own = await runtime.service.lag(runtime) if runtime.service.lag else {}
    except SURROUNDINGS as error:
        log.warning("status_incomplete", error=error)
        return answer
    lag = _lag(ends, {(row["topic"], row["part"]): row["next_offset"] for row in offsets})
    for topic, records in own.items():
        # The clock may be read by both: whichever is further behind counts.
        lag[topic] = UNKNOWN if UNKNOWN in (records, lag.get(topic)) else max(records, lag.get(topic, 0))
    counts["outbox_age_seconds"] = round(float(counts["outbox_age_seconds"]), 3)
    answer |= {
        "now": now.isoformat(),
        "lag": lag,
        "lag_total": UNKNOWN if UNKNOWN in lag.values() else sum(lag.values()),
        **counts,
        "pending": pending,
        "timers_failing": runtime.timers_failing,
    }
    _measure(runtime.metrics, lag, counts)
    return answer


Ends = Mapping[str, Mapping[int, tuple[int, int]] | None]
"""For each topic, (first, next) offset of each partition; None when it cannot be told."""


def _lag(ends: Ends, offsets: Mapping[tuple[str, int], int]) -> dict[str, int]:
    lag = {}
    for topic, partitions in ends.items():
        if partitions is None:
            lag[topic] = UNKNOWN
        else:
            # What retention has removed is not late, it is lost, and counted elsewhere.
            lag[topic] = sum(
                max(0, end - max(first, offsets.get((topic, part), first))) for part, (first, end) in partitions.items()
            )
    return lag


def _measure(metrics: Metrics, lag: Mapping[str, int], counts: Mapping[str, int | float]) -> None:
    for topic, records in lag.items():
        metrics.lag.set(topic, records)
    for what, count in counts.items():
        metrics.stored.set(what, count)
    metrics.outbox_age_seconds.set(counts["outbox_age_seconds"])


def _answer(checks: Mapping[str, bool]) -> Response:
    fine = all(checks.values())
    return _json({"status": "ok" if fine else "failing", "checks": checks}, 200 if fine else 503)


def _json(body: object, status_code: int) -> Response:
    return Response(orjson.dumps(body), status_code, media_type="application/json")


_OUTBOX_AGE = "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 FROM chassis.outbox"
_COUNTS = """
SELECT
    (SELECT coalesce(sum(cardinality(events)), 0)::bigint FROM chassis.outbox) AS outbox,
    (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 FROM chassis.outbox)
        AS outbox_age_seconds,
    (SELECT count(*) FROM chassis.timers WHERE due_at <= $1) AS timers_due,
    (SELECT count(*) FROM chassis.dead_letters WHERE state = 'open') AS dead_letters,
    (SELECT count(*) FROM chassis.blocked_keys) AS blocked_keys,
    (SELECT count(*) FROM chassis.parked) AS parked
"""
_OFFSETS = "SELECT topic, part, next_offset FROM chassis.offsets WHERE consumer = $1"
