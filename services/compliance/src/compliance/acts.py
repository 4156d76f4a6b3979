"""Who may act: nobody in two functions of one request, nobody with a declared interest (LIL:76, EHDS:55(3))."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from compliance.case import Item
from compliance.coded import Finding
from contracts.speakers import contradicted

FUNCTIONS: dict[str, str] = {
    "opinion.issued.v1": "opine",
    "assessment.recorded.v1": "assess",
    "decision.issued.v1": "decide",
    "refusal.confirmed.v1": "decide",
    "refusal.overridden.v1": "decide",
    "amendment.decided.v1": "decide",
    "extension.decided.v1": "decide",
    "extract.prepared.v1": "prepare",
    "output.checked.v1": "check",
}
IN_ANOTHER_NAME = "act.contradicted.v1"
"""What stands in a history for an act that names a body or a holder and was sent by somebody else."""

CONTRADICTED: dict[str, Finding] = {
    "FR": Finding("ACT_IN_ANOTHER_NAME", "LIL:76"),
    "EU": Finding("ACT_IN_ANOTHER_NAME", "EHDS:55(3)"),
}
CONFLICTED: dict[str, Finding] = {
    "FR": Finding("ACT_BY_CONFLICTED_PERSON", "LIL:76"),
    "EU": Finding("ACT_BY_CONFLICTED_PERSON", "EHDS:55(3)"),
}


def in_its_name(item_type: str, data: Mapping[str, object], source: str) -> tuple[str, Mapping[str, object]]:
    """What stands in a history for an act from a source: the act, or that it was said in the name of another, and then
    nothing of what it claims."""
    if contradicted(item_type, data, source) is None:
        return item_type, data
    return IN_ANOTHER_NAME, {"type": item_type, "source": source}


@dataclass(frozen=True, slots=True)
class Acts:
    """What counts of a history, and the acts that are as if they had not happened."""

    counting: tuple[Item, ...]
    conflicted: tuple[Item, ...]


def who_may_act(history: tuple[Item, ...], persons_after: Mapping[int, frozenset[str]]) -> Acts:
    """Set aside every act by someone who may not act.

    `persons_after` gives, by place in the history, the persons with access from then on. An act set aside does not
    count as having acted; a declaration of interest counts from its own instant on.
    """
    if not any(item.data.get("by") for item in history):
        return Acts(history, ())
    interests: dict[str, datetime] = {}
    for item in history:
        if item.type == "interest.declared.v1":
            interests.setdefault(item.word("person"), item.at)
    functions: dict[str, str] = {}
    with_access: frozenset[str] = frozenset()
    counting: list[Item] = []
    conflicted: list[Item] = []
    for item in history:
        with_access = persons_after.get(item.place, with_access)
        by = item.words("by")
        function = FUNCTIONS.get(item.type)
        if (
            any(person in interests and interests[person] <= item.at for person in by)
            or (function and any(functions.get(person, function) != function for person in by))
            or (function == "check" and not with_access.isdisjoint(by))
        ):
            conflicted.append(item)
            continue
        if function:
            functions.update((person, function) for person in by)
        counting.append(item)
    return Acts(tuple(counting), tuple(conflicted))


def without_effect(acts: Acts, regime: str) -> tuple[tuple[datetime, Finding], ...]:
    """Why each act that does not count does not, with its instant: whose it was, or in whose name it was said."""
    conflicted = [(item.at, CONFLICTED[regime]) for item in acts.conflicted]
    contradicted = [(item.at, CONTRADICTED[regime]) for item in acts.counting if item.type == IN_ANOTHER_NAME]
    return (*conflicted, *contradicted)
