"""What holders and hosts said, dated: a case is judged by what was said when it named a dataset, and by what was known
of its host on the day it is looked at."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from compliance.case import Case, Item
from compliance.hosting import environments_on
from compliance.reference import CatalogueDataset, PermanentBody, Reference

REGISTERED = "environment.registered.v1"


@dataclass(frozen=True, slots=True)
class Described:
    """A dataset as its holder described it at an instant; `position` says which of its descriptions this is."""

    position: int
    at: datetime
    dataset: CatalogueDataset


@dataclass(frozen=True, slots=True)
class Hosted:
    """One thing a host said about an environment."""

    position: int
    item: Item


@dataclass(frozen=True, slots=True)
class Testimony:
    """Descriptions of datasets by id, and what was said of environments, each in the order in which it was said."""

    datasets: Mapping[str, tuple[Described, ...]] = field(default_factory=dict)
    hosts: tuple[Hosted, ...] = ()

    def reference(self, case: Case, day: date, bodies: Mapping[str, PermanentBody]) -> Reference:
        """The reference data by which a case is judged on a day."""
        datasets = {
            dataset_id: _when_named(described, named_at).dataset
            for dataset_id, named_at in datasets_named(case, day)
            if (described := self.datasets.get(dataset_id))
        }
        environments = environments_on({}, [hosted.item for hosted in self._known(case, day)])
        return Reference(datasets, bodies, environments)

    def registered(self) -> frozenset[str]:
        """The environments whose hosts have said that they are there."""
        return frozenset(h.item.word("environment_id") for h in self.hosts if h.item.type == REGISTERED)

    def positions(self, case: Case, day: date) -> tuple[list[int], list[int]]:
        """Which descriptions and which words of hosts the reference data of a case rest on."""
        described = [
            _when_named(known, named_at).position
            for dataset_id, named_at in datasets_named(case, day)
            if (known := self.datasets.get(dataset_id))
        ]
        return sorted(set(described)), [hosted.position for hosted in self._known(case, day)]

    def _known(self, case: Case, day: date) -> Iterator[Hosted]:
        """What hosts had said by the day. That an environment is there is known as soon as its host has said so once,
        like a dataset that was described after it was asked for."""
        named = frozenset(environments_named(case, day))
        registered: set[str] = set()
        for hosted in self.hosts:
            environment_id = hosted.item.word("environment_id")
            if environment_id not in named:
                continue
            first = hosted.item.type == REGISTERED and environment_id not in registered
            if first or hosted.item.on <= day:
                registered.add(environment_id)
                yield hosted


def _when_named(described: tuple[Described, ...], named_at: datetime) -> Described:
    """The newest description of that instant; the first one where there was none yet."""
    return next((each for each in reversed(described) if each.at <= named_at), described[0])


def datasets_named(case: Case, day: date) -> Iterable[tuple[str, datetime]]:
    """Every dataset that the dossier, its completions and the amendments name by a day, with the instant at which it
    was named first."""
    submission = case.submission()
    if submission is None:
        return ()
    named = {dataset.dataset_id: submission.at for dataset in case.dossier.data.datasets}
    for item in case.known_on(day):
        for dataset_id in _added_by(item):
            named.setdefault(dataset_id, item.at)
    return named.items()


def environments_named(case: Case, day: date) -> Iterator[str]:
    """Every environment that the dossier and its completions name by a day."""
    if case.dossier.environment_id is not None:
        yield case.dossier.environment_id
    for item in case.known_on(day):
        name = _set(item).get("environment_id")
        if isinstance(name, str):
            yield name


def _added_by(item: Item) -> Iterator[str]:
    yield from item.words("add_datasets")
    data = _set(item).get("data")
    datasets = data.get("datasets") if isinstance(data, Mapping) else None
    if isinstance(datasets, list | tuple):
        for each in datasets:
            if isinstance(each, Mapping) and isinstance(each.get("dataset_id"), str):
                yield each["dataset_id"]


def _set(item: Item) -> Mapping[str, object]:
    replaced = item.data.get("set")
    return replaced if isinstance(replaced, Mapping) else {}
