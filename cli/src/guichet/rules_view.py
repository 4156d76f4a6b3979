"""Rules for people and for machines: lists, explanations, packs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from compliance.legal_settings import SETTINGS
from compliance.packs import PACKS
from compliance.periods import STEPS
from compliance.rulebook import releases, texts
from compliance.rulebook.digest import digest, parts
from compliance.rulebook.rules import Rule
from compliance.rulebook.texts import LANGUAGES, Language, word
from guichet.phrases import period_of, say

if TYPE_CHECKING:
    from rich.console import Console

PACK_OF = {pack.regime: pack.name for pack in PACKS}
MANY = 4


def show_list(rules: Iterable[Rule], console: "Console", lang: Language) -> None:
    """One line a rule."""
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False)
    for column in ("code", "kind", "pack", "article", "sure", "in words"):
        table.add_column(say(column, lang), overflow="fold", no_wrap=column == "code")
    for rule in rules:
        sure = word("confidence", texts.confidence_in(rule), lang)
        kind = word("kinds", rule.kind, lang)
        table.add_row(rule.name, kind, PACK_OF[rule.regime], articles(rule), sure, texts.title(rule.code, lang))
    console.print(table)


def articles(rule: Rule) -> str:
    """The articles of a rule in one line; some stand for all where a code cites whatever it is about."""
    cited = rule.citations
    return ", ".join(cited) if len(cited) <= MANY else f"{', '.join(cited[: MANY - 1])} … ({len(cited)})"


def show_explained(code: str, rules: tuple[Rule, ...], console: "Console", lang: Language) -> None:
    """A code's title and paragraph, then each rule that shows it with its articles and how sure the law is."""
    text = texts.entries()[code].texts[lang]
    console.print(say("colon", lang, name=code, text=text.title), style="bold")
    console.print(f"\n{text.paragraph}\n")
    if code in STEPS:
        _line("period", period_of(STEPS[code], lang), console, lang)
    for rule in rules:
        kind = word("kinds", rule.kind, lang)
        if rule.route is not None:
            kind = f"{kind} ({rule.route})"
        _line("kind", f"{kind}, {PACK_OF[rule.regime]}", console, lang)
        who = texts.actor(code, rule.regime, lang)
        if who:
            _line("by whom", who, console, lang)
        for key in rule.citations[: MANY - 1] if len(rule.citations) > MANY else rule.citations:
            _line("article", say("colon", lang, name=key, text=texts.article(key, lang)), console, lang)
        if len(rule.citations) > MANY:
            _line("article", f"… ({len(rule.citations)})", console, lang)
        for line in _sure(rule, lang):
            _line("sure", line, console, lang)


def _sure(rule: Rule, lang: Language) -> list[str]:
    doubts = texts.doubts_about(rule)
    if not doubts:
        return [word("confidence", "high", lang)]
    return [
        word("confidence", doubt.confidence, lang)
        if doubt.setting is None
        else say(
            "setting",
            lang,
            level=word("confidence", doubt.confidence, lang),
            name=doubt.setting,
            value=setting_value(doubt.setting),
            what=word("settings", doubt.setting, lang),
        )
        for doubt in doubts
    ]


def setting_value(name: str) -> str:
    """The value that a setting has last, as one writes it."""
    value = SETTINGS[name].versions[-1].value
    return ", ".join(value) if isinstance(value, tuple) else str(value).lower()


def _line(name: str, text: str, console: "Console", lang: Language) -> None:
    console.print(f"{say(name, lang):10}  {text}", soft_wrap=True)


def rule_as_json(rule: Rule) -> dict[str, object]:
    """One rule with everything that is known about it, in both languages."""
    return {
        "code": rule.code,
        "kind": rule.kind,
        "regime": rule.regime,
        "pack": PACK_OF[rule.regime],
        "route": rule.route,
        "citations": list(rule.citations),
        "confidence": texts.confidence_in(rule),
        "settings": [doubt.setting for doubt in texts.doubts_about(rule) if doubt.setting is not None],
        "title": {lang: texts.title(rule.code, lang) for lang in LANGUAGES},
    }


def explained_as_json(code: str, rules: tuple[Rule, ...]) -> dict[str, object]:
    """A code with its texts, its rules, the labels of its articles and, for a step, its period."""
    entry = texts.entries()[code]
    cited = dict.fromkeys(key for rule in rules for key in rule.citations)
    explained: dict[str, object] = {
        "code": code,
        "title": {lang: entry.texts[lang].title for lang in LANGUAGES},
        "text": {lang: entry.texts[lang].paragraph for lang in LANGUAGES},
        "who": {regime: {lang: texts.actor(code, regime, lang) for lang in LANGUAGES} for regime in entry.who},
        "articles": {key: {lang: texts.article(key, lang) for lang in LANGUAGES} for key in cited},
        "rules": [rule_as_json(rule) for rule in rules],
    }
    if code in STEPS:
        step = STEPS[code]
        explained["step"] = {
            "length": {"count": step.length.count, "unit": step.length.unit},
            "arithmetic": step.arithmetic.value,
            "starts": step.starts,
            "extension_months": step.extension_months,
            "extension_needs_reasons": step.extension_needs_reasons,
            "silence": step.silence,
        }
    return explained


def packs_as_json() -> list[dict[str, object]]:
    """Every pack with its digest as it is now and what was recorded of it."""
    records = releases.recorded()
    shown: list[dict[str, object]] = []
    for pack in PACKS:
        record = records.get(pack.name)
        released = None if record is None or record.released is None else record.released.isoformat()
        changed = list(releases.changed(pack, records))
        shown.append(
            {
                "name": pack.name,
                "regime": pack.regime,
                "since": pack.since.isoformat(),
                "released": released,
                "digest": digest(parts(pack)),
                "changed": changed,
            }
        )
    return shown


def show_packs(console: "Console") -> None:
    """One line a pack."""
    from rich.table import Table

    table = Table("Pack", "Regime", "Decides since", "Released", "Digest", show_edge=False, pad_edge=False)
    for pack in packs_as_json():
        released = str(pack["released"] or "not yet")
        table.add_row(*(str(pack[name]) for name in ("name", "regime", "since")), released, str(pack["digest"]))
    console.print(table)
