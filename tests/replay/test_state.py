"""What was known then is a function of the records alone: any order of logs, any repetition, any machine."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest

from audit_records import memory_of, read
from compliance.app import law_from
from compliance.assessment import Assessment, assess
from compliance.reading import read_case, read_reference
from dossiers import CASES, Told, independent_environments, reference
from guichet.replay.state import Memory, assessed, state_hash, state_of
from guichet_verify.leaves import Record

LAW = law_from(CASES / "catalogue.json", None)


def logs_of(records: Sequence[Record]) -> dict[tuple[str, int], list[Record]]:
    logs: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        logs.setdefault((record.topic, record.partition), []).append(record)
    return logs


def test_every_record_of_the_cases_is_read(records: list[Record]) -> None:
    memory = memory_of(records)
    assert memory.not_read == []
    assert memory.events == len(records)


def test_what_is_rebuilt_of_a_case_is_what_assess_says(records: list[Record], cases: list[Told]) -> None:
    memory, (catalogue, _) = memory_of(records), reference()
    recorded, testimony = dict(memory.cases(LAW)), memory.testimony()
    for told in cases:
        if told.case.get("settings"):
            continue  # Settings are a deployment's; one replay has one set of them.
        case, as_of = read_case(told.case)
        rules = assess(case, as_of, read_reference(catalogue, {"environments": independent_environments(told)}))
        rebuilt_case = recorded[told.request_id]
        known = testimony.reference(rebuilt_case, as_of, LAW.permanent_bodies)
        found = assessed(rebuilt_case, as_of, known, LAW)
        assert isinstance(found, Assessment)
        promised, rebuilt = (json.loads(json.dumps(each.as_json())) for each in (rules, found))
        own = {item["data"]["ref"] for item in told.case["history"] if item["type"].startswith("optout.")}
        rebuilt["opt_outs"] = [each for each in rebuilt["opt_outs"] if each["ref"] in own]
        assert rebuilt | {"case_id": told.case["id"]} == promised


def test_a_request_whose_workspace_moved_is_rebuilt_where_it_stands(records: list[Record], cases: list[Told]) -> None:
    moved = cases[-1]
    rebuilt = state_of(memory_of(records), moved.as_of, LAW)[moved.request_id]
    assert isinstance(rebuilt, dict)
    assert rebuilt["assessment"]["start_allowed"]
    assert rebuilt["assessment"]["environment"]["id"] == f"env-pmsi.{moved.case['id']}"


def test_logs_read_in_any_order_and_twice_give_the_same_bytes(records: list[Record], cases: list[Told]) -> None:
    day = max(told.as_of for told in cases)
    expected = state_hash(state_of(memory_of(records), day, LAW))
    logs = list(logs_of(records).values())
    for seed in range(5):
        random.Random(seed).shuffle(logs)
        again = [record for log in (*logs, *logs) for record in log]
        assert state_hash(state_of(memory_of(again), day, LAW)) == expected


def test_a_thousand_moments_rebuilt_equal_what_was_held_then(records: list[Record], cases: list[Told]) -> None:
    """A memory that grew record by record, looked at as it went, against one rebuilt from sizes."""
    chosen = {told.request_id for told in cases[:5]}
    few = [r for r in records if not _is_request(r) or (r.key or b"").decode() in chosen]
    logs, chance = logs_of(few), random.Random(2026)
    held, taken, snapshots = Memory(), dict.fromkeys(logs, 0), {}
    day = max(told.as_of for told in cases)
    for record in few:
        held.hear(read(record))
        taken[record.topic, record.partition] += 1
        snapshots[tuple(taken.items())] = (held.events, state_hash(state_of(held, day, LAW)))
    moments = list(snapshots)
    rebuilt: dict[object, tuple[int, str]] = {}
    for _ in range(1000):
        moment = chance.choice(moments)
        if moment not in rebuilt:
            memory = memory_of(record for place, size in moment for record in logs[place][:size])
            rebuilt[moment] = (memory.events, state_hash(state_of(memory, day, LAW)))
        assert rebuilt[moment] == snapshots[moment]


def _is_request(record: Record) -> bool:
    return record.topic in ("guichet.requests", "guichet.authorities")


def test_a_record_that_states_nothing_is_named(records: list[Record]) -> None:
    memory = memory_of([*records, records[0]._replace(offset=9_999, value=b"{")])
    assert [(each.place.offset, each.code) for each in memory.not_read] == [(9_999, "not-json")]


@pytest.mark.parametrize("cut", [0.25, 0.5])
def test_what_is_recorded_later_is_not_known_then(records: list[Record], cases: list[Told], cut: float) -> None:
    until = records[: int(len(records) * cut)]
    accepted = {(r.key or b"").decode() for r in until if b"guichet.request.accepted.v1" in dict(r.headers).values()}
    assert set(dict(memory_of(until).cases(LAW))) == accepted != {told.request_id for told in cases}
