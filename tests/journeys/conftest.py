"""Stacks for the journeys: one that stands for all of them, and fresh ones for those that break things."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from guichet.stack.stack import Stack
from guichet.stack.state import StackState
from stacks import StartStack

START = datetime(2026, 6, 30, 6, 0, tzinfo=UTC)
"""Before the first day of any case."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder is a journey."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.journey)


def new_home(prefix: str) -> Path:
    """A home folder that the database's own user may pass through."""
    home = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
    home.chmod(0o711)
    return home


@pytest.fixture
async def start_stack() -> AsyncIterator[StartStack]:
    """`home, state = await start_stack()`: a stack of the test's own, supervised, ended and removed after the test."""
    homes: list[Path] = []

    async def start() -> tuple[Path, StackState]:
        home = new_home("guichet-journey-")
        homes.append(home)
        return home, await Stack.start(home, sandbox_start=START)

    yield start
    for home in homes:
        left = await Stack(home).down()
        shutil.rmtree(home, ignore_errors=True)
        assert left == []


@asynccontextmanager
async def stack_of(prefix: str) -> AsyncIterator[tuple[Path, StackState]]:
    """A stack that stands while the context is open, with its home; it leaves neither process nor folder."""
    home = new_home(prefix)
    try:
        yield home, await Stack.start(home, sandbox_start=START)
    finally:
        left = await Stack(home).down()
        shutil.rmtree(home, ignore_errors=True)
    assert left == []


@pytest.fixture(scope="session")
async def standing_at_home() -> AsyncIterator[tuple[Path, StackState]]:
    """One stack for every journey that leaves it whole. Its clock only goes forwards: journeys read it, and move on."""
    async with stack_of("guichet-standing-") as stack:
        yield stack


@pytest.fixture(scope="session")
async def standing(standing_at_home: tuple[Path, StackState]) -> StackState:
    """The same, for those that need no command."""
    return standing_at_home[1]


@pytest.fixture(scope="module")
async def in_2026() -> AsyncIterator[StackState]:
    """A stack for a module's journeys that are about French law, whose clock no other journey moves on."""
    async with stack_of("guichet-2026-") as (_, state):
        yield state
