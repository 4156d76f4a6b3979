"""What is wrong with something a portal sent, said in codes and places and never in values (RFC 9457, RFC 6901)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

DETAILS: Final[Mapping[str, str]] = {
    "control-character": "a text holds a control character other than tab and line break",
    "date-out-of-range": "a date lies outside the years 1900 to 2199",
    "dossier-too-large": "the dossier is larger than a request may be; documents go by reference",
    "invalid": "the member breaks a rule of the contract",
    "member-fixed": "this member cannot be changed by a completion",
    "missing-member": "a required member is missing",
    "not-unicode": "a text holds half of a character (a lone surrogate)",
    "not-a-date": "the member must be a date, YYYY-MM-DD",
    "not-allowed": "the value is not one of those the contract lists",
    "nothing-to-complete": "a completion brings at least one document or one member",
    "out-of-range": "the number is smaller or larger than the contract allows",
    "portal-mismatch": "the dossier names another portal than the one that speaks",
    "request-withdrawn": "the request was withdrawn; a new one needs a new reference",
    "repeated-item": "a list holds the same item twice",
    "subject-mismatch": "the subject is not the id of the request that the data is about",
    "too-long": "the member is longer than the contract allows",
    "too-short": "the member is shorter than the contract allows",
    "unknown-dataset": "no holder has described this dataset, or it was withdrawn",
    "unknown-dataset-version": "the holder has not described this version of the dataset",
    "unknown-environment": "no host has registered this environment",
    "unknown-member": "the contract has no such member",
    "wrong-form": "the text does not have the form the contract asks for",
    "wrong-type": "the member has the wrong JSON type",
    "years-reversed": "the first year comes after the last",
}
"""Every code of a problem with its one sentence: fixed texts, so that no value can slip into an answer."""

MOST: Final = 200
"""The longest list of problems in one answer."""

_PLAIN_NAME: Final = re.compile(r"[a-z][A-Za-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: a code of `DETAILS`, and the place as a JSON Pointer into the event's data."""

    code: str
    pointer: str

    @property
    def detail(self) -> str:
        """The sentence for people that belongs to the code."""
        return DETAILS[self.code]


def pointer(path: Iterable[str | int]) -> str:
    """A JSON Pointer (RFC 6901) of a path; it ends at the parent where a member has a name that no contract would use.

    A sender chooses the names of unknown members and could have written anything there; facts are kept for ever.
    """
    steps = []
    for step in path:
        if isinstance(step, str) and not _PLAIN_NAME.fullmatch(step):
            break
        steps.append(f"/{step}")
    return "".join(steps)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems without repeats, sorted by place and code, at most `MOST` of them."""
    return tuple(sorted(set(problems), key=lambda problem: (problem.pointer, problem.code))[:MOST])
