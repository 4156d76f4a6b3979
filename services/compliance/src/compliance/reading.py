"""Reading a case and reference data from JSON as the case files hold them, with every problem at once."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import TypeVar

from pydantic import ValidationError

from compliance.acts import in_its_name
from compliance.case import Case, Item
from compliance.hosting import environment_of
from compliance.legal_settings import DEFAULT, Settings, overridden
from compliance.problems import CaseError, Problem
from compliance.reference import CatalogueDataset, PermanentBody, Reference
from compliance.whereabouts import followed, with_host
from contracts.dossier import Dossier

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


def read_case(raw: object) -> tuple[Case, date]:
    """A case file's case and its `as_of`; raises CaseError naming everything that is wrong with it.

    The members `regime`, `title`, `note`, `expect` and `expect_not` are not read: the rules say which regime applies.
    An item of the history may have a `source`, as on the wire: who says it, where that is in question.
    """
    if not isinstance(raw, Mapping):
        raise CaseError([Problem("wrong-shape", "/", "an object is expected")])
    problems: list[Problem] = []
    case_id = raw.get("id")
    if not isinstance(case_id, str) or not case_id:
        problems.append(Problem("wrong-shape", "/id", "a text is expected"))
    dossier = _dossier(raw.get("dossier"), problems)
    history = _history(raw.get("history"), problems)
    settings = _settings(raw.get("settings"), problems)
    as_of = read_day(raw.get("as_of"), "/as_of", problems)
    if problems or dossier is None or as_of is None:
        raise CaseError(problems)
    return Case(str(case_id), dossier, tuple(followed(dossier.environment_id, history)), settings), as_of


def read_day(raw: object, where: str, problems: list[Problem]) -> date | None:
    """A date written YYYY-MM-DD; adds a problem when it is something else."""
    if isinstance(raw, str) and _DAY(raw) is not None:
        with suppress(ValueError):
            return date.fromisoformat(raw)
    problems.append(Problem("wrong-shape", where, "a date YYYY-MM-DD is expected"))
    return None


def _dossier(raw: object, problems: list[Problem]) -> Dossier | None:
    if not isinstance(raw, Mapping):
        problems.append(Problem("wrong-shape", "/dossier", "an object is expected"))
        return None
    try:
        return Dossier.model_validate_json(json.dumps(raw), extra="forbid")
    except ValidationError as error:
        problems.extend(
            Problem("invalid-dossier", "/".join(("/dossier", *map(str, e["loc"]))), e["type"].replace("_", " "))
            for e in error.errors(include_url=False, include_context=False, include_input=False)
        )
        return None


def _history(raw: object, problems: list[Problem]) -> tuple[Item, ...]:
    if not isinstance(raw, list) or not raw:
        problems.append(Problem("wrong-shape", "/history", "a list that begins with the submission is expected"))
        return ()
    items = (_item(entry, f"/history/{at}", problems) for at, entry in enumerate(raw))
    return tuple(item for item in items if item is not None)


def _item(raw: object, where: str, problems: list[Problem]) -> Item | None:
    if not isinstance(raw, Mapping):
        problems.append(Problem("wrong-shape", where, "an object is expected"))
        return None
    at, item_type, data = raw.get("at"), raw.get("type"), raw.get("data", {})
    instant = _instant(at)
    if instant is None:
        problems.append(Problem("wrong-shape", f"{where}/at", "an instant with its offset is expected"))
    if not isinstance(item_type, str):
        problems.append(Problem("wrong-shape", f"{where}/type", "a text is expected"))
    if not isinstance(data, Mapping):
        problems.append(Problem("wrong-shape", f"{where}/data", "an object is expected"))
    if instant is None or not isinstance(item_type, str) or not isinstance(data, Mapping):
        return None
    try:
        told, source = item_type.removeprefix("guichet."), raw.get("source")
        if not isinstance(source, str):
            return Item(instant, told, data)
        told, data = in_its_name(told, data, source)
        return Item(instant, told, with_host(told, data, source))
    except CaseError:
        problems.append(Problem("date-out-of-range", f"{where}/at", "a year between 1900 and 2199 is expected"))
        return None


def _instant(raw: object) -> datetime | None:
    if not isinstance(raw, str):
        return None
    try:
        instant = datetime.fromisoformat(raw)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None


def _settings(raw: object, problems: list[Problem]) -> Settings:
    if raw is None:
        return DEFAULT
    if not isinstance(raw, Mapping):
        problems.append(Problem("wrong-shape", "/settings", "an object is expected"))
        return DEFAULT
    try:
        return overridden(raw)
    except CaseError as error:
        problems.extend(error.problems)
        return DEFAULT


def read_reference(catalogue: object, environments: object) -> Reference:
    """Reference data from the content of `catalogue.json` and `environments.json`; raises CaseError."""
    problems: list[Problem] = []
    datasets = {
        dataset.dataset_id: dataset for dataset in _each(catalogue, "datasets", "catalogue.json", dataset_of, problems)
    }
    bodies = {
        body.organisation_id: body
        for body in _each(catalogue, "permanent_bodies", "catalogue.json", permanent_body_of, problems)
    }
    hosts = {
        host.environment_id: host
        for host in _each(environments, "environments", "environments.json", environment_of, problems)
    }
    if problems:
        raise CaseError(problems)
    return Reference(datasets, bodies, hosts)


T = TypeVar("T")


def _each(
    raw: object, name: str, file: str, read: Callable[[Mapping[str, object]], T | None], problems: list[Problem]
) -> list[T]:
    entries = raw.get(name) if isinstance(raw, Mapping) else None
    if not isinstance(entries, list):
        problems.append(Problem("wrong-shape", f"{file}#/{name}", "a list is expected"))
        return []
    found: list[T] = []
    for at, entry in enumerate(entries):
        try:
            one = read(entry) if isinstance(entry, Mapping) else None
        except (KeyError, ValueError):
            one = None
        if one is None:
            problems.append(Problem("wrong-shape", f"{file}#/{name}/{at}", "an entry with all its members is expected"))
        else:
            found.append(one)
    return found


def dataset_of(data: Mapping[str, object]) -> CatalogueDataset:
    """A dataset as the catalogue describes it; raises KeyError for a member that is not there."""
    return CatalogueDataset(
        dataset_id=str(data["dataset_id"]),
        title=str(data["title"]),
        version=str(data["version"]),
        holder=str(data["holder"]),
        trusted_holder=data["trusted_holder"] is True,
        holder_exempt=data["holder_exempt"] is True,
        country=str(data["country"]),
        source=str(data["source"]),
        categories=_words(data["categories"]),
        dataset_class=str(data["class"]),
    )


def permanent_body_of(data: Mapping[str, object]) -> PermanentBody:
    """A body with permanent access; raises KeyError or ValueError."""
    depth = data["max_depth_years"]
    if not isinstance(depth, int):
        raise ValueError("max_depth_years")
    return PermanentBody(
        str(data["organisation_id"]), str(data.get("point", "")), frozenset(_words(data["sources"])), depth
    )


def _words(raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list | tuple):
        raise ValueError("a list is expected")
    return tuple(str(word) for word in raw)
