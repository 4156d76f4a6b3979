"""One stack for every journey that leaves it whole, and its clock in 2026."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from guichet.stack.state import StackState
from stacks import stack_of


@pytest.fixture(scope="package")
async def standing_at_home() -> AsyncIterator[tuple[Path, StackState]]:
    """The stack with its home. What a journey sends is its own; the clock of all it moves by hours at most."""
    async with stack_of("standing") as stack:
        yield stack


@pytest.fixture(scope="package")
async def standing(standing_at_home: tuple[Path, StackState]) -> StackState:
    """The same, for those that need no command."""
    return standing_at_home[1]
