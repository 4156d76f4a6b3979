"""An environment loses its certificate: its workspaces freeze, move by themselves and open elsewhere, all on record."""

from __future__ import annotations

import copy
from functools import partial

import httpx
import pytest

from dossiers import id_of, say, workspace_id
from guichet.demo.researcher import count_rows, login
from guichet.demo.scenario import load_scenario
from guichet.publishing import clock_now, publish
from guichet.stack.quiet import wait_quiet
from guichet.stack.services import desk_of
from programs import run_guichet
from provisioning.environments import Refused
from stacks import Json, StartStack, until

LOST, TARGET = "env-transition", "env-pmsi"


def on_the_lost_one(name: str, *covered: str) -> Json:
    """A dossier whose impact assessment covers these environments."""
    made = copy.deepcopy(load_scenario().dossiers["asthma"]) | {"portal_reference": name, "environment_id": LOST}
    for paper in made["documents"]:
        if paper["code"] == "DPIA":
            paper["covers_environments"] = list(covered)
    return made


async def test_workspaces_move_by_themselves_to_where_their_permit_lets_them(start_stack: StartStack) -> None:
    home, state = await start_stack()
    movable = [on_the_lost_one(f"MOVING-{number}", LOST, TARGET) for number in range(3)]
    bound = on_the_lost_one("BOUND-1", LOST)
    requests = [id_of(made) for made in (*movable, bound)]
    moving, staying = requests[:-1], requests[-1]

    async def guichet(*words: str) -> Json:
        ran = await run_guichet(*words, "--json", GUICHET_HOME=str(home))
        assert ran.code == 0, ran.err
        return ran.json  # type: ignore[no-any-return]  # what a command prints is JSON

    def are(lines: list[Json], wanted: dict[str, tuple[str, str]]) -> bool:
        found = {line["workspace_id"]: (line["state"], line["environment_id"]) for line in lines}
        return {request: found.get(workspace_id(request)) for request in wanted} == wanted

    async def stands(wanted: dict[str, tuple[str, str]]) -> bool:
        async with desk_of(state) as desk:
            return are(await desk.list_workspaces(None), wanted)

    async def judged(request: str) -> tuple[str, bool]:
        async with httpx.AsyncClient() as client:
            seen = (await client.get(f"{state.services['compliance'].url}/cases/{request}")).json()
        return seen["environment"]["id"], seen["start_allowed"]

    async def submit(*dossiers: Json) -> None:
        now = await clock_now(state)
        await publish(state, [say("request.submitted.v1", {"dossier": made}, id_of(made), now) for made in dossiers])

    await submit(*movable, bound)
    await until(partial(stands, dict.fromkeys(requests, ("open", LOST))), "four open workspaces")
    person = movable[0]["persons"][0]["ref"]
    before = {request: await login(state, request, person) for request in requests}
    rows = {request: await count_rows(url) for request, url in before.items()}
    assert all(rows.values())

    # Days are the unit of law: what is lost on the day of a permit blocks it, until its data stand elsewhere.
    await guichet("clock", "advance", "2d")
    of_today = on_the_lost_one("TODAY-1", LOST, TARGET)
    await submit(of_today)
    await until(partial(stands, {id_of(of_today): ("open", LOST)}), "another open workspace")
    await guichet("environments", "disqualify", LOST, "HDS")
    there = dict.fromkeys((*moving, id_of(of_today)), ("open", TARGET)) | {staying: ("person-needed", LOST)}
    await until(partial(stands, there), "four workspaces in their new place, and one that needs a person")
    assert are(await guichet("workspaces", "list"), there)
    await wait_quiet(state)
    for request in moving:
        with pytest.raises(Refused):
            await count_rows(before[request])
        assert await count_rows(await login(state, request, person)) == rows[request], "no row is lost"
        assert await judged(request) == (TARGET, True), "the permit is judged where its data stand"
        said = {event["type"]: event["data"] for event in (await guichet("trace", request))["events"]}
        assert {f"guichet.rehosting.{step}.v1" for step in ("planned", "cut-over", "completed")} <= set(said)
        completed = said["guichet.rehosting.completed.v1"]
        assert (completed["certificate"]["environment_id"], completed["certificate"]["objects_left"]) == (LOST, 0)
        assert completed["downtime_seconds"] >= 0
    assert await judged(id_of(of_today)) == (TARGET, True)
    assert await judged(staying) == (LOST, False)
    with pytest.raises(Refused):
        await count_rows(before[staying])
    assert (await guichet("audit", "verify"))["holds"]

    await guichet("environments", "qualify", LOST, "HDS", "--to", "2032-12-31")
    await until(partial(stands, {staying: ("open", LOST)}), "the one that could not move, open where it was")
    assert await count_rows(await login(state, staying, person)) == rows[staying]
