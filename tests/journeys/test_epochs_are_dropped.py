"""On a running stack epochs are dropped when it is time: what is left verifies, and nothing brings them back."""

from __future__ import annotations

import json
import signal
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from dossiers import dossier, id_of
from guichet.publishing import clock_now
from guichet.stack.databases import AUDIT_NAME
from guichet.stack.prepare import set_clock
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import StackState
from programs import Ran, run_guichet
from stacks import Json, StartStack, insist, query, submission, until

PERSONS = ("--by", "operator-1", "--by", "auditor-2")
REQUESTS = f"{AUDIT_NAME}/trail/guichet.requests/0"
LIMIT = 300


@pytest.mark.timeout(1200)
async def test_epochs_that_were_kept_long_enough_go_and_the_trail_that_is_left_holds(
    start_stack: StartStack, tmp_path: Path
) -> None:
    home, state = await start_stack()

    async def guichet(*arguments: str, code: int = 0) -> Ran:
        settings = {"GUICHET_HOME": str(home), "GUICHET_AUDIT_TRAIL_RETENTION_DAYS": "365"}
        ran = await run_guichet(*arguments, **settings)
        assert ran.code == code, ran.out + ran.err
        return ran

    early = await submitted(state, "DROPPED-1")
    dump, held = tmp_path / "early.dump", tmp_path / "held"
    await guichet("audit", "backup", str(dump))
    await guichet("audit", "epoch", "open", "--all")
    await wait_quiet(state.current(), LIMIT)  # That they are over is recorded after this.
    held.write_text((await guichet("audit", "checkpoint", f"{REQUESTS}/1")).out, "utf-8")
    whole = tmp_path / "early.auditbundle"
    await guichet("audit", "export", "--all", "-o", str(whole))
    refused = await guichet("audit", "epoch", "drop", f"{REQUESTS}/1", f"{REQUESTS}/2", "--by", "operator-1", code=1)
    assert "nothing is dropped" in refused.err and "two different persons" in refused.err
    assert f"{REQUESTS}/1: kept until" in refused.err and f"{REQUESTS}/2: there is no such epoch" in refused.err
    assert "no retention is over" in (await guichet("audit", "epoch", "drop", "--due", *PERSONS)).out

    await set_clock(state, await clock_now(state) + timedelta(days=366), LIMIT)
    late = await submitted(state, "DROPPED-2")
    ended = json.loads((await guichet("audit", "epoch", "ended", "--json")).out)["epochs"]
    origins = [each["origin"] for each in ended]
    assert len(origins) > 40 and all(origin.endswith("/1") for origin in origins)
    dry = (await guichet("audit", "epoch", "drop", "--due", *PERSONS, "--dry-run")).out
    assert dry.count("would be dropped") == len(origins)
    said = (await guichet("audit", "epoch", "drop", "--due", *PERSONS)).out
    assert said.count("are destroyed; its tree and checkpoints stay") == len(origins)
    await wait_quiet(state.current(), LIMIT)

    verified = (await guichet("audit", "verify")).out
    assert f"{len(origins)} logs were dropped" in verified and "The trail holds." in verified
    assert await first_epochs(state) == 0
    await guichet("audit", "reconcile")
    replayed = json.loads((await guichet("audit", "replay", "--json")).out)
    assert sorted(replayed["dropped"]) == sorted(origins)
    assert (early in replayed["requests"], late in replayed["requests"]) == (False, True)
    told = "what was said before was destroyed when its retention was over"
    assert told in (await guichet("trace", early, "--lang", "en")).out
    assert told not in (await guichet("trace", late, "--lang", "en")).out
    async with httpx.AsyncClient(base_url=state.current().service("audit").url, timeout=30) as audit:
        gone = await audit.get(f"/{REQUESTS}/1/tile/entries/000.p/1")
        assert (gone.status_code, gone.json()["type"]) == (410, "urn:guichet:problem:dropped")
        assert (await audit.get(f"/{REQUESTS}/1/tile/0/000.p/1")).status_code == 200

    after = tmp_path / "after.auditbundle"
    exported = await guichet("audit", "export", "--all", "--since", str(held), "-o", str(after))
    assert f"without {REQUESTS}/1" in exported.out
    await guichet("audit", "verify", str(after), "--held", str(held), "--require", "L3", "--require", "L4")

    # An older backup, an older bundle, and a bundle of today: none brings back what had to go.
    for way in (("drill", "--backup", str(dump)), ("drill", "--bundle", str(after))):
        assert "are what is there" in (await guichet("audit", *way)).out
    assert "are dropped again" in (await guichet("audit", "rebuild", "--bundle", str(whole), *PERSONS)).out
    await wait_quiet(state.current(), LIMIT)
    await guichet("audit", "verify")
    assert await first_epochs(state) == 0

    # The key that signed all of that is rotated away, and the trail still holds.
    await guichet("audit", "keys", "rotate")
    signer = state.current().watchers["signer"].running
    assert signer is not None
    signer.process("signer").send(signal.SIGSTOP)
    assert "is signed by another key yet" in (await guichet("audit", "keys", "retire", code=1)).err
    signer.process("signer").send(signal.SIGCONT)
    await until(partial(retired, home), "a log key retired")
    await wait_quiet(state.current(), LIMIT)
    await guichet("audit", "verify")
    assert "are what is there" in (await guichet("audit", "drill", "--backup", str(dump))).out


async def retired(home: Path) -> bool:
    return (await run_guichet("audit", "keys", "retire", GUICHET_HOME=str(home))).code == 0


async def submitted(state: StackState, reference: str) -> str:
    """A request on its way, and everything that followed from it recorded; its id."""
    said: Json = dossier("F02a", reference)
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await insist(client, state.current(), submission(said, await clock_now(state)))
        assert answer.status_code == 202
    await wait_quiet(state, LIMIT)
    return id_of(said)


async def first_epochs(state: StackState) -> int:
    rows = await query(
        state.current(),
        "audit",
        "SELECT count(*) AS n FROM audit.entry JOIN audit.log USING (log_id) WHERE epoch = 1",
    )
    return int(rows[0]["n"])
