"""What other rules would have decided: every recorded request again, and which rule makes each difference."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from compliance.assessment import Assessment
from compliance.files import Law
from compliance.legal_settings import Settings, Value, overridden
from compliance.packs import PACKS, RulePack, pack_for
from compliance.problems import CaseError
from compliance.rulebook.rules import rules
from guichet.replay.state import assessed

if TYPE_CHECKING:
    from guichet.replay.state import Memory

COMPARED: Final = (
    *("route", "status", "outcome", "start_allowed", "alternatives", "reasons", "missing", "deadlines"),
    *("conditions", "actions", "datasets", "permit", "register"),
)
"""The members of an assessment that a rule can move."""

CODED: Final = ("reasons", "missing", "conditions", "actions", "alternatives", "deadlines")
"""The members that name rules, by code or by step."""

Periods = Sequence[Mapping[str, object]]

TOGETHER: Final = "several rules together"


class NotAPack(ValueError):
    """A file or a name that is no rule pack; the text names every problem."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule pack, or one with rules that differ: values of dated settings, and rules set aside."""

    name: str
    pack: RulePack
    values: tuple[tuple[str, Value], ...] = ()
    set_aside: frozenset[str] = frozenset()

    def over(self, settings: Settings) -> Settings:
        """The settings of a deployment under this draft."""
        values = dict(settings.overrides) | dict(self.values)
        return Settings(tuple(sorted(values.items())), settings.set_aside | self.set_aside)

    def one_by_one(self) -> Iterator[tuple[str, Draft]]:
        """Each rule that differs, by name, as a draft that differs in nothing else."""
        for name, value in self.values:
            yield name, replace(self, values=((name, value),), set_aside=frozenset())
        for code in sorted(self.set_aside):
            yield code, replace(self, values=(), set_aside=frozenset({code}))


def read_draft(asked: str) -> Draft:
    """A released pack by its name, or a file `{"name", "based_on", "settings": {…}, "set_aside": [codes]}`.

    Raises NotAPack with every problem at once.
    """
    by_name = {pack.name: pack for pack in PACKS}
    if asked in by_name:
        return Draft(asked, by_name[asked])
    file = Path(asked)
    try:
        raw = json.loads(file.read_bytes())
    except OSError:
        raise NotAPack(f"{asked}: neither a pack ({', '.join(by_name)}) nor a file that can be read") from None
    except (ValueError, RecursionError):
        raise NotAPack(f"{file.name}: JSON in UTF-8 is expected") from None
    if not isinstance(raw, dict):
        raise NotAPack(f"{file.name}: an object is expected")
    problems = [f"/{name}: nobody knows this member" for name in sorted(raw.keys() - _MEMBERS)]
    pack = by_name.get(str(raw.get("based_on")))
    if pack is None:
        problems.append(f"/based_on: one of {', '.join(by_name)} is expected")
    if not isinstance(raw.get("name"), str) or not raw["name"] or raw["name"] in by_name:
        problems.append("/name: a name that no released pack has is expected")
    values: tuple[tuple[str, Value], ...] = ()
    if isinstance(raw.get("settings", {}), dict):
        try:
            values = overridden(raw.get("settings", {})).overrides
        except CaseError as error:
            problems.extend(map(str, error.problems))
    else:
        problems.append("/settings: an object is expected")
    aside = raw.get("set_aside", [])
    known = frozenset() if pack is None else rules_of(pack)
    if not isinstance(aside, list) or not all(isinstance(code, str) for code in aside):
        problems.append("/set_aside: a list of codes is expected")
        aside = []
    elif pack is not None:
        problems.extend(f"/set_aside/{at}: no rule of {pack.name}" for at, c in enumerate(aside) if c not in known)
    if problems or pack is None:
        raise NotAPack("; ".join(problems))
    return Draft(raw["name"], pack, values, frozenset(aside))


_MEMBERS = frozenset({"name", "based_on", "settings", "set_aside"})


@cache
def rules_of(pack: RulePack) -> frozenset[str]:
    """What a draft of a pack can set aside: stops, items of the dossier, conditions of routes (of one, or of all)."""
    left_out = [rule for rule in rules(pack.regime) if rule.kind in ("stop", "route-condition", "item")]
    return frozenset(name for rule in left_out for name in (rule.code, rule.name))


