"""Dossiers laid side by side: what a later one changes, and what a completion adds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from pydantic import JsonValue, ValidationError

from contracts.dossier import Document, Dossier, read_dossier
from intake.problems import Problem
from intake.shapes import shape_problems

FIXED: Final = frozenset({"portal", "portal_reference", "revision", "documents"})
"""Members that a completion cannot set: they say which dossier it is, or have a list of their own."""

EARLIEST, LATEST = date(1900, 1, 1), date(2199, 12, 31)
"""The first and last date that a dossier may hold; the envelope's time has narrower bounds of its own."""


@dataclass(frozen=True, slots=True)
class Completion:
    """Documents added to a dossier and the top-level members that replace those on file."""

    documents: tuple[Document, ...]
    changes: Mapping[str, JsonValue]


def members(dossier: Dossier) -> dict[str, JsonValue]:
    """The top-level members as plain JSON values, without optional ones that are not there."""
    found: dict[str, JsonValue] = json.loads(dossier.model_dump_json(exclude_unset=True, by_alias=True))
    return found


def changed_members(before: Dossier, after: Dossier) -> dict[str, JsonValue]:
    """The members of `after` that differ, apart from those that no completion may set either."""
    old = members(before)
    return {name: value for name, value in members(after).items() if name not in FIXED and old.get(name) != value}


def new_documents(dossier: Dossier, documents: Iterable[Document]) -> tuple[Document, ...]:
    """The documents that are not on file yet, in their order."""
    filed = set(dossier.documents)
    return tuple(document for document in documents if document not in filed)


def with_documents(dossier: Dossier, *lists: Iterable[Document]) -> Dossier:
    """The dossier with exactly the documents of the lists, each once: what was filed stays on file."""
    together = dict.fromkeys(document for documents in lists for document in documents)
    return dossier.model_copy(update={"documents": tuple(together)})


def completed(dossier: Dossier, completion: Completion) -> Dossier | Sequence[Problem]:
    """The dossier after a completion, or every reason why it would not be a dossier, pointing into the completion."""
    fixed = [Problem("member-fixed", f"/set/{name}") for name in completion.changes if name in FIXED]
    changes = {name: value for name, value in completion.changes.items() if name not in FIXED}
    try:
        changed = read_dossier(members(dossier) | changes)
    except ValidationError as error:
        return [*fixed, *shape_problems(error, under=("set",))]
    dates = [
        Problem(problem.code, problem.pointer.replace("/dossier", "/set", 1))
        for problem in impossible_dates(changed)
        if not problem.pointer.startswith("/dossier/documents")
    ]
    if fixed or dates:
        return [*fixed, *dates]
    return with_documents(changed, dossier.documents, completion.documents)


def impossible_dates(dossier: Dossier) -> list[Problem]:
    """Every date outside `EARLIEST` to `LATEST`, and every pair of years the wrong way round."""
    problems = [Problem("date-out-of-range", place) for place, day in _dates(dossier) if not EARLIEST <= day <= LATEST]
    for index, wanted in enumerate(dossier.data.datasets):
        if wanted.years[0] > wanted.years[1]:
            problems.append(Problem("years-reversed", f"/dossier/data/datasets/{index}/years"))
    return problems


def document_dates(documents: Sequence[Document], place: str) -> Iterator[tuple[str, date]]:
    """Each date of a list of documents at `place` (a JSON Pointer)."""
    for index, document in enumerate(documents):
        yield f"{place}/{index}/date", document.date
        if document.opinion is not None:
            yield f"{place}/{index}/opinion/date", document.opinion.date


def _dates(dossier: Dossier) -> Iterator[tuple[str, date]]:
    yield from document_dates(dossier.documents, "/dossier/documents")
    if dossier.applicant.mandate is not None:
        yield "/dossier/applicant/mandate/date", dossier.applicant.mandate.date
    if dossier.conformity_declared is not None:
        yield "/dossier/conformity_declared/date", dossier.conformity_declared.date
    if dossier.directory_registered is not None:
        yield "/dossier/directory_registered/date", dossier.directory_registered.date
    if dossier.lab is not None and dossier.lab.last_audit is not None:
        yield "/dossier/lab/last_audit", dossier.lab.last_audit
