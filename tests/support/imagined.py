"""Imagined worlds: a catalogue, hosts, a dossier that takes any of the routes, and what anybody could say about it.

`worlds()` is a Hypothesis strategy. A world is drawn from a few whole numbers, so that a failing one shrinks to few
acts; everything it holds is legal on the wire, sensible or not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from compliance.case import Case, Item
from compliance.reading import read_case, read_reference
from compliance.reference import Reference
from imagined_acts import any_act, said_by, usual_acts
from imagined_dossiers import (
    DOCUMENTS,
    EXPRESS,
    SOURCES,
    VERDICTS,
    Json,
    document,
    some_catalogue,
    some_dossier,
    some_environments,
)

PARIS = ZoneInfo("Europe/Paris")
EHDS_DAY = date(2029, 3, 26)


@dataclass(frozen=True)
class World:
    """A case that was imagined, as JSON and as read, with the reference data it refers to and a day to look from."""

    raw: Json
    catalogue: Json
    environments: Json
    day: date

    def __repr__(self) -> str:
        told = "".join(f"\n  {i.on} {i.at:%H} {i.type} {dict(i.data)}" for i in self.case.history)
        datasets = [dataset["dataset_id"] for dataset in self.raw["dossier"]["data"]["datasets"]]
        return f"World on {self.day}, {datasets}:{told}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    @cached_property
    def reference(self) -> Reference:
        return read_reference(self.catalogue, self.environments)

    @cached_property
    def case(self) -> Case:
        return read_case({**self.raw, "as_of": self.day.isoformat()})[0]

    def telling(self, history: tuple[Item, ...]) -> Case:
        """The same case with another history."""
        return replace(self.case, history=history)

    def with_item(self, at: datetime, item_type: str, **data: Any) -> Case:
        """The same case, one thing more said."""
        return self.telling((*self.case.history, Item(at, item_type, data)))


def at(day: date, hour: int = 12) -> datetime:
    """An hour of a day in Paris."""
    return datetime.combine(day, time(hour), PARIS)


@st.composite
def worlds(
    draw: st.DrawFn,
    honest: bool = False,
    regime: str | None = None,
    acts: int = 12,
    silent: bool = False,
    granted: bool = False,
) -> World:
    """Worlds. In `honest` ones every act is somebody's own, so that nobody is in two functions or has an interest;
    in `silent` ones the French authority has a complete file and has said nothing for long; in `granted` ones there
    is most often a permit."""
    chance = Random(draw(st.integers(0, 2**32)))
    said = draw(st.lists(st.integers(0, 2**32), max_size=acts))
    europe = chance.random() < 0.5 if regime is None else regime == "EU"
    if granted and europe:
        return _granted(chance, [Random(seed) for seed in said])
    if silent or granted:
        return _silent(chance, [Random(seed) for seed in said])
    return _world(chance, [Random(seed) for seed in said], europe, honest)


def _silent(chance: Random, said: list[Random]) -> World:
    submitted = _submitted(chance, False)
    catalogue, environments = some_catalogue(chance), some_environments(chance)
    dossier = some_dossier(chance, catalogue, environments, submitted, False, _standard(chance))
    dossier["documents"] = [document(chance, code, submitted) for code in DOCUMENTS if code != "PRIOR_OPINIONS"]
    for each in dossier["documents"]:
        each |= {"language": "fr"} if each["code"] == "SUMMARY" else {}
    if dossier["research_type"] == "riph2" and chance.random() < 0.5:
        dossier["documents"].append(document(chance, "PRIOR_OPINIONS", submitted))
    day, history = submitted, [(at(submitted, 8), "request.submitted.v1", {})]
    favourable = {"verdict": chance.choice((*EXPRESS, *VERDICTS))}
    spine: list[tuple[str, Json, tuple[int, ...]]] = [
        ("file.received.v1", {"body": "CESREES", "urgent": chance.random() < 0.2}, (0, 5, 20)),
        ("opinion.issued.v1", {"body": chance.choice(("CESREES", "CPP")), **favourable}, (3, 20, 29, 32, 45)),
        ("request.authority-chosen.v1", {"choice": "seize"}, (1, 20)),
        ("file.received.v1", {"body": "CNIL"}, (0, 1, 30)),
        ("period.extended.v1", {"step": "authority_decision", "reasons_given": chance.random() < 0.8}, (1, 55, 70)),
        ("decision.issued.v1", {"body": "CNIL", "verdict": chance.choice(("granted", "refused"))}, (150, 400)),
    ]
    left_out = {1} if chance.random() < 0.15 else set()
    left_out |= {number for number in (4, 5) if chance.random() < 0.5}
    for number, (item_type, data, delays) in enumerate(spine):
        day += timedelta(days=chance.choice(delays) + (35 if number == 3 and 1 in left_out else 0))
        if number not in left_out:
            history.append((at(day, 9 + number), item_type, data))
    for each in said:
        on = submitted + timedelta(days=each.randint(0, 500))
        silence_breakers = ("decision.issued.v1", "request.withdrawn.v1", "completeness.objected.v1")
        item_type, data = any_act(each, dossier, catalogue)
        if item_type not in silence_breakers:
            history.append((at(on, each.randint(0, 23)), item_type, data))
    return _told(history, dossier, catalogue, environments, day + timedelta(days=chance.choice((65, 125, 500))), chance)


def _granted(chance: Random, said: list[Random]) -> World:
    submitted = _submitted(chance, True)
    catalogue, environments = some_catalogue(chance), some_environments(chance)
    dossier = some_dossier(chance, catalogue, environments, submitted, True, {"sources": chance.sample(SOURCES, 3)})
    dossier["documents"] = [document(chance, code, submitted) for code in DOCUMENTS if code != "PRIOR_OPINIONS"]
    first, decided = at(submitted, 8), submitted + timedelta(days=chance.randint(2, 80))
    history: list[tuple[datetime, str, Json]] = [
        (first, "request.submitted.v1", {}),
        (first, "fee.estimated.v1", {"amount_eur": 10, "holder_part_eur": 0}),
    ]
    for hour, body in enumerate(("HDAB-FR", "HDAB-DE", "HDAB-FI")):
        verdict = "granted" if chance.random() < 0.9 else "refused"
        history.append((at(decided, 9 + hour), "decision.issued.v1", {"body": body, "verdict": verdict}))
    for item_type, data in (
        ("permit.extension-requested.v1", {"months": chance.randint(1, 60), "documents": True}),
        ("extension.decided.v1", {"verdict": chance.choice(("granted", "granted", "refused"))}),
    ):
        history.append((at(decided + timedelta(days=len(history))), item_type, data))
    for each in said:
        item_type, data = any_act(each, dossier, catalogue)
        if item_type not in ("request.withdrawn.v1", "revocation.ordered.v1"):
            history.append((at(decided + timedelta(days=each.randint(0, 700)), each.randint(0, 23)), item_type, data))
    return _told(history, dossier, catalogue, environments, decided + timedelta(days=chance.randint(0, 600)), chance)


def _standard(chance: Random) -> Json:
    return chance.choice(
        (
            {"sources": ["SNDS_MAIN", "COHORT"]},
            {"sources": ["REGISTRY", "IMAGING"], "research_type": "none"},
            {"sources": ["SNDS_MAIN"], "research_type": "riph2"},
            {"sources": ["SNDS_MAIN"], "creates_warehouse": True, "research_type": "none"},
        )
    )


def _told(
    history: list[tuple[datetime, str, Json]],
    dossier: Json,
    catalogue: Json,
    environments: Json,
    day: date,
    chance: Random,
    honest: bool = True,
) -> World:
    first = history[0][0]
    events = [
        {"at": when.isoformat(), "type": item_type, "data": said_by(chance, item_type, data, honest, number)}
        for number, (when, item_type, data) in enumerate(history)
        if when >= first and not (honest and item_type == "interest.declared.v1")
    ]
    raw: Json = {"id": "imagined", "dossier": dossier, "history": events}
    return World(raw, catalogue, environments, day)


def _world(chance: Random, said: list[Random], europe: bool, honest: bool) -> World:
    submitted = _submitted(chance, europe)
    catalogue, environments = some_catalogue(chance), some_environments(chance)
    dossier = some_dossier(chance, catalogue, environments, submitted, europe)
    first = at(submitted, chance.randint(0, 22))
    history: list[tuple[datetime, str, Json]] = [(first, "request.submitted.v1", {})]
    spine = usual_acts(chance, dossier, europe)
    day = submitted
    for item_type, data in spine:
        day += timedelta(days=chance.choice((0, 1, 3, 7, 12, 25, 40)))
        history.append((at(day, chance.randint(0, 23)), item_type, data))
    reach = max(30, (day - submitted).days) + chance.choice((20, 120, 900))
    for each in said:
        on = submitted + timedelta(days=each.randint(0, reach))
        item_type, data = any_act(each, dossier, catalogue)
        history.append((at(on, each.randint(0, 23)), item_type, data))
    day = submitted + timedelta(days=chance.randint(0, reach + 120))
    return _told(history, dossier, catalogue, environments, day, chance, honest)


def _submitted(chance: Random, europe: bool) -> date:
    if europe:
        return EHDS_DAY + timedelta(days=chance.choice((0, 1, 729, 730, chance.randint(0, 4000))))
    return EHDS_DAY - timedelta(days=chance.choice((1, 1037, 1036, chance.randint(1, 1700))))
