"""Every case file comes out as the law says, through the function behind `guichet assess`."""

import importlib.util
import json
from datetime import date, datetime
from pathlib import Path
from types import ModuleType

import pytest

from compliance.assessment import assess
from compliance.periods import due
from compliance.reading import read_case
from compliance.reference import Reference

CASES = Path(__file__).parents[2] / "cases"
OWN = CASES / "own"
"""Written by hand from the law, so that every rule has a case; judged by the reference data of the folder above."""
NAMES = [
    file.relative_to(CASES).with_suffix("").as_posix()
    for file in (*sorted(CASES.glob("*.json")), *sorted(OWN.glob("*.json")))
    if isinstance(c := json.loads(file.read_text()), dict) and "expect" in c
]
DEADLINES = json.loads((CASES / "deadlines.json").read_text())


def _load_check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check", CASES / "check.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check = _load_check()


@pytest.mark.parametrize("name", NAMES)
def test_a_case_is_assessed_as_its_file_expects(name: str, reference: Reference) -> None:
    raw = json.loads((CASES / f"{name}.json").read_text())
    case, as_of = read_case(raw)

    shown = assess(case, as_of, reference).as_json()

    wanted = {"case_id": raw["id"], **raw["expect"]}
    assert list(check.differences(wanted, shown)) == []
    assert list(check.forbidden(raw.get("expect_not", {}), shown)) == []


@pytest.mark.parametrize("entry", DEADLINES, ids=[entry["id"] for entry in DEADLINES])
def test_a_period_ends_on_the_day_the_list_says(entry: dict[str, str]) -> None:
    start = entry["start"]
    begins = datetime.fromisoformat(start) if "T" in start else date.fromisoformat(start)

    assert due(entry["rule"], begins, bool(entry["extended"])) == date.fromisoformat(entry["due"])


def test_a_case_is_named_after_its_file() -> None:
    ids = [json.loads((CASES / f"{name}.json").read_text())["id"] for name in NAMES]

    assert ids == [name.removeprefix("own/") for name in NAMES]
    assert len(set(ids)) == len(ids)


def test_there_are_cases() -> None:
    assert len(NAMES) >= 54 + 200
    assert len(DEADLINES) >= 64
