"""Everything the trail says, folded into cases, public states and reference data: pure, and the same in any order of
logs.

The folds are the services' own: compliance's case and assessment, intake's public progress. No clock, chance, locale
or hash order takes part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import itemgetter
from typing import TypeVar

import rfc8785

from compliance.acts_heard import DATASETS, ENVIRONMENTS, HEARD, OPTOUTS, act
from compliance.app import TOPICS as COMPLIANCE
from compliance.assessment import Assessment
from compliance.case import Case, Item
from compliance.files import File, Law, item_of
from compliance.packs import RulePack
from compliance.problems import CaseError
from compliance.reading import dataset_of
from compliance.reference import Reference
from compliance.released import assess
from compliance.storage import Said
from compliance.testimony import Described, Hosted, Testimony
from contracts import holders, intake, system, topics
from contracts.facts import Fact
from contracts.registry import short
from guichet.replay.recorded import NotRead, Place, Recorded
from intake.public import FOLLOWED, Progress, follow

TOPICS = frozenset({*COMPLIANCE, topics.DECISIONS, topics.CLOCK})
"""Where what is folded was said."""

Order = tuple[datetime, Place]
"""What was said first: by the instant it was said, ties by place on the broker."""


@dataclass(slots=True)
class Told:
    """What is recorded of one request, by event: what was said to compliance, and what the services answered."""

    said: dict[str, tuple[Order, Said]] = field(default_factory=dict)
    answers: dict[str, tuple[Place, Fact]] = field(default_factory=dict)
    accepted: tuple[Order, intake.RequestAccepted] | None = None

    def progress(self) -> Progress:
        """The public state: decisions and workspaces each in the order of their log."""
        progress = Progress()
        for _, fact in sorted(self.answers.values(), key=itemgetter(0)):
            progress = follow(progress, fact)
        return progress

    def items(self) -> list[Item]:
        """What was said, in the order it was said."""
        return [item_of(said) for _, said in sorted(self.said.values(), key=itemgetter(0))]


@dataclass(slots=True)
class Memory:
    """What was known once these records had been read. `latest` is the last instant at which anything was said."""

    requests: dict[str, Told] = field(default_factory=dict)
    datasets: dict[str, tuple[Order, str]] = field(default_factory=dict)
    """What holders said of their datasets, by event."""
    environments: dict[str, tuple[Order, Item]] = field(default_factory=dict)
    optouts: dict[str, tuple[Order, Item]] = field(default_factory=dict)
    not_read: list[NotRead] = field(default_factory=list)
    latest: datetime | None = None
    events: int = 0

    def hear(self, heard: Recorded | NotRead) -> None:
        """Take in one record. A repeated event changes nothing, nor does the order in which logs are read."""
        if isinstance(heard, NotRead):
            self.not_read.append(heard)
            return
        self.events += 1
        fact, event_id, at = heard.fact, heard.envelope.id, heard.envelope.time
        self.latest = max(self.latest or at, fact.instant if isinstance(fact, system.ClockSet) else at)
        order: Order = (at, heard.place)
        if isinstance(fact, holders.DatasetDescribed):
            _keep_first(self.datasets, event_id, (order, heard.data.decode()))
        elif isinstance(fact, ENVIRONMENTS):
            _keep_first(self.environments, event_id, (order, _item(heard)))
        elif isinstance(fact, OPTOUTS):
            _keep_first(self.optouts, event_id, (order, _item(heard)))
        elif isinstance(fact, FOLLOWED):
            _keep_first(self._told(fact.request_id).answers, event_id, (heard.place, fact))
        if heard.envelope.type in HEARD and not isinstance(fact, (*DATASETS, *ENVIRONMENTS, *OPTOUTS)):
            told, said = self._told(heard.key), act(fact, heard.envelope, heard.data)
            order = (said.said_at, heard.place)
            _keep_first(told.said, event_id, (order, said))
            if isinstance(fact, intake.RequestAccepted) and (told.accepted is None or order < told.accepted[0]):
                told.accepted = (order, fact)

    def _told(self, request_id: str) -> Told:
        return self.requests.setdefault(request_id, Told())

    def testimony(self) -> Testimony:
        """What holders said of their datasets and hosts of their environments, each in the order it was said."""
        described: dict[str, list[Described]] = {}
        for (at, _), text in sorted(self.datasets.values(), key=itemgetter(0)):
            dataset = dataset_of(json.loads(text))
            described.setdefault(dataset.dataset_id, []).append(Described(0, at, dataset))
        return Testimony(
            {dataset_id: tuple(each) for dataset_id, each in described.items()},
            tuple(Hosted(0, item) for _, item in sorted(self.environments.values(), key=itemgetter(0))),
        )

    def cases(self, law: Law) -> Iterator[tuple[str, Case]]:
        """Every request that was accepted as a case for the rules, in the order of their ids."""
        heard = [item for _, item in sorted(self.optouts.values(), key=itemgetter(0))]
        testimony = self.testimony()
        for request_id, told in sorted(self.requests.items()):
            if told.accepted is not None:
                items = [*told.items(), *heard]
                case = File(request_id, told.accepted[1].dossier, items, None, _NOTHING, testimony).case()
                assert case is not None
                yield request_id, case


_NOTHING = Reference({}, {}, {})
K = TypeVar("K", Order, Place)
V = TypeVar("V")


def _keep_first(known: dict[str, tuple[K, V]], event_id: str, new: tuple[K, V]) -> None:
    if event_id not in known or new[0] < known[event_id][0]:
        known[event_id] = new


def _item(heard: Recorded) -> Item:
    return Item(heard.envelope.time, short(heard.envelope.type), json.loads(heard.data))


def assessed(
    case: Case, day: date, reference: Reference, law: Law, under: RulePack | None = None
) -> Assessment | tuple[str, ...]:
    """A case as of a day, not before its submission, under its own pack or another; or what stands in the way."""
    try:
        return assess(case, max(day, case.history[0].on), reference, law.settings, under)
    except CaseError as error:
        return tuple(problem.code for problem in error.problems)


def state_of(memory: Memory, day: date, law: Law) -> dict[str, object]:
    """What was known of every request: as its portal saw it, and as the law saw it on that day."""
    testimony = memory.testimony()
    found: dict[str, object] = {}
    for request_id, case in memory.cases(law):
        told = memory.requests[request_id]
        assert told.accepted is not None
        accepted = told.accepted[1]
        assessment = assessed(case, day, testimony.reference(case, day, law.permanent_bodies), law)
        found[request_id] = {
            "portal": accepted.portal,
            "portal_reference": accepted.portal_reference,
            "public": told.progress().model_dump(mode="json"),
            "assessment": assessment.as_json() if isinstance(assessment, Assessment) else None,
            "not_assessed": [] if isinstance(assessment, Assessment) else list(assessment),
        }
    return found


def state_hash(state: dict[str, object]) -> str:
    """SHA-256 (hex) of the state as canonical JSON (RFC 8785)."""
    return hashlib.sha256(rfc8785.dumps(state)).hexdigest()  # type: ignore[arg-type]  # as wide as JSON
