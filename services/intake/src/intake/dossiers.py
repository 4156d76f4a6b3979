"""Dossiers laid side by side: what a later one changes, and what a completion adds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue, ValidationError

from contracts.dossier import Document, Dossier, read_dossier
from intake.problems import Problem
from intake.shapes import shape_problems

FIXED: Final = frozenset({"portal", "portal_reference", "revision", "documents"})
"""Members that a completion cannot set: they say which dossier it is, or have a list of their own."""


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


def completed(dossier: Dossier, completion: Completion) -> Dossier | list[Problem]:
    """The dossier after a completion, or every reason why it would not be a dossier, pointing into the completion."""
    fixed = [Problem("member-fixed", f"/set/{name}") for name in completion.changes if name in FIXED]
    changes = {name: value for name, value in completion.changes.items() if name not in FIXED}
    try:
        changed = read_dossier(members(dossier) | changes)
    except ValidationError as error:
        return [*fixed, *shape_problems(error, under=("set",))]
    return fixed or with_documents(changed, dossier.documents, completion.documents)
