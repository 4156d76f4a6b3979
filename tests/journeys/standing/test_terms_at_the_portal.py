"""A researcher accepts the terms of use at the portal, and the acceptance stands in the trail under the workspace."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import httpx

from dossiers import dossier, id_of, workspace_id
from guichet.publishing import clock_now
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import StackState
from programs import run_guichet
from stacks import insist, submission

TEXT = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


async def test_what_a_portal_says_of_the_terms_is_bound_to_person_workspace_and_text(
    standing_at_home: tuple[Path, StackState],
) -> None:
    home, state = standing_at_home
    now = await clock_now(state)
    made = dossier("F02a", "TERMS-1")
    person = made["persons"][0]["ref"]
    accepted = submission(made, now) | {
        "type": "guichet.permit.terms-accepted.v1",
        "data": {"person": person, "terms": "cgu-2", "sha256": TEXT},
    }
    nobody = accepted | {"id": str(uuid4()), "data": {"person": person, "terms": "cgu-2", "sha256": "of no text"}}
    async with httpx.AsyncClient(timeout=60) as portal:
        assert (await insist(portal, state, submission(made, now))).status_code == 202
        assert (await insist(portal, state, accepted)).status_code == 202
        assert (await insist(portal, state, nobody)).status_code == 422
    await wait_quiet(state)
    traced = await run_guichet("trace", id_of(made), "--json", GUICHET_HOME=str(home))
    assert traced.code == 0, traced.err
    (said,) = [each for each in traced.json["events"] if each["type"] == "guichet.terms.accepted.v1"]
    assert said["data"]["workspace_id"] == workspace_id(id_of(made))
    assert [said["data"][name] for name in ("person", "terms", "sha256")] == [person, "cgu-2", TEXT]
