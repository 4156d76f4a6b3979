"""The output check: what a rule alone can say about a result that is to leave a workspace."""

from collections.abc import Iterable
from dataclasses import dataclass

CITATIONS = {"EU": "EHDS:73(2)", "FR": "SNDS-REF:4.5"}
"""The article that demands the check, by regime."""


@dataclass(frozen=True, slots=True)
class Check:
    """`rejected` and `returned` are final; `in-review` waits for a person who is not on the project."""

    verdict: str
    code: str | None


IN_REVIEW = Check("in-review", None)


def check(kind: str, min_cell: int | None, personal: bool, threshold: int) -> Check:
    """Judge an output by its kind, its smallest cell (persons, None when there are no cells) and the threshold."""
    if kind == "row_level" or personal:
        return Check("rejected", "OUTPUT_PERSONAL")
    if kind == "aggregate_table" and min_cell is not None and min_cell < threshold:
        return Check("returned", "CELL_BELOW_THRESHOLD")
    return IN_REVIEW


def small_cells(cells: Iterable[tuple[str, int]], threshold: int) -> tuple[str, ...]:
    """The names of the cells, given as (name, persons), with fewer persons than the threshold, in their order."""
    return tuple(name for name, persons in cells if persons < threshold)
