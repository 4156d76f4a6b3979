"""What an operator mistypes changes nothing: each command says everything that is wrong, and that nothing was done."""

from __future__ import annotations

from pathlib import Path

import pytest

from guichet.stack.state import StackState
from programs import run_guichet

SLIPS = [
    (
        "environments qualify env-nowhere HSD --from soon --to 2030-13-01 --issuer '?'",
        ["there is no environment env-nowhere", "one of HDS, ", "--issuer", "--from", "--to"],
    ),
    ("environments qualify env-pmsi HDS --from 2027-01-01 --to 2026-12-31", ["--to: before the first day"]),
    ("environments disqualify env-nowhere HDS", ["there is no environment env-nowhere"]),
    ("environments disqualify env-pmsi SECNUMCLOUD", ["env-pmsi has no SECNUMCLOUD to lose"]),
    ("workspaces list --state opened", ["no workspace is ever opened", "person-needed"]),
    ("workspaces accept-terms 00000000 p-1", ["UNKNOWN_WORKSPACE"]),
]


@pytest.mark.parametrize(("words", "said"), SLIPS)
async def test_a_slip_is_refused_with_everything_that_is_wrong(
    standing_at_home: tuple[Path, StackState], words: str, said: list[str]
) -> None:
    home, _ = standing_at_home
    ran = await run_guichet(*words.replace("'", "").split(), GUICHET_HOME=str(home))
    assert ran.code == 1
    assert [part for part in said if part not in ran.err] == []
    assert "Traceback" not in ran.err
