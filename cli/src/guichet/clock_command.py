"""`guichet clock`: the sandbox clock, which moves by events so that months of procedure take seconds."""

import asyncio
import re
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from contracts.envelope import write_time
from guichet import console
from guichet.publishing import clock_now
from guichet.stack.errors import StackError
from guichet.stack.prepare import set_clock
from guichet.stack.state import StackState, home_folder, load

app = typer.Typer(no_args_is_help=True)
PARIS = ZoneInfo("Europe/Paris")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for the services to follow.")]


def read_length(text: str) -> timedelta:
    """A length such as 45d, 6h, 90m or 2w; raises typer.BadParameter."""
    found = re.fullmatch(r"([0-9]{1,6})([wdhms])", text)
    if found is None:
        raise typer.BadParameter("write a length such as 45d, 2w, 6h, 90m or 30s")
    unit = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}[found[2]]
    return timedelta(**{unit: int(found[1])})


def forwards(now: datetime, length: timedelta) -> datetime:
    """The instant `length` after now; whole days are counted in Paris, so that the hour stays the same there."""
    if length.seconds:
        return now + length
    return (now.astimezone(PARIS).replace(tzinfo=None) + length).replace(tzinfo=PARIS).astimezone(now.tzinfo)


def _sandbox() -> StackState:
    state = load(home_folder())
    if not state.sandbox:
        raise StackError("this stack follows the machine's clock", "only a sandbox can move its clock")
    return state


def _show(instant: datetime, as_json: bool) -> None:
    if as_json:
        console.show_json({"now": write_time(instant)})
    else:
        console.say(instant.astimezone(PARIS).isoformat(timespec="seconds"))


@app.command()
def now(as_json: Json = False) -> None:
    """What time it is for the services.

    Example: guichet clock now
    """
    _show(asyncio.run(clock_now(_sandbox())), as_json)


@app.command()
def advance(
    length: Annotated[str, typer.Argument(help="45d, 2w, 6h, 90m or 30s.")],
    timeout: Timeout = 120.0,
    as_json: Json = False,
) -> None:
    """Move the clock forwards; returns when every service has followed and done what fell due.

    Example: guichet clock advance 45d
    """
    asyncio.run(_advance(read_length(length), timeout, as_json))


async def _advance(length: timedelta, timeout: float, as_json: bool) -> None:
    state = _sandbox()
    await _move(state, forwards(await clock_now(state), length), timeout, as_json)


@app.command("set")
def set_(
    instant: Annotated[str, typer.Argument(help="An RFC 3339 instant, or a date: its first moment in UTC.")],
    timeout: Timeout = 120.0,
    as_json: Json = False,
) -> None:
    """Put the clock to an instant, only ever forwards once it was set.

    Example: guichet clock set 2029-03-26T08:00:00Z
    """
    from guichet.stack_command import read_instant

    asyncio.run(_set(read_instant(instant), timeout, as_json))


async def _set(instant: datetime, timeout: float, as_json: bool) -> None:
    await _move(_sandbox(), instant, timeout, as_json)


async def _move(state: StackState, instant: datetime, timeout: float, as_json: bool) -> None:
    with console.progress(quiet=as_json) as tell:
        tell(f"moving the clock to {write_time(instant)}")
        await set_clock(state, instant, timeout)
    reached = await clock_now(state)
    if reached < instant or reached > instant + timedelta(seconds=timeout + 60):
        raise StackError(f"the clock stays at {write_time(reached)}", "it moves only forwards")
    _show(reached, as_json)
