"""Which cases exercise a rule: those whose expectation, written from the law, names its code with its article."""

from collections.abc import Iterable, Iterator, Mapping

from compliance.rulebook.rules import Rule, rules

Json = Mapping[str, object]

MEMBERS: dict[str, tuple[str, ...]] = {
    "stop": ("reasons",),
    "dataset": ("reasons",),
    "reason": ("reasons",),
    "noncompliance": ("reasons",),
    "hosting": ("reasons", "findings"),
    "item": ("missing",),
    "condition": ("conditions",),
    "action": ("actions",),
    "duty": ("actions",),
    "output": ("outputs",),
}
"""Where an assessment shows codes of a kind."""


def exercised(cases: Iterable[Json], periods: Iterable[Json]) -> dict[Rule, tuple[str, ...]]:
    """The ids of the cases, and of the entries of a list of periods, that exercise each rule."""
    told, computed = list(cases), list(periods)
    return {
        rule: (
            *(str(case["id"]) for case in told if _names(case, rule)),
            *(str(each["id"]) for each in computed if each.get("rule") == _counted(rule)),
        )
        for rule in rules()
    }


def _counted(rule: Rule) -> str | None:
    """The step that a list of periods counts for a rule: its own, or that of the duty which no case can show."""
    if rule.kind == "catalogue":
        return "catalogue_check"
    return rule.code if rule.kind == "step" else None


def _names(case: Json, rule: Rule) -> bool:
    expect = case.get("expect")
    if case.get("regime") != rule.regime or not isinstance(expect, Mapping):
        return False
    match rule.kind:
        case "route":
            return expect.get("route") == rule.code
        case "route-condition":
            left = _entries(expect, "alternatives")
            return any(each.get("route") == rule.route and each.get("code") == rule.code for each in left)
        case "step":
            return any(each.get("step") == rule.code for each in _entries(expect, "deadlines"))
        case "opt-out":
            return any(_cites(each, "effect", rule) for each in _entries(expect, "opt_outs"))
        case "catalogue":
            return False
        case kind:
            return any(_cites(each, "code", rule) for member in MEMBERS[kind] for each in _entries(expect, member))


def _entries(expect: Json, member: str) -> Iterator[Json]:
    holder = expect.get("environment") if member == "findings" else expect
    entries = holder.get(member) if isinstance(holder, Mapping) else None
    if isinstance(entries, list):
        yield from (each for each in entries if isinstance(each, Mapping))


def _cites(entry: Json, member: str, rule: Rule) -> bool:
    return entry.get(member) == rule.code and entry.get("citation") in rule.citations