@dataclass(frozen=True, slots=True)
class Difference:
    """A request that the draft decides otherwise: each member that moves, before and after, and by which rules."""

    request_id: str
    members: Mapping[str, tuple[Any, Any]]
    rules: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """For machines."""
        moved = {name: {"recorded": before, "draft": after} for name, (before, after) in self.members.items()}
        return {"request_id": self.request_id, "rules": list(self.rules), "differs": moved}


@dataclass(slots=True)
class Comparison:
    """All recorded requests of a regime, decided twice."""

    decided: int = 0
    under_another_regime: int = 0
    not_assessed: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    def moved(self, member: str) -> int:
        """How many requests differ in a member."""
        return sum(member in difference.members for difference in self.differences)

    @property
    def due_dates_moved(self) -> int:
        """How many periods end on another day, or begin, or never do."""
        moved = (each.members["deadlines"] for each in self.differences if "deadlines" in each.members)
        return sum(len(moved_periods(before, after)) for before, after in moved)

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "decided": self.decided,
            "under_another_regime": self.under_another_regime,
            "not_assessed": self.not_assessed,
            "moved": {
                "requests": len(self.differences),
                "routes": self.moved("route"),
                "outcomes": self.moved("outcome"),
                "due_dates": self.due_dates_moved,
            },
            "differences": [difference.as_json() for difference in self.differences],
        }


def compare(memory: Memory, day: date, law: Law, draft: Draft) -> Comparison:
    """Decide every recorded request again from its recorded inputs and dates, as in force and as drafted. Pure."""
    testimony, found = memory.testimony(), Comparison()
    drafted = replace(law, settings=draft.over(law.settings))
    for request_id, case in memory.cases(law):
        submission = case.submission()
        in_force = None if submission is None else pack_for(submission.on)
        if in_force is None or in_force.regime != draft.pack.regime:
            found.under_another_regime += 1
            continue
        reference = testimony.reference(case, day, law.permanent_bodies)
        before, after = assessed(case, day, reference, law), assessed(case, day, reference, drafted, draft.pack)
        if not isinstance(before, Assessment) or not isinstance(after, Assessment):
            found.not_assessed.append(request_id)
            continue
        found.decided += 1
        if members := _differing(before, after):
            rules = tuple(
                name
                for name, alone in draft.one_by_one()
                if _moves(assessed(case, day, reference, replace(law, settings=alone.over(law.settings))), before)
            )
            if in_force != draft.pack:
                rules = (*rules, *_codes_moved(before, assessed(case, day, reference, law, draft.pack)))
            found.differences.append(Difference(request_id, members, rules or (TOGETHER,)))
    return found


def _codes_moved(before: Assessment, after: Assessment | tuple[str, ...]) -> Iterator[str]:
    """The codes and steps that only one of two packs gives, or that it gives otherwise."""
    if isinstance(after, Assessment):
        first, second = _codes(before), _codes(after)
        yield from sorted(code for code in first.keys() | second.keys() if first.get(code) != second.get(code))


def _codes(assessment: Assessment) -> dict[str, list[object]]:
    shown, found = assessment.as_json(), dict[str, list[object]]()
    for member in CODED:
        for each in shown[member]:  # type: ignore[attr-defined]  # each of these members is a list of objects
            found.setdefault(str(each.get("code") or each["step"]), []).append(each)
    return found


def _moves(after: Assessment | tuple[str, ...], before: Assessment) -> bool:
    return not isinstance(after, Assessment) or bool(_differing(before, after))


def _differing(before: Assessment, after: Assessment) -> dict[str, tuple[Any, Any]]:
    first, second = before.as_json(), after.as_json()
    return {name: (first[name], second[name]) for name in COMPARED if first[name] != second[name]}


def moved_periods(before: Periods, after: Periods) -> list[tuple[str, str | None, str | None]]:
    """The periods that end on another day: step, due as recorded, due as drafted; None for one that never began."""
    first, second = ({str(each["step"]): str(each["due"]) for each in side} for side in (before, after))
    return [
        (step, first.get(step), second.get(step))
        for step in sorted(first.keys() | second.keys())
        if first.get(step) != second.get(step)
    ]
