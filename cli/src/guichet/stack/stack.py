"""One embedded stack: brought up in order, repaired while it runs, taken down without a trace."""

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Collection
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

from chassis.topology import ensure_topics
from guichet.stack import databases, processes, services
from guichet.stack.errors import StackError
from guichet.stack.kafka import Broker, Kafka, new_uuid
from guichet.stack.postgres import Postgres
from guichet.stack.processes import Process
from guichet.stack.state import (
    BrokerState,
    PortalState,
    PostgresState,
    Running,
    StackState,
    alone,
    load,
    load_if_any,
    save,
)

PARTITIONS = 6
Tell = Callable[[str], None]


def _running(process: Process | None) -> Running | None:
    return Running(pid=process.pid, started=process.started) if process else None


class Stack:
    """The stack in one home folder. Every step looks at what already stands, so that a killed `up` is just repeated."""

    def __init__(
        self,
        home: Path,
        *,
        brokers: int = 1,
        replicas: int = 1,
        throwaway: bool = False,
        tell: Tell = lambda _: None,
    ) -> None:
        """`throwaway`: nobody wants the data of a new stack after its end, as `Postgres` has it."""
        self.home = home.resolve()
        self.brokers = brokers
        self.replicas = replicas
        self.throwaway = throwaway
        self.tell = tell

    @classmethod
    async def start(
        cls,
        home: Path,
        *,
        brokers: int = 1,
        replicas: int = 1,
        sandbox_start: datetime | None = None,
        supervised: bool = True,
        throwaway: bool = False,
        tell: Tell = lambda _: None,
    ) -> StackState:
        """Brings a stack up in the background and returns when it is ready; `await Stack(home).down()` ends it."""
        stack = cls(home, brokers=brokers, replicas=replicas, throwaway=throwaway, tell=tell)
        state = await stack.up(sandbox_start=sandbox_start)
        return await stack.supervise() if supervised else state

    async def up(self, *, sandbox_start: datetime | None = None) -> StackState:
        """Starts what does not run and returns when every service is ready and the demo reference data are there.

        `sandbox_start` sets the clock of a stack that is new. Raises StackError with the remedy.
        """
        async with alone(self.home, waiting=lambda: self.tell("waiting for another command on this stack")):
            state = load_if_any(self.home) or self._new()
            state.replicas = max(state.replicas, self.replicas)
            self._clear_strays(state)
            with services.launcher(self.home, state) or nullcontext() as launcher:
                await self._raise_base(state)
                self.tell("starting the services")
                services.start(self.home, state, prepared=launcher)
            save(self.home, state)
            if state.prepared:
                await services.until_ready(self.home, state)
            else:
                await self._prepare(state, sandbox_start)
            return state

    async def _prepare(self, state: StackState, sandbox_start: datetime | None) -> None:
        from guichet.stack.prepare import prepare
        from provisioning.synthetic import fill_holder

        filling = asyncio.create_task(fill_holder(state.holder_url))
        try:
            await services.until_ready(self.home, state)
            self.tell("making the synthetic data of the holder")
            await filling
        finally:
            filling.cancel()
        await prepare(state, sandbox_start, self.tell)
        state.prepared = True
        save(self.home, state)

    def _new(self) -> StackState:
        (self.home / "logs").mkdir(parents=True, exist_ok=True)
        state = StackState(
            cluster_id=new_uuid(),
            broker_count=self.brokers,
            postgres=PostgresState(password=secrets.token_urlsafe(24)),
            portals={name: PortalState(token=secrets.token_urlsafe(24)) for name in services.PORTALS},
        )
        databases.choose_passwords(state)
        save(self.home, state)
        return state

    def _clear_strays(self, state: StackState) -> None:
        """Ends processes of this stack that no file knows: a command was killed between starting one and noting it."""
        known = {each.pid for each in state.processes() if each.alive()}
        for stray in processes.members(self.home):
            if stray.pid not in known and stray.name != "postgres":
                stray.stop(seconds=5)
        if state.postgres.running and not state.postgres.running.process("postgres").alive():
            state.postgres.running = None

    def _kafka(self, state: StackState) -> Kafka:
        return Kafka(self.home, state.broker_count, state.cluster_id, [_broker(each) for each in state.brokers])

    async def _raise_base(self, state: StackState) -> None:
        """PostgreSQL and Kafka, then topics and databases; the addresses in `state` are right afterwards."""
        postgres = Postgres(
            self.home,
            state.postgres.port,
            state.postgres.superuser,
            state.postgres.password,
            state.postgres.running.process("postgres") if state.postgres.running else None,
            throwaway=self.throwaway,
        )
        kafka = self._kafka(state)
        before = (state.kafka, state.postgres.port)
        self.tell("starting PostgreSQL and Kafka")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(postgres.start())
                group.create_task(kafka.start(self.tell))
        except* StackError as errors:
            raise errors.exceptions[0] from None
        finally:  # Also of a start that failed: what runs is noted, so that `down` finds it.
            state.kafka = kafka.bootstrap
            state.brokers = [
                BrokerState(
                    node=each.node,
                    port=each.port,
                    controller_port=each.controller_port,
                    running=_running(each.process),
                )
                for each in kafka.brokers
            ]
            state.postgres.port = postgres.port
            state.postgres.running = _running(postgres.process)
            save(self.home, state)
        await ensure_topics(state.kafka, partitions=PARTITIONS, replication=min(3, state.broker_count))
        await databases.ensure_databases(state)
        await databases.ensure_trail(state)
        services.choose_instances(state)
        for name, service in state.services.items():
            service.database_url = databases.service_url(state, name)
        state.holder_url = databases.url(state, databases.HOLDER)
        state.workspaces_url = databases.url(state, databases.WORKSPACES)
        if before != (state.kafka, state.postgres.port):
            services.stop(state)  # They were told addresses that are no longer right.
        save(self.home, state)

    async def repair(self, names: Collection[str]) -> None:
        """Starts again those of the named processes that are dead, base first; does not wait for services."""
        async with alone(self.home):
            state = load(self.home)
            dead = {each.name for each in state.processes() if not each.alive()} & set(names)
            only: Collection[str] | None = names
            if any(name == "postgres" or name.startswith("kafka") for name in dead):
                before = (state.kafka, state.postgres.port)
                await self._raise_base(state)
                only = names if before == (state.kafka, state.postgres.port) else None
            services.start(self.home, state, only)
            save(self.home, state)

    async def supervise(self) -> StackState:
        """Leaves a supervisor behind, unless one runs; returns the state with it."""
        async with alone(self.home):
            state = load(self.home)
            if not (state.supervisor and state.supervisor.process("supervisor").alive()):
                process = processes.spawn(
                    "supervisor",
                    [sys.executable, "-m", "guichet.stack.supervisor", str(self.home)],
                    home=self.home,
                    log=services.log_of(self.home, "supervisor"),
                )
                state.supervisor = _running(process)
                save(self.home, state)
            return state

    async def down(self) -> list[str]:
        """Ends everything, in reverse order, and returns what could not be ended: an empty list, or a problem.

        Data stay. A stack that is already down is down.
        """
        state = load_if_any(self.home)
        if state and state.supervisor and state.supervisor.pid != os.getpid():
            self.tell("stopping the supervisor")
            await asyncio.to_thread(state.supervisor.process("supervisor").stop, seconds=5.0)
        async with alone(self.home):
            state = load_if_any(self.home)
            if state:
                self.tell("stopping the services")
                await asyncio.to_thread(services.stop, state)
                self.tell("stopping Kafka")
                await self._kafka(state).stop()
                self.tell("stopping PostgreSQL")
                if state.postgres.running:
                    await asyncio.to_thread(state.postgres.running.process("postgres").stop, signal.SIGINT)
            left = await asyncio.to_thread(self._sweep)
            if state:
                _forget_processes(state)
                save(self.home, state)
            return left

    def _sweep(self) -> list[str]:
        """Ends whatever else carries this stack's mark; returns what still runs after that."""
        deadline = time.monotonic() + 10
        while left := list(processes.members(self.home)):
            if time.monotonic() > deadline:
                return [f"{each.name} ({each.pid})" for each in left]
            for each in left:
                each.stop(seconds=3)
        return []


def _broker(state: BrokerState) -> Broker:
    process = state.running.process(f"kafka-{state.node}") if state.running else None
    return Broker(state.node, state.port, state.controller_port, process)


def _forget_processes(state: StackState) -> None:
    state.supervisor = None
    state.postgres.running = None
    for broker in state.brokers:
        broker.running = None
    for service in state.services.values():
        for instance in service.instances:
            instance.running = None
    for watcher in state.watchers.values():
        watcher.running = None
