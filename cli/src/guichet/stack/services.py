"""The four services as processes: what each is told by its environment, and when it is ready."""

import asyncio
import hashlib
import json
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from guichet import demo_data
from guichet.stack import databases, processes, watchers
from guichet.stack.errors import StackError
from guichet.stack.launching import Launcher, Start
from guichet.stack.ports import free_ports, is_free
from guichet.stack.quiet import client
from guichet.stack.state import SERVICES, Instance, Running, ServiceState, StackState, environments_file

if TYPE_CHECKING:
    from provisioning.desk import Desk

PORTALS = ("portal-hdh", "portal-hdab-fr")
POSTGRES_ENVIRONMENTS = (
    "env-souverain",
    *(f"{name}={databases.workspaces_of(name)}" for name in databases.MORE_ENVIRONMENTS),
)
"""The demo environments that the postgres adapter serves, each a database of its own; the others need a person."""


TRACES = frozenset({"GUICHET_OTLP_ENDPOINT", "GUICHET_TRACE_RATIO"})


def desk_of(state: StackState) -> "Desk":
    """The operator's desk over the provisioning of a stack."""
    from provisioning.desk import Desk

    url = state.service("provisioning").database_url
    return Desk(
        url,
        state.workspaces_url,
        sandbox=state.sandbox,
        environments=POSTGRES_ENVIRONMENTS,
        environments_file=environments_file(state.home),
    )


def log_of(home: Path, name: str) -> Path:
    """Where a service, or one of its processes, writes what it has to say."""
    return home / "logs" / f"{name}.log"


def portals_file(home: Path, state: StackState) -> Path:
    """Writes what intake knows of portals: the SHA-256 of each one's token."""
    file = home / "portals.json"
    known = {name: hashlib.sha256(portal.token.encode()).hexdigest() for name, portal in state.portals.items()}
    file.write_text(json.dumps(known), "ascii")
    return file


def environment(home: Path, state: StackState, name: str, port: int) -> dict[str, str]:
    """The GUICHET_* variables of one process of a service; of the caller's own, only where traces go is passed on."""
    given = {key: value for key, value in os.environ.items() if not key.startswith("GUICHET_") or key in TRACES}
    given |= {
        "GUICHET_HOME": str(home),
        "GUICHET_KAFKA": state.kafka,
        "GUICHET_DATABASE_URL": databases.service_url(state, name),
        "GUICHET_HTTP_HOST": "127.0.0.1",
        "GUICHET_HTTP_PORT": str(port),
        "GUICHET_CLOCK": "sandbox" if state.sandbox else "system",
        "GUICHET_SESSION_SECONDS": "6",
        "GUICHET_REPORT_SECONDS": "10",
    }
    if name == "intake":
        given["GUICHET_PORTALS_FILE"] = str(portals_file(home, state))
    if name == "compliance":
        given["GUICHET_PERMANENT_BODIES_FILE"] = str(Path(demo_data.__file__).with_name("catalogue.json"))
    if name == "audit":
        given["GUICHET_AUDIT_NAME"] = databases.AUDIT_NAME
        given["GUICHET_SIGNER_URL"] = state.watchers["signer"].url
    if name == "provisioning":
        given["GUICHET_HOLDER_URL"] = databases.url(state, databases.HOLDER_READER, databases.HOLDER)
        given["GUICHET_WORKSPACES_URL"] = state.workspaces_url
        given["GUICHET_POSTGRES_ENVIRONMENTS"] = ",".join(POSTGRES_ENVIRONMENTS)
        given["GUICHET_CERTIFICATE_KEY"] = str(watchers.certificate_key(home))
        if (file := environments_file(home)) is not None:
            given["GUICHET_ENVIRONMENTS_FILE"] = str(file)
    return given


def process_name(service: ServiceState, name: str, number: int) -> str:
    """`intake`, or `intake-2` where a service has several processes."""
    return name if len(service.instances) == 1 else f"{name}-{number + 1}"


def choose_instances(state: StackState) -> None:
    """As many processes for each service as the stack has replicas; audit has one, because its tree has one head."""
    for name in SERVICES:
        service = state.services.setdefault(name, ServiceState())
        wanted = 1 if name == "audit" else state.replicas
        for _ in range(wanted - len(service.instances)):
            service.instances.append(Instance(port=0))


def launcher(home: Path, state: StackState) -> Launcher | None:
    """What the processes of all services can be started from, or None when all of them run."""
    if state.services and all(each.alive() for each in state.processes()):
        return None
    return Launcher(home, [*SERVICES, *watchers.MODULES.values()])


def start(
    home: Path, state: StackState, only: Collection[str] | None = None, prepared: Launcher | None = None
) -> list[str]:
    """Starts every process of a service that does not run, or those of them named in `only`; returns their names.

    `prepared` has imported already; without it, only what is to be started is imported.
    """
    due = _due(home, state, only)
    if not due:
        return []
    with prepared or Launcher(home, [each.module for _, each in due]) as copies:
        started = copies.launch([each for _, each in due])
    for instance, each in due:
        process = started[each.name]
        instance.running = Running(pid=process.pid, started=process.started)
    return list(started)


def _due(home: Path, state: StackState, only: Collection[str] | None) -> list[tuple[Instance, Start]]:
    due = []
    taken = {each.port for service in state.services.values() for each in service.instances}
    watchers.choose(home, state, taken)
    for name, service in state.services.items():
        for number, instance in enumerate(service.instances):
            called = process_name(service, name, number)
            if instance.alive(called) or (only is not None and called not in only):
                continue
            if not instance.port or not is_free(instance.port):
                instance.port = free_ports(1, taken)[0]
                taken.add(instance.port)
            told = environment(home, state, name, instance.port)
            due.append((instance, Start(called, name, str(log_of(home, called)), told)))
    for name, watcher in state.watchers.items():
        if watcher.alive(name) or (only is not None and name not in only):
            continue
        told = watchers.environment(home, state, name)
        due.append((watcher, Start(name, watchers.MODULES[name], str(log_of(home, name)), told)))
    return due


def stop(state: StackState, seconds: float = 20.0) -> None:
    """Ends all processes of all services at once; one that has not ended within `seconds` is killed."""
    running = [
        instance.running.process(name)
        for name, service in state.services.items()
        for instance in service.instances
        if instance.running
    ]
    for process in running:
        process.send(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    for process in running:
        process.stop(seconds=max(0.1, deadline - time.monotonic()))
    watchers.stop(state)


async def until_ready(home: Path, state: StackState, seconds: float = 180.0) -> None:
    """Returns when every process answers /readyz with 200; raises StackError when one ended or took too long."""
    deadline = time.monotonic() + seconds
    async with client(3) as asking:
        waiting = {
            process_name(service, name, number): instance
            for name, service in state.services.items()
            for number, instance in enumerate(service.instances)
        } | state.watchers
        while waiting:
            for called, instance in list(waiting.items()):
                if await _ready(asking, instance.url):
                    del waiting[called]
                elif not instance.alive(called):
                    log = log_of(home, called)
                    raise StackError(f"{called} ended while starting: {processes.tail(log, 3)}", f"read {log}")
            if waiting and time.monotonic() > deadline:
                raise StackError(f"not ready within {seconds:.0f} s: {', '.join(waiting)}", "guichet logs SERVICE")
            await asyncio.sleep(0.1)


async def _ready(asking: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await asking.get(f"{url}/readyz")).status_code == 200
    except httpx.HTTPError:
        return False
