"""What every code means, in French and in English, and how sure the law is: data files beside this module."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal

from compliance.legal_settings import SETTINGS
from compliance.rulebook.rules import Rule

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = ("en", "fr")
CONFIDENCE = ("high", "medium", "low")


@dataclass(frozen=True, slots=True)
class Text:
    """A title that can stand alone as a sentence or a heading, and a paragraph: what it means, what to do."""

    title: str
    paragraph: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a rule is not certain: a setting with its confidence, or a confidence alone; about one regime or one
    citation where these are given."""

    setting: str | None
    confidence: str
    regime: str | None
    citation: str | None

    def concerns(self, regime: str, citations: tuple[str, ...]) -> bool:
        """Whether the doubt is about what a regime says with one of these articles."""
        return self.regime in (None, regime) and (self.citation is None or self.citation in citations)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is written about one code. `who` names, by regime, the actor who has to do what the code asks for."""

    code: str
    texts: Mapping[Language, Text]
    doubts: tuple[Doubt, ...]
    who: Mapping[str, str]


@cache
def entries() -> Mapping[str, Entry]:
    """Everything that is written, by code."""
    folder = files("compliance.rulebook") / "texts"
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(".toml"))
    return {code: _entry(code, raw) for name in names for code, raw in _read(folder / name).items()}


def _read(file: Traversable) -> dict[str, Mapping[str, object]]:
    found: dict[str, Mapping[str, object]] = tomllib.loads(file.read_text(encoding="utf-8"))
    return found


def _entry(code: str, raw: Mapping[str, object]) -> Entry:
    return Entry(code, {lang: _text(raw[lang]) for lang in LANGUAGES}, tuple(_doubts(raw)), _who(raw.get("who", {})))


def _text(raw: object) -> Text:
    assert isinstance(raw, Mapping)
    return Text(str(raw["title"]), str(raw["text"]))


def _doubts(raw: Mapping[str, object]) -> Iterator[Doubt]:
    doubts = raw.get("doubt", [])
    assert isinstance(doubts, list)
    for doubt in doubts:
        setting = doubt.get("setting")
        confidence = doubt["confidence"] if setting is None else SETTINGS[setting].confidence
        yield Doubt(setting, confidence, doubt.get("regime"), doubt.get("citation"))


def _who(raw: object) -> Mapping[str, str]:
    if isinstance(raw, Mapping):
        return {str(regime): str(actor) for regime, actor in raw.items()}
    return dict.fromkeys(("FR", "EU"), str(raw))


def doubts_about(rule: Rule) -> tuple[Doubt, ...]:
    """Why a rule is not certain; nothing when it is."""
    entry = entries().get(rule.code)
    return () if entry is None else tuple(d for d in entry.doubts if d.concerns(rule.regime, rule.citations))


def confidence_in(rule: Rule) -> str:
    """How sure the law is: the least of what is doubted, `high` when nothing is."""
    return max((doubt.confidence for doubt in doubts_about(rule)), key=CONFIDENCE.index, default="high")


def confidence_of(regime: str, code: str, citation: str) -> str:
    """The same for a code as a case shows it, with one article."""
    entry = entries().get(code)
    doubts = () if entry is None else tuple(d for d in entry.doubts if d.concerns(regime, (citation,)))
    return max((doubt.confidence for doubt in doubts), key=CONFIDENCE.index, default="high")


def actor(code: str, regime: str, lang: Language) -> str:
    """Who has to do something about a code; empty when nobody has."""
    entry = entries().get(code)
    who = "" if entry is None else entry.who.get(regime, "")
    return word("actors", who, lang) if who else ""


@cache
def citations() -> Mapping[str, Mapping[str, object]]:
    """The citation keys, each with its label by language."""
    return _read(files("compliance.rulebook") / "citations.toml")


def article(key: str, lang: Language) -> str:
    """What a citation key stands for; the key itself when nobody knows it."""
    label = citations().get(key)
    return key if label is None else str(label[lang])


@cache
def words() -> Mapping[str, Mapping[str, object]]:
    """Words that are not rules: actors, statuses, outcomes, states, effects of silence, settings."""
    return _read(files("compliance.rulebook") / "words.toml")


def word(group: str, key: str, lang: Language) -> str:
    """A coded word as people say it; the word itself when it is not in the list."""
    found = words()[group].get(key)
    return str(found[lang]) if isinstance(found, Mapping) else key


def title(code: str, lang: Language) -> str:
    """The title of a code; the code itself when nothing is written about it."""
    entry = entries().get(code)
    return code if entry is None else entry.texts[lang].title
