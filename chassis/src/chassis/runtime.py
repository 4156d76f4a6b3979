"""Runs a service: starts everything in order, keeps it going while its surroundings fail, stops it in order."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import uvloop

from chassis import inbox, traces
from chassis.catching_up import catch_up
from chassis.clock import Clock, SandboxClock, SystemClock
from chassis.consuming import Consuming
from chassis.database import Database
from chassis.ends import Ends, Span
from chassis.engine import Engine
from chassis.errors import SURROUNDINGS, Kind, kind_of
from chassis.health import LoopLag, health_routes
from chassis.logs import configure_logs, logger, report_loop_errors
from chassis.messages import Message
from chassis.metrics import Metrics
from chassis.reading import Consumer
from chassis.relay import Relay
from chassis.reporting import Reporter
from chassis.schema import LOCK, MigrationRefused
from chassis.server import Server, build_app
from chassis.service import Service
from chassis.settings import BAD_SETTINGS, Settings
from chassis.supervision import GAVE_UP, Supervisor, backoff_seconds, wait_until
from chassis.timers import Timers
from chassis.transaction import Transaction
from chassis.watchdog import Watchdog
from contracts.topics import CLOCK

STEP_SECONDS = 5
STOP_SECONDS = 20
TEND_SECONDS = 12 * 3600
NO_PORT = 71
"""Exit code of a process whose port is taken (EX_OSERR of sysexits.h)."""

log = logger()


class Runtime:
    """A running service, and what its routes and loops are given."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.service = service
        self.settings = settings
        self.metrics = Metrics()
        self.database = Database(settings.database_url, service=service.name)
        self.clock: Clock = SandboxClock() if settings.clock == "sandbox" else SystemClock()
        self.stopping = asyncio.Event()
        self.started = False
        self.changed = asyncio.Event()
        """Set after every commit in this process, and on stopping: for loops that wait for work. They clear it."""
        self.exit_code = 0
        self.port = 0
        self.loop_lag = LoopLag(self.metrics)
        self.topics = service.topics + ((CLOCK,) if settings.clock == "sandbox" else ())
        self.engine: Engine | None = None
        if self.topics:
            consumer = Consumer(
                name=service.name if service.topics else f"{service.name}-clock",
                facts=service.facts,
                handle=service.handle or _act_upon_nothing,
                release=settings.release,
            )
            self.engine = Engine(
                consumer,
                self.topics,
                self.database,
                self.clock,
                self.metrics,
                committed=self.committed,
                session_seconds=settings.session_seconds,
                keeps_inbox=not service.deployed,
            )
        self.timers: Timers | None = None
        self.relay = Relay(self.database, settings.kafka, self.metrics)
        if service.on_timer is not None:
            self.timers = Timers(self.database, self.clock, self.transaction, service.on_timer, self.metrics)
        self._ends = Ends(settings.kafka, self.topics)
        self._supervisor = Supervisor(self.stopping, self.metrics, self.stop)
        self._consuming = Consuming(self.engine, settings.kafka, self.metrics) if self.engine else None
        self._server: Server | None = None

    @asynccontextmanager
    async def transaction(self, name: str = "transaction", *, parent: str | None = None) -> AsyncIterator[Transaction]:
        """A transaction for a route or a loop: commits on leaving, then wakes the relay and the timers.

        `parent` is the traceparent of whoever asks. Raises what `Database.transaction` does.
        """
        with traces.span(name, parent=parent):
            async with self.database.transaction() as connection:
                transaction = Transaction(connection, await self.clock.read(connection), self.service.name)
                yield transaction
                said = await transaction.flush()
        self.committed(said)

    def committed(self, said: int) -> None:
        """After every commit: what was said goes out at once, and a timer may have been set or the clock moved."""
        self.changed.set()
        if said:
            self.relay.wake()
        if self.timers is not None:
            self.timers.wake()

    @property
    def watched(self) -> bool:
        """Whether nothing has given up: neither the consumer's watchdog nor a loop."""
        return self.exit_code != GAVE_UP

    @property
    def timers_failing(self) -> int:
        """Timers that have raised and wait for another try in this process."""
        return self.timers.failing if self.timers is not None else 0

    def stop(self, exit_code: int = 0) -> None:
        """Begins to stop; the first code that is not zero is the one the process ends with."""
        self.exit_code = self.exit_code or exit_code
        self.stopping.set()
        self.changed.set()
        if self.timers is not None:
            self.timers.wake()
        self.relay.wake()

    async def ends(self) -> dict[str, dict[int, Span] | None]:
        """First and next offset of each partition of each topic consumed; None for a topic nobody can tell about."""
        return await self._ends.ask()

    async def serve(self) -> int:
        """Everything from the pool to the service's own loops, until `stop`; returns the exit code."""
        traced = traces.configure_traces(
            self.service.name,
            self.settings.release,
            otlp_endpoint=self.settings.otlp_endpoint,
            ratio=self.settings.trace_ratio,
        )
        try:
            await self._start()
            await self.stopping.wait()
        finally:
            self.stop()
            await self._stop()
            await asyncio.to_thread(traced.shutdown)
        log.info("service_stopped", exit_code=self.exit_code)
        return self.exit_code

    async def _start(self) -> None:
        await self.database.open()
        self._supervisor.keep("loop-lag", lambda: self.loop_lag.run(self.stopping))
        own = list(self.service.routes(self)) if self.service.routes else []
        app = build_app([*health_routes(self), *own], is_open=lambda: self.started)
        try:
            self._server = Server(app, self.settings.http_host, self.settings.http_port)
        except OSError as error:
            log.error("port_refused", port=self.settings.http_port, error=error)
            return self.stop(NO_PORT)
        self.port = self._server.port
        self._server.start()
        log.info("http_listening", port=self.port)
        await self._migrate()
        if self.stopping.is_set():
            return None
        self.started = True
        if not self.service.deployed:
            self._supervisor.keep("tending", self._tend)
        if self.engine is not None:
            self._supervisor.keep("consumer", self._consume)
        self._supervisor.keep("relay", lambda: self.relay.run(self.stopping))
        if self.timers is not None:
            self._supervisor.keep("timers", self._run_timers)
        if self.settings.report_seconds:
            reporter = Reporter(self.relay, partial(self.transaction, "report"), self.settings.report_seconds)
            self._supervisor.keep("reporter", partial(reporter.run, self.stopping))
        for number, loop in enumerate(self._loops()):
            self._supervisor.keep(f"{self.service.name}-loop-{number + 1}", self._starter(number, loop))
        log.info("service_started", release=self.settings.release, clock=self.settings.clock)
        return None

    async def _migrate(self) -> None:
        tries = 0
        while not self.stopping.is_set():
            try:
                if self.service.deployed:
                    return await self.database.check(self.service.migrations)
                await self.database.migrate(self.service.migrations)
                return await self._tend_inbox()
            except MigrationRefused as error:
                # The text names a package, a version and a rule.
                log.error("migration_refused", reason=str(error))
                return self.stop(BAD_SETTINGS)
            except SURROUNDINGS as error:
                tries += 1
                if kind_of(error) is not Kind.UNAVAILABLE:
                    log.error("migration_failed", error=error)
                    return self.stop(GAVE_UP)
                self.metrics.retries.add("migrations")
                log.warning("database_awaited", tries=tries, error=error)
            await wait_until(self.stopping, backoff_seconds(tries, most=5))
        return None

    async def _tend_inbox(self) -> None:
        async with self.database.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            await inbox.keep_partitions(connection, datetime.now(UTC))

    async def _tend(self) -> None:
        while not await wait_until(self.stopping, TEND_SECONDS):
            await self._tend_inbox()

    async def _consume(self) -> None:
        if self.engine is None or self._consuming is None:
            return
        await self._consuming.run(self.stopping)
        self._supervisor.keep("engine", partial(self.engine.run, self.stopping))
        self._supervisor.keep(
            "watchdog", partial(Watchdog(self.engine, self.settings.kafka, self.metrics, self.stop).run, self.stopping)
        )

    async def _run_timers(self) -> None:
        if self.timers is None:
            return
        if self.engine is not None:
            await catch_up(self._ends, self.database, self.engine.name, self.stopping)
        await self.timers.run(self.stopping)

    def _loops(self) -> list[Coroutine[object, object, None]]:
        return list(self.service.tasks(self)) if self.service.tasks else []

    def _starter(self, number: int, first: Coroutine[object, object, None]) -> Callable[[], Awaitable[None]]:
        """Starts a loop of the service: the one at hand the first time, a new one after a crash."""
        at_hand = [first]

        def start() -> Awaitable[None]:
            if at_hand:
                return at_hand.pop()
            loops = self._loops()
            again = loops.pop(number)
            for other in loops:
                other.close()
            return again

        return start

    async def _stop(self) -> None:
        log.info("service_stopping", exit_code=self.exit_code)
        # A stack of what is still to be stopped: each is, in this order, whatever becomes of those before it.
        async with AsyncExitStack() as left:
            for name, step in (
                *(("database", self.database.close), ("ends", self._ends.close), ("relay", self.relay.stop)),
                *([("consumer", self._consuming.stop)] if self._consuming is not None else []),
                ("loops", self._supervisor.stop),
                *([("http", self._server.stop)] if self._server is not None else []),
            ):
                left.push_async_callback(_stop_within, name, step)


