"""`guichet demo`: the whole story, on a real stack of its own, checked at every step."""

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from guichet import console
from guichet.demo.scenario import load_scenario
from guichet.demo.story import Story, final
from guichet.demo.tampering import change_one_byte, copied, verify
from guichet.stack.errors import StackError
from guichet.stack.stack import Stack
from guichet.stack.state import StackState, new_home

Tell = Callable[[str], None]


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running, to look around.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """The whole story in under two minutes: fourteen requests from the portal to a workspace, or not, and the proof.

    Real Kafka, real PostgreSQL, four services, a sandbox clock from January 2026 to July 2029. Exit code 0 only when
    everything came out as it must.

    Example: guichet demo --keep
    """
    home = new_home("demo")
    try:
        found = asyncio.run(_demo(home, keep, as_json))
    finally:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)
    if as_json:
        console.show_json(found)
    if found["differences"]:
        raise StackError(
            f"{len(found['differences'])} things did not come out as they must",
            "guichet demo --keep, then guichet logs",
        )


async def _demo(home: Path, keep: bool, as_json: bool) -> dict[str, Any]:
    console.cancel_when_terminated()
    start = time.monotonic()
    say = (lambda _: None) if as_json else console.say
    story = Story(load_scenario())
    stack = Stack(home, throwaway=not keep)
    try:
        with console.progress(quiet=as_json) as tell:
            stack.tell = tell
            state = await stack.up(sandbox_start=story.scenario.start)
            say(f"A stack of its own is up after {time.monotonic() - start:.0f} s: {home}")
            await _play(story, state, say, tell)
            tell("verifying the trail")
            trail = await _trail(story, state, say)
        states = await final(story, state)
        if not as_json:
            _table(story, dict(states))
        if keep:
            await stack.supervise()
    finally:
        if not keep:
            await stack.down()
    seconds = time.monotonic() - start
    if not as_json:
        _end(story, home, keep, seconds)
    return {
        "seconds": round(seconds, 1),
        "requests": {name: {"request_id": story.request(name), **found} for name, found in states},
        "trail": trail,
        "differences": [str(each) for each in story.differences],
    }


async def _play(story: Story, state: StackState, say: Tell, tell: Tell) -> None:
    for step in story.scenario.steps:
        tell(step.tell)
        before = len(story.differences)
        await story.play(state, step)
        day = (step.at or story.scenario.start).date().isoformat()
        say(f"{day}  {step.tell}")
        for name, wanted in step.expect.items():
            say(f"            {name}: {', '.join(str(value or 'undecided') for value in wanted.values())}")
        if step.query:
            say(f"            a query by {step.query.person}: {await story.ask(state, step, step.query)}")
        for difference in story.differences[before:]:
            say(f"            NOT SO: {difference.name}: {difference.member} is {difference.found}")


async def _trail(story: Story, state: StackState, say: Tell) -> dict[str, Any]:
    """The live trail must hold; a copy with one changed byte must not."""
    report = await verify(state.service("audit").database_url)
    say(f"The trail: {report.leaves:,} leaves in {report.logs} trees, {'all' if report.holds else 'NOT all'} as hashed")
    async with copied(state) as url:
        whole = await verify(url)
        change = await change_one_byte(url, story.request("hepatitis"))
        changed = await verify(url)
    caught = not changed.holds and any(each.log == change.origin for each in changed.failures)
    say(
        f"A copy with one byte changed in a {change.event_type}: "
        f"{'refused, ' + str(changed.failures[0]) if caught else 'NOT noticed'}"
    )
    if not (report.holds and whole.holds and caught):
        raise StackError("the trail is not what it must be", "guichet demo --keep; guichet audit verify")
    return {"leaves": report.leaves, "holds": report.holds, "tampered_copy_refused": caught}


def _table(story: Story, states: dict[str, dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(title="How the fourteen requests ended", title_justify="left", box=None, header_style="bold")
    for heading in ("request", "what it asks", "route", "outcome", "permit", "workspace"):
        table.add_column(heading)
    for name, found in states.items():
        words = [str(found[key] or "–") for key in ("route", "outcome", "permit", "workspace")]
        table.add_row(name, str(story.scenario.dossiers[name]["title"]), *words)
    console.out().print(table)


def _end(story: Story, home: Path, keep: bool, seconds: float) -> None:
    if story.differences:
        for difference in story.differences:
            console.fail(str(difference))
        return
    console.say(f"All as it must be, after {seconds:.0f} s.")
    request = story.request("epilepsy")
    if keep:
        console.say("Try next, then `guichet down`:")
        console.say(f"  export GUICHET_HOME={home}")
        for line in (
            f"guichet trace {request}",
            "guichet status",
            "guichet workspaces list",
            "guichet clock advance 45d",
        ):
            console.say(f"  {line}")
    else:
        console.say(
            "Try next: guichet demo --keep, then guichet trace, guichet workspaces list, guichet clock advance 45d"
        )
