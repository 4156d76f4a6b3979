"""The terms of use that a person accepts before entering a workspace: which version counts on which day.

That persons are bound before they enter is law (CSP:L1461-3-I, EHDS:73(1)); that this takes terms of their own beside
the confidentiality undertaking, and which, is each controller's to say (confidence: medium; to be verified with the
controller). So the versions are a dated setting, and without one none are asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from pydantic import TypeAdapter, ValidationError

from contracts.vocabulary import Reference, Sha256

CITATION = "CSP:L1461-3-I"
_VERSION, _DIGEST = TypeAdapter(Reference), TypeAdapter(Sha256)


@dataclass(frozen=True, slots=True)
class Terms:
    """A version of the terms, and the first day on which nobody enters without it or a later one.

    `sha256` of its text: where it is known, whoever was shown another text has not accepted this version.
    """

    version: str
    since: date
    sha256: str = ""


def counting(terms: Iterable[Terms], day: date) -> tuple[str, ...]:
    """The versions of which a person must have accepted one on a day: the one in force, and those still to come.

    Empty where none is required. Who accepts a coming version early is not asked twice.
    """
    ordered = sorted(terms, key=lambda each: each.since)
    begun = sum(each.since <= day for each in ordered)
    return tuple(each.version for each in ordered[begun - 1 :]) if begun else ()


def is_text_of(terms: Iterable[Terms], version: str, sha256: str) -> bool:
    """Whether a text may be that of a version: it is when nothing else is known of it."""
    return all(each.sha256 in ("", sha256) for each in terms if each.version == version)


def is_version(text: str) -> bool:
    """Whether a version can be named on the wire."""
    return _is(_VERSION, text)


def _is(shape: TypeAdapter[str], text: str) -> bool:
    try:
        shape.validate_python(text)
    except ValidationError:
        return False
    return True


def read_terms(text: str) -> tuple[Terms, ...]:
    """Versions as the setting writes them: `cgu-2=2026-10-01, cgu-3=2027-04-01:SHA256`; raises ValueError."""
    found = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        version, equals, day = entry.partition("=")
        if not equals or not is_version(version.strip()):
            raise ValueError("a version of the terms is written VERSION=YYYY-MM-DD")
        day, colon, sha256 = day.strip().partition(":")
        if colon and not _is(_DIGEST, sha256):
            raise ValueError("the digest of the terms is 64 hexadecimal digits, in lower case")
        found.append(Terms(version.strip(), date.fromisoformat(day), sha256))
    if len({each.version for each in found}) < len(found) or len({each.since for each in found}) < len(found):
        raise ValueError("two versions of the terms have one name, or one day")
    return tuple(found)