async def _stop_within(name: str, step: Callable[[], Awaitable[object]]) -> None:
    try:
        async with asyncio.timeout(STEP_SECONDS):
            await step()
    except SURROUNDINGS as error:
        log.warning("stop_incomplete", step=name, error=error)


async def _act_upon_nothing(_: Transaction, messages: Sequence[Message]) -> None:
    """For a service that listens to the clock alone, which never comes here."""


def run(service: Service, settings: Settings) -> int:
    """Runs the service until SIGTERM or SIGINT and returns the exit code of the process.

    0 after an ordered stop, 70 when something stayed broken (a watchdog or a loop gave up, the stop took more than
    twenty seconds), 71 when the port is taken, 78 when the database was migrated by another release or a migration was
    edited.
    """
    configure_logs(service.name, settings.log_level)
    # From outside the event loop: whatever refuses to end cannot hold this up.
    axe = threading.Timer(STOP_SECONDS, os._exit, (GAVE_UP,))
    axe.daemon = True
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(service, settings, axe))
    except Exception as error:  # noqa: BLE001 - else the interpreter prints the error's text, and a person's words with it
        log.critical("service_failed", error=error)
        return GAVE_UP
    finally:
        axe.cancel()


async def _run(service: Service, settings: Settings, axe: threading.Timer) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(report_loop_errors)
    runtime = Runtime(service, settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, runtime.stop)
    serving = asyncio.create_task(runtime.serve(), name="serve")
    stopping = asyncio.create_task(runtime.stopping.wait(), name="stopping")
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    axe.start()
    stopping.cancel()
    return await serving
