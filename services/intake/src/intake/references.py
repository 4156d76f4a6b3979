"""What a dossier names and what the window knows of it: the datasets described, the environments registered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

from intake.problems import Problem

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


@dataclass(frozen=True, slots=True)
class NamedDataset:
    """A dataset that is named at `place` (a JSON Pointer), pinned to a version where one is given."""

    place: str
    dataset_id: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class NamedEnvironment:
    """An environment that is named at `place` (a JSON Pointer)."""

    place: str
    environment_id: str


@dataclass(frozen=True, slots=True)
class Named:
    """Everything somebody else must have described before it can be asked for."""

    datasets: tuple[NamedDataset, ...] = ()
    environments: tuple[NamedEnvironment, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """The versions of each dataset that can be asked for, and the environments that can be named."""

    datasets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    environments: frozenset[str] = frozenset()


def named_in(members: Mapping[str, JsonValue], place: str) -> Named:
    """What the members of a dossier at `place` name, as far as it can be read: a fault elsewhere hides nothing here."""
    data = members.get("data")
    wanted = data.get("datasets") if isinstance(data, dict) else None
    datasets = []
    for index, each in enumerate(wanted if isinstance(wanted, list) else []):
        if isinstance(each, dict) and isinstance(dataset_id := each.get("dataset_id"), str):
            version = each.get("version")
            pinned = version if isinstance(version, str) else None
            datasets.append(NamedDataset(f"{place}/data/datasets/{index}", dataset_id, pinned))
    environment = members.get("environment_id")
    environments = (NamedEnvironment(f"{place}/environment_id", environment),) if isinstance(environment, str) else ()
    return Named(tuple(datasets), environments)


def named_datasets(dataset_ids: Sequence[str], place: str) -> Named:
    """A list of dataset ids at `place`, no version pinned."""
    return Named(tuple(NamedDataset(f"{place}/{index}", each) for index, each in enumerate(dataset_ids)))


def unknown(named: Named, known: Known) -> list[Problem]:
    """Every dataset, pinned version and environment that nobody has described."""
    problems = []
    for dataset in named.datasets:
        versions = known.datasets.get(dataset.dataset_id)
        if versions is None:
            member = "" if dataset.version is None else "/dataset_id"
            problems.append(Problem("unknown-dataset", dataset.place + member))
        elif dataset.version is not None and dataset.version not in versions:
            problems.append(Problem("unknown-dataset-version", f"{dataset.place}/version"))
    problems += [
        Problem("unknown-environment", environment.place)
        for environment in named.environments
        if environment.environment_id not in known.environments
    ]
    return problems


def together(all_named: Iterable[Named]) -> tuple[set[str], set[str]]:
    """The ids of all datasets and of all environments named, without texts that nobody's id can be.

    A name may be any text, even one that a database cannot hold.
    """
    datasets: set[str] = set()
    environments: set[str] = set()
    for named in all_named:
        datasets.update(each.dataset_id for each in named.datasets if _ID.fullmatch(each.dataset_id))
        environments.update(each.environment_id for each in named.environments if _ID.fullmatch(each.environment_id))
    return datasets, environments
