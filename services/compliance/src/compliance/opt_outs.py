"""Opt-outs and objections, with their effect on a project (EHDS:71(3), 71(4); CSP:R1461-9-II)."""

from dataclasses import dataclass

from compliance.case import Item
from compliance.coded import Finding
from compliance.look import Look
from compliance.procedure import Procedure
from compliance.rules.french_routes import FR_PERMANENT

REMOVE_FROM_PROJECT = Finding("REMOVE_FROM_PROJECT", "CSP:R1461-9-II")
REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class OptOut:
    """What an opt-out or an objection of a person means for this project."""

    ref: str
    effect: str
    citation: str


def opt_outs(look: Look, procedure: Procedure) -> tuple[OptOut, ...]:
    """Every person's opt-out and objection, in order; the list of things to do gets the removals."""
    found: dict[tuple[str, str], OptOut] = {}
    for item in look.items:
        ref = item.word("ref")
        if item.type == "optout.reversed.v1":
            for key, entry in found.items():
                if key[1] == ref:
                    found[key] = OptOut(ref, REVERSED, entry.citation)
        elif item.type == "optout.recorded.v1" or (item.type == "objection.received.v1" and look.regime == "FR"):
            key = (item.type, ref)
            # Repeating an opt-out does not move it: the first recording decides whether it came before the grant.
            if key not in found or found[key].effect == REVERSED:
                found[key] = _effect(look, procedure, item)
    if any(entry.effect == "removal-task" for entry in found.values()):
        procedure.actions.append(REMOVE_FROM_PROJECT)
    return tuple(found.values())


def _effect(look: Look, procedure: Procedure, item: Item) -> OptOut:
    ref = item.word("ref")
    if look.regime == "FR":
        if procedure.route == FR_PERMANENT:
            return OptOut(ref, "not-applicable", "CSP:R1461-9-II-2")
        effect = "excluded-from-later-exports" if item.type == "optout.recorded.v1" else "removal-task"
        return OptOut(ref, effect, "CSP:R1461-9-II")
    grant = procedure.grant
    if grant is not None and grant.act is not None and item.at >= grant.act.at:
        return OptOut(ref, "not-affected", "EHDS:71(3)")
    if procedure.exception_applied:
        return OptOut(ref, "included-by-exception", "EHDS:71(4)")
    return OptOut(ref, "excluded", "EHDS:71(3)")
