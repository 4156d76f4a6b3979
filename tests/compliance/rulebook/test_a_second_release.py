"""The law changes: a second version of the packs is written and released in a copy of the program, as a jurist's
engineer would, and what the first version decided stays as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import compliance
import safeguards
from dossiers import CASES

PACKS = '    RulePack("eu-2029.1", "EU", EHDS_APPLIES),\n'
SECOND = f'    RulePack("fr-2027.1", "FR", date(2027, 1, 1)),\n{PACKS}    RulePack("eu-2029.2", "EU", EHDS_APPLIES),\n'
COMMITTEE = '"committee_opinion",\n            Arithmetic.FR,\n            _months(1)'


class Checkout:
    """A copy of the packages that decide, and the command run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for package in (compliance, safeguards):
            source = Path(str(package.__file__)).parent
            shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))

    def edit(self, module: str, before: str, after: str) -> None:
        file = self.folder / "compliance" / module
        text = file.read_text("utf-8")
        assert text.count(before) == 1
        file.write_text(text.replace(before, after), encoding="utf-8")

    def guichet(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, "-m", "guichet", *words], env=environment, capture_output=True, text=True, check=False
        )

    def assess(self, case: Path) -> dict[str, object]:
        ran = self.guichet("assess", str(case), "--reference", str(CASES), "--json")
        assert ran.returncode == 0, ran.stderr
        found: dict[str, object] = json.loads(ran.stdout)
        return found


def in_2027(folder: Path) -> Path:
    told = (CASES / "F05b.json").read_text("utf-8")
    raw = json.loads(told)
    days = json.dumps({"history": raw["history"], "as_of": raw["as_of"]}).replace("2026-", "2027-")
    file = folder / "in-2027.json"
    file.write_text(json.dumps({**raw, **json.loads(days)}), encoding="utf-8")
    return file


def test_what_the_first_release_decided_stays_and_the_second_decides_from_its_day(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "program")
    before, after = CASES / "F05b.json", in_2027(tmp_path)
    first, at_first = checkout.assess(before), checkout.assess(after)

    checkout.edit("periods.py", COMMITTEE, COMMITTEE.replace("1", "2"))
    refused = checkout.guichet("rules", "check")
    assert refused.returncode == 1
    assert "fr-2026.1 is released and has changed" in refused.stderr
    assert "a change needs a new pack version" in refused.stderr

    checkout.edit("packs.py", PACKS, SECOND)
    frozen = checkout.guichet("rules", "freeze", "--release", "--on", "2026-12-15")
    assert frozen.returncode == 0, frozen.stderr
    assert sorted(file.stem for file in (tmp_path / "program/compliance/rulebook/released").glob("*.zip")) == [
        *("eu-2029.1", "eu-2029.2", "fr-2026.1", "fr-2027.1"),
    ]
    shown = json.loads(checkout.guichet("rules", "packs", "--json").stdout)
    assert {each["name"]: (each["released"], each["changed"]) for each in shown} == {
        "fr-2026.1": ("2026-11-26", []),
        "fr-2027.1": ("2026-12-15", []),
        "eu-2029.1": ("2026-11-26", []),
        "eu-2029.2": ("2026-12-15", []),
    }

    assert checkout.assess(before) == first
    second = checkout.assess(after)
    assert (at_first["rule_pack"], second["rule_pack"]) == ("fr-2026.1", "fr-2027.1")
    assert _due(at_first) == "2027-10-08"
    assert _due(second) == "2027-11-08"


def _due(assessment: dict[str, object]) -> str:
    deadlines = assessment["deadlines"]
    assert isinstance(deadlines, list)
    (due,) = (each["due"] for each in deadlines if each["step"] == "committee_opinion")
    return str(due)
