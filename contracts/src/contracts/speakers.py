"""Who may speak in whose name: an act that names a body or a holder is that body's or that holder's own; the single
secretariat passes on what its committee says (LIL:76)."""

from collections.abc import Mapping
from typing import Final

NAMED_BY: Final[dict[str, str]] = {
    "file.received.v1": "body",
    "opinion.issued.v1": "body",
    "decision.issued.v1": "body",
    "holder-assessment.submitted.v1": "holder",
}
"""The acts that name whose they are, and the member that does."""

SECRETARIAT: Final = "HDH"
"""The Health Data Hub is the single secretariat: it sends the files and keeps what the committee answers."""

PASSED_ON: Final[dict[str, frozenset[str]]] = {
    "file.received.v1": frozenset({"CESREES", "CNIL"}),
    "opinion.issued.v1": frozenset({"CESREES"}),
}
"""What the secretariat may say in the name of others. A decision is nobody's but the body's own."""


def speaker(source: str) -> str:
    """The party a source names: `CNIL` for `/authorities/CNIL`, whatever stands behind it."""
    return "/".join(source.split("/")[2:3])


def contradicted(short_type: str, data: Mapping[str, object], source: str) -> str | None:
    """The name in which something is said by somebody else; None where the speaker is who it says, or names nobody.

    Names are compared without regard to case: sources are written by hand.
    """
    named = data.get(NAMED_BY.get(short_type, ""))
    if not isinstance(named, str):
        return None
    says = speaker(source).casefold()
    passed_on = says == SECRETARIAT.casefold() and named in PASSED_ON.get(short_type, frozenset())
    return None if passed_on or says == named.casefold() else named
