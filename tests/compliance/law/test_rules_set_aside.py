"""A draft may leave a rule out: it then decides as if the law had no such rule, and every other rule stays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from compliance.assessment import Assessment, assess
from compliance.legal_settings import DEFAULT, overridden
from compliance.problems import CaseError
from compliance.reading import read_case, read_reference

CASES = Path(__file__).parents[2] / "cases"


def assessed(name: str, *aside: str) -> Assessment:
    case, as_of = read_case(json.loads((CASES / f"{name}.json").read_bytes()))
    catalogue, hosts = (json.loads((CASES / f"{n}.json").read_bytes()) for n in ("catalogue", "environments"))
    return assess(case, as_of, read_reference(catalogue, hosts), replace(DEFAULT, set_aside=frozenset(aside)))


@pytest.mark.parametrize("name", ["F12", "E17a", "E17d", "N-individual"])
def test_a_stop_set_aside_stops_nothing(name: str) -> None:
    before = assessed(name)
    stops = {reason.code for reason in before.reasons}
    assert before.outcome == "REFUSAL_PROPOSED"
    after = assessed(name, *stops)
    assert after.outcome != "REFUSAL_PROPOSED"
    assert stops.isdisjoint(reason.code for reason in after.reasons)


def test_a_condition_set_aside_holds_for_the_route_named_or_for_all() -> None:
    before = assessed("F06b")
    left = next(a for a in before.alternatives if a.route == "FR_MR007")
    for aside in (left.code, f"{left.route}/{left.code}"):
        after = assessed("F06b", aside)
        assert after.route == "FR_MR007" or left not in after.alternatives
    assert left in assessed("F06b", f"FR_MR008/{left.code}").alternatives


@pytest.mark.parametrize("name", ["N-EU-many-missing", "F01b", "F02b", "F09b", "E16a"])
def test_an_item_set_aside_is_not_missing(name: str) -> None:
    before = assessed(name)
    assert before.missing
    for item in before.missing:
        after = assessed(name, item.code)
        assert {found.code for found in after.missing} == {found.code for found in before.missing} - {item.code}


def test_no_file_of_settings_sets_a_rule_aside() -> None:
    with pytest.raises(CaseError):
        overridden({"set_aside": ["SNDS_OVER_20_YEARS"]})
