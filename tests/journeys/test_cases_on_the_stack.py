"""What `guichet assess` promises is what happens: every case told to a running stack ends as the pure function says."""

from __future__ import annotations

import json
import sys
from bisect import bisect_left
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from compliance.assessment import assess
from compliance.reading import read_case, read_reference
from dossiers import CASES, Told, all_cases, events_of, independent, independent_environments, own_cases, reference, say
from guichet.publishing import Event, clock_now, publish
from guichet.stack.prepare import set_clock
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import StackState
from stacks import stack_of

sys.path.insert(0, str(CASES))
from check import differences, forbidden  # the cases come with their own comparison

PARIS = ZoneInfo("Europe/Paris")
LAWFUL = all_cases()
"""What came with the law is told day by day, and asked about on the day it asks about."""
TOLD = {
    # A stack has the settings of its deployment: a case under settings of its own is for the pure function alone.
    told.case["id"]: told
    for told in map(independent, [*LAWFUL, *own_cases()])
    if "settings" not in told.case
}
Json = dict[str, Any]
OPPOSITION = ("optout.", "objection.")


def days_of(case: Json) -> set[date]:
    """The days on which something is said in a case, or asked about it."""
    said = {datetime.fromisoformat(item["at"]).astimezone(PARIS).date() for item in case["history"]}
    asked = date.fromisoformat(case["as_of"])
    return {day for day in said if day <= asked} | {asked}


STOPS = sorted(set[date]().union(*map(days_of, LAWFUL)) | {max(told.as_of for told in TOLD.values())})
"""The days at which the stack's clock stops. Our own cases ride along: their events arrive at the next stop, late, and
they are asked about a day that may be past by then, which must make no difference."""


def stop_for(day: date) -> date:
    """The first stop that is not before a day."""
    return STOPS[bisect_left(STOPS, day)]


def last_moment(day: date) -> datetime:
    """A minute before the day ends in Paris."""
    return datetime.combine(day, time(23, 59), PARIS).astimezone(UTC)


@pytest.fixture(scope="module")
async def answers() -> dict[str, Json]:
    """Every history told day by day, each case asked during the day it asks about; by case id."""
    async with stack_of("cases") as (_, state):
        return await told_day_by_day(state)


async def told_day_by_day(state: StackState) -> dict[str, Json]:
    now = await clock_now(state)
    environments = [
        say("environment.registered.v1", environment, "", now)
        for told in TOLD.values()
        for environment in independent_environments(told)
    ]
    await publish(state, environments)
    await wait_quiet(state)

    spoken: dict[date, list[tuple[datetime, Event]]] = {}
    asked: dict[date, list[Told]] = {}
    for told in TOLD.values():
        for at, event in events_of(told):
            if (day := at.astimezone(PARIS).date()) <= told.as_of:
                spoken.setdefault(stop_for(day), []).append((at, event))
        asked.setdefault(stop_for(told.as_of), []).append(told)

    found: dict[str, Json] = {}
    async with httpx.AsyncClient(timeout=30) as client:
        for stop in STOPS:
            await set_clock(state, last_moment(stop))
            events = sorted(spoken.get(stop, []), key=lambda each: each[0])
            if events:
                await publish(state, [event for _, event in events])
                await wait_quiet(state)
            for told in asked.get(stop, []):
                response = await client.get(
                    f"{state.services['compliance'].url}/cases/{told.request_id}",
                    params={"as_of": told.as_of.isoformat()},
                )
                assert response.status_code == 200, (told.case["id"], response.status_code)
                found[told.case["id"]] = response.json()
    return found


def in_any_order(value: object) -> object:
    """Lists as sorted lists: the order of lists says nothing."""
    if isinstance(value, dict):
        return {name: in_any_order(each) for name, each in value.items()}
    if isinstance(value, list):
        return sorted((in_any_order(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
    return value


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", sorted(TOLD))
async def test_a_case_ends_on_the_stack_as_assess_says(name: str, answers: dict[str, Json]) -> None:
    told = TOLD[name]
    catalogue, _ = reference()
    case, as_of = read_case(told.case)
    rules = assess(case, as_of, read_reference(catalogue, {"environments": independent_environments(told)}))
    promised = json.loads(json.dumps(rules.as_json()))
    happened = answers[name]
    own = {str(item["data"].get("ref")) for item in told.case["history"] if item["type"].startswith(OPPOSITION)}
    happened["opt_outs"] = [each for each in happened["opt_outs"] if each["ref"] in own]
    promised.pop("case_id"), happened.pop("case_id")
    assert in_any_order(happened) == in_any_order(promised)
    expected = told.case["expect"]
    assert [*differences(expected, happened), *forbidden(told.case.get("expect_not", {}), happened)] == []
