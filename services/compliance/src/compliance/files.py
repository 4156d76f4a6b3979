"""Cases as the database holds them, put together for the rules and written back with what was made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from asyncpg import Connection

from compliance import storage
from compliance.assessment import Assessment
from compliance.case import Case, Item
from compliance.legal_settings import Settings
from compliance.reading import dataset_of
from compliance.reference import PermanentBody, Reference
from compliance.remembered import as_text, from_text
from compliance.storage import CaseRow, Said
from compliance.testimony import Described, Hosted, Testimony
from compliance.whereabouts import followed, last_place, place_of
from contracts.dossier import Dossier


@dataclass(frozen=True, slots=True)
class Law:
    """What is the same for every case: the bodies with permanent access, and values in place of the dated settings."""

    permanent_bodies: Mapping[str, PermanentBody] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)


@dataclass(slots=True)
class File:
    """One case on the desk: what was said so far, and the last assessment. `dossier` is None before acceptance.

    `reference` has what is the same for every case; `testimony` what holders and hosts said.
    """

    request_id: str
    dossier: Dossier | None
    items: list[Item]
    assessment: Assessment | None
    reference: Reference
    testimony: Testimony = field(default_factory=Testimony)

    def reference_on(self, case: Case, day: date) -> Reference:
        """The reference data by which the case is judged on a day."""
        return self.testimony.reference(case, day, self.reference.permanent_bodies)

    def case(self) -> Case | None:
        """The case for the rules; None while nothing was submitted."""
        if self.dossier is None:
            return None
        items = followed(self.dossier.environment_id, self._from_submission(), self.testimony.registered())
        return Case(self.request_id, self.dossier, tuple(items))

    def _from_submission(self) -> tuple[Item, ...]:
        """A history begins with the submission. Of what was said before it only a declared interest still matters."""
        submitted = next(item for item in self.items if item.type == "request.submitted.v1")
        since = [submitted]
        for item in self.items:
            if item is submitted:
                continue
            if item.at >= submitted.at:
                since.append(item)
            elif item.type == "interest.declared.v1":
                since.append(Item(submitted.at, item.type, item.data))
        return tuple(since)


def item_of(said: Said) -> Item:
    """A thing said, as the rules read it."""
    return Item(said.said_at, said.type, json.loads(said.data))


async def open_files(connection: Connection, rows: Mapping[str, CaseRow], law: Law) -> dict[str, File]:
    """The cases of these rows with all that was said about them and the reference data they name."""
    said = await storage.items_of(connection, rows)
    files = {
        request_id: File(
            request_id,
            Dossier.model_validate_json(row.dossier) if row.dossier else None,
            [item_of(each) for each in said.get(request_id, ())],
            from_text(row.assessment) if row.assessment else None,
            Reference({}, law.permanent_bodies, {}),
        )
        for request_id, row in rows.items()
    }
    await refer(connection, files.values())
    return files


async def refer(connection: Connection, files: Iterable[File]) -> None:
    """Look up what was said of the datasets and environments that the dossiers and the acts of these cases name."""
    files = list(files)
    described = await storage.descriptions(connection, {name for file in files for name in _datasets_named(file)})
    hosts = await storage.environment_events(connection, {name for file in files for name in _environments_named(file)})
    by_id: dict[str, list[Described]] = {}
    for row in described:
        dataset = dataset_of(json.loads(row.description))
        by_id.setdefault(row.dataset_id, []).append(Described(row.position, row.described_at, dataset))
    testimony = Testimony(
        {dataset_id: tuple(each) for dataset_id, each in by_id.items()},
        tuple(Hosted(position, item_of(said)) for position, said in hosts),
    )
    for file in files:
        file.testimony = testimony


def _datasets_named(file: File) -> Iterable[str]:
    if file.dossier is not None:
        yield from (dataset.dataset_id for dataset in file.dossier.data.datasets)
    for item in file.items:
        yield from item.words("add_datasets")
        replaced = item.data.get("set")
        data = replaced.get("data") if isinstance(replaced, Mapping) else None
        datasets = data.get("datasets") if isinstance(data, Mapping) else None
        if isinstance(datasets, list):
            yield from (
                str(each["dataset_id"]) for each in datasets if isinstance(each, Mapping) and "dataset_id" in each
            )


def _environments_named(file: File) -> Iterable[str]:
    if file.dossier is not None and file.dossier.environment_id is not None:
        yield file.dossier.environment_id
    for item in file.items:
        replaced = item.data.get("set")
        name = replaced.get("environment_id") if isinstance(replaced, Mapping) else place_of(item)
        if isinstance(name, str):
            yield name


async def keep(connection: Connection, file: File, assessment: Assessment, on: date) -> None:
    """Write back the assessment whose facts are said in this transaction."""
    file.assessment = assessment
    await storage.save_assessment(connection, file.request_id, as_text(assessment), on)
    judged = assessment.environment.environment_id if assessment.environment is not None else None
    place = last_place(file.items) or judged
    if place is not None:
        await storage.save_environment(connection, file.request_id, place)
