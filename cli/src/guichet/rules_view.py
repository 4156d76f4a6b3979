"""Rules for people and for machines: lists and packs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from compliance.legal_settings import SETTINGS
from compliance.packs import PACKS
from compliance.released import newest
from compliance.rulebook import releases, texts
from compliance.rulebook.digest import digest, parts
from compliance.rulebook.rules import Rule
from compliance.rulebook.texts import LANGUAGES, Language, word
from guichet.phrases import say

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


def setting_value(name: str) -> str:
    """The value that a setting has last, as one writes it."""
    value = SETTINGS[name].versions[-1].value
    return ", ".join(value) if isinstance(value, tuple) else str(value).lower()


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


def packs_as_json() -> list[dict[str, object]]:
    """Every pack with its digest as it is now and what was recorded of it."""
    records = releases.recorded()
    broken = releases.broken(records)
    shown: list[dict[str, object]] = []
    for pack in PACKS:
        record = records.get(pack.name)
        released = None if record is None or record.released is None else record.released.isoformat()
        own = pack == newest(pack.regime)
        changed = broken.get(pack.name) or (releases.changed(pack, records) if own else ())
        shown.append(
            {
                "name": pack.name,
                "regime": pack.regime,
                "since": pack.since.isoformat(),
                "released": released,
                "digest": digest(parts(pack)) if own or record is None else record.digest,
                "changed": list(changed),
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
