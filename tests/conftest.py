"""One real broker and one real database for the whole test session; topics and databases are cheap, servers are not."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from guichet.stack.kafka import Kafka, create_topics
from guichet.stack.postgres import Postgres
from guichet.stack.state import new_home
from threats import write_threats

# No test depends on how fast the machine is: a law has no deadline, and may be slow to draw.
settings.register_profile("guichet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("guichet")

CreateTopics = Callable[[Mapping[str, int]], Awaitable[None]]


class ByWhatIsShared(LoadFileScheduling):
    """What shares something dear stays on one worker: the tests of a package, or of a file."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(super()._split_scope(nodeid))
        return str(file.parent if (self.config.rootpath / file.parent / "__init__.py").is_file() else file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByWhatIsShared:
    """Called in the process that hands out tests."""
    return ByWhatIsShared(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is long begins first: it waits more than it works, and what comes after it fills the time."""
    items.sort(key=lambda item: not any(item.get_closest_marker(name) for name in ("journey", "long")))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """What a test showed of a threat is written for people, as the test ended."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()  # type: ignore[attr-defined]  # the hook's result
    numbers = [mark.args[0] for mark in item.iter_markers("threat")]
    if numbers and (report.when == "call" or not report.passed):
        write_threats(item.nodeid.partition("[")[0], numbers, report.outcome)


@pytest.fixture(scope="session")
def stack_home() -> Iterator[Path]:
    """A folder of this session alone, so that several sessions can run at once."""
    home = new_home("tests")
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
async def broker(stack_home: Path) -> AsyncIterator[Kafka]:
    """The cluster itself, for tests that stop, kill or restart it."""
    cluster = Kafka(stack_home)
    try:
        await cluster.start()
        yield cluster
    finally:
        await cluster.stop()


@pytest.fixture(scope="session")
async def kafka(broker: Kafka) -> str:
    """The bootstrap address of a real single broker."""
    return broker.bootstrap


@pytest.fixture(scope="session")
async def postgres(stack_home: Path) -> AsyncIterator[Postgres]:
    """A real server: `superuser_url`, and `await create_database()` for the URL of a new empty database."""
    server = Postgres(stack_home, throwaway=True)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


@pytest.fixture(scope="session")
async def topics(kafka: str) -> CreateTopics:
    """`await topics({name: partitions})` creates topics on the session's broker."""

    async def create(wanted: Mapping[str, int]) -> None:
        await create_topics(kafka, wanted)

    return create
