"""Stories: a case of tests/cases, changed and told further, seen from a day."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from compliance.assessment import Assessment, assess
from compliance.case import Case
from compliance.reading import read_case, read_reference
from compliance.reference import Reference

CASES = Path(__file__).parents[2] / "cases"
PARIS = ZoneInfo("Europe/Paris")


@dataclass
class Story:
    """A case that is told step by step. Every method but `on` and `assessment` gives the story back."""

    raw: dict[str, Any]
    reference: Reference

    def but(self, **changes: Any) -> "Story":
        """Change members of the dossier; `data__form` is `data.form`."""
        for path, value in changes.items():
            *folders, last = path.split("__")
            place = self.raw["dossier"]
            for folder in folders:
                place = place[folder]
            place[last] = value
        return self

    def without(self, *codes: str) -> "Story":
        """Take documents away."""
        documents = self.raw["dossier"]["documents"]
        self.raw["dossier"]["documents"] = [d for d in documents if d["code"] not in codes]
        return self

    def attaching(self, code: str, **members: Any) -> "Story":
        """Attach a document."""
        self.raw["dossier"]["documents"].append(document(code, **members))
        return self

    def under(self, **settings: Any) -> "Story":
        """Set legal settings; `fr__roll` is `fr.roll`, `_` stands for `-`."""
        for name, value in settings.items():
            self.raw.setdefault("settings", {})[name.replace("__", ".").replace("_", "-")] = value
        return self

    def submitted(self, day: str, hour: str = "10:00") -> "Story":
        """Begin again on a day, with nothing said yet."""
        self.raw["history"] = []
        return self.says(day, "request.submitted", hour=hour)

    def says(self, day: str, item: str, /, hour: str = "10:00", **data: Any) -> "Story":
        """Somebody says something on a day, at an hour in Paris."""
        at = datetime.combine(date.fromisoformat(day), time.fromisoformat(hour), PARIS)
        self.raw["history"].append({"at": at.isoformat(), "type": f"{item}.v1", "data": data})
        return self

    def case(self, day: str) -> Case:
        return read_case({**self.raw, "as_of": day})[0]

    def assessment(self, day: str) -> Assessment:
        return assess(self.case(day), date.fromisoformat(day), self.reference)

    def on(self, day: str) -> "Seen":
        """How the case is seen on a day."""
        return Seen(self.assessment(day).as_json())


@dataclass(frozen=True)
class Seen:
    """The output of an assessment, with short ways to what tests look at."""

    json: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        return self.json[name]

    def codes(self, member: str) -> list[str]:
        return [entry["code"] for entry in self.json[member]]

    def cited(self, member: str) -> dict[str, str]:
        return {entry["code"]: entry["citation"] for entry in self.json[member]}

    def deadline(self, step: str) -> tuple[str, str]:
        """The due day and the state of a step."""
        (found,) = [d for d in self.json["deadlines"] if d["step"] == step]
        return found["due"], found["state"]

    def steps(self) -> dict[str, str]:
        return {d["step"]: d["state"] for d in self.json["deadlines"]}

    def decisions(self) -> dict[str, str]:
        return {d["dataset_id"]: d["decision"] for d in self.json["datasets"]}

    def left_aside(self) -> dict[str, tuple[str, str]]:
        return {a["route"]: (a["code"], a["citation"]) for a in self.json["alternatives"]}


def document(code: str, **members: Any) -> dict[str, Any]:
    return {"code": code, "version": 1, "date": "2026-05-04", "sha256": "0" * 64, **members}


@pytest.fixture(scope="session")
def reference() -> Reference:
    return read_reference(
        json.loads((CASES / "catalogue.json").read_text()), json.loads((CASES / "environments.json").read_text())
    )


Tell = Callable[[str], Story]


@pytest.fixture
def tell(reference: Reference) -> Tell:
    """`tell("F05a")` begins a story with the dossier and history of a case file."""

    def begin(name: str) -> Story:
        raw = json.loads((CASES / f"{name}.json").read_text())
        kept = {member: raw[member] for member in ("id", "dossier", "history", "settings") if member in raw}
        return Story(copy.deepcopy(kept), reference)

    return begin
