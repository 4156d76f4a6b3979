"""Every code that the rules can leave behind is explained in two languages, and nothing else is."""

import re

import pytest

from compliance.legal_settings import SETTINGS
from compliance.periods import STEPS
from compliance.procedure import POSITIVE
from compliance.rulebook import texts
from compliance.rulebook.rules import Rule, rules

OF_THE_CALENDAR = {"fr.roll", "calendar.subdivision"}
RULES = rules()


def test_every_code_has_words_and_all_words_are_about_a_code() -> None:
    assert texts.entries().keys() == {rule.code for rule in RULES}


@pytest.mark.parametrize("code", sorted(texts.entries()))
def test_a_code_is_explained_in_french_and_in_english(code: str) -> None:
    english, french = (texts.entries()[code].texts[lang] for lang in texts.LANGUAGES)

    for text in (english, french):
        assert 5 <= len(text.title) <= 110, text.title
        assert not text.title.endswith(".")
        assert text.paragraph.endswith(".")
        assert len(text.paragraph) >= 30, text.paragraph
    assert english.title != french.title
    assert english.paragraph != french.paragraph
    assert not re.search(r"\w[:;?!]\s", french.paragraph), "French puts a space before these signs"


def test_every_article_has_a_label_in_both_languages() -> None:
    cited = {key for rule in RULES for key in rule.citations}

    assert cited <= texts.citations().keys()
    for key in texts.citations():
        assert texts.article(key, "en") != texts.article(key, "fr") != key


def test_every_doubt_names_its_setting_or_its_confidence_in_the_words() -> None:
    for entry in texts.entries().values():
        for doubt in entry.doubts:
            for lang in texts.LANGUAGES:
                words = entry.texts[lang].paragraph
                if doubt.setting is None:
                    assert ("confidence: " if lang == "en" else "confiance : ") in words, entry.code
                elif doubt.setting not in OF_THE_CALENDAR:
                    assert doubt.setting in words, entry.code


def test_every_setting_is_named_by_a_code_and_put_in_words() -> None:
    named = {doubt.setting for entry in texts.entries().values() for doubt in entry.doubts}
    told = " ".join(text.paragraph for entry in texts.entries().values() for text in entry.texts.values())

    assert SETTINGS.keys() == texts.words()["settings"].keys()
    assert {name for name in SETTINGS if name not in named and name not in told} == set()


def rule(kind: str, regime: str, code: str) -> Rule:
    (found,) = (each for each in RULES if (each.kind, each.regime, each.code) == (kind, regime, code))
    return found


@pytest.mark.parametrize(
    ("kind", "regime", "code", "confidence"),
    [
        ("step", "FR", "committee_opinion_urgent", "low"),
        ("reason", "FR", "OPINION_LATE", "low"),
        ("action", "FR", "LEGAL_REVIEW", "low"),
        ("action", "EU", "LEGAL_REVIEW", "high"),
        ("item", "EU", "ETHICS", "low"),
        ("stop", "FR", "SNDS_OVER_20_YEARS", "medium"),
        ("route", "FR", "FR_MR005", "medium"),
        ("hosting", "EU", "HDS_MISSING", "medium"),
        ("hosting", "FR", "HDS_MISSING", "high"),
        ("route", "EU", "EU_PERMIT", "high"),
    ],
)
def test_a_lawyer_sees_where_to_look(kind: str, regime: str, code: str, confidence: str) -> None:
    assert texts.confidence_in(rule(kind, regime, code)) == confidence


def test_whoever_has_to_act_is_named() -> None:
    for each in RULES:
        if each.kind in ("action", "duty", "item", "hosting", "condition", "step"):
            assert all(texts.actor(each.code, each.regime, lang) for lang in texts.LANGUAGES), each


def test_every_word_of_an_assessment_is_said_in_both_languages() -> None:
    words = texts.words()

    assert words["outcomes"].keys() >= POSITIVE
    assert {step.starts for step in STEPS.values()} <= words["starts"].keys()
    assert {step.silence for step in STEPS.values()} <= words["silence"].keys()
    for group, entries in words.items():
        for key, said in entries.items():
            assert isinstance(said, dict), f"{group}.{key}"
            assert set(said) == {"en", "fr"}, f"{group}.{key}"
