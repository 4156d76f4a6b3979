"""The shape of JSON that came from outside: read strictly, with every fault named and no value repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from pydantic import JsonValue, ValidationError

from contracts.envelope import Unreadable
from contracts.strictjson import loads
from intake.problems import Problem, pointer

Path: TypeAlias = tuple[str | int, ...]

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")

_CODES: Final[Mapping[str, str]] = {
    "missing": "missing-member",
    "extra_forbidden": "unknown-member",
    "literal_error": "not-allowed",
    "enum": "not-allowed",
    "string_pattern_mismatch": "wrong-form",
    "string_too_short": "too-short",
    "too_short": "too-short",
    "string_too_long": "too-long",
    "too_long": "too-long",
    "greater_than": "out-of-range",
    "greater_than_equal": "out-of-range",
    "less_than": "out-of-range",
    "less_than_equal": "out-of-range",
    "date_parsing": "not-a-date",
    "date_from_datetime_parsing": "not-a-date",
    "date_from_datetime_inexact": "not-a-date",
    "date_type": "not-a-date",
    "date": "not-a-date",
    "null": "wrong-type",
    "unique": "repeated-item",
}


def read_object(data: bytes) -> dict[str, JsonValue]:
    """One JSON object in UTF-8 with no member twice; raises `Unreadable` otherwise."""
    value = loads(data)
    if not isinstance(value, dict):
        raise Unreadable("not-json", "the data are not an object")
    return value


def text_problems(value: JsonValue, path: Path = ()) -> Iterator[Problem]:
    """What no contract says and nobody may send: control characters, and half characters."""
    match value:
        case str():
            if _CONTROL.search(value):
                yield Problem("control-character", pointer(path))
            if _SURROGATE.search(value):
                yield Problem("not-unicode", pointer(path))
        case list():
            for index, item in enumerate(value):
                yield from text_problems(item, (*path, index))
        case dict():
            for name, item in value.items():
                yield from text_problems(name, path)
                yield from text_problems(item, (*path, name))
        case _:
            return


def shape_problems(error: ValidationError, under: Path = ()) -> list[Problem]:
    """Everything a contract found wrong, in our codes; the places are prefixed with `under`."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    places = [fault["loc"] for fault in faults]
    return [
        Problem(_code(fault["type"]), pointer((*under, *fault["loc"])))
        for fault in faults
        # `text_problems` says what is wrong with the text.
        if fault["type"] != "json_invalid"
        # A list whose items are faulty is also reported as too short: only sound items were counted.
        and not (fault["type"] == "too_short" and any(_inside(place, fault["loc"]) for place in places))
    ]


def _inside(place: Path, outer: Path) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


def _code(kind: str) -> str:
    if kind in _CODES:
        return _CODES[kind]
    return "wrong-type" if kind.endswith("_type") or kind == "none_required" else "invalid"
