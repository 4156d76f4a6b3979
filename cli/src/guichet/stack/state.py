"""What is known about a stack between two commands: `stack.json` in its home folder, readable by its owner alone."""

import asyncio
import fcntl
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TextIO

from pydantic import BaseModel, Field, PrivateAttr, computed_field

from guichet.stack.errors import StackError
from guichet.stack.processes import Process

FILE = "stack.json"
SERVICES = ("intake", "compliance", "provisioning", "audit")
WATCHERS = ("signer", "witness")
"""What watches over the trail: each a program with keys and a state of its own, and no service."""


class Running(BaseModel):
    """A process by pid and start time (seconds of the epoch)."""

    pid: int
    started: float

    def process(self, name: str) -> Process:
        """The same as a process that can be asked and stopped."""
        return Process(name, self.pid, self.started)


class BrokerState(BaseModel):
    """One broker and its two ports."""

    node: int
    port: int
    controller_port: int
    running: Running | None = None


class PostgresState(BaseModel):
    """The database server and its superuser."""

    host: str = "127.0.0.1"
    port: int = 0
    superuser: str = "postgres"
    password: str
    running: Running | None = None

    def url(self, database: str, user: str | None = None, password: str | None = None) -> str:
        """A connection URL, the superuser's unless another role is named."""
        return f"postgresql://{user or self.superuser}:{password or self.password}@{self.host}:{self.port}/{database}"


class Instance(BaseModel):
    """One process of a service and where it answers."""

    port: int
    running: Running | None = None

    @computed_field  # type: ignore[prop-decorator]  # the order that pydantic documents
    @property
    def url(self) -> str:
        """Where it answers HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def alive(self, name: str) -> bool:
        """Whether the process of this name that was started last runs."""
        return self.running is not None and self.running.process(name).alive()


class ServiceState(BaseModel):
    """A service: its database and its processes; `url` is that of the first."""

    database_url: str = ""
    instances: list[Instance] = Field(default_factory=list)

    @computed_field  # type: ignore[prop-decorator]  # the order that pydantic documents
    @property
    def url(self) -> str:
        """Where the first process answers HTTP."""
        return f"http://127.0.0.1:{self.instances[0].port}" if self.instances else ""

    @computed_field  # type: ignore[prop-decorator]  # the order that pydantic documents
    @property
    def pids(self) -> list[int]:
        """The process ids that were started last."""
        return [each.running.pid for each in self.instances if each.running]

    def urls(self) -> list[str]:
        """Where each process answers HTTP."""
        return [f"http://127.0.0.1:{each.port}" for each in self.instances]


class PortalState(BaseModel):
    """A portal that may speak, and the token it speaks with."""

    token: str


class StackState(BaseModel):
    """Everything needed to reach, watch, stop and restart one stack."""

    cluster_id: str
    sandbox: bool = True
    kafka: str = ""
    brokers: list[BrokerState] = Field(default_factory=list)
    broker_count: int = 1
    replicas: int = 1
    postgres: PostgresState
    passwords: dict[str, str] = Field(default_factory=dict)
    services: dict[str, ServiceState] = Field(default_factory=dict)
    watchers: dict[str, Instance] = Field(default_factory=dict)
    portals: dict[str, PortalState] = Field(default_factory=dict)
    holder_url: str = ""
    workspaces_url: str = ""
    supervisor: Running | None = None
    prepared: bool = False
    """Whether the demo catalogue, environments and holder data are there."""
    _home: Path | None = PrivateAttr(default=None)

    @property
    def home(self) -> Path:
        """The folder that this was read from or written to last."""
        if self._home is None:
            raise StackError("this stack has no folder yet", "save it")
        return self._home

    def current(self) -> "StackState":
        """The same as it is by now: what was started again meanwhile may answer elsewhere."""
        return load(self.home)

    def service(self, name: str) -> ServiceState:
        """One service; raises StackError when there is none of that name."""
        found = self.services.get(name)
        if found is None:
            raise StackError(f"there is no service {name}", f"one of {', '.join(SERVICES)}")
        return found

    def service_urls(self) -> list[str]:
        """Where every process of every service answers HTTP."""
        return [url for service in self.services.values() for url in service.urls()]

    def processes(self) -> list[Process]:
        """Every process that was started, in the order of starting, the supervisor last."""
        found = [self.postgres.running.process("postgres")] if self.postgres.running else []
        found += [each.running.process(f"kafka-{each.node}") for each in self.brokers if each.running]
        for name, service in self.services.items():
            for number, each in enumerate(service.instances, 1):
                if each.running:
                    found.append(each.running.process(name if len(service.instances) == 1 else f"{name}-{number}"))
        found += [each.running.process(name) for name, each in self.watchers.items() if each.running]
        if self.supervisor:
            found.append(self.supervisor.process("supervisor"))
        return found


def environments_file(home: Path) -> Path | None:
    """The operator's file of environments with another adapter than postgres, if there is one."""
    file = home / "environments.json"
    return file if file.exists() else None


def home_folder(named: Path | None = None) -> Path:
    """The folder of the stack: `named`, else `$GUICHET_HOME`, else `.guichet` here; absolute, links resolved."""
    return Path(named or os.environ.get("GUICHET_HOME") or ".guichet").resolve()


def new_home(kind: str) -> Path:
    """A new folder in the folder for temporary files, which the database's own user may pass through."""
    home = Path(tempfile.mkdtemp(prefix=f"guichet-{kind}-")).resolve()
    home.chmod(0o711)
    return home


def load(home: Path) -> StackState:
    """The stack at `home`; raises StackError when there is none."""
    try:
        state = StackState.model_validate_json((home / FILE).read_bytes())
    except FileNotFoundError:
        raise StackError(f"there is no stack at {home}", "start one: guichet up") from None
    state._home = home
    return state


def load_if_any(home: Path) -> StackState | None:
    """The stack at `home`, or None when none was ever started there."""
    return load(home) if (home / FILE).is_file() else None


def save(home: Path, state: StackState) -> None:
    """Replaces the file in one step, so that a killed command leaves the old one whole."""
    partial = home / f".{FILE}.{os.getpid()}.{secrets.token_hex(4)}"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(state.model_dump_json(indent=1))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(home / FILE)
    state._home = home


def _lock_file(home: Path) -> TextIO:
    home.mkdir(parents=True, exist_ok=True)
    return (home / ".lock").open("w", encoding="ascii")


@asynccontextmanager
async def alone(home: Path, seconds: float = 180.0, waiting: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
    """Lets one command at a time change the stack; the kernel frees the lock of a killed one.

    Calls `waiting` once when another holds it; raises StackError after `seconds`.
    """
    deadline = time.monotonic() + seconds
    told = False
    with _lock_file(home) as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    waiting()
                    told = True
                if time.monotonic() > deadline:
                    raise StackError("another command holds this stack", "wait for it, or end it") from None
                await asyncio.sleep(0.05)
        yield
