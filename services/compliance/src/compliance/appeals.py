"""Appeals and complaints of the applicant: on record, without effect of their own on what was decided (CJA:R421-1,
EHDS:81)."""

from dataclasses import dataclass
from datetime import datetime

from compliance.coded import Finding
from compliance.look import Look

LODGED: dict[str, Finding] = {
    "FR": Finding("APPEAL_LODGED", "CJA:R421-1"),
    "EU": Finding("APPEAL_LODGED", "EHDS:81"),
}


@dataclass(frozen=True, slots=True)
class Appeal:
    """An appeal that was lodged, and the article it rests on."""

    at: datetime
    lodged: Finding


def appeals_in(look: Look) -> tuple[Appeal, ...]:
    """Every appeal in the file, in order. Whether it is admissible is for whoever hears it."""
    return tuple(Appeal(item.at, LODGED[look.regime]) for item in look.said("appeal.lodged.v1"))
