"""`guichet workspaces keys`: the keys that sign certificates of destruction, and which one signs from when."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from contracts.envelope import write_time
from contracts.system import CertificateKeyRotated
from guichet import console
from guichet.publishing import clock_now, publish, stated
from guichet.stack.errors import StackError
from guichet.stack.state import StackState, home_folder, load
from guichet.stack.watchers import certificate_key
from guichet_verify.notes import NotAKey
from provisioning import certificate_keys as keys
from provisioning.certificate import SIGNER

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_keys(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False) -> None:
    """List the public keys, the oldest first, each with the instant from which it signs (- for the first).

    Also published by provisioning, at /certificate-keys: keep a copy to verify certificates without this stack.

    Example: guichet workspaces keys list > certificates.periods
    """
    found = known(None)
    if as_json:
        return console.show_json(
            [
                {
                    "key": period.key.vkey(),
                    "since": period.since and write_time(period.since),
                    "until": period.until and write_time(period.until),
                }
                for period in found
            ]
        )
    for period in found:
        console.say(f"{keys.FIRST if period.since is None else write_time(period.since)} {period.key.vkey()}")
    return None


@app.command()
def rotate() -> None:
    """Make another key, that signs whatever is destroyed from the next minute on; what was signed verifies as before.

    Recorded as guichet.certificate-key.rotated.v1 before the new key signs anything. No restart is needed.

    Example: guichet workspaces keys rotate
    """
    state, path = load(home_folder()), certificate_key(home_folder())
    since = asyncio.run(_rotate(state, path))
    console.say(f"signs from {write_time(since)}: {keys.periods(path)[-1].key.vkey()}")


async def _rotate(state: StackState, path: Path) -> datetime:
    now = await clock_now(state)
    try:
        old, new, since = keys.prepare(path, now)
    except (FileNotFoundError, NotAKey) as error:
        raise StackError(f"no key can follow: {error}", "guichet workspaces keys list") from None
    fact = CertificateKeyRotated(old_key=old.vkey(), new_key=new.vkey(), signs_from=since)
    await publish(state, [stated(fact, source="/guichet/operator", subject=SIGNER, time=now, key=SIGNER)])
    keys.begin(path, new, since)
    return since


@app.command()
def retire() -> None:
    """Destroy the secret halves of the keys whose turn is over; their public halves and their periods stay listed.

    Example: guichet workspaces keys retire
    """
    state, path = load(home_folder()), certificate_key(home_folder())
    gone = keys.retire(path, asyncio.run(clock_now(state)))
    if not gone:
        raise StackError("no key's turn is over", "guichet workspaces keys rotate, then wait for its minute")
    for key in gone:
        console.say(f"{key.vkey()} signs no more")


def known(file: Path | None) -> tuple[keys.Period, ...]:
    """The keys of a file of periods, by default those of this stack; raises StackError when it cannot be read."""
    try:
        if file is not None:
            return keys.read_periods(file.read_text("utf-8"))
        return keys.periods(certificate_key(home_folder()))
    except FileNotFoundError:
        raise StackError("there are no keys for certificates", "guichet up, or --keys FILE") from None
    except (NotAKey, UnicodeDecodeError) as error:
        raise StackError(f"not a list of keys: {error}", "guichet workspaces keys list") from None
