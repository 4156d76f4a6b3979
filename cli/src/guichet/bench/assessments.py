"""Pure assessments a second on one core: every dossier of the demo, on every day of its story."""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from importlib import resources
from statistics import median
from typing import Any

from compliance.calendars import local_date
from compliance.case import Case, Item
from compliance.domain import decide
from compliance.inputs import input_hash
from compliance.reading import read_reference
from compliance.reference import Reference
from compliance.released import assess
from contracts.dossier import read_dossier
from contracts.identity import request_id
from guichet.demo.scenario import Scenario, document, load_scenario

Seen = tuple[Case, date]


def reference() -> Reference:
    """The catalogue and the environments of the demo."""
    folder = resources.files("guichet.demo_data")
    catalogue, environments = (
        json.loads(folder.joinpath(f"{name}.json").read_text("utf-8")) for name in ("catalogue", "environments")
    )
    return read_reference(catalogue, environments)


def _history(scenario: Scenario, name: str) -> Iterator[Item]:
    said_at: datetime = scenario.start
    for step in scenario.steps:
        said_at = step.at or said_at
        if name in step.submit:
            yield Item(said_at, "request.submitted.v1", {})
        for statement in step.say:
            if name in statement.about:
                papers = [document(name, code, said_at.date()) for code in statement.completes]
                data = {"documents": papers, "set": {}} if papers else statement.data
                yield Item(said_at, statement.type.removeprefix("guichet."), data)


def cases() -> list[Seen]:
    """Each case of the demo with each day of the story on which it can be looked at."""
    scenario = load_scenario()
    days = sorted({local_date(step.at or scenario.start) for step in scenario.steps})
    made: list[Seen] = []
    for name, raw in scenario.dossiers.items():
        case = Case(name, read_dossier(raw), tuple(_history(scenario, name)))
        made.extend((case, day) for day in days if day >= case.history[0].on)
    return made


def _rate(seen: Sequence[Seen], known: Reference, seconds: float) -> float:
    done, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        for case, day in seen:
            assess(case, day, known)
        done += len(seen)
    return done / spent


def assessments(seconds: float = 1.0, rounds: int = 5) -> dict[str, Any]:
    """Assessments a second of processor time, the middle of some rounds."""
    seen, known = cases(), reference()
    _rate(seen, known, seconds / 5)
    rates = sorted(_rate(seen, known, seconds) for _ in range(rounds))
    return {"assessments_per_second": round(median(rates)), "assessments_rounds": [round(rate) for rate in rates]}


def cost_of_one(count: int = 500) -> float:
    """Processor seconds of what one lifecycle asks of the rules: an assessment, its fingerprint, its facts."""
    known = reference()
    case, day = next((case, day) for case, day in cases() if case.id == "asthma")
    identity = request_id("portal-hdh", case.id)
    start = time.process_time()
    for _ in range(count):
        decide(None, assess(case, day, known), identity, input_hash(case, day, known))
    return (time.process_time() - start) / count
