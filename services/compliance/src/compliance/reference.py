"""Reference data a case is judged by: the catalogue of datasets, the bodies with permanent access, the environments."""

from collections.abc import Mapping
from dataclasses import dataclass

from safeguards.hosting import Environment


@dataclass(frozen=True, slots=True)
class CatalogueDataset:
    """A dataset as its holder describes it; `dataset_class` is `snds` or `health`."""

    dataset_id: str
    title: str
    version: str
    holder: str
    trusted_holder: bool
    holder_exempt: bool
    country: str
    source: str
    categories: tuple[str, ...]
    dataset_class: str


@dataclass(frozen=True, slots=True)
class PermanentBody:
    """A body with permanent access (CSP:R1461-12): the sources in its scope, and how many years back."""

    organisation_id: str
    point: str
    sources: frozenset[str]
    max_depth_years: int


@dataclass(frozen=True, slots=True)
class Reference:
    """Everything a case refers to by id."""

    datasets: Mapping[str, CatalogueDataset]
    permanent_bodies: Mapping[str, PermanentBody]
    environments: Mapping[str, Environment]
