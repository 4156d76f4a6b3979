"""MR-007 and MR-008 left for an authorisation: the one case in which an opinion changes the route (D2019-536:91)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from compliance.case import Item
from compliance.coded import Alternative
from compliance.completeness import Completeness, Version
from compliance.look import Look
from compliance.opinions import Opinion, research_committee
from compliance.procedure import Procedure
from compliance.refusals import Standing
from compliance.rules import french_routes as fr
from compliance.rules.routes import Choice
from compliance.today import Today

FollowVersions = Callable[[Look, tuple[Version, ...]], Completeness]


@dataclass(frozen=True, slots=True)
class Switch:
    """The route after the switch, the act that made it, the opinion that called for it, and what started the
    committee's steps, which stay as they were."""

    choice: Choice
    seized_by: Item
    opinion: Opinion
    completed_by: Item


def switched_to_standard(look: Look, choice: Choice, completeness: FollowVersions, standing: Standing) -> Switch | None:
    """The switch, if the applicant seized the authority, or the authority recorded receipt, after an opinion that is
    not expressly favourable."""
    for item in look.items:
        if not _seizes(item):
            if _stops(item) and _opinion_before(look, item, completeness, standing) is not None:
                return None
            continue
        found = _opinion_before(look, item, completeness, standing)
        if found is not None:
            opinion, completed_by = found
            return Switch(_standard(look, choice), item, opinion, completed_by)
    return None


def _seizes(item: Item) -> bool:
    if item.type == "request.authority-chosen.v1":
        return item.word("choice") == "seize"
    return item.type == "file.received.v1" and item.word("body") == "CNIL"


def _stops(item: Item) -> bool:
    return item.type == "request.authority-chosen.v1" and item.word("choice") == "stop"


def _opinion_before(
    look: Look, act: Item, completeness: FollowVersions, standing: Standing
) -> tuple[Opinion, Item] | None:
    """The opinion an act could answer: there, and not expressly favourable, on the day of the act."""
    versions = tuple(version for version in look.versions if version.item.place < act.place)
    complete = completeness(look, versions)
    lifted_by = standing.lifted_by
    if complete.completed_by is None or (lifted_by is not None and lifted_by.place >= act.place):
        return None
    begun = complete.completed_by if lifted_by is None else max(complete.completed_by, lifted_by, key=_place)
    earlier = tuple(item for item in look.items if begun.place < item.place < act.place)
    then = replace(look, today=Today(act.on))
    stage = research_committee(then, earlier, complete.completed_by, Procedure())
    if stage.opinion is None or stage.opinion.expressly_favourable(look) or not stage.opinion.precedes(act):
        return None
    return stage.opinion, complete.completed_by


def _place(item: Item) -> int:
    return item.place


def _standard(look: Look, left: Choice) -> Choice:
    application = look.application
    alternatives: list[Alternative] = []
    for route in fr.french_routes(application)[:-1]:
        if route.name == left.route:
            alternatives.append(Alternative(left.route, "OPINION_NOT_EXPRESSLY_FAVOURABLE", left.citation))
            continue
        failure = route.first_failure(application)
        if failure is not None:
            alternatives.append(failure)
    return Choice(fr.FR_STANDARD, "LIL:66-III", tuple(alternatives))
