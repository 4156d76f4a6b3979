"""The public register: when an application and its decision have to be public (CSP:R1461-9-I, EHDS:57(1)(j)(iii))."""

from dataclasses import dataclass
from datetime import date

from compliance.calendars import plus_working_days
from compliance.look import Look
from compliance.periods import due
from compliance.procedure import DEEMED_GRANTED, GRANTED, REFUSED, START_ALLOWED, Procedure
from compliance.rules.european_routes import EU_STATISTICS_REQUEST


@dataclass(frozen=True, slots=True)
class Register:
    """The days by which the entry is due; the application's is a house target of one working day."""

    application_due: date
    decision_due: date | None
    decision_kind: str | None


def register(look: Look, procedure: Procedure) -> Register:
    """What the register owes the public today."""
    application_due = plus_working_days(look.submission.on, 1, look.law.subdivision)
    kind = _decision_kind(look, procedure)
    decided = procedure.last_decision
    decision_due = None
    if look.regime == "EU" and kind is not None and decided is not None:
        decision_due = due("publication_decision", decided, law=look.law)
    return Register(application_due, decision_due, kind)


def _decision_kind(look: Look, procedure: Procedure) -> str | None:
    if procedure.outcome == REFUSED:
        return "refusal"
    if look.regime == "EU":
        if procedure.route == EU_STATISTICS_REQUEST:
            return "approval" if "granted" in procedure.datasets.values() else None
        return "permit" if procedure.grant is not None else None
    if procedure.outcome in (GRANTED, DEEMED_GRANTED):
        return "authorisation"
    return "declaration" if procedure.outcome == START_ALLOWED and procedure.grant is not None else None
