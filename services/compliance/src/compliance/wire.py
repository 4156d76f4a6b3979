"""From the domain's words to those of the published language."""

from functools import lru_cache

from pydantic import TypeAdapter

from compliance.coded import Alternative, Finding
from contracts import compliance as said
from contracts.vocabulary import Finding as WireFinding
from contracts.vocabulary import Outcome, Reason, Regime

_REGIME: TypeAdapter[Regime] = TypeAdapter(Regime)
_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)


@lru_cache(maxsize=1024)
def finding(found: Finding) -> WireFinding:
    """A code and its article."""
    return WireFinding(code=found.code, citation=found.citation)


@lru_cache(maxsize=1024)
def reason(found: Finding) -> Reason:
    """A code and its article, and what it is about."""
    return Reason(code=found.code, citation=found.citation, subject=found.subject)


@lru_cache(maxsize=1024)
def alternative(left: Alternative) -> said.Alternative:
    """A route that was left aside."""
    return said.Alternative(route=left.route, code=left.code, citation=left.citation)


def regime(word: str) -> Regime:
    """A regime of the published language."""
    return _REGIME.validate_python(word)


def outcome_word(word: str) -> Outcome:
    """An outcome of the published language."""
    return _OUTCOME.validate_python(word)
