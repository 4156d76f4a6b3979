"""What only two persons together can ask for: each is named, and nobody is both."""

from __future__ import annotations

import re
from collections.abc import Sequence

PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)


class NotTwoPersons(ValueError):
    """The text says what is wrong with those that are named."""


def two_persons(by: Sequence[str]) -> tuple[str, ...]:
    """Those who say so, sorted, each once: at least two. Raises NotTwoPersons."""
    persons = tuple(sorted(set(by)))
    if len(persons) < 2:
        raise NotTwoPersons("two different persons have to say so")
    if not all(PERSON.fullmatch(each) for each in persons):
        raise NotTwoPersons("a person is named by letters, digits and . _ : - alone, at most 64 of them")
    return persons
