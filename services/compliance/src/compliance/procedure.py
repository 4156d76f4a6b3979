"""What a procedure comes to on a day: the route, where it stands, why, and what a permit would rest on."""

from dataclasses import dataclass, field
from datetime import date, datetime

from compliance.case import Item
from compliance.coded import Alternative, Finding
from compliance.rules.routes import Choice
from compliance.steps import Deadline, Run

START_ALLOWED = "START_ALLOWED"
GRANTED = "GRANTED"
DEEMED_GRANTED = "DEEMED_GRANTED"
PARTIALLY_GRANTED = "PARTIALLY_GRANTED"
REFUSED = "REFUSED"
REFUSAL_PROPOSED = "REFUSAL_PROPOSED"
NOT_AUTHORISED = "NOT_AUTHORISED"
BLOCKED = "BLOCKED"
LAPSED = "LAPSED"
CONVERTED = "CONVERTED"
ANSWERED = "ANSWERED"
WITHDRAWN = "WITHDRAWN"

DECLARATION = "declaration"
"""The kind of a permit that a declaration is enough for."""

POSITIVE = frozenset({START_ALLOWED, GRANTED, DEEMED_GRANTED, PARTIALLY_GRANTED})
OPEN = frozenset({None, REFUSAL_PROPOSED})
# Blocked is an outcome, and yet it lasts only until the gate is passed.
UNSETTLED = frozenset({None, REFUSAL_PROPOSED, BLOCKED})


@dataclass(frozen=True, slots=True)
class Grant:
    """What a permit rests on. `act` is the first granting decision; None for silence and for declarations."""

    kind: str
    issued_on: date
    months: int
    datasets: tuple[str, ...]
    act: Item | None = None

    def precedes(self, item: Item) -> bool:
        """Whether an item came after the permit was issued."""
        return item.place > self.act.place if self.act is not None else item.on >= self.issued_on


@dataclass(frozen=True, slots=True)
class Breach:
    """Something done that the law does not allow: an incident, an act by somebody who may not act, a grant without an
    estimate of the fee."""

    at: datetime
    code: str
    citation: str


@dataclass(slots=True)
class Procedure:
    """The state of a procedure while it is worked out; read-only afterwards."""

    route: str | None = None
    citation: str | None = None
    alternatives: tuple[Alternative, ...] = ()
    status: str = "incomplete"
    outcome: str | None = None
    reasons: list[Finding] = field(default_factory=list)
    missing: tuple[Finding, ...] = ()
    conditions: list[Finding] = field(default_factory=list)
    actions: list[Finding] = field(default_factory=list)
    deadlines: list[Deadline] = field(default_factory=list)
    breaches: list[Breach] = field(default_factory=list)
    datasets: dict[str, str] = field(default_factory=dict)
    grant: Grant | None = None
    complete_on: date | None = None
    last_decision: date | None = None
    exception_applied: bool = False
    stopped_by_rule: bool = False

    def follow(self, choice: Choice) -> None:
        """Take a route."""
        self.route, self.citation, self.alternatives = choice.route, choice.citation, choice.alternatives

    def decide(self, outcome: str, status: str = "decided") -> None:
        """Come to an outcome."""
        self.outcome, self.status = outcome, status

    def add(self, run: Run) -> Run:
        """Show a step, and why an extension of it changed nothing."""
        self.deadlines.append(run.deadline)
        self.reasons.extend(run.refused_extensions)
        return run

    def withdraw(self) -> None:
        """End it on the applicant's word: open periods stop, nothing is left to do."""
        self.decide(WITHDRAWN, "withdrawn")
        self.actions.clear()
        self.deadlines = [deadline.stopped() for deadline in self.deadlines]

    @property
    def settled(self) -> bool:
        """Whether later completions, objections and withdrawals change nothing."""
        return self.outcome not in UNSETTLED or self.grant is not None

    @property
    def has_outcome(self) -> bool:
        """Whether it is too late to withdraw."""
        return self.outcome not in OPEN or self.grant is not None
