"""A later French pack in the place of this program's: the committee has two months, from requests of 2027 on."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from compliance import packs, periods, released
from compliance.packs import RulePack
from compliance.rulebook import releases
from guichet.replay import policy

LATER = RulePack("fr-2027.1", "FR", date(2027, 1, 1))


def decides_from_2027(monkeypatch: pytest.MonkeyPatch) -> RulePack:
    """The pack that this program is from now on; the one that was released stays what was kept of it."""
    earlier, european = packs.PACKS
    for module in (packs, released, releases, policy):
        monkeypatch.setattr(module, "PACKS", (earlier, LATER, european))
    longer = replace(periods.STEPS["committee_opinion"], length=periods.Length(2, "months"))
    monkeypatch.setitem(periods.STEPS, "committee_opinion", longer)
    return LATER
