"""Other rules over the recorded requests: exactly those that a rule touches differ, and the rule is named."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from audit_records import memory_of
from compliance.app import law_from
from compliance.assessment import Assessment
from dossiers import CASES, Told
from guichet.replay.policy import TOGETHER, Comparison, NotAPack, compare, moved_periods, read_draft, rules_of
from guichet.replay.state import Memory, assessed
from guichet_verify.leaves import Record
from later_pack import decides_from_2027

LAW = law_from(CASES / "catalogue.json", None)


@pytest.fixture(scope="module")
def memory(records: list[Record]) -> Memory:
    return memory_of(records)


def drafted(tmp_path: Path, memory: Memory, cases: list[Told], **changes: object) -> Comparison:
    file = tmp_path / "draft.json"
    file.write_text(json.dumps({"name": "draft", "based_on": "fr-2026.1", **changes}))
    return compare(memory, max(told.as_of for told in cases), LAW, read_draft(str(file)))


def test_the_pack_in_force_moves_nothing(memory: Memory, cases: list[Told]) -> None:
    day = max(told.as_of for told in cases)
    for name, regime in (("fr-2026.1", "FR"), ("eu-2029.1", "EU")):
        found = compare(memory, day, LAW, read_draft(name))
        assert found.differences == [] and found.decided == sum(told.case["regime"] == regime for told in cases)
        assert found.decided + found.under_another_regime == len(cases)


@pytest.mark.parametrize("code", ["PROHIBITED_INSURANCE", "DPIA", "FR_MR007/NOT_SNDS_MAIN_ONLY"])
def test_a_rule_set_aside_touches_exactly_the_requests_it_was_shown_in(
    tmp_path: Path, memory: Memory, cases: list[Told], code: str
) -> None:
    day, testimony = max(told.as_of for told in cases), memory.testimony()
    touched = set()
    for request_id, case in memory.cases(LAW):
        found = assessed(case, day, testimony.reference(case, day, LAW.permanent_bodies), LAW)
        assert isinstance(found, Assessment)
        shown = {each.code for each in (*found.reasons, *found.missing)}
        shown |= {f"{left.route}/{left.code}" for left in found.alternatives}
        if found.regime == "FR" and code in shown:
            touched.add(request_id)
    differences = drafted(tmp_path, memory, cases, set_aside=[code]).differences
    assert touched
    assert {each.request_id for each in differences} == touched
    assert {each.rules for each in differences} == {(code,)}


def test_a_longer_period_moves_due_dates_and_says_by_how_much(
    tmp_path: Path, memory: Memory, cases: list[Told]
) -> None:
    found = drafted(tmp_path, memory, cases, settings={"fr.roll": "next-working-day"})
    assert found.due_dates_moved > 0
    for each in found.differences:
        assert each.rules == ("fr.roll",)
        before, after = each.members["deadlines"]
        assert all(old is not None and new is not None and new > old for _, old, new in moved_periods(before, after))


def test_each_of_two_rules_is_named_where_it_matters(tmp_path: Path, memory: Memory, cases: list[Told]) -> None:
    changes = {"settings": {"fr.roll": "next-working-day"}, "set_aside": ["PROHIBITED_INSURANCE"]}
    rules = {rule for each in drafted(tmp_path, memory, cases, **changes).differences for rule in each.rules}
    assert rules == {"fr.roll", "PROHIBITED_INSURANCE"}
    assert TOGETHER not in rules


def test_another_released_pack_touches_exactly_the_requests_it_decides_otherwise(
    memory: Memory, cases: list[Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    day = max(told.as_of for told in cases)
    later = decides_from_2027(monkeypatch)
    found = compare(memory, day, LAW, read_draft(later.name))
    assert found.decided == sum(told.case["regime"] == "FR" for told in cases)
    waited_for_the_committee = {
        request_id
        for request_id, case in memory.cases(LAW)
        if any(item.word("body") == "CESREES" for item in case.known_on(day))
    }
    assert {each.request_id for each in found.differences} <= waited_for_the_committee
    assert found.due_dates_moved > 0
    assert all("committee_opinion" in each.rules for each in found.differences)

    backwards = compare(memory, day, LAW, read_draft("fr-2026.1"))
    assert backwards.differences == [], "what is recorded was decided by it"


@pytest.mark.parametrize(
    ("draft", "problems"),
    [
        ("[]", ["an object"]),
        ("{", ["JSON"]),
        (
            {"name": "fr-2026.1", "based_on": "fr-1999.1", "setings": {}, "settings": {"fr.rol": 1}, "set_aside": "x"},
            ["/name", "/based_on", "/setings", "/settings", "/set_aside"],
        ),
        ({"name": "d", "based_on": "eu-2029.1", "set_aside": ["SNDS_OVER_20_YEARS", "ETHICS"]}, ["/set_aside/0"]),
    ],
)
def test_what_is_no_pack_is_refused_with_every_problem(tmp_path: Path, draft: object, problems: list[str]) -> None:
    file = tmp_path / "draft.json"
    file.write_text(draft if isinstance(draft, str) else json.dumps(draft))
    with pytest.raises(NotAPack) as refused:
        read_draft(str(file))
    assert all(problem in str(refused.value) for problem in problems)


def test_a_name_nobody_knows_is_no_pack() -> None:
    with pytest.raises(NotAPack, match=re.escape("fr-2026.1, eu-2029.1")):
        read_draft("fr-2027.1")


def test_every_rule_of_a_pack_can_be_set_aside_alone(memory: Memory, cases: list[Told]) -> None:
    day, draft = max(told.as_of for told in cases), read_draft("fr-2026.1")
    _, case = next(iter(memory.cases(LAW)))
    reference = memory.testimony().reference(case, day, LAW.permanent_bodies)
    for code in rules_of(draft.pack):
        alone = replace(draft, set_aside=frozenset({code}))
        assert isinstance(assessed(case, day, reference, replace(LAW, settings=alone.over(LAW.settings))), Assessment)
