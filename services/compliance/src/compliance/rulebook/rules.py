"""Every rule of a regime, read from the tables and constants that decide: what it is, its code, where it is cited."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from compliance.orders import AMENDMENT_REFUSED, LEAVES_NO_DATA
from compliance.periods import STEPS, Arithmetic, Step
from compliance.rulebook import said
from compliance.rules.documents import FRENCH_ITEMS, REGISTERED
from compliance.rules.european_items import APPLICATION_ITEMS, STATISTICS_ITEMS
from compliance.rules.european_routes import european_routes
from compliance.rules.french_routes import FR_MR007, FR_MR008, FRENCH_ROUTES
from compliance.rules.routes import Route
from safeguards.hosting import RULES as HOSTING_RULES
from safeguards.hosting import Need

REGIMES = ("FR", "EU")
KINDS = (
    *("stop", "dataset", "route", "route-condition", "item", "reason", "step", "condition", "action", "duty"),
    *("hosting", "output", "opt-out", "noncompliance", "catalogue"),
)
"""What a rule leaves behind, in the order in which a case meets them."""

COMMITTEE_ROUTES = (FR_MR007, FR_MR008)
NOT_EXPRESS = "OPINION_NOT_EXPRESSLY_FAVOURABLE"
OF_BOTH_REGIMES = frozenset({"rights_request"})
NEVER_IN_A_CASE = frozenset({"lab_audit", "rights_request", "publication_decision", "catalogue_check"})
DECIDING = ("permit_decision", "permit_decision_accelerated", "trusted_holder_decision", "request_assessment")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a regime. `citations` are the articles it may be shown with, one at a time; `route` is the route
    whose condition it is."""

    kind: str
    regime: str
    code: str
    citations: tuple[str, ...]
    route: str | None = None

    @property
    def name(self) -> str:
        """The code, after its route where it is a condition of one."""
        return self.code if self.route is None else f"{self.route}/{self.code}"


@cache
def rules(regime: str | None = None) -> tuple[Rule, ...]:
    """Every rule of a regime (`FR`, `EU`), or of both, each once."""
    asked = REGIMES if regime is None else (regime,)
    return tuple(rule for each in asked for kind in KINDS for rule in _rules_of(each) if rule.kind == kind)


def rules_with(code: str) -> tuple[Rule, ...]:
    """Every rule that shows a code; none when no rule does."""
    return tuple(rule for rule in rules() if rule.code == code)


@cache
def _rules_of(regime: str) -> tuple[Rule, ...]:
    found = (*_constants(regime), *_routes(regime), *_items(regime), *_periods(regime), *_hosting(regime))
    return tuple(dict.fromkeys((*found, *_citing_others(regime, found))))


def _constants(regime: str) -> Iterator[Rule]:
    for kind, findings in said.SAID[regime].items():
        yield from (Rule(kind, regime, finding.code, (finding.citation,)) for finding in findings)


def _once(citations: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(citations))


def _open_routes(regime: str) -> tuple[Route, ...]:
    return FRENCH_ROUTES if regime == "FR" else european_routes((), False)


def _routes(regime: str) -> Iterator[Rule]:
    for route in _open_routes(regime):
        texts = route.citation.texts
        yield Rule("route", regime, route.name, texts)
        for condition in route.conditions:
            cited = texts if condition.citation is None else (condition.citation,)
            yield Rule("route-condition", regime, condition.code, cited, route.name)
        if route.name in COMMITTEE_ROUTES:
            yield Rule("route-condition", regime, NOT_EXPRESS, texts, route.name)
            yield Rule("reason", regime, NOT_EXPRESS, texts, route.name)


def _items(regime: str) -> Iterator[Rule]:
    tables = (FRENCH_ITEMS,) if regime == "FR" else (APPLICATION_ITEMS, STATISTICS_ITEMS)
    for table in tables:
        yield from (Rule("item", regime, code, (citation,)) for code, citation in table.items())
    for route in _open_routes(regime):
        if route.name in REGISTERED:
            yield Rule("item", regime, "DIRECTORY_REGISTRATION", route.citation.texts, route.name)


def _periods(regime: str) -> Iterator[Rule]:
    """The steps of a regime, and the extensions of them that changed nothing."""
    own = [step for step in STEPS.values() if step.arithmetic is Arithmetic[regime] or step.name in OF_BOTH_REGIMES]
    yield from (Rule("step", regime, step.name, (step.citation,)) for step in own)
    run = [step for step in own if step.name not in NEVER_IN_A_CASE]
    longer = [step for step in run if step.extension_months]
    fixed = [step for step in run if not step.extension_months]
    yield Rule("reason", regime, "EXTENSION_NOT_AVAILABLE", _articles(fixed))
    yield Rule("reason", regime, "EXTENSION_ALREADY_USED", _articles(longer))
    yield Rule("reason", regime, "EXTENSION_TOO_LATE", _articles(longer))
    reasoned = [step for step in longer if step.extension_needs_reasons]
    yield Rule("reason", regime, "EXTENSION_WITHOUT_REASONS", _articles(reasoned))


def _articles(steps: Iterable[Step]) -> tuple[str, ...]:
    return _once(step.citation for step in steps)


def _hosting(regime: str) -> Iterator[Rule]:
    """The gate as it applies to a state body's project on every class of data."""
    everything = Need(frozenset({"snds", "health"}), state_body=True, regime=regime)
    yield from (Rule("hosting", regime, r.code, (r.citation,)) for r in HOSTING_RULES if r.applies(everything))


def _citing_others(regime: str, found: Iterable[Rule]) -> Iterator[Rule]:
    """Codes that cite whatever they are about: the route, an item, a stop, the environment's fault, a step."""

    def cited(*kinds: str) -> tuple[str, ...]:
        return _once(c for rule in found if rule.kind in kinds for c in rule.citations)

    yield Rule("reason", regime, "ROUTE_APPLIES", cited("route"))
    yield Rule("action", regime, "NOTIFY_MISSING_ITEMS", cited("item"))
    yield Rule("action", regime, "FREEZE_AND_REHOST", cited("hosting"))
    if regime == "FR":
        yield Rule("action", regime, "CONFIRM_REFUSAL", cited("stop"))
        yield Rule("reason", regime, AMENDMENT_REFUSED, cited("route"))
        yield Rule("reason", regime, LEAVES_NO_DATA, cited("route"))
        return
    also = said.CONFIRM_STATISTICS.citation
    yield Rule("action", regime, "CONFIRM_REFUSAL", (*cited("stop", "dataset"), also))
    # A person's refusal of an extension is told with the article on extensions, as a fact only.
    yield Rule("reason", regime, said.AUTHORITY_REFUSED.code, (said.AUTHORITY_REFUSED.citation, said.EXTENSION_ARTICLE))
    overdue = _articles(STEPS[name] for name in DECIDING)
    yield Rule("reason", regime, "DECISION_OVERDUE", overdue)
    yield Rule("action", regime, "ESCALATE_OVERDUE", overdue)
