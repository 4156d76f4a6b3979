"""A migrated database of its own for each test, the tiny service as a process, and a way to wait for a fact."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from chassis.database import Database
from guichet.stack.postgres import Postgres
from programs import Program

Eventually = Callable[..., Awaitable[object]]
HERE = Path(__file__).parent
SECONDS = 60
"""How long anything may take; generous, because two cores are shared by everything."""


class Tiny:
    """One process of the tiny service and what it has written so far."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        number = len(list(folder.glob("*.log")))
        self.log = folder / f"tiny-{number}.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GUICHET_")}
        self.log.write_bytes(b"")
        given = inherited | {"GUICHET_HTTP_PORT": "0", "GUICHET_TRACE_RATIO": "1"} | variables
        self.process = Program(HERE / "tiny.py", env=given, stdout=self.log, stderr=self.log)
        self.client = httpx.AsyncClient(timeout=10)

    def lines(self) -> list[dict[str, object]]:
        """The log so far; every line is JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    async def logged(self, event: str, seconds: float = SECONDS) -> dict[str, object]:
        """The first line of that name."""
        deadline = time.monotonic() + seconds
        while True:
            ended = self.process.returncode is not None
            for line in self.log.read_text().splitlines(keepends=True):
                if line.endswith("\n") and json.loads(line)["event"] == event:
                    return dict(json.loads(line))
            assert not ended, f"ended with {self.process.returncode} before {event}: {self.log.read_text()}"
            assert time.monotonic() < deadline, f"no {event} within {seconds} s: {self.log.read_text()}"
            await asyncio.sleep(0.05)

    async def get(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> httpx.Response:
        """An answer."""
        port = (await self.logged("http_listening"))["port"]
        return await self.client.request(method, f"http://127.0.0.1:{port}{path}", headers=headers)

    async def until(self, path: str, status: int, seconds: float = SECONDS) -> httpx.Response:
        """The first answer with that status."""
        deadline = time.monotonic() + seconds
        while (answer := await self.get(path)).status_code != status:
            assert time.monotonic() < deadline, f"{path} {answer.text}: {self.log.read_text()}"
            await asyncio.sleep(0.05)
        return answer

    async def quiet(self, seconds: float = SECONDS) -> dict[str, object]:
        """The first /status with nothing left to do."""
        deadline = time.monotonic() + seconds
        while True:
            status: dict[str, object] = (await self.get("/status")).json()
            if all(status.get(name) == 0 for name in ("lag_total", "outbox", "timers_due", "pending")):
                return status
            assert time.monotonic() < deadline, f"{status}: {self.log.read_text()}"
            await asyncio.sleep(0.05)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends the signal and gives the exit code."""
        self.process.send_signal(number)
        return await self.ended()

    async def ended(self, seconds: float = SECONDS) -> int:
        """The exit code, once there is one."""
        return await asyncio.wait_for(self.process.wait(), seconds)


@pytest.fixture
async def database_url(postgres: Postgres) -> str:
    """An empty database."""
    return await postgres.create_database()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with the chassis's tables, and an open pool."""
    found = Database(database_url, service="tiny")
    await found.migrate(None)
    await found.open()
    yield found
    await found.close()


@pytest.fixture
def eventually() -> Eventually:
    """`await eventually(ask)` asks until the answer is true, and gives it; fails after the deadline."""

    async def wait(ask: Callable[[], Awaitable[object]], seconds: float = 30) -> object:
        deadline = time.monotonic() + seconds
        while not (answer := await ask()):
            assert time.monotonic() < deadline, f"{ask.__name__} not within {seconds} s"
            await asyncio.sleep(0.02)
        return answer

    return wait


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., object]:
    """`async with tiny(KAFKA=…, TINY_IDLE="1") as process` runs one; names not beginning with TINY_ get GUICHET_."""

    @asynccontextmanager
    async def run(**variables: str) -> AsyncIterator[Tiny]:
        full = {name if name.startswith("TINY_") else f"GUICHET_{name}": value for name, value in variables.items()}
        found = Tiny(tmp_path, full)
        try:
            yield found
        finally:
            await found.client.aclose()
            if found.process.returncode is None:
                found.process.kill()
                await found.ended()

    return run
