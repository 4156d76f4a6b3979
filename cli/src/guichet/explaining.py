"""Explanations: from a code to its article, from an article to the rules that rest on it, from a setting to what it
leaves open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from compliance.legal_settings import SETTINGS
from compliance.periods import STEPS
from compliance.rulebook import texts
from compliance.rulebook.rules import Rule, rules, rules_with
from compliance.rulebook.texts import LANGUAGES, Language, word
from compliance.rules.documents import COLUMNS
from guichet.phrases import period_of, say
from guichet.rules_view import MANY, PACK_OF, rule_as_json, setting_value, show_list

if TYPE_CHECKING:
    from rich.console import Console


class Explanation(Protocol):
    """What `guichet rules explain` can say something about."""

    def show(self, console: Console, lang: Language) -> None:
        """Print it for people."""

    def as_json(self) -> dict[str, object]:
        """The same for machines, in both languages."""


def known_words() -> list[str]:
    """Everything that can be explained."""
    return [*dict.fromkeys(rule.code for rule in rules()), *SETTINGS, *texts.citations()]


def resolve(asked: str) -> Explanation | None:
    """The code, the setting or the article of this name, in whatever case it is written; None when there is none."""
    known = next((each for each in (asked, asked.upper(), asked.lower()) if each in known_words()), None)
    if known is None:
        return None
    if known in SETTINGS:
        return SettingExplained(known)
    return ArticleExplained(known) if known in texts.citations() else CodeExplained(known)


@dataclass(frozen=True, slots=True)
class CodeExplained:
    """A code: its title and paragraph, then each rule that shows it with its articles and how sure the law is."""

    code: str

    def show(self, console: Console, lang: Language) -> None:
        text = texts.entries()[self.code].texts[lang]
        _title(self.code, text.title, console, lang)
        console.print(f"{text.paragraph}\n")
        if self.code in STEPS:
            _line("period", period_of(STEPS[self.code], lang), console, lang)
        for rule in rules_with(self.code):
            _rule(rule, console, lang)
        if COLUMNS.get(self.code):
            _line("documents", ", ".join(COLUMNS[self.code]), console, lang)
        if conditions := self._conditions():
            console.print(f"\n{say('left aside when', lang)}")
            show_list(conditions, console, lang)

    def _conditions(self) -> list[Rule]:
        return [rule for rule in rules() if rule.kind == "route-condition" and rule.route == self.code]

    def as_json(self) -> dict[str, object]:
        entry = texts.entries()[self.code]
        found = rules_with(self.code)
        cited = dict.fromkeys(key for rule in found for key in rule.citations)
        explained: dict[str, object] = {
            "code": self.code,
            "title": {lang: entry.texts[lang].title for lang in LANGUAGES},
            "text": {lang: entry.texts[lang].paragraph for lang in LANGUAGES},
            "who": {regime: {lang: texts.actor(self.code, regime, lang) for lang in LANGUAGES} for regime in entry.who},
            "articles": {key: _label(key) for key in cited},
            "rules": [rule_as_json(rule) for rule in found],
            "conditions": [rule_as_json(rule) for rule in self._conditions()],
            "documents": list(COLUMNS.get(self.code, ())),
        }
        if self.code in STEPS:
            step = STEPS[self.code]
            explained["step"] = {
                "length": {"count": step.length.count, "unit": step.length.unit},
                "arithmetic": step.arithmetic.value,
                "starts": step.starts,
                "extension_months": step.extension_months,
                "extension_needs_reasons": step.extension_needs_reasons,
                "silence": step.silence,
            }
        return explained


@dataclass(frozen=True, slots=True)
class ArticleExplained:
    """An article: what it is about, and every rule that rests on it."""

    key: str

    def _rules(self) -> list[Rule]:
        return [rule for rule in rules() if self.key in rule.citations and len(rule.citations) <= MANY]

    def show(self, console: Console, lang: Language) -> None:
        _title(self.key, texts.article(self.key, lang), console, lang)
        show_list(self._rules(), console, lang)

    def as_json(self) -> dict[str, object]:
        return {"article": self.key, "label": _label(self.key), "rules": [rule_as_json(r) for r in self._rules()]}


@dataclass(frozen=True, slots=True)
class SettingExplained:
    """A point where the law is uncertain: its value, how sure it is, and every rule that it leaves open."""

    name: str

    def _rules(self) -> list[Rule]:
        return [rule for rule in rules() if self.name in (doubt.setting for doubt in texts.doubts_about(rule))]

    def show(self, console: Console, lang: Language) -> None:
        _title(self.name, word("settings", self.name, lang), console, lang)
        _line("sure", _setting(self.name, lang), console, lang)
        console.print()
        show_list(self._rules(), console, lang)

    def as_json(self) -> dict[str, object]:
        setting = SETTINGS[self.name]
        return {
            "setting": self.name,
            "value": setting_value(self.name),
            "confidence": setting.confidence,
            "verify": {lang: word("settings", self.name, lang) for lang in LANGUAGES},
            "rules": [rule_as_json(rule) for rule in self._rules()],
        }


def _label(key: str) -> dict[str, str]:
    return {lang: texts.article(key, lang) for lang in LANGUAGES}


def _title(name: str, text: str, console: Console, lang: Language) -> None:
    console.print(say("colon", lang, name=name, text=text), style="bold", soft_wrap=True)
    console.print()


def _rule(rule: Rule, console: Console, lang: Language) -> None:
    kind = word("kinds", rule.kind, lang) + (f" ({rule.route})" if rule.route is not None else "")
    _line("kind", f"{kind}, {PACK_OF[rule.regime]}", console, lang)
    who = texts.actor(rule.code, rule.regime, lang)
    if who:
        _line("by whom", who, console, lang)
    many = len(rule.citations) > MANY
    for key in rule.citations[: MANY - 1] if many else rule.citations:
        _line("article", say("colon", lang, name=key, text=texts.article(key, lang)), console, lang)
    if many:
        _line("article", f"… ({len(rule.citations)})", console, lang)
    for line in _sure(rule, lang):
        _line("sure", line, console, lang)


def _sure(rule: Rule, lang: Language) -> Iterable[str]:
    doubts = texts.doubts_about(rule)
    if not doubts:
        yield word("confidence", "high", lang)
    for doubt in doubts:
        yield word("confidence", doubt.confidence, lang) if doubt.setting is None else _setting(doubt.setting, lang)


def _setting(name: str, lang: Language) -> str:
    level = word("confidence", SETTINGS[name].confidence, lang)
    what = word("settings", name, lang)
    return say("setting", lang, level=level, name=name, value=setting_value(name), what=what)


def _line(name: str, text: str, console: Console, lang: Language) -> None:
    console.print(f"{say(name, lang):10}  {text}", soft_wrap=True)
