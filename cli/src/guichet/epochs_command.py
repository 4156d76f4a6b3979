"""`guichet audit epoch`: logs end as planned and are read on into the next ones, and are dropped when it is time."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import asyncpg
import httpx
import typer

from audit import deployment, storage
from audit.dropping import NotDropped, check_due, drop_records, read_due, say_dropped, unsigned
from audit.epochs import NotOpened, open_epoch
from audit.growth import Log
from audit.retention import Ended, Retention, read_ended
from guichet import console
from guichet.held import trusted_keys
from guichet.restore_command import By, without_writer
from guichet.stack import databases
from guichet.stack.errors import StackError
from guichet.stack.state import home_folder, load
from guichet.trail import connected
from guichet_verify.checkpoints import Checkpoint, read_checkpoint
from guichet_verify.notes import read_note

SECONDS = 60
"""How long the signer may take to sign what was recorded last."""
LOCK_SECONDS = 20
"""How long readers are waited for."""

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


@app.command()
def drop(
    by: By,
    origins: Annotated[list[str] | None, typer.Argument(metavar="ORIGIN", help="As `audit epoch ended` says.")] = None,
    due: Annotated[bool, typer.Option("--due", help="Every epoch whose retention is over.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be dropped, and drop nothing.")] = False,
) -> None:
    """Destroy the records of epochs whose retention is over; their trees and checkpoints stay. It cannot be undone.

    Each is verified first: what does not hold is evidence, and stays. That it is dropped, by whom, at which size and
    root, is said on guichet.checkpoints; only when that is recorded and signed, the audit service is stopped and the
    records are destroyed, and the large ones that nothing else claims. Killed in between, the command is just repeated.

    Example: guichet audit epoch drop --due --by operator-1 --by auditor-2
    """
    if bool(origins) == due:
        raise typer.BadParameter("name epochs, or --due")
    try:
        asyncio.run(_drop(list(dict.fromkeys(origins or [])), by, dry_run))
    except NotDropped as error:
        raise StackError(
            "nothing is dropped:" + "".join(f"\n  {each}" for each in error.problems), "guichet audit epoch ended"
        ) from None


async def _drop(origins: list[str], by: list[str], dry_run: bool) -> None:
    state, retention = load(home_folder()), Retention()
    connection = await deployment.connect(state.postgres.url("postgres"))
    try:
        origins = origins or [each.origin for each in await read_due(connection, retention)]
        if not origins:
            console.say("no retention is over")
            return
        if dry_run:
            for each in await check_due(connection, origins, by, retention, trusted_keys(home_folder())):
                console.say(f"{each} would be dropped")
            return
        await say_dropped(connection, origins, by, retention, trusted_keys(home_folder()))
        console.say(f"said of {len(origins)} epochs; waiting until it is recorded and signed")
        await _until_signed(connection, origins)
    finally:
        await connection.close(timeout=5)
    async with without_writer() as state:
        connection = await deployment.connect(state.postgres.url("postgres"))
        try:
            await connection.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
            dropped = await drop_records(connection, origins)
        except asyncpg.LockNotAvailableError:
            raise StackError(
                "somebody reads the trail, such as an export", "the same again, when that is over"
            ) from None
        finally:
            await connection.close(timeout=5)
    for origin, leaves in dropped.items():
        console.say(f"{origin}: the records of {leaves:,} leaves are destroyed; its tree and checkpoints stay")


async def _until_signed(connection: asyncpg.Connection, origins: list[str]) -> None:
    deadline = time.monotonic() + SECONDS
    while left := await unsigned(connection, origins):
        if time.monotonic() > deadline:
            raise StackError(
                f"said, and not yet recorded and signed: {', '.join(left)}", "guichet status; then the same again"
            )
        await asyncio.sleep(0.5)


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
