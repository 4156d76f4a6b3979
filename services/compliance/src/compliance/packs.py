"""Rule packs: which rules decide, chosen by regime and day of submission (EHDS:105)."""

from dataclasses import dataclass
from datetime import date

EHDS_APPLIES = date(2029, 3, 26)
"""Chapter IV of Regulation (EU) 2025/327 applies from this day; until then the French regime decides."""


@dataclass(frozen=True, slots=True)
class RulePack:
    """A released set of rules: its name, its regime, the first day of submission it decides on."""

    name: str
    regime: str
    since: date


PACKS: tuple[RulePack, ...] = (
    RulePack("fr-2026.1", "FR", date(1900, 1, 1)),
    RulePack("eu-2029.1", "EU", EHDS_APPLIES),
)


def pack_for(submitted: date) -> RulePack:
    """The pack that decides on a request submitted on a (local) day."""
    return next(pack for pack in reversed(PACKS) if pack.since <= submitted)
