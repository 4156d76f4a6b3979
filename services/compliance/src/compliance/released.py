"""What the law says about a case on a day, by the code of the pack that decides on it: this program's for the newest
pack of a regime, the code that was kept at its release for every earlier one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from compliance import assessment
from compliance.assessment import Assessment
from compliance.case import Case
from compliance.legal_settings import Settings
from compliance.packs import PACKS, RulePack, pack_for
from compliance.reference import Reference
from compliance.remembered import from_text
from compliance.rulebook.kept import module_of

Decides = Callable[[Case, date, Reference, Settings | None], Assessment]


def newest(regime: str) -> RulePack:
    """The pack of a regime that this program's own code is."""
    return next(pack for pack in reversed(PACKS) if pack.regime == regime)


def assess(
    case: Case, as_of: date, reference: Reference, settings: Settings | None = None, under: RulePack | None = None
) -> Assessment:
    """Assess a case as of a day, as `compliance.assessment.assess` says, under the pack that decides on it.

    `under` another pack of the same regime: what that one would have decided.
    """
    submission = case.submission()
    pack = under or (None if submission is None else pack_for(submission.on))
    if pack is None or pack == newest(pack.regime):
        decided = assessment.assess(case, as_of, reference, settings)
    else:
        decided = as_released(pack.name)(case, as_of, reference, settings)
    return decided if pack is None else replace(decided, rule_pack=pack.name)


def load_all() -> None:
    """Load every earlier pack, so that one whose code is not there is found before a request needs it; raises
    NotKept."""
    for pack in PACKS:
        if pack != newest(pack.regime):
            as_released(pack.name)


@cache
def as_released(pack: str) -> Decides:
    """The function that decides under a pack as it was released. It is given its own shapes of a case and of reference
    data, and what it answers comes back as the shapes of this program."""
    deciding: Any = module_of(pack, "compliance.assessment")
    cases: Any = module_of(pack, "compliance.case")
    law: Any = module_of(pack, "compliance.legal_settings")
    references: Any = module_of(pack, "compliance.reference")
    of_this, of_then, answers = map(TypeAdapter, (Reference, references.Reference, deciding.Assessment))

    def settings_of(settings: Settings) -> Any:
        """Of the settings that this pack knows."""
        return law.Settings(
            tuple((name, value) for name, value in settings.overrides if name in law.SETTINGS), settings.set_aside
        )

    def decide(case: Case, as_of: date, reference: Reference, settings: Settings | None) -> Assessment:
        items = tuple(cases.Item(item.at, item.type, item.data) for item in case.history)
        told = cases.Case(case.id, case.dossier, items, settings_of(case.settings))
        known = of_then.validate_python(of_this.dump_python(reference))
        decided = deciding.assess(told, as_of, known, None if settings is None else settings_of(settings))
        return from_text(answers.dump_json(decided).decode())

    return decide
