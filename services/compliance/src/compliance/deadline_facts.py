"""Facts about periods: started, extended, met, elapsed, stopped, and duties that are overdue."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import TypedDict

from compliance.assessment import Assessment
from compliance.calendars import DAY
from compliance.coded import Finding
from compliance.duties import OVERDUE
from compliance.steps import MET_LATE, RUNNING, Deadline
from contracts import compliance as said
from contracts.facts import Fact

Key = tuple[str, object, int]
DECIDING = frozenset(
    {"permit_decision", "permit_decision_accelerated", "trusted_holder_decision", "request_assessment"}
)


class _Members(TypedDict):
    request_id: str
    step: str
    starts: date
    due: date
    silence: str
    state: str
    extended: bool
    citation: str


def deadline_facts(before: Assessment | None, after: Assessment, request_id: str) -> Iterator[Fact]:
    """What happened to every period between two assessments."""
    earlier = {} if before is None else _by_key(before.deadlines)
    later = _by_key(after.deadlines)
    for key, deadline in earlier.items():
        if key not in later and deadline.state == RUNNING:
            yield said.DeadlineStopped(on=after.as_of, **_members(deadline.stopped(), request_id))
    for key, deadline in later.items():
        yield from _changes(earlier.get(key), deadline, after, request_id)


def _by_key(deadlines: tuple[Deadline, ...]) -> dict[Key, Deadline]:
    found: dict[Key, Deadline] = {}
    for deadline in deadlines:
        repeated = 0
        while (key := (deadline.step, deadline.starts, repeated)) in found:
            repeated += 1
        found[key] = deadline
    return found


def _changes(earlier: Deadline | None, deadline: Deadline, after: Assessment, request_id: str) -> Iterator[Fact]:
    on = after.as_of
    members = _members(deadline, request_id)
    if earlier is None:
        yield said.DeadlineStarted(on=on, **_members(replace(deadline, state=RUNNING), request_id))
    elif deadline.extended and not earlier.extended:
        yield said.DeadlineExtended(on=on, previous_due=earlier.due, **members)
    state_before = RUNNING if earlier is None else earlier.state
    if deadline.state == state_before:
        return
    match deadline.state:
        case "running":
            yield said.DeadlineStarted(on=on, **members)
        case "met" | "met-late":
            yield said.DeadlineMet(on=on, late=deadline.state == MET_LATE, **members)
        case "stopped":
            yield said.DeadlineStopped(on=on, **members)
        case "elapsed":
            yield from _elapsed(deadline, after, request_id)


def _elapsed(deadline: Deadline, after: Assessment, request_id: str) -> Iterator[Fact]:
    on = deadline.due + DAY
    yield said.DeadlineElapsed(on=on, **_members(deadline, request_id))
    if deadline.silence == "deemed-favourable":
        yield said.OpinionDeemedFavourable(request_id=request_id, on=on, body="CESREES", citation=deadline.citation)
    duty = _duty(deadline, after)
    if duty is not None:
        yield said.DutyOverdue(
            request_id=request_id,
            on=on,
            duty=deadline.step,
            due=deadline.due,
            code=duty.code,
            citation=duty.citation,
        )


def _duty(deadline: Deadline, after: Assessment) -> Finding | None:
    if deadline.step in OVERDUE:
        return OVERDUE[deadline.step]
    overdue = Finding("DECISION_OVERDUE", deadline.citation)
    return overdue if deadline.step in DECIDING and overdue in after.reasons else None


def _members(deadline: Deadline, request_id: str) -> _Members:
    return _Members(
        request_id=request_id,
        step=deadline.step,
        starts=deadline.starts,
        due=deadline.due,
        silence=deadline.silence,
        state=deadline.state,
        extended=deadline.extended,
        citation=deadline.citation,
    )
