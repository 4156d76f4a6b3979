"""What happened, in words: one sentence for each type of event, in English and in French, with what its data carry."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

from compliance.rulebook import texts
from compliance.rulebook.texts import Language
from guichet.language import in_words

Data = Mapping[str, Any]

PARIS = ZoneInfo("Europe/Paris")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_AND = {"en": " and ", "fr": " et "}
_THOUSANDS = {"en": ",", "fr": "\N{NARROW NO-BREAK SPACE}"}


@cache
def table() -> Mapping[str, Mapping[str, Mapping[Language, Any]]]:
    """Everything a story is told with, by group and name: sentences, what stands around them, nouns, coded words."""
    found: Mapping[str, Mapping[str, Mapping[Language, Any]]] = tomllib.loads(
        (files("guichet") / "story.toml").read_text(encoding="utf-8")
    )
    return found


def words_of(short_type: str, data: Data, lang: Language) -> str:
    """The sentence for an event, by its type without prefix and version; never fails, whatever the data are."""
    try:
        return sentence(short_type, data, lang)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return short_type.replace(".", " ").replace("-", " ")


def sentence(short_type: str, data: Data, lang: Language) -> str:
    """The same for data of the type's shape; for others it fails in the ways in which data can be wrong."""
    case = _CASES[short_type](data) if short_type in _CASES else None
    name = short_type if case is None else f"{short_type}, {case}"
    counted = _COUNTED[short_type](data, lang) if short_type in _COUNTED else {}
    return _Teller(lang).vformat(table()["sentences"][name][lang], (), {**data, **counted})


def around(name: str, lang: Language, data: Data | None = None, **members: object) -> str:
    """What stands around the sentences of a story."""
    return _Teller(lang).vformat(table()["around"][name][lang], (), {**(data or {}), **members})


def day(text: object, lang: Language = "en") -> str:
    """A calendar day as people write it, short in English: 4 Sep 2029, 4 septembre 2029; the text itself when it is
    none."""
    try:
        found = date.fromisoformat(str(text))
    except ValueError:
        return str(text)
    return in_words(found, lang) if lang == "fr" else f"{found.day} {_MONTHS[found.month - 1]} {found.year}"


def moment(text: str | None, lang: Language = "en") -> str:
    """An instant as the clock on the wall in Paris shows it, always as wide."""
    try:
        instant = datetime.fromisoformat(text or "")
    except ValueError:
        return around("no time", lang).ljust(len("2029-06-04 10:00:15"))
    return instant.astimezone(PARIS).strftime("%Y-%m-%d %H:%M:%S")


def cited(data: object) -> Iterator[tuple[str, str]]:
    """Every (code, citation) in the data, in order, each once; the code is empty where a citation has none anywhere."""
    pairs = list(dict.fromkeys(_cited(data)))
    coded = {citation for code, citation in pairs if code}
    yield from ((code, citation) for code, citation in pairs if code or citation not in coded)


def meaning_of(code: str, lang: Language) -> str:
    """The title of a code; empty for none, and for one that is no rule's."""
    title = texts.title(code, lang) if code else ""
    return "" if title == code else title


def _cited(data: object) -> Iterator[tuple[str, str]]:
    if isinstance(data, Mapping):
        if isinstance(citation := data.get("citation"), str):
            code = data.get("code")
            yield code if isinstance(code, str) else "", citation
        for name, value in data.items():
            # What the gate met and the routes that were not taken are in the JSON; a timeline says what counted.
            if name not in ("criteria", "alternatives", "dossier"):
                yield from _cited(value)
    elif isinstance(data, list):
        for value in data:
            yield from _cited(value)


class _Teller(Formatter):
    """Puts members of data into a sentence, each in the way that stands behind its colon."""

    def __init__(self, lang: Language) -> None:
        self._lang: Language = lang

    def format_field(self, value: Any, format_spec: str) -> str:
        match format_spec:
            case "":
                return str(value)
            case "day":
                return day(value, self._lang)
            case "moment":
                return moment(value, self._lang)
            case "number":
                return f"{value:,}".replace(",", _THOUSANDS[self._lang])
            case "list":
                return ", ".join(value)
            case "names":
                return _AND[self._lang].join(value)
            case "title":
                return f"{value} ({title})" if (title := meaning_of(value, self._lang)) else str(value)
        if format_spec in table()["nouns"]:
            return self._counted(value if isinstance(value, int) else len(value), format_spec)
        return self._word(format_spec, str(value))

    def _counted(self, count: int, noun: str) -> str:
        one, more = table()["nouns"][noun][self._lang]
        single = count < 2 if self._lang == "fr" else count == 1
        return f"{self.format_field(count, 'number')} {one if single else more}"

    def _word(self, group: str, key: str) -> str:
        own = table().get(group)
        if own is None:
            return texts.word(group, key, self._lang)
        if key in own:
            return str(own[key][self._lang])
        return key if key.isupper() else key.replace("_", " ").replace("-", " ")


_CASES: dict[str, Callable[[Data], str | None]] = {
    "route.determined": lambda d: None if d["route"] else "stopped before any",
    "deadline.met": lambda d: "late" if d["late"] else None,
    "amendment.refused": lambda d: None if d["add_datasets"] or d["remove_datasets"] else "no dataset named",
    "appeal.recorded": lambda d: None if d["outcome"] else "before any outcome",
    "data.requested": lambda d: None if d["due"] else "without a day",
    "output.assessed": lambda d: "small cells" if d["cells"] else None,
}
"""When a type has more than one sentence, which is said."""

_COUNTED: dict[str, Callable[[Data, Language], Data]] = {
    "request.rejected": lambda d, _: {"codes": sorted({problem["code"] for problem in d["problems"]})},
    "request.notice-recorded": lambda d, lang: {"noticed": words_of(d["notice"].rpartition(".")[0], d["data"], lang)},
    "amendment.refused": lambda d, _: {
        "change": [*(f"+{each}" for each in d["add_datasets"]), *(f"-{each}" for each in d["remove_datasets"])]
    },
    "environment.cleared": lambda d, _: _met(d),
    "environment.rejected": lambda d, _: _met(d),
    "workspace.provisioned": lambda d, _: {"rows": sum(made["rows"] for made in d["tables"])},
}
"""What a sentence says that no member does alone."""


def _met(data: Data) -> Data:
    return {"met": sum(1 for each in data["criteria"] if each["met"])}
