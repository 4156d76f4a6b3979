"""The output check by kind, cell and threshold."""

import pytest

from safeguards.outputs import CITATIONS, Check, check, small_cells


@pytest.mark.parametrize(
    ("kind", "min_cell", "personal", "expected"),
    [
        ("row_level", 1000, False, Check("rejected", "OUTPUT_PERSONAL")),
        ("aggregate_table", 1000, True, Check("rejected", "OUTPUT_PERSONAL")),
        ("aggregate_table", 10, False, Check("returned", "CELL_BELOW_THRESHOLD")),
        ("aggregate_table", 11, False, Check("in-review", None)),
        ("aggregate_table", None, False, Check("in-review", None)),
        ("figure", 0, False, Check("in-review", None)),
        ("model", None, False, Check("in-review", None)),
    ],
)
def test_what_a_rule_says_about_an_output(kind: str, min_cell: int | None, personal: bool, expected: Check) -> None:
    assert check(kind, min_cell, personal, 11) == expected


def test_each_regime_cites_its_own_article() -> None:
    assert CITATIONS == {"EU": "EHDS:73(2)", "FR": "SNDS-REF:4.5"}


def test_the_cells_under_the_threshold_are_named_in_their_order() -> None:
    assert small_cells([("b", 10), ("a", 11), ("c", 0)], 11) == ("b", "c")
