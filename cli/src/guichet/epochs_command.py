"""`guichet audit epoch open`: logs end as planned, and their partitions are read on into the next ones."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import httpx
import typer

from audit import deployment, storage
from audit.epochs import NotOpened, open_epoch
from audit.growth import Log
from audit.retention import Ended, Retention, read_ended
from guichet import console
from guichet.restore_command import without_writer
from guichet.stack import databases
from guichet.stack.errors import StackError
from guichet.trail import connected
from guichet_verify.checkpoints import Checkpoint, read_checkpoint
from guichet_verify.notes import read_note

SECONDS = 60
"""How long the signer may take to sign what was recorded last."""

app = typer.Typer(no_args_is_help=True)


@app.callback()
def epoch() -> None:
    """Epochs of logs."""


@app.command("open")
def open_(
    origins: Annotated[list[str] | None, typer.Argument(metavar="ORIGIN", help="As `audit logs` says.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every log that is being written.")] = False,
) -> None:
    """Freeze logs at their signed size, and begin the next epoch of each; once a year, or before a retention ends.

    The audit service is stopped meanwhile, and reads on afterwards: nothing is lost. Every reader is told on
    guichet.checkpoints, with all the values of the new first leaf.

    Example: guichet audit epoch open guichet.example/audit/trail/guichet.requests/3/1
    """
    if bool(origins) == everything:
        raise typer.BadParameter("name logs, or --all")
    asyncio.run(_open(origins or []))


@app.command()
def ended(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False) -> None:
    """List the epochs that are over, and until when each is kept: as its stream is, of decisions or of accesses.

    Example: guichet audit epoch ended
    """
    found = asyncio.run(_ended())
    if as_json:
        rows = [each._asdict() for each in found]
        console.show_json({"epochs": [{name: _text(value) for name, value in row.items()} for row in rows]})
        return
    for each in found:
        console.say(
            f"{each.origin}  {each.size:>9}  ended {each.ended_at:%Y-%m-%d}  kept until {each.keep_until:%Y-%m-%d}"
        )
    if not found:
        console.say("no epoch is over")


def _text(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


async def _ended() -> Sequence[Ended]:
    async with connected(None) as connection:
        return await read_ended(connection, Retention())


async def _open(origins: list[str]) -> None:
    async with without_writer() as state:
        connection = await deployment.connect(state.postgres.url("postgres"))
        try:
            active = {log.origin: log for log in await storage.read_logs(connection)}
            if unknown := [origin for origin in origins if origin not in active]:
                raise StackError(f"not being written: {', '.join(unknown)}", "guichet audit logs")
            for origin in origins or sorted(active):
                signed = await _signed(state.watchers["signer"].url, active[origin])
                opened = await open_epoch(connection, databases.AUDIT_NAME, signed)
                console.say(f"{origin} ends at size {signed.size}; {opened.origin} goes on at {opened.next_offset}")
        except NotOpened as error:
            raise StackError(str(error), "guichet status says whether the signer signs") from None
        finally:
            await connection.close(timeout=5)


async def _signed(url: str, log: Log) -> Checkpoint:
    """The checkpoint of all that a log holds, as soon as the signer has it."""
    deadline = time.monotonic() + SECONDS
    async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client:
        while True:
            answer = await client.get(f"/{log.origin}/checkpoint")
            if answer.status_code == httpx.codes.OK:
                found = read_checkpoint(read_note(answer.content).text)
                if found.size >= log.size or time.monotonic() > deadline:
                    return found
            if time.monotonic() > deadline:
                raise StackError(f"{log.origin} was never signed", "guichet status says whether the signer signs")
            await asyncio.sleep(0.5)
