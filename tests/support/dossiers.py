"""Dossiers and histories for the journeys, taken from the case files and made distinct from one another."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from contracts import registry, topics
from contracts.identity import permit_id, request_id, workspace_id
from contracts.speakers import NAMED_BY
from guichet.publishing import Event, stated

CASES = Path(__file__).parent.parent / "cases"
Json = dict[str, Any]

SPEAKERS = {
    "guichet.portal": "/portals/portal-hdh",
    "guichet.authorities": "/authorities/HDH",
    "guichet.catalogue": "/holders/holder-1",
    "guichet.optouts": "/persons/service-1",
    "guichet.environments": "/hosts/host-1",
    "guichet.workspaces": "/guichet/provisioning",
}
"""Who says the events of a history, by topic."""


def case(name: str) -> Json:
    """A case file as JSON."""
    loaded: Json = json.loads((CASES / f"{name}.json").read_text("utf-8"))
    return loaded


def all_cases() -> list[Json]:
    """Every case file that came with the law, by name."""
    return _cases_of(CASES)


def own_cases() -> list[Json]:
    """Every case file of our own, by name."""
    return _cases_of(CASES / "own")


def _cases_of(folder: Path) -> list[Json]:
    loaded = [json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("*.json"))]
    return [each for each in loaded if isinstance(each, dict) and "dossier" in each and "expect" in each]


def reference() -> tuple[Json, Json]:
    """The catalogue and the environments that the cases refer to."""
    return json.loads((CASES / "catalogue.json").read_text("utf-8")), json.loads(
        (CASES / "environments.json").read_text("utf-8")
    )


def dossier(name: str, reference: str, **changes: object) -> Json:
    """The dossier of a case under another portal reference, some top-level members replaced."""
    made = copy.deepcopy(case(name)["dossier"])
    made["portal_reference"] = reference
    made.update(changes)
    return made  # type: ignore[no-any-return]  # a dossier is JSON


def id_of(dossier: Json) -> str:
    """The request id that a dossier will have."""
    return request_id(dossier["portal"], dossier["portal_reference"])


@dataclass(frozen=True)
class Told:
    """A case made independent of all others: its own request, its own environment, so that they can share one stack."""

    case: Json
    request_id: str

    @property
    def as_of(self) -> date:
        """The day on which the case asks."""
        return date.fromisoformat(self.case["as_of"])


def independent(original: Json) -> Told:
    """The same case under names of its own: portal reference, environment and who opted out carry the case's id."""
    text = json.dumps(original)
    for ref in {str(item["data"]["ref"]) for item in original["history"] if item["type"].startswith("optout.")}:
        text = text.replace(json.dumps(ref), json.dumps(f"{ref}.{original['id']}"))
    for environment in reference()[1]["environments"]:
        name = environment["environment_id"]
        text = text.replace(json.dumps(name), json.dumps(f"{name}.{original['id']}"))
    made: Json = json.loads(text)
    made["dossier"]["portal_reference"] = f"{original['id']}.{made['dossier']['portal_reference']}"
    return Told(made, id_of(made["dossier"]))


def independent_environments(told: Told) -> list[Json]:
    """The environments that this case names, under the names it uses."""
    text = json.dumps(told.case)
    named = ((f"{each['environment_id']}.{told.case['id']}", each) for each in reference()[1]["environments"])
    return [{**environment, "environment_id": name} for name, environment in named if json.dumps(name) in text]


def events_of(told: Told) -> Iterator[tuple[datetime, Event]]:
    """The history as events of whoever says them, each at its time."""
    for item in told.case["history"]:
        at = datetime.fromisoformat(item["at"])
        data = {"dossier": told.case["dossier"]} if item["type"] == "request.submitted.v1" else item["data"]
        hosted = registry.FACTS[f"guichet.{item['type']}"].topic == "guichet.environments"
        source = f"/hosts/{told.case['dossier']['environment_id']}" if hosted else None
        yield at, say(item["type"], data, told.request_id, at, item.get("source", source))


def say(short_type: str, data: Json, request: str, at: datetime, source: str | None = None) -> Event:
    """One event about a request, from whoever says such events, at a time."""
    kind = registry.FACTS[f"guichet.{short_type}"]
    fact = kind.read(json.dumps(data))
    if short_type.startswith("environment."):
        key = str(data["environment_id"])
        return stated(fact, source=f"/hosts/{key}", subject=key, time=at, key=key)
    if short_type.startswith("optout."):
        key = str(data["ref"])
        return stated(fact, source=source or SPEAKERS[kind.topic], subject=key, time=at, key=key)
    named = data.get(NAMED_BY.get(short_type, ""))
    own = f"{topics.TOPICS[kind.topic].source_prefix}{named}" if named else SPEAKERS[kind.topic]
    return stated(fact, source=source or own, subject=request, time=at, key=request)


__all__ = ["CASES", "Told", "all_cases", "case", "dossier", "own_cases", "permit_id", "workspace_id"]
