"""The hosting gate, criterion by criterion and day by day."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safeguards.hosting import EEA, Environment, Evidence, Need, criteria, days_of_change, findings

DAY = date(2030, 6, 1)
HEALTH = Need(frozenset({"health"}), False, "FR")
SNDS = Need(frozenset({"health", "snds"}), False, "FR")
STATE = Need(frozenset({"snds"}), True, "FR")
EUROPE = Need(frozenset({"health"}), False, "EU")
ALL = ("HDS", "SECNUMCLOUD", "SNDS_HOMOLOGATION", "SPE_73")


def proof(kind: str, since: date = date(2029, 1, 1), until: date = date(2031, 12, 31)) -> Evidence:
    return Evidence(kind, "issuer-1", f"{kind}-1", since, until)


def host(*kinds: str, storage: str = "FR", control: str = "FR", adequate: bool = False) -> Environment:
    return Environment("env-1", "Host", storage, control, adequate, tuple(map(proof, kinds)))


@pytest.mark.parametrize(
    ("environment", "need", "expected"),
    [
        (host(*ALL), STATE, []),
        (host("HDS"), HEALTH, []),
        (host(), HEALTH, ["HDS_MISSING"]),
        (host("HDS"), SNDS, ["SNDS_HOMOLOGATION_MISSING"]),
        (host("HDS", "SNDS_HOMOLOGATION"), SNDS, []),
        (host("HDS", "SNDS_HOMOLOGATION", control="US"), SNDS, []),
        (host("HDS", "SNDS_HOMOLOGATION", control="US"), STATE, ["SECNUMCLOUD_MISSING", "NON_EU_CONTROL"]),
        (host("HDS", "SNDS_HOMOLOGATION", "SECNUMCLOUD", control="NO"), STATE, []),
        (host("HDS"), Need(frozenset({"health"}), True, "FR"), []),
        (host("SECNUMCLOUD"), HEALTH, ["HDS_MISSING"]),
        (host("HDS"), EUROPE, ["SPE_73_MISSING"]),
        (host("HDS", "SPE_73", storage="CH"), EUROPE, ["STORAGE_OUTSIDE_EEA", "STORAGE_OUTSIDE_UNION"]),
        (host("HDS", "SPE_73", storage="CH", adequate=True), EUROPE, ["STORAGE_OUTSIDE_EEA"]),
        (host("HDS", storage="US"), HEALTH, ["STORAGE_OUTSIDE_EEA"]),
    ],
)
def test_what_an_environment_lacks(environment: Environment, need: Need, expected: list[str]) -> None:
    assert [finding.code for finding in findings(environment, need, DAY)] == expected


def test_every_criterion_that_applies_is_listed_with_its_article() -> None:
    listed = {c.code: (c.citation, c.met) for c in criteria(host("HDS", control="US"), STATE, DAY)}

    assert listed == {
        "HDS_MISSING": ("CSP:L1111-8", True),
        "STORAGE_OUTSIDE_EEA": ("D2026-209", True),
        "SNDS_HOMOLOGATION_MISSING": ("A2024-05-06", False),
        "SECNUMCLOUD_MISSING": ("SREN:31", False),
        "NON_EU_CONTROL": ("SREN:31", False),
    }


@pytest.mark.parametrize(
    ("day", "valid"),
    [("2029-12-31", False), ("2030-01-01", True), ("2030-12-31", True), ("2031-01-01", False)],
)
def test_evidence_is_valid_from_its_first_to_its_last_day(day: str, valid: bool) -> None:
    assert proof("HDS", date(2030, 1, 1), date(2030, 12, 31)).valid_on(date.fromisoformat(day)) is valid


def test_lost_evidence_is_lost_from_its_day_and_a_new_proof_is_not() -> None:
    lost = host("HDS").disqualified("HDS", date(2030, 3, 1))
    assert lost.holds("HDS", date(2030, 2, 28))
    assert not lost.holds("HDS", date(2030, 3, 1))

    again = lost.qualified(proof("HDS", date(2030, 5, 1)))
    assert not again.holds("HDS", date(2030, 4, 30))
    assert again.holds("HDS", DAY)


def test_losing_twice_keeps_the_first_day_and_qualifying_twice_adds_nothing() -> None:
    once = host("HDS").disqualified("HDS", date(2030, 3, 1))

    assert once.disqualified("HDS", date(2030, 9, 1)) == once
    assert once.disqualified("SPE_73", DAY) == once
    assert host("HDS").qualified(proof("HDS")) == host("HDS")


def test_a_host_that_registers_again_does_not_get_back_what_it_lost() -> None:
    lost = host("HDS", "SECNUMCLOUD", "SPE_73").disqualified("HDS", DAY).disqualified("SPE_73", DAY)
    again = lost.registered_again(host("HDS", "SECNUMCLOUD", storage="DE"))
    assert (again.storage_country, again.holds("HDS", DAY), again.holds("SECNUMCLOUD", DAY)) == ("DE", False, True)
    # What is not shown any more is gone, unless it was lost: that stays in the record.
    assert {(p.type, p.lost_on) for p in again.evidence} == {("HDS", DAY), ("SPE_73", DAY), ("SECNUMCLOUD", None)}
    assert again.registered_again(host("HDS", "SECNUMCLOUD", storage="DE")) == again
    assert again.qualified(proof("HDS", since=DAY)).holds("HDS", DAY)


def test_the_european_economic_area_has_thirty_countries() -> None:
    assert len(EEA) == 30
    assert not EEA & {"CH", "GB", "US"}


days = st.dates(min_value=date(2029, 1, 1), max_value=date(2031, 1, 1))


@given(st.lists(st.tuples(st.sampled_from(ALL), days, days, st.none() | days), max_size=5), days, st.integers(0, 60))
def test_the_gate_cannot_change_between_two_days_of_change(
    proofs: list[tuple[str, date, date, date | None]], day: date, later: int
) -> None:
    evidence = tuple(Evidence(kind, "i", "r", since, until, lost) for kind, since, until, lost in proofs)
    environment = Environment("env-1", "Host", "FR", "FR", False, evidence)
    need = Need(frozenset({"snds"}), True, "EU")
    other = day + timedelta(days=later)

    if not any(day < change <= other for change in days_of_change(evidence)):
        assert findings(environment, need, day) == findings(environment, need, other)


def test_evidence_without_end_has_no_day_after_it() -> None:
    assert days_of_change([proof("HDS", DAY, date.max)]) == frozenset({DAY})
