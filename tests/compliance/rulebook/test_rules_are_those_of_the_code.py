"""The rulebook says what the code says: read from its text, from its tables, and from what it answers to every case."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

import compliance
import contracts.dossier
import contracts.vocabulary
import safeguards
from compliance import procedure
from compliance.assessment import Assessment, assess
from compliance.domain import decide
from compliance.reading import read_case, read_reference
from compliance.reference import Reference
from compliance.rulebook import texts
from compliance.rulebook.cases import MEMBERS
from compliance.rulebook.rules import Rule, rules
from compliance.rules.stops import PROHIBITED_IN_EUROPE

CASES = Path(__file__).parents[2] / "cases"
FILES = sorted([*CASES.glob("*.json"), *(CASES / "own").glob("*.json")])
TOLD = [(f.stem, raw) for f in FILES if isinstance(raw := json.loads(f.read_text()), dict) and "expect" in raw]
CODE = re.compile(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)+").fullmatch
CITATION = re.compile(r"[A-Z][A-Z0-9-]*:[A-Za-z0-9()./-]+").fullmatch
KNOWN = {(rule.regime, rule.kind, rule.code, citation) for rule in rules() for citation in rule.citations}


def constants() -> Iterator[str]:
    """Every text that stands in the code that decides, the rulebook itself aside."""
    for package in (compliance, safeguards):
        root = Path(str(package.__file__)).parent
        for file in root.rglob("*.py"):
            if "rulebook" not in file.parts:
                tree = ast.parse(file.read_text())
                yield from (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def vocabulary() -> frozenset[str]:
    """Upper-case words of the published language and of outcomes: no rule leaves them behind."""
    found = {value for name, value in vars(procedure).items() if name.isupper() and isinstance(value, str)}
    for module in (contracts.dossier, contracts.vocabulary):
        for value in vars(module).values():
            found.update(word for word in _literals(value))
    return frozenset(found | {"SNDS_HOMOLOGATION"})


def _literals(value: Any) -> Iterator[str]:
    for word in get_args(value):
        if isinstance(word, str):
            yield word
        else:
            yield from _literals(word)


def test_every_code_in_the_text_of_the_code_is_a_rule() -> None:
    written = {text for text in constants() if CODE(text)}
    codes = {rule.code for rule in rules()}

    assert written - codes - vocabulary() == set()


def test_every_rule_stands_in_the_text_of_the_code() -> None:
    written = set(constants())

    assert {rule.code for rule in rules()} - written == set()


def test_every_citation_in_the_text_of_the_code_has_a_label() -> None:
    assert {text for text in constants() if CITATION(text)} - texts.citations().keys() == set()


def test_prohibited_uses_are_stops() -> None:
    assert {(f.code, f.citation) for f in PROHIBITED_IN_EUROPE.values()} <= {
        (code, citation) for regime, kind, code, citation in KNOWN if (regime, kind) == ("EU", "stop")
    }


@pytest.fixture(scope="module")
def reference() -> Reference:
    return read_reference(*(json.loads((CASES / f"{name}.json").read_text()) for name in ("catalogue", "environments")))


@pytest.mark.parametrize(("name", "raw"), TOLD, ids=[name for name, _ in TOLD])
def test_whatever_a_case_comes_to_is_in_the_rulebook(name: str, raw: dict[str, Any], reference: Reference) -> None:
    case, as_of = read_case(raw)

    assessment = assess(case, as_of, reference)

    assert list(unknown(assessment)) == []
    for fact in decide(None, assessment, "00000000-0000-0000-0000-000000000000", "0" * 64):
        for code, citation in cited(json.loads(fact.model_dump_json())):
            assert citation in texts.citations(), fact
            assert code is None or code in texts.entries(), fact


def unknown(assessment: Assessment) -> Iterator[object]:
    """What an assessment shows that no rule of its regime accounts for."""
    shown: dict[str, Any] = assessment.as_json()
    regime = assessment.regime
    kinds: dict[str, set[str]] = {}
    for kind, members in MEMBERS.items():
        for member in members:
            kinds.setdefault(member, set()).add(kind)
    # A dataset that an amendment may not add is refused with the condition of the route that it would leave.
    kinds["reasons"].add("route-condition")
    shown["findings"] = (shown["environment"] or {}).get("findings", [])
    for member, of_kinds in kinds.items():
        for entry in shown[member]:
            if entry["code"] is not None and not _known(regime, of_kinds, entry["code"], entry["citation"]):
                yield member, entry
    for entry in shown["alternatives"]:
        rule = (regime, entry["route"], entry["code"])
        if rule not in {(r.regime, r.route, r.code) for r in rules() if r.kind == "route-condition"}:
            yield entry
    for entry in shown["opt_outs"]:
        if not _known(regime, {"opt-out"}, entry["effect"], entry["citation"]):
            yield entry
    steps = {rule.code for rule in rules(regime) if rule.kind == "step"}
    yield from (entry for entry in shown["deadlines"] if entry["step"] not in steps)


def _known(regime: str, kinds: set[str], code: str, citation: str) -> bool:
    return any((regime, kind, code, citation) in KNOWN for kind in kinds)


def cited(value: Any) -> Iterator[tuple[str | None, str]]:
    """Every code with its citation in the data of a fact."""
    if isinstance(value, dict):
        if isinstance(value.get("citation"), str):
            yield value.get("code"), value["citation"]
        for each in value.values():
            yield from cited(each)
    elif isinstance(value, list):
        for each in value:
            yield from cited(each)


def test_no_rule_is_listed_twice() -> None:
    seen: set[tuple[str, str, str, str | None, str]] = set()
    for rule in rules():
        for citation in rule.citations:
            key = (rule.kind, rule.regime, rule.code, rule.route, citation)
            assert key not in seen
            seen.add(key)


def test_a_rule_of_both_regimes_is_listed_in_each() -> None:
    assert {rule.regime for rule in rules() if rule.code == "HDS_MISSING"} == {"FR", "EU"}
    assert all(isinstance(rule, Rule) and rule.regime == "FR" for rule in rules("FR"))
