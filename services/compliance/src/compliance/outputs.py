"""Results that are to leave the workspace: the rule's verdict, then a person's (EHDS:73(2), SNDS-REF:4.5)."""

from dataclasses import dataclass, replace

from compliance.look import Look
from safeguards.outputs import CITATIONS, check

IN_REVIEW = "in-review"
VERDICTS = frozenset({"released", "returned", "rejected"})


@dataclass(frozen=True, slots=True)
class Output:
    """Where an output stands; `code` is the rule's, None when a person decides."""

    ref: str
    verdict: str
    code: str | None
    citation: str


def outputs(look: Look) -> tuple[Output, ...]:
    """Every output asked for, in order. A person decides only what no rule has decided."""
    found: dict[str, Output] = {}
    citation = CITATIONS[look.regime]
    for item in look.items:
        ref = item.word("ref")
        if item.type == "output.requested.v1":
            judged = check(item.word("kind"), item.number("min_cell"), item.flag("personal"), look.law.min_cell)
            found[ref] = Output(ref, judged.verdict, judged.code, citation)
        elif item.type == "output.checked.v1" and item.word("verdict") in VERDICTS:
            waiting = found.get(ref)
            if waiting is not None and waiting.verdict == IN_REVIEW:
                found[ref] = replace(waiting, verdict=item.word("verdict"))
    return tuple(found.values())
