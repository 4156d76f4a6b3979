"""The dates of a dossier, looked at before its shape, so that a fault elsewhere hides none of theirs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from intake.problems import Problem

EARLIEST, LATEST = "1900-01-01", "2199-12-31"
"""The first and last date that a dossier may hold; the envelope's time has narrower bounds of its own."""

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATED: Final = (("applicant", "mandate", "date"), ("conformity_declared", "date"), ("directory_registered", "date"))


def impossible_dates(members: Mapping[str, JsonValue], place: str) -> list[Problem]:
    """Every date outside `EARLIEST` to `LATEST`, and every pair of years the wrong way round, in a dossier's members.

    What is no date at all is left to the shape.
    """
    found = [(_at(members, *path), f"{place}/{'/'.join(path)}") for path in (*_DATED, ("lab", "last_audit"))]
    for index, document in enumerate(_items(members.get("documents"))):
        found.append((_at(document, "date"), f"{place}/documents/{index}/date"))
        found.append((_at(document, "opinion", "date"), f"{place}/documents/{index}/opinion/date"))
    problems = [
        Problem("date-out-of-range", pointer)
        for day, pointer in found
        if isinstance(day, str) and _DATE.fullmatch(day) and not EARLIEST <= day <= LATEST
    ]
    for index, dataset in enumerate(_items(_at(members, "data", "datasets"))):
        match _at(dataset, "years"):
            case [int(first), int(last)] if first > last:
                problems.append(Problem("years-reversed", f"{place}/data/datasets/{index}/years"))
            case _:
                pass
    return problems


def _at(value: object, *path: str) -> object:
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _items(value: object) -> Iterator[object]:
    yield from value if isinstance(value, list) else []
