"""A released pack is what it was on the day of its release, to the letter."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

import safeguards
from compliance import legal_settings, periods
from compliance.packs import PACKS
from compliance.rulebook import releases
from compliance.rulebook.digest import SAFEGUARDS, code_of, deciding, digest, parts

FR, EU = PACKS


def test_released_packs_are_as_they_were_released() -> None:
    assert releases.broken(releases.recorded()) == {}


def test_what_is_released_and_then_changed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    records = releases.freeze({}, date(2026, 12, 1))
    assert releases.broken(records) == {}

    later = replace(periods.STEPS["committee_opinion"], length=periods.Length(2, "months"))
    monkeypatch.setitem(periods.STEPS, "committee_opinion", later)

    assert releases.broken(records) == {"fr-2026.1": ("steps",)}


def test_another_value_of_a_setting_is_another_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    records = releases.freeze({}, date(2026, 12, 1))
    setting = legal_settings.SETTINGS["output.min-cell"]
    monkeypatch.setitem(
        legal_settings.SETTINGS, setting.name, replace(setting, versions=(legal_settings.Version(date.min, 5),))
    )

    assert releases.broken(records) == {"fr-2026.1": ("settings",), "eu-2029.1": ("settings",)}


def test_freezing_again_changes_only_what_is_not_released(monkeypatch: pytest.MonkeyPatch) -> None:
    records = releases.freeze({}, None)
    records = releases.freeze(records, date(2026, 12, 1), [FR])
    later = replace(periods.STEPS["access"], length=periods.Length(1, "months"))
    monkeypatch.setitem(periods.STEPS, "access", later)

    again = releases.freeze(records, None)

    assert again[FR.name] == records[FR.name]
    assert again[EU.name].digest != records[EU.name].digest
    assert releases.changed(EU, records) == ("steps",)
    assert releases.changed(EU, again) == ()


def test_records_are_read_as_they_were_written() -> None:
    records = releases.freeze({}, date(2026, 12, 1))

    assert releases.recorded(releases.as_text(records)) == records
    assert {name: record.digest for name, record in records.items()} == {p.name: digest(parts(p)) for p in PACKS}


def test_what_explains_is_not_what_decides() -> None:
    source = (
        '"""A module."""\n\nLIMIT = 3  # three\n\n\ndef rule(x: int) -> str:\n    """Says."""\n    return f"{x}#"\n'
    )
    told = source.replace("A module.", "Another word.").replace("three", "the third").replace("Says.", "Says\n    so.")

    assert code_of(told) == code_of(source)
    assert code_of(source.replace("3", "4")) != code_of(source)
    assert code_of(source.replace('#"', '!"')) != code_of(source)


def test_every_module_that_decides_belongs_to_a_pack() -> None:
    french, european = set(deciding("FR")), set(deciding("EU"))

    assert {"assessment", "periods", "permit", "rules/stops", "rules/documents", "authority"} <= french
    assert {"assessment", "periods", "permit", "rules/stops", "european", "tally"} <= european
    assert french.isdisjoint({"european", "tally"}) and european.isdisjoint({"french", "authority", "seizure"})
    assert french.isdisjoint({"storage", "handlers", "app", "domain", "shown", "problems"})
    assert {f.stem for f in Path(str(safeguards.__file__)).parent.glob("[a-z]*.py")} == set(SAFEGUARDS)
