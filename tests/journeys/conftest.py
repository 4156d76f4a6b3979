"""A fresh stack for each journey that breaks things; what leaves a stack whole is in `standing`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from stacks import StartStack, stack_of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder is a journey."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.journey)


@pytest.fixture
async def start_stack() -> AsyncIterator[StartStack]:
    """`home, state = await start_stack()`: a stack of the test's own, supervised, ended and removed after the test."""
    async with AsyncExitStack() as stacks:
        yield lambda: stacks.enter_async_context(stack_of("journey"))
