"""What the window knows of the world outside a dossier: the datasets described and the environments registered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from contracts.dossier import Dossier
from intake.problems import Problem


@dataclass(frozen=True, slots=True)
class Known:
    """The versions of each dataset that can be asked for, and the environments that can be named."""

    datasets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    environments: frozenset[str] = frozenset()


def unknown_references(dossier: Dossier, known: Known) -> list[Problem]:
    """Every dataset, pinned version and environment that the dossier names and nobody has described."""
    problems = []
    for index, wanted in enumerate(dossier.data.datasets):
        versions = known.datasets.get(wanted.dataset_id)
        if versions is None:
            problems.append(Problem("unknown-dataset", f"/dossier/data/datasets/{index}/dataset_id"))
        elif wanted.version not in versions:
            problems.append(Problem("unknown-dataset-version", f"/dossier/data/datasets/{index}/version"))
    if dossier.environment_id is not None and dossier.environment_id not in known.environments:
        problems.append(Problem("unknown-environment", "/dossier/environment_id"))
    return problems


def unknown_datasets(dataset_ids: Iterable[str], known: Known, place: str) -> list[Problem]:
    """Every dataset of a list at `place` (a JSON Pointer) that nobody has described."""
    return [
        Problem("unknown-dataset", f"{place}/{index}")
        for index, dataset_id in enumerate(dataset_ids)
        if dataset_id not in known.datasets
    ]
