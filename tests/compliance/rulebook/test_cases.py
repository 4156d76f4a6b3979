"""A rule is exercised when a case expects its code with its article."""

from typing import Any

from compliance.rulebook.cases import exercised
from compliance.rulebook.rules import Rule, rules


def case(regime: str, **expect: Any) -> dict[str, Any]:
    return {"id": "T1", "regime": regime, "expect": expect}


def by(told: dict[str, Any]) -> set[tuple[str, str]]:
    return {(rule.kind, rule.name) for rule, cases in exercised([told], []).items() if cases}


def test_a_code_without_its_article_is_not_enough() -> None:
    assert by(case("FR", reasons=[{"code": "SILENCE_GRANTS"}])) == set()
    assert by(case("FR", reasons=[{"code": "SILENCE_GRANTS", "citation": "LIL:66-III"}])) == set()
    assert by(case("FR", reasons=[{"code": "SILENCE_GRANTS", "citation": "LIL:66-V"}])) == {
        ("reason", "SILENCE_GRANTS")
    }


def test_a_case_exercises_the_rules_of_its_own_regime() -> None:
    told = case("EU", environment={"findings": [{"code": "HDS_MISSING", "citation": "CSP:L1111-8"}]})
    found = [rule for rule, cases in exercised([told], []).items() if cases]

    assert [(rule.regime, rule.code) for rule in found] == [("EU", "HDS_MISSING")]


def test_a_condition_is_exercised_on_its_own_route() -> None:
    told = case("FR", alternatives=[{"route": "FR_MR007", "code": "LINKAGE_EXCLUDED"}])

    assert by(told) == {("route-condition", "FR_MR007/LINKAGE_EXCLUDED")}


def test_the_same_code_as_a_stop_and_as_a_condition_is_two_rules() -> None:
    stop = case("FR", reasons=[{"code": "NO_PUBLIC_INTEREST", "citation": "LIL:66-I"}])

    assert by(stop) == {("stop", "NO_PUBLIC_INTEREST")}


def test_a_computed_period_exercises_its_step() -> None:
    found = exercised([], [{"id": "D1", "rule": "lab_audit"}])

    assert [(rule.code, cases) for rule, cases in found.items() if cases] == [("lab_audit", ("D1",))]


def test_what_is_not_exercised_is_there_with_no_case() -> None:
    found = exercised([], [])

    assert list(found) == list(rules())
    assert found[Rule("route", "EU", "EU_PERMIT", ("EHDS:68(4)",))] == ()
