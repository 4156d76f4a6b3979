"""What the trail rebuilds is what the services hold; and the same bytes on any machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from dossiers import dossier, id_of
from guichet.publishing import clock_now
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import StackState
from stacks import insist, submission


def replayed(state: StackState, *arguments: str, **environment: str) -> bytes:
    """The output of `guichet audit replay` over the trail of a stack."""
    url = state.services["audit"].database_url
    command = [sys.executable, "-m", "guichet", "audit", "replay", "--database", url, *arguments]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def written(folder: Path, content: object) -> str:
    file = folder / "given.json"
    file.write_text(json.dumps(content))
    return str(file)


async def test_the_trail_alone_rebuilds_what_compliance_and_intake_hold(standing: StackState, tmp_path: Path) -> None:
    made = dossier("F02a", "REPLAY-1")
    request = id_of(made)
    now = await clock_now(standing)
    async with httpx.AsyncClient(timeout=60) as client:
        assert (await insist(client, standing, submission(made, now))).status_code == 202
        await wait_quiet(standing)
        held = (await client.get(f"{standing.services['compliance'].url}/cases/{request}")).json()

    found: dict[str, Any] = json.loads(replayed(standing, "--json", "--day", held["as_of"]))
    assert found["vector"]["basis"] == "now"
    # The trail grows by the minute: the same moment is the same sizes.
    then = ("--day", held["as_of"], "--sizes", written(tmp_path, found["vector"]))
    first = replayed(standing, "--json", *then, TZ="UTC", PYTHONHASHSEED="1")
    again = replayed(standing, "--json", *then, TZ="Asia/Kathmandu", PYTHONHASHSEED="2", LC_ALL="C")
    assert first == again
    assert json.loads(first)["state_sha256"] == found["state_sha256"]
    rebuilt = found["requests"][request]
    assert rebuilt["assessment"] == held
    assert rebuilt["public"]["outcome"] == held["outcome"]

    shown = replayed(standing, "--request", request, *then).decode()
    assert found["state_sha256"] in shown and made["portal_reference"] in shown


async def test_what_was_known_then_is_what_was_published_then(standing: StackState, tmp_path: Path) -> None:
    made = dossier("F02a", "REPLAY-2")
    async with httpx.AsyncClient(timeout=60) as client:
        before = await clock_now(standing)
        assert (await insist(client, standing, submission(made, before))).status_code == 202
        await wait_quiet(standing)
        deadline = time.monotonic() + 120
        while True:
            now = (await clock_now(standing)).isoformat()
            found = json.loads(replayed(standing, "--json", "--as-of", now))
            if id_of(made) in found["requests"]:
                break
            assert time.monotonic() < deadline, "no checkpoint was published"

    assert found["vector"]["basis"] == "published" and found["as_of"] == now
    given = written(tmp_path, found["vector"])
    again = json.loads(replayed(standing, "--json", "--sizes", given, "--day", found["day"]))
    assert (again["state_sha256"], again["vector"]["sizes"]) == (found["state_sha256"], found["vector"]["sizes"])


async def test_a_draft_that_sets_a_rule_aside_says_whom_it_touches(standing: StackState, tmp_path: Path) -> None:
    made = dossier("F12", "REPLAY-3")
    async with httpx.AsyncClient(timeout=60) as client:
        assert (await insist(client, standing, submission(made, await clock_now(standing)))).status_code == 202
    await wait_quiet(standing)
    draft = written(tmp_path, {"name": "draft", "based_on": "fr-2026.1", "set_aside": ["PROHIBITED_INSURANCE"]})
    shown = replayed(standing, "--rules", draft).decode()
    assert f"{id_of(made)}  by PROHIBITED_INSURANCE" in shown
    assert "outcome: REFUSAL_PROPOSED → " in shown and "outcomes" in shown
