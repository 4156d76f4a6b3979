"""`guichet dead-letters`: records that no service could act upon, seen, published again or given up."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import asyncpg
import typer

from chassis import dead_letters
from chassis.database import Connection
from chassis.dead_letters import Letter, LetterRefused
from contracts.envelope import write_time
from guichet import console
from guichet.publishing import clock_now
from guichet.stack.errors import StackError
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import StackState, home_folder, load

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
LetterId = Annotated[str, typer.Argument(help="The letter's id, as `list` prints it.")]
By = Annotated[str, typer.Option(help="Reference of the person who decides.")]


@asynccontextmanager
async def _connected(state: StackState, service: str) -> AsyncIterator[Connection]:
    try:
        connection = await asyncpg.connect(state.service(service).database_url, timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        raise StackError(f"the database of {service} does not answer", "guichet status; guichet up") from None
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


async def letters(state: StackState, wanted: str | None) -> list[tuple[str, Letter]]:
    """The letters of every service in one state, or all, each with the name of its service."""
    found = []
    for name in state.services:
        async with _connected(state, name) as connection:
            found += [(name, letter) for letter in await dead_letters.list_letters(connection, state=wanted)]
    return found


async def _find(state: StackState, letter_id: str) -> tuple[str, Letter]:
    for name, letter in await letters(state, None):
        if letter.letter_id == letter_id:
            return name, letter
    raise StackError(f"there is no letter {letter_id}", "guichet dead-letters list")


def _summary(service: str, letter: Letter) -> dict[str, Any]:
    return {
        "letter_id": letter.letter_id,
        "service": service,
        "state": letter.state,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "event_id": letter.event_id,
        "event_type": letter.event_type,
        "kind": letter.kind,
        "code": letter.code,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "blocks_key": letter.blocks_key,
        "recorded_at": write_time(letter.recorded_at),
    }


@app.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Settled ones too.")] = False,
    as_json: Json = False,
) -> None:
    """The records set aside, oldest first, with the reason of each.

    Example: guichet dead-letters list
    """
    asyncio.run(_list(None if all_ else "open", as_json))


async def _list(wanted: str | None, as_json: bool) -> None:
    from rich.table import Table

    found = await letters(load(home_folder()), wanted)
    if as_json:
        console.show_json([_summary(*each) for each in found])
        return
    if not found:
        console.say("No dead letters.")
        return
    table = Table(box=None, header_style="bold")
    for heading in ("letter", "service", "state", "where", "reason", "what it says of itself"):
        table.add_column(heading, overflow="fold")
    for service, letter in found:
        where = f"{letter.topic}/{letter.partition}/{letter.offset}"
        reason = letter.code + (" (its key waits)" if letter.blocks_key and letter.state == "open" else "")
        table.add_row(letter.letter_id, service, letter.state, where, reason, letter.event_type or "")
    console.out().print(table)


@app.command()
def show(
    letter_id: LetterId,
    payload: Annotated[bool, typer.Option(help="Also its key, headers and value, in base64.")] = False,
    as_json: Json = False,
) -> None:
    """One record set aside: what is wrong with it, and on request its bytes.

    Example: guichet dead-letters show 0197c0de-0000-7000-8000-000000000000
    """
    asyncio.run(_show(letter_id, payload, as_json))


async def _show(letter_id: str, payload: bool, as_json: bool) -> None:
    service, letter = await _find(load(home_folder()), letter_id)
    told = _summary(service, letter) | {"fingerprint": letter.fingerprint, "release": letter.release}
    if payload:
        told |= {
            "key": _base64(letter.key),
            "value": _base64(letter.value),
            "headers": [[name, _base64(value)] for name, value in letter.headers],
        }
    if as_json:
        console.show_json(told)
    else:
        for name, value in told.items():
            console.say(f"{name:12} {'' if value is None else value}")


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else b64encode(raw).decode("ascii")


@app.command()
def redrive(letter_id: LetterId, by: By = "operator", as_json: Json = False) -> None:
    """Publish a record again under its own id, for the service that could not act upon it.

    Exit code 0 only when the service acted upon it this time.

    Example: guichet dead-letters redrive 0197c0de-0000-7000-8000-000000000000 --by o-1
    """
    asyncio.run(_settle(letter_id, by, None, as_json))


@app.command()
def discard(
    letter_id: LetterId,
    reason: Annotated[str, typer.Option(help="Why, as a word such as `sent-in-error`.")],
    by: By = "operator",
    as_json: Json = False,
) -> None:
    """Give a record up; the records that wait behind it go on.

    Example: guichet dead-letters discard 0197c0de-0000-7000-8000-000000000000 --reason sent-in-error --by o-1
    """
    asyncio.run(_settle(letter_id, by, reason, as_json))


async def _settle(letter_id: str, by: str, reason: str | None, as_json: bool) -> None:
    state = load(home_folder())
    service, _ = await _find(state, letter_id)
    now = await clock_now(state)
    try:
        async with _connected(state, service) as connection:
            if reason is None:
                await dead_letters.redrive(connection, letter_id, now=now, by=by)
            else:
                await dead_letters.discard(connection, letter_id, now=now, by=by, code=reason)
    except LetterRefused as refused:
        raise StackError(str(refused), "guichet dead-letters list --all") from None
    except ValueError:
        raise StackError("no such name or reason", "reasons are words such as sent-in-error") from None
    await wait_quiet(state)
    _, letter = await _find(state, letter_id)
    wanted: Sequence[str] = ("resolved",) if reason is None else ("discarded",)
    if as_json:
        console.show_json(_summary(service, letter))
    else:
        console.say(f"{letter.letter_id}  {letter.state}")
    if letter.state not in wanted:
        raise StackError(f"{service} still cannot act upon it: {letter.code}", "guichet dead-letters show, or discard")
