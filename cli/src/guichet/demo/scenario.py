"""Reads the scenario: dossiers written out whole from their shapes, and what happens when."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib import resources
from typing import Any

import yaml

Dossier = dict[str, Any]
"""A dossier as its portal sends it (JSON)."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one party says about some of the requests, by their names in the scenario, or about an environment."""

    about: Sequence[str]
    source: str
    type: str
    data: Mapping[str, Any]
    completes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Query:
    """A researcher asks the workspace of a request, and is answered or not."""

    about: str
    person: str
    answers: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A day of the story: the clock, what is sent and said, what must be true afterwards."""

    tell: str
    at: datetime | None
    submit: Sequence[str]
    say: Sequence[Statement]
    expect: Mapping[str, Mapping[str, Any]]
    query: Query | None


@dataclass(frozen=True, slots=True)
class Scenario:
    """The whole story; dossiers by their names in it."""

    start: datetime
    dossiers: Mapping[str, Dossier]
    steps: Sequence[Step]


def document(name: str, code: str, day: date, version: int = 1) -> dict[str, Any]:
    """A document by reference, as if it lay with the portal."""
    made: dict[str, Any] = {
        "code": code,
        "version": version,
        "date": day.isoformat(),
        "sha256": hashlib.sha256(f"{name}/{code}/{version}".encode()).hexdigest(),
    }
    return made


def _plain(value: Any) -> Any:
    """YAML's dates as the text that JSON has."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _shape(shapes: Mapping[str, Dossier], name: str) -> Dossier:
    shape = dict(shapes[name])
    below = shape.pop("like", None)
    return {**(_shape(shapes, below) if below else {}), **shape}


def _dossier(raw: Mapping[str, Any], name: str, filed: date) -> Dossier:
    given = _plain(dict(raw["dossiers"][name]))
    made = _shape(raw["shapes"], given.pop("like"))
    codes = raw["documents"][given.pop("documents")]
    left_out = given.pop("without", [])
    used = [raw["datasets"][each] for each in given.pop("datasets")]
    covered = given.pop("covers_environments", [given.get("environment_id", made["environment_id"])])
    intended = given.pop("intended_use", made["purpose"]["intended_use"])
    made |= {"portal_reference": name, "purpose": {**made["purpose"], "intended_use": intended}, **given}
    made["data"] = {**made["data"], "datasets": used}
    made["documents"] = [document(name, code, filed) for code in codes if code not in left_out]
    for each in made["documents"]:
        _detail(each, covered)
    return made


def _detail(paper: dict[str, Any], covered: list[str]) -> None:
    match paper["code"]:
        case "SUMMARY":
            paper["language"] = "fr"
        case "DPIA":
            paper["covers_environments"] = covered
        case "PRIOR_OPINIONS":
            paper["opinion"] = {"body": "CSE", "verdict": "favourable", "date": paper["date"]}


def _statement(raw: Mapping[str, Any]) -> Statement:
    about = raw["about"]
    return Statement(
        about=[about] if isinstance(about, str) else about,
        source=raw["from"],
        type=f"guichet.{raw['type']}",
        data=_plain(raw.get("data", {})),
        completes=raw.get("completes", []),
    )


def _step(raw: Mapping[str, Any]) -> Step:
    query = raw.get("query")
    return Step(
        tell=raw["tell"],
        at=raw.get("at"),
        submit=raw.get("submit", []),
        say=[_statement(each) for each in raw.get("say", [])],
        expect=raw.get("expect", {}),
        query=Query(query["about"], query["person"], query["answers"]) if query else None,
    )


def load_scenario() -> Scenario:
    """The scenario kept with this package. Documents are dated the day before their dossier is sent."""
    raw = yaml.safe_load(resources.files("guichet.demo_data").joinpath("scenario.yaml").read_text("utf-8"))
    steps = [_step(each) for each in raw["steps"]]
    sent = {name: (step.at or raw["start"]).date() for step in steps for name in step.submit}
    dossiers = {name: _dossier(raw, name, day - timedelta(days=1)) for name, day in sent.items()}
    return Scenario(raw["start"], dossiers, steps)
