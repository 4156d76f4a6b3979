"""In which language the command speaks to people: French or English, and how each writes a day."""

import os
from collections.abc import Mapping
from datetime import date

from compliance.rulebook.texts import Language

_MONTHS: dict[Language, tuple[str, ...]] = {
    "en": (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    "fr": (
        *("janvier", "février", "mars", "avril", "mai", "juin"),
        *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
    ),
}


def language(asked: Language | None, environment: Mapping[str, str] = os.environ) -> Language:
    """The language asked for, else that of the environment (LC_ALL, LC_MESSAGES, LANG in this order), else English."""
    if asked is not None:
        return asked
    locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "fr" if locale.lower().startswith("fr") else "en"


def in_words(day: date, lang: Language) -> str:
    """A day as people write it: 1 September 2026, 1er septembre 2026."""
    number = "1er" if lang == "fr" and day.day == 1 else str(day.day)
    return f"{number} {_MONTHS[lang][day.month - 1]} {day.year}"
