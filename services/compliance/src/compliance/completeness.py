"""When a dossier was complete: every item missing at once, objections of officers, completions."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from compliance.case import Item
from compliance.coded import Finding
from compliance.problems import CaseError, Problem
from compliance.rules.documents import FORMALITIES
from contracts.dossier import Document, Dossier


@dataclass(frozen=True, slots=True)
class Version:
    """The dossier as it is after the submission or a completion; an objection leaves it as it is."""

    item: Item
    dossier: Dossier


@dataclass(frozen=True, slots=True)
class Completeness:
    """Where a dossier stands: what is missing (formalities aside), the item that completed it, the item from which
    the last notice of missing items runs, and the formalities an officer has objected to."""

    missing: tuple[Finding, ...]
    completed_by: Item | None
    notice: Item | None
    objected_formalities: frozenset[str]


# What brings an item that is no document of its own.
BROUGHT_BY_DOCUMENT = {
    "LAB_OR_DEMO": frozenset({"LAB_COMMITMENT", "PROHIB_PURPOSE_DEMO"}),
    "DPIA_ENVIRONMENT": frozenset({"DPIA"}),
}
BROUGHT_BY_MEMBER = {
    "PERSONS": "persons",
    "CONFORMITY_DECLARATION": "conformity_declared",
    "DIRECTORY_REGISTRATION": "directory_registered",
}


def follow(
    versions: Iterable[Version],
    missing_of: Callable[[Dossier], tuple[Finding, ...]],
    article_of: Callable[[str, Dossier], str | None],
) -> Completeness:
    """Follow a dossier from submission through completions and objections.

    `versions` are the submission, the completions and the objections that count, in order; `missing_of` says what a
    version lacks by itself, `article_of` cites the item an officer objects to, None when the law knows no such item.
    """
    objected: dict[str, str] = {}
    completed_by: Item | None = None
    notice: Item | None = None
    missing: tuple[Finding, ...] = ()
    for version in versions:
        item = version.item
        objection = False
        if item.type == "completeness.objected.v1":
            for code in item.words("items"):
                article = article_of(code, version.dossier)
                if article is not None:
                    objected[code] = article
                    objection = True
        elif objected:
            _bring(objected, item)
        missing = _together(missing_of(version.dossier), objected)
        if not missing:
            completed_by = completed_by or item
        else:
            if completed_by is not None or notice is None or objection:
                notice = item
            completed_by = None
    return Completeness(missing, completed_by, notice, frozenset(objected) & FORMALITIES)


def _bring(objected: dict[str, str], completion: Item) -> None:
    brought = {str(d.get("code")) for d in _documents(completion)}
    members = completion.data.get("set")
    named = members.keys() if isinstance(members, Mapping) else frozenset()
    for code in tuple(objected):
        if code in BROUGHT_BY_MEMBER:
            if BROUGHT_BY_MEMBER[code] in named:
                del objected[code]
        elif not brought.isdisjoint(BROUGHT_BY_DOCUMENT.get(code, {code})):
            del objected[code]


def _documents(completion: Item) -> list[Mapping[str, object]]:
    documents = completion.data.get("documents")
    if not isinstance(documents, list | tuple):
        return []
    return [document for document in documents if isinstance(document, Mapping)]


def _together(missing: tuple[Finding, ...], objected: Mapping[str, str]) -> tuple[Finding, ...]:
    if not objected:
        return missing
    codes = {finding.code for finding in missing}
    more = (Finding(c, article) for c, article in objected.items() if c not in codes and c not in FORMALITIES)
    return (*missing, *more)


def completed(dossier: Dossier, completion: Item) -> Dossier:
    """The dossier with the completion's members in place and its documents added; raises CaseError when what it
    brings has not the published shape."""
    members = completion.data.get("set")
    documents = _documents(completion)
    try:
        if isinstance(members, Mapping) and members:
            whole = dossier.model_dump(mode="json", by_alias=True)
            whole.update(members)
            dossier = Dossier.model_validate_json(json.dumps(whole), extra="forbid")
        if not documents:
            return dossier
        added = [Document.model_validate_json(json.dumps(document), extra="forbid") for document in documents]
    except ValidationError as error:
        raise CaseError(_problems(error, completion)) from None
    new = tuple(document for document in added if document not in dossier.documents)
    return dossier.model_copy(update={"documents": (*dossier.documents, *new)})


def _problems(error: ValidationError, completion: Item) -> list[Problem]:
    where = f"/history/{completion.place}/data"
    return [
        Problem("invalid-completion", "/".join((where, *map(str, e["loc"]))), e["type"].replace("_", " "))
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    ]
