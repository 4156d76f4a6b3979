"""Periods of the law: how long each step lasts, from when, and until which day an act is in time."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Literal

from compliance.calendars import (
    in_calendar,
    local_date,
    next_working_day,
    plus_days,
    plus_months,
    plus_working_days,
)
from compliance.legal_settings import DEFAULT, Law
from compliance.problems import CaseError, Problem

__all__ = ["STEPS", "Arithmetic", "Length", "Step", "due", "expires_on", "local_date", "step_named"]

Unit = Literal["months", "weeks", "days", "working days", "months before"]


class Arithmetic(Enum):
    """Whose rules say when a period ends: French ones, or Regulation (EU) 1182/71."""

    FR = "FR"
    EU = "EU"


@dataclass(frozen=True, slots=True)
class Length:
    """A number of months, weeks, days or working days."""

    count: int
    unit: Unit


@dataclass(frozen=True, slots=True)
class Step:
    """A period of the law: its length, by how many months it may be extended once, what silence means, its article."""

    name: str
    arithmetic: Arithmetic
    length: Length
    starts: str
    citation: str
    extension_months: int = 0
    extension_needs_reasons: bool = False
    silence: str = "none"


def _french(name: str, length: Length, starts: str, citation: str, silence: str = "none") -> Step:
    return Step(name, Arithmetic.FR, length, starts, citation, silence=silence)


def _european(name: str, length: Length, starts: str, citation: str, silence: str = "none") -> Step:
    return Step(name, Arithmetic.EU, length, starts, citation, silence=silence)


def _months(count: int) -> Length:
    return Length(count, "months")


STEPS: dict[str, Step] = {
    step.name: step
    for step in (
        _french("secretariat_transmission", Length(7, "working days"), "complete", "D2019-536:88"),
        Step(
            "committee_opinion",
            Arithmetic.FR,
            _months(1),
            "received by CESREES",
            "D2019-536:90",
            extension_months=1,
            silence="deemed-favourable",
        ),
        _french(
            "committee_opinion_urgent",
            Length(15, "days"),
            "received by CESREES, urgent",
            "D2019-536:100",
            silence="deemed-favourable",
        ),
        Step(
            "authority_decision",
            Arithmetic.FR,
            _months(2),
            "received by CNIL",
            "LIL:66-V",
            extension_months=2,
            extension_needs_reasons=True,
            silence="not-authorised",
        ),
        _french("hdh_approval", Length(15, "days"), "complete", "CNIL:SAMPLE"),
        _french("lab_audit", _months(36), "last audit", "CNIL:2018-257"),
        Step(
            "rights_request",
            Arithmetic.EU,
            _months(1),
            "received",
            "GDPR:12(3)",
            extension_months=2,
            extension_needs_reasons=True,
        ),
        _european("completion", Length(4, "weeks"), "notice of missing items", "EHDS:68(4)", silence="lapse"),
        Step(
            "permit_decision",
            Arithmetic.EU,
            _months(3),
            "complete",
            "EHDS:68(4)",
            extension_months=3,
            extension_needs_reasons=True,
        ),
        Step("permit_decision_accelerated", Arithmetic.EU, _months(2), "complete", "EHDS:68(6)", extension_months=1),
        _european("request_assessment", _months(3), "received", "EHDS:69(4)"),
        _european("statistical_answer", _months(3), "approved", "EHDS:69(4)"),
        _european("trusted_holder_assessment", _months(2), "forwarded", "EHDS:72(5)"),
        _european("trusted_holder_decision", _months(2), "assessment received", "EHDS:72(5)"),
        _european("publication_decision", Length(30, "working days"), "decided", "EHDS:57(1)(j)(iii)"),
        _european("fee_agreement", _months(1), "permit issued", "EHDS:62(4)", silence="authority-may-set-fee"),
        Step("holder_delivery", Arithmetic.EU, _months(3), "permit issued", "EHDS:60(2)", extension_months=3),
        _european("access", _months(2), "all delivered", "EHDS:68(7)"),
        _european("hearing", Length(4, "weeks"), "incident reported", "EHDS:63(2)"),
        _european("extension_request", Length(1, "months before"), "expires_on", "EHDS:68(12)"),
        _european("deletion", _months(6), "permit ended", "EHDS:68(12)"),
        _european("results", _months(18), "processing completed, else permit ended", "EHDS:61(4)"),
        _european("catalogue_check", _months(12), "last check", "EHDS:60(3)"),
    )
}

_DEFAULT_LAW = DEFAULT.at(date(2026, 1, 1))


def step_named(name: str) -> Step:
    """The step of this name; raises CaseError."""
    if name not in STEPS:
        raise CaseError([Problem("unknown-step", "rule", "a step the rules know is expected")])
    return STEPS[name]


def due(step: str, start: date | datetime, extended: bool = False, law: Law = _DEFAULT_LAW) -> date:
    """The last day on which the awaited act is in time.

    `start` is the day (an instant counts as its date in Europe/Paris) that is not counted. An extended period is one
    period of the total length, counted from the start; a step that cannot be extended keeps its length.
    Raises CaseError for an unknown step or a date out of range.
    """
    rule = step_named(step)
    day = local_date(start) if isinstance(start, datetime) else start
    in_calendar(day, "start")
    end = _end(rule, day, rule.extension_months if extended else 0, law)
    return in_calendar(end, "due")


def _end(rule: Step, start: date, more_months: int, law: Law) -> date:
    length = _length(rule, law)
    match length.unit:
        case "working days":
            return plus_working_days(start, length.count, law.subdivision)
        case "months before":
            return plus_months(start, -length.count)
        case "months":
            end = plus_months(start, length.count + more_months)
        case "weeks":
            end = plus_days(start, 7 * length.count)
        case "days":
            end = plus_days(start, length.count)
    moves = rule.arithmetic is Arithmetic.EU or law.roll
    return next_working_day(end, law.subdivision) if moves else end


def _length(rule: Step, law: Law) -> Length:
    if rule.name == "committee_opinion_urgent":
        return Length(law.urgent_days, "days")
    if rule.name == "hdh_approval":
        return Length(law.sample_days, "days")
    return rule.length


def due_after(start: date, months: int, law: Law) -> date:
    """The last day of a European period of so many months whose length is a setting, not a constant of a step."""
    end = plus_months(in_calendar(start, "start"), months)
    return in_calendar(next_working_day(end, law.subdivision), "due")


def expires_on(issued_on: date, months: int) -> date:
    """The last day of a permit: date to date, clamped to the month's end, never moved."""
    return in_calendar(plus_months(issued_on, months), "expires_on")
