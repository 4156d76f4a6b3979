"""The visible cases as a trail would hold them: records on topics and partitions, from whoever says such things."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from compliance.calendars import local_date
from contracts.envelope import encode
from contracts.registry import FACTS
from dossiers import Told, all_cases, case, events_of, independent, independent_environments, reference, say
from guichet.publishing import Event, stated
from guichet_verify.leaves import Record

PARTITIONS = 3
EARLY = datetime(2026, 1, 1, tzinfo=UTC)
Json = dict[str, Any]


def by_intake(told: Told, at: datetime, item: Json) -> Event:
    """What intake passes on of something that a portal said."""
    data: Json = {"request_id": told.request_id, "said_at": at.isoformat()}
    match item["type"]:
        case "request.submitted.v1":
            dossier = told.case["dossier"]
            names = {"portal": dossier["portal"], "portal_reference": dossier["portal_reference"], "revision": 1}
            del data["said_at"]
            data |= {**names, "dossier": dossier, "submitted_at": at.isoformat(), "data_sha256": "0" * 64}
            kind = "guichet.request.accepted.v1"
        case "request.completed.v1":
            added = item["data"]
            data |= {"revision": 2, "documents": added.get("documents", []), "set": added.get("set", {})}
            kind = "guichet.request.revised.v1"
        case "request.withdrawn.v1":
            kind = "guichet.request.withdrawal-recorded.v1"
        case notice:
            data |= {"notice": notice, "data": item["data"]}
            kind = "guichet.request.notice-recorded.v1"
    fact = FACTS[kind].read(json.dumps(data))
    return stated(fact, source="/guichet/intake", subject=told.request_id, time=at, key=told.request_id)


def heard(told: Told) -> list[tuple[datetime, Event]]:
    """A history as compliance hears it, up to the day the case asks about."""
    events = []
    for item, (at, event) in zip(told.case["history"], events_of(told), strict=True):
        if local_date(at) <= told.as_of:
            events.append((at, by_intake(told, at, item) if event.topic == "guichet.portal" else event))
    return events


def moved() -> Json:
    """A case whose host loses its homologation, and whose workspace then stands elsewhere."""
    made = case("N-lost") | {"id": "N-lost-and-moved", "as_of": "2027-01-22"}
    places = {"source_environment_id": "env-souverain", "target_environment_id": "env-pmsi"}
    about = {"workspace_id": str(UUID(int=1)), "request_id": str(UUID(int=2)), "tables": []}
    cut_over = {"at": "2027-01-21T10:00:00+01:00", "type": "rehosting.cut-over.v1", "data": places | about}
    return made | {"history": [*made["history"], cut_over]}


@pytest.fixture(scope="session")
def cases() -> list[Told]:
    """Every case under names of its own."""
    return [independent(each) for each in (*all_cases(), moved())]


@pytest.fixture(scope="session")
def records(cases: list[Told]) -> list[Record]:
    """The catalogue, the environments and all histories, by time, on the partitions of their keys."""
    catalogue, _ = reference()
    spoken = [(EARLY, say("dataset.described.v1", each, each["dataset_id"], EARLY)) for each in catalogue["datasets"]]
    for told in cases:
        hosts = independent_environments(told)
        spoken += [(EARLY, say("environment.registered.v1", each, "", EARLY)) for each in hosts]
        spoken += heard(told)
    offsets: dict[tuple[str, int], int] = {}
    found = []
    for at, event in sorted(spoken, key=lambda each: each[0]):
        partition = zlib.crc32(event.key.encode()) % PARTITIONS
        offset = offsets[event.topic, partition] = offsets.get((event.topic, partition), -1) + 1
        headers = tuple(encode(event.envelope))
        stamp = int(at.timestamp() * 1000)
        found.append(Record(event.topic, partition, offset, 0, stamp, event.key.encode(), headers, event.data))
    return found
