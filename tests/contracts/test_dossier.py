"""The dossier model accepts and refuses what the published schema does, case by case and mutation by mutation."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import ValidationError

from contracts.dossier import Dossier, read_dossier

CASES = Path(__file__).parents[1] / "cases"
PUBLISHED = Draft202012Validator(
    json.loads((CASES / "dossier.schema.json").read_text(encoding="utf-8")), format_checker=FormatChecker(["date"])
)
DOSSIERS = {
    path.stem: case["dossier"]
    for path in sorted(CASES.glob("*.json"))
    if isinstance(case := json.loads(path.read_text(encoding="utf-8")), dict) and "dossier" in case
}

Node = dict[str, object] | list[object]


def accepted(dossier: object) -> bool:
    try:
        Dossier.model_validate_json(json.dumps(dossier), extra="forbid")
    except ValidationError:
        return False
    return True


def places(node: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in pairs:
        found += places(child, (*path, key))
    return found


def whole() -> dict[str, object]:
    """A dossier in which every optional part is there."""
    dossier = copy.deepcopy(DOSSIERS["F07a"])
    dossier["applicant"]["mandate"] = {"from": "ministry", "reference": "M-7", "date": "2026-04-01"}
    one = {"ehds_purpose": "e.i", "categories": ["a", "q"], "recipients": ["org-1"]}
    dossier["series"] = {"processings": [{"ref": "s-1", **one}, {"ref": "s-2", **one}]}
    dossier["lab"] = {"ref": "lab", "committed_2017_07_17": True, "independent": True, "last_audit": "2025-03-31"}
    opinion = {"body": "CSE", "verdict": "reserved", "date": "2026-03-02"}
    dossier["documents"][0].update({"language": "en", "covers_environments": ["env-1"], "opinion": opinion})
    dossier["transfers_outside_eu"] = [{"country": "CH", "kind": "personal", "adequacy_decision": True}]
    dossier["conformity_declared"] = {"reference": "C-1", "date": "2026-03-02"}
    dossier["directory_registered"] = {"reference": "D-1", "date": "2026-03-02"}
    return dossier


WHOLE = whole()
PLACES = places(WHOLE)
STRANGE = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    600,
    601,
    1949,
    1950,
    2100,
    2101,
    10**30,
    1.5,
    "",
    " ",
    "a",
    "ab",
    "a" * 64,
    "a" * 65,
    "a" * 200,
    "a" * 201,
    "é" * 200,
    "e.i",
    "FR",
    "fr",
    "FRA",
    "-x",
    "2026-02-28",
    "2026-02-30",
    "2026-2-3",
    "20260203",
    "2026-02-28T00:00:00",
    "2026-02-28 ",
    "0000-01-01",
    "f" * 64,
    "F" * 64,
    [],
    ["a"],
    ["a", "a"],
    [1, 2],
    {},
    {"ref": "a"},
    "person@example.org",
    "6(1)(e)",
    "none",
    "HDH",
    "🙂" * 64,
]


@pytest.mark.parametrize("name", DOSSIERS)
def test_every_case_is_accepted_and_written_back_as_it_came(name: str) -> None:
    dossier = DOSSIERS[name]
    assert PUBLISHED.is_valid(dossier)
    assert json.loads(read_dossier(dossier).model_dump_json(by_alias=True)) == dossier


def test_a_dossier_with_every_optional_part_is_accepted() -> None:
    assert PUBLISHED.is_valid(WHOLE)
    assert json.loads(read_dossier(WHOLE).model_dump_json()) == WHOLE


def change(dossier: dict[str, object], path: tuple[str | int, ...], what: str, value: object) -> None:
    node: object = dossier
    for step in path[:-1]:
        node = node[step]  # type: ignore[index]  # the path comes from the document itself
    last = path[-1]
    if what == "set":
        node[last] = value  # type: ignore[index]  # the same
    elif what == "drop":
        del node[last]  # type: ignore[attr-defined]  # the same
    elif isinstance(node, dict):
        node[str(last) + "_"] = value
    elif isinstance(node, list):
        node.append(copy.deepcopy(node[last]) if what == "repeat" else value)  # type: ignore[index]  # the same


@settings(max_examples=1500)
@given(st.sampled_from(PLACES), st.sampled_from(["set", "set", "drop", "add", "repeat"]), st.sampled_from(STRANGE))
def test_a_mutated_dossier_is_accepted_exactly_when_the_published_schema_accepts_it(
    path: tuple[str | int, ...], what: str, value: object
) -> None:
    dossier = copy.deepcopy(WHOLE)
    change(dossier, path, what, value)
    assert accepted(dossier) == PUBLISHED.is_valid(dossier)


def test_every_member_left_out_or_set_to_null_is_judged_as_the_published_schema_does() -> None:
    for path in PLACES:
        for what in ("drop", "set"):
            dossier = copy.deepcopy(WHOLE)
            change(dossier, path, what, None)
            assert accepted(dossier) == PUBLISHED.is_valid(dossier), (path, what)


def enums(schema: dict[str, object]) -> list[list[str]]:
    found = [schema["enum"]] if "enum" in schema else []
    for child in schema.values():
        for node in child if isinstance(child, list) else [child]:
            if isinstance(node, dict):
                found += enums(node)
    return found  # type: ignore[return-value]  # enums of this schema are lists of text


def test_the_published_lists_of_values_are_ours() -> None:
    def lists(schema: dict[str, object]) -> set[tuple[str, ...]]:
        return {tuple(sorted(values)) for values in enums(schema)}

    assert lists(Dossier.model_json_schema()) == lists(dict(PUBLISHED.schema))


def test_a_whole_number_written_as_a_fraction_is_refused_although_json_schema_would_take_it() -> None:
    dossier = {**WHOLE, "revision": 1.0}
    assert PUBLISHED.is_valid(dossier)
    assert not accepted(dossier)


def test_a_day_that_no_calendar_has_is_refused() -> None:
    dossier = {**WHOLE, "conformity_declared": {"reference": "C-1", "date": "2026-02-30"}}
    assert not accepted(dossier)


def test_the_persons_of_two_dossiers_compare_as_values() -> None:
    assert read_dossier(WHOLE) == read_dossier(copy.deepcopy(WHOLE))
    assert hash(read_dossier(WHOLE)) == hash(read_dossier(WHOLE))
