"""What a new stack is given once: the sandbox clock, the demo catalogue and environments; and moving the clock."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import resources

from contracts.holders import DatasetDescribed
from contracts.hosts import EnvironmentRegistered
from contracts.system import ClockSet
from guichet.publishing import Event, clock_now, publish, stated
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import StackState, home_folder, load


def _items(name: str, member: str) -> list[str]:
    text = resources.files("guichet.demo_data").joinpath(name).read_text("utf-8")
    return [json.dumps(item) for item in json.loads(text)[member]]


def reference_events(now: datetime) -> Sequence[Event]:
    """The demo catalogue and the demo environments as their holders and hosts state them."""
    events = []
    for text in _items("catalogue.json", "datasets"):
        dataset = DatasetDescribed.model_validate_json(text)
        source = f"/holders/{dataset.holder}"
        events.append(stated(dataset, source=source, subject=dataset.dataset_id, time=now, key=dataset.dataset_id))
    for text in _items("environments.json", "environments"):
        host = EnvironmentRegistered.model_validate_json(text)
        name = host.environment_id
        events.append(stated(host, source=f"/hosts/{name}", subject=name, time=now, key=name))
    return events


async def set_clock(state: StackState, instant: datetime, timeout: float = 120.0) -> None:
    """Moves the sandbox clock to `instant` and returns when every service has followed and done what fell due."""
    now = await clock_now(state)  # Said at the old time: an event from the future would be set aside.
    fact = ClockSet(instant=instant, wall=datetime.now(UTC))
    await publish(state, [stated(fact, source="/guichet/operator", subject="clock", time=now, key="clock")])
    await wait_quiet(state, timeout, after=instant)


async def prepare(state: StackState, sandbox_start: datetime | None, tell: Callable[[str], None]) -> None:
    """Fills a new stack; repeating it changes nothing."""
    if sandbox_start:
        tell(f"setting the sandbox clock to {sandbox_start.date().isoformat()}")
        await set_clock(state, sandbox_start)
    tell("publishing the demo catalogue and environments")
    await publish_reference(state)


async def publish_reference(state: StackState) -> None:
    """The demo catalogue and environments, known to every service when this returns."""
    await publish(state, reference_events(await clock_now(state)))
    await wait_quiet(state)


if __name__ == "__main__":
    asyncio.run(publish_reference(load(home_folder())))
