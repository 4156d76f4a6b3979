"""Results that are to leave the workspace: the rule's verdict, then a person's (EHDS:73(2), SNDS-REF:4.5)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from compliance.case import Item
from compliance.look import Look
from safeguards.outputs import CITATIONS, check, small_cells

IN_REVIEW = "in-review"
VERDICTS = frozenset({"released", "returned", "rejected"})


@dataclass(frozen=True, slots=True)
class Output:
    """Where an output stands; `code` is the rule's, None when a person decides.

    threshold   the smallest cell that may leave, as the law stood at the submission
    cells       the names of those that are smaller, as far as the request names its cells
    """

    ref: str
    verdict: str
    code: str | None
    citation: str
    threshold: int = 0
    cells: tuple[str, ...] = ()


def outputs(look: Look) -> tuple[Output, ...]:
    """Every output asked for, in order. A person decides only what no rule has decided."""
    found: dict[str, Output] = {}
    citation = CITATIONS[look.regime]
    for item in look.items:
        ref = item.word("ref")
        if item.type == "output.requested.v1":
            threshold = look.law.min_cell
            cells = dict(_cells(item))
            sizes = [size for size in (item.number("min_cell"), *cells.values()) if size is not None]
            judged = check(item.word("kind"), min(sizes, default=None), item.flag("personal"), threshold)
            small = small_cells(cells.items(), threshold) if judged.verdict == "returned" else ()
            found[ref] = Output(ref, judged.verdict, judged.code, citation, threshold, small)
        elif item.type == "output.checked.v1" and item.word("verdict") in VERDICTS:
            waiting = found.get(ref)
            if waiting is not None and waiting.verdict == IN_REVIEW:
                found[ref] = replace(waiting, verdict=item.word("verdict"))
    return tuple(found.values())


def _cells(item: Item) -> Iterator[tuple[str, int]]:
    cells = item.data.get("cells")
    for cell in cells if isinstance(cells, list | tuple) else ():
        if isinstance(cell, Mapping) and isinstance(cell.get("name"), str) and isinstance(cell.get("persons"), int):
            yield cell["name"], cell["persons"]
