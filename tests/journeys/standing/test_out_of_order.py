"""Events that arrive before what they are about, or twice: what was said counts by its date and is never lost."""

from __future__ import annotations

from datetime import timedelta

import httpx

from dossiers import case, dossier, id_of, say
from guichet.publishing import clock_now, publish
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import StackState
from stacks import Json, query


async def assessed(state: StackState, request: str) -> Json:
    async with httpx.AsyncClient(timeout=30) as client:
        response = await client.get(f"{state.services['compliance'].url}/cases/{request}")
        assert response.status_code == 200, response.status_code
        found: Json = response.json()
        return found


async def test_an_opinion_that_overtakes_the_submission_waits_for_it(standing: StackState) -> None:
    now = await clock_now(standing)
    made = dossier("F05a", "OVERTAKEN-1")
    request = id_of(made)
    steps = {item["type"]: item["data"] for item in case("F05a")["history"]}
    opinion = say("opinion.issued.v1", steps["opinion.issued.v1"], request, now)
    received = say("file.received.v1", steps["file.received.v1"], request, now - timedelta(seconds=20))
    submitted = say("request.submitted.v1", {"dossier": made}, request, now - timedelta(seconds=40))
    for event in (opinion, received):
        await publish(standing, [event])
        await wait_quiet(standing)
    async with httpx.AsyncClient(timeout=30) as client:
        unknown = await client.get(f"{standing.services['compliance'].url}/cases/{request}")
    assert unknown.status_code == 404
    await publish(standing, [submitted])
    await wait_quiet(standing)
    found = await assessed(standing, request)
    assert found["route"] == "FR_MR007"
    committee = next(each for each in found["deadlines"] if each["step"] == "committee_opinion")
    assert committee["state"] == "met"


async def test_what_is_said_twice_changes_nothing(standing: StackState) -> None:
    now = await clock_now(standing)
    made = dossier("F05a", "TWICE-1")
    request = id_of(made)
    events = [
        say("request.submitted.v1", {"dossier": made}, request, now - timedelta(seconds=40)),
        say("file.received.v1", {"body": "CESREES"}, request, now - timedelta(seconds=20)),
    ]
    await publish(standing, events)
    await wait_quiet(standing)
    said = "SELECT count(*) AS n FROM chassis.facts WHERE key = $1"
    before = (await query(standing, "compliance", said, request))[0]["n"]
    again = say("file.received.v1", {"body": "CESREES"}, request, now - timedelta(seconds=20))
    await publish(standing, [*events, again])
    await wait_quiet(standing)
    assert (await query(standing, "compliance", said, request))[0]["n"] == before > 0


async def test_evidence_that_is_lost_reaches_every_case_of_the_environment(standing: StackState) -> None:
    now = await clock_now(standing)
    host = {
        "environment_id": "env-fragile",
        "operator": "A host of this journey",
        "storage_country": "FR",
        "controlling_jurisdiction": "FR",
        "adequacy": False,
        "evidence": [
            {"type": kind, "issuer": "i-1", "reference": "r-1", "valid_from": "2025-01-01", "valid_to": "2099-01-01"}
            for kind in ("HDS", "SNDS_HOMOLOGATION")
        ],
    }
    await publish(standing, [say("environment.registered.v1", host, "", now)])
    await wait_quiet(standing)
    made = dossier("N-no-environment", "FRAGILE-1", environment_id="env-fragile")
    made["documents"] = [
        {**each, "covers_environments": ["env-fragile"]} if each["code"] == "DPIA" else each
        for each in made["documents"]
    ]
    await publish(standing, [say("request.submitted.v1", {"dossier": made}, id_of(made), now)])
    await wait_quiet(standing)
    assert (await assessed(standing, id_of(made)))["environment"] == {
        "id": "env-fragile",
        "cleared": True,
        "findings": [],
    }
    lost = {"environment_id": "env-fragile", "evidence": "HDS"}
    await publish(standing, [say("environment.qualification-lost.v1", lost, "", await clock_now(standing))])
    await wait_quiet(standing)
    found = await assessed(standing, id_of(made))
    assert found["environment"]["findings"] == [{"code": "HDS_MISSING", "citation": "CSP:L1111-8"}]
    kept = "SELECT assessment::json->'environment' AS environment FROM compliance.cases WHERE request_id = $1"
    assert "HDS_MISSING" in (await query(standing, "compliance", kept, id_of(made)))[0]["environment"]
