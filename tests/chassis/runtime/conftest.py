"""A migrated database of its own for each test, and a way to wait for a fact."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from chassis.database import Database
from guichet.stack.postgres import Postgres

Eventually = Callable[..., Awaitable[object]]


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
