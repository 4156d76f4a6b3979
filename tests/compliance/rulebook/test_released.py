"""A pack that was released decides for ever as it did, whatever this program has become since."""

from __future__ import annotations

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from compliance import assessment, released
from compliance.assessment import Assessment
from compliance.legal_settings import Settings
from compliance.packs import PACKS, RulePack
from compliance.problems import CaseError
from compliance.reading import read_case, read_reference
from compliance.reference import Reference
from compliance.released import as_released, assess, load_all, newest
from compliance.rulebook import kept, releases
from compliance.rulebook.digest import code_of_pack
from compliance.rulebook.kept import NotKept
from dossiers import all_cases, case, own_cases
from dossiers import reference as case_reference
from later_pack import LATER, decides_from_2027

CASES = [*all_cases(), *own_cases()]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return read_reference(*case_reference())


def submitted_in(year: int, name: str = "F05b") -> dict[str, Any]:
    """A case with every day of its history and of its question in a year."""
    told = copy.deepcopy(case(name))
    text = json.dumps({"history": told["history"], "as_of": told["as_of"]}).replace("2026-", f"{year}-")
    return {**told, **json.loads(text)}


def test_what_was_kept_of_a_pack_decides_every_case_as_the_program_it_was_kept_from(reference: Reference) -> None:
    decided = dict.fromkeys((pack.name for pack in PACKS), 0)
    for raw in CASES:
        told, day = read_case(raw)
        by_program = assessment.assess(told, day, reference)
        if newest(by_program.regime).name == by_program.rule_pack:
            decided[by_program.rule_pack] += 1
            assert as_released(by_program.rule_pack)(told, day, reference, None) == by_program
    assert all(decided.values()) and sum(decided.values()) > 250


def test_settings_of_a_deployment_reach_the_pack_that_decides_and_unknown_ones_do_not(reference: Reference) -> None:
    on_a_saturday = json.loads(json.dumps(case("F05b")).replace("2026-09-08", "2026-09-10"))
    told, day = read_case(on_a_saturday)
    rolled = Settings((("fr.roll", "next-working-day"),))
    by_program = assessment.assess(told, day, reference, rolled)
    later = Settings((*rolled.overrides, ("fr.not-thought-of-yet", True)))

    assert as_released("fr-2026.1")(told, day, reference, later) == by_program
    assert as_released("fr-2026.1")(told, day, reference, None) != by_program


def test_a_request_is_decided_by_the_pack_of_its_day_after_a_later_one_was_released(
    reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = read_case(submitted_in(2026)), read_case(submitted_in(2027))
    as_it_was = assess(*before, reference)
    decides_from_2027(monkeypatch)

    assert assess(*before, reference) == as_it_was
    assert (as_it_was.rule_pack, _opinion_due(as_it_was)) == ("fr-2026.1", date(2026, 10, 8))
    later = assess(*after, reference)
    assert (later.rule_pack, _opinion_due(later)) == (LATER.name, date(2027, 11, 8))


def test_what_another_pack_would_have_decided_is_said_in_its_name(
    reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = PACKS[0]
    later = decides_from_2027(monkeypatch)

    forwards = assess(*read_case(submitted_in(2026)), reference, under=later)
    assert (forwards.rule_pack, _opinion_due(forwards)) == (later.name, date(2026, 11, 8))
    backwards = assess(*read_case(submitted_in(2027)), reference, under=earlier)
    assert (backwards.rule_pack, _opinion_due(backwards)) == (earlier.name, date(2027, 10, 8))


def test_what_is_wrong_with_a_case_is_said_by_every_pack_alike(reference: Reference) -> None:
    told, day = read_case(case("F05b"))
    with pytest.raises(CaseError) as refused:
        as_released("fr-2026.1")(told, day, Reference({}, {}, {}), None)
    assert {problem.code for problem in refused.value.problems} == {"unknown-dataset", "unknown-environment"}


def test_an_earlier_pack_is_whole_while_its_code_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    decides_from_2027(monkeypatch)
    assert releases.broken(releases.recorded()) == {}

    tampered = dict(kept.code_kept("fr-2026.1"))
    tampered["compliance/periods"] = tampered["compliance/periods"].replace("months", "days")
    monkeypatch.setattr(kept, "code_kept", lambda name: tampered if name == "fr-2026.1" else {})
    assert releases.broken(releases.recorded()) == {
        "fr-2026.1": ("kept source of compliance/periods",),
        "eu-2029.1": ("kept code",),
    }


def test_a_program_that_lacks_the_code_of_an_earlier_pack_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    decides_from_2027(monkeypatch)
    load_all()

    earlier = RulePack("fr-2020.1", "FR", date(1900, 1, 1))
    monkeypatch.setattr(released, "PACKS", (earlier, *released.PACKS))
    with pytest.raises(NotKept, match=r"the code of fr-2020\.1 is not kept"):
        load_all()


def test_an_archive_holds_the_code_that_decides_and_equal_code_gives_equal_bytes() -> None:
    code = code_of_pack("FR")
    assert kept.archive_of(code) == kept.archive_of(dict(reversed(code.items())))
    for pack in PACKS:
        if pack == newest(pack.regime) and not releases.changed(pack, releases.recorded()):
            held = dict(kept.code_kept(pack.name))
            assert held.pop("compliance/packs") and held == {
                name: text for name, text in code_of_pack(pack.regime).items() if name != "compliance/packs"
            }


def test_nothing_is_kept_twice_or_over_what_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "path_of", lambda name: tmp_path / f"{name}.zip")
    records = releases.recorded()
    assert [path.name for path in releases.keep(records)] == ["fr-2026.1.zip", "eu-2029.1.zip"]
    (tmp_path / "fr-2026.1.zip").write_bytes(b"as it was")
    assert releases.keep(records) == []
    assert (tmp_path / "fr-2026.1.zip").read_bytes() == b"as it was"


def _opinion_due(decided: Assessment) -> date:
    (due,) = (deadline.due for deadline in decided.deadlines if deadline.step == "committee_opinion")
    return due
