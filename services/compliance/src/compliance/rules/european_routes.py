"""Routes and datasets of the EHDS regime."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from compliance.application import Application
from compliance.coded import Finding
from compliance.rules.routes import Condition, Route, cites

EU_STATISTICS_REQUEST = "EU_STATISTICS_REQUEST"
EU_TRUSTED_HOLDER = "EU_TRUSTED_HOLDER"
EU_PERMIT_ACCELERATED = "EU_PERMIT_ACCELERATED"
EU_PERMIT = "EU_PERMIT"

LATER_CATEGORIES = frozenset("bfgmp")
LATER_FROM = date(2031, 3, 26)
ACCELERATED_PURPOSES = frozenset("abc")
CATEGORY_NOT_YET_APPLICABLE = Finding("CATEGORY_NOT_YET_APPLICABLE", "EHDS:105")
HOLDER_EXEMPT = Finding("HOLDER_EXEMPT", "EHDS:50(1)")


@dataclass(frozen=True, slots=True)
class Scope:
    """What is left of the datasets asked for: the reasons for what was taken out, what is excluded, what remains."""

    reasons: tuple[Finding, ...]
    excluded: tuple[str, ...]
    remaining: tuple[str, ...]


def scope(application: Application, ignored: frozenset[str] = frozenset()) -> Scope:
    """Categories not yet applicable are taken out (EHDS:105), exempt holders' datasets too (EHDS:50(1)).

    `ignored` holds the codes that a person has set aside.
    """
    later = LATER_CATEGORIES if application.submitted < LATER_FROM else frozenset[str]()
    reasons: list[Finding] = []
    excluded: list[str] = []
    for dataset in application.dossier.data.datasets:
        found = list(_reasons(dataset.dataset_id, dataset.categories, application, later, ignored))
        reasons += [finding for finding, _ in found]
        if any(excludes for _, excludes in found):
            excluded.append(dataset.dataset_id)
    remaining = tuple(d.dataset_id for d in application.dossier.data.datasets if d.dataset_id not in excluded)
    return Scope(tuple(reasons), tuple(excluded), remaining)


def _reasons(
    dataset_id: str,
    categories: Iterable[str],
    application: Application,
    later: frozenset[str],
    ignored: frozenset[str],
) -> Iterable[tuple[Finding, bool]]:
    if CATEGORY_NOT_YET_APPLICABLE.code not in ignored and not later.isdisjoint(categories):
        yield CATEGORY_NOT_YET_APPLICABLE.about(dataset_id), later.issuperset(categories)
    if HOLDER_EXEMPT.code not in ignored and application.entry(dataset_id).holder_exempt:
        yield HOLDER_EXEMPT.about(dataset_id), True


def applicable_categories(categories: Iterable[str], submitted: date) -> tuple[str, ...]:
    """The categories that apply to an application of that day (EHDS:105)."""
    return tuple(c for c in categories if submitted >= LATER_FROM or c not in LATER_CATEGORIES)


def single_trusted_holder(application: Application, dataset_ids: Iterable[str]) -> str | None:
    """The one trusted holder of all these datasets, if there is one (EHDS:72(1))."""
    entries = [application.entry(dataset_id) for dataset_id in dataset_ids]
    holders = {entry.holder for entry in entries}
    return holders.pop() if len(holders) == 1 and all(entry.trusted_holder for entry in entries) else None


def statistics_request(application: Application) -> bool:
    return application.dossier.kind == "statistics_request"


def public_body(application: Application) -> bool:
    return application.public_body()


def public_health_mandate(application: Application) -> bool:
    return application.dossier.applicant.public_health_mandate


def accelerated_purpose(application: Application) -> bool:
    return application.purposes_within(ACCELERATED_PURPOSES)


def european_routes(remaining: tuple[str, ...], forwarded: bool) -> tuple[Route, ...]:
    """The routes in order, for an application with these datasets left, forwarded to the trusted holder or not."""
    return (
        Route(
            EU_STATISTICS_REQUEST,
            cites("EHDS:69(1)"),
            (Condition(statistics_request, "NOT_A_STATISTICS_REQUEST"),),
        ),
        Route(
            EU_TRUSTED_HOLDER,
            cites("EHDS:72(1)"),
            (
                Condition(
                    lambda application: single_trusted_holder(application, remaining) is not None,
                    "NOT_SINGLE_TRUSTED_HOLDER",
                ),
                Condition(lambda application: forwarded, "NOT_FORWARDED"),
            ),
        ),
        Route(
            EU_PERMIT_ACCELERATED,
            cites("EHDS:68(6)"),
            (
                Condition(public_body, "NOT_PUBLIC_BODY"),
                Condition(public_health_mandate, "NO_PUBLIC_HEALTH_MANDATE"),
                Condition(accelerated_purpose, "PURPOSE_NOT_ACCELERATED"),
            ),
        ),
        Route(EU_PERMIT, cites("EHDS:68(4)"), ()),
    )
