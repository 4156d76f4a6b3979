"""What bodies order and refuse, and what applicants object to, is said as facts, each once and with its article; what
somebody says in the name of another is on record and counts for nobody."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.envelope import Unreadable

GRANT = {"body": "HDAB-FR", "verdict": "granted", "by": ["a-9"]}
LILLE = {"add_datasets": ["biobank-lille"], "remove_datasets": ["biobank-lyon"]}


async def asked(desk: Any) -> None:
    await desk.on("2029-06-04")
    await desk.accept("N-persons")
    await desk.on("2029-08-20")
    await desk.tell("fee.estimated", {"amount_eur": 14000, "holder_part_eur": 3000})
    await desk.on("2029-09-03")


async def granted(desk: Any) -> None:
    await asked(desk)
    await desk.tell("decision.issued", GRANT)
    await desk.on("2030-03-04")
    await desk.said()


def cited(reasons: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(reason["code"], reason["citation"]) for reason in reasons]


async def only(desk: Any, name: str) -> dict[str, Any]:
    (data,) = [data for said, data in await desk.said() if said == name]
    found: dict[str, Any] = data
    return found


async def test_what_is_ordered_twice_carries_its_article_twice(desk: Any) -> None:
    await granted(desk)
    for day in ("2030-03-05", "2030-05-06"):
        await desk.on(day)
        await desk.tell("suspension.ordered", {})
        assert cited((await only(desk, "permit.suspended"))["reasons"]) == [("SUSPENSION_ORDERED", "EHDS:63(3)")]
        await desk.tell("resumption.ordered", {})
        assert cited((await only(desk, "permit.resumed"))["reasons"]) == [("RESUMPTION_ORDERED", "EHDS:63(3)")]
    await desk.tell("revocation.ordered", {"by": ["a-9"]})
    assert cited((await only(desk, "permit.revoked"))["reasons"]) == [("REVOCATION_ORDERED", "EHDS:63(3)")]


async def test_a_refused_change_of_data_is_said_with_what_it_asked_for(desk: Any) -> None:
    await granted(desk)
    await desk.notice("permit.amendment-requested", LILLE)
    await desk.tell("amendment.decided", {**LILLE, "verdict": "refused", "by": ["a-9"]})
    said = await desk.said()
    assert [name for name, _ in said] == ["amendment.refused"]
    refused = said[0][1]
    assert (refused["add_datasets"], refused["remove_datasets"]) == (["biobank-lille"], ["biobank-lyon"])
    assert cited(refused["reasons"]) == [("AMENDMENT_REFUSED", "EHDS:68(13)")]
    await desk.on("2030-03-05")
    await desk.tell("amendment.decided", {**LILLE, "verdict": "refused", "by": ["a-9"]})
    assert await desk.names() == ["amendment.refused"], "asked for again and refused again is said again"


async def test_a_change_that_takes_all_data_away_is_refused_by_rule(desk: Any) -> None:
    await granted(desk)
    await desk.tell(
        "amendment.decided",
        {"verdict": "granted", "add_datasets": [], "remove_datasets": ["biobank-lyon"], "by": ["a-9"]},
    )
    refused = await only(desk, "amendment.refused")
    assert refused["remove_datasets"] == ["biobank-lyon"]
    assert cited(refused["reasons"]) == [("AMENDMENT_LEAVES_NO_DATA", "EHDS:68(13)")]


async def test_an_exclusion_says_until_when_and_that_it_was_cut(desk: Any) -> None:
    await granted(desk)
    await desk.tell("revocation.ordered", {"by": ["a-9"]})
    await desk.said()
    await desk.tell("exclusion.ordered", {"until": "2036-12-31"})
    excluded = await only(desk, "applicant.excluded")
    assert excluded["until"] == "2035-03-04"
    assert cited(excluded["reasons"]) == [("EXCLUSION_ORDERED", "EHDS:63(3)"), ("EXCLUSION_CAPPED", "EHDS:63(3)")]
    await desk.on("2031-01-01")
    assert "applicant.excluded" not in await desk.names()


async def test_an_appeal_is_on_record_and_the_refusal_stands(desk: Any) -> None:
    await asked(desk)
    await desk.tell("decision.issued", {**GRANT, "verdict": "refused"})
    await desk.said()
    await desk.on("2029-10-01")
    await desk.notice("appeal.lodged", {})
    said = await desk.said()
    assert [name for name, _ in said] == ["appeal.recorded"]
    assert (said[0][1]["outcome"], said[0][1]["code"], said[0][1]["citation"]) == (
        "REFUSED",
        "APPEAL_LODGED",
        "EHDS:81",
    )


async def test_a_decision_in_the_name_of_another_body_decides_nothing_and_does_not_hold_the_case_up(desk: Any) -> None:
    await asked(desk)
    await desk.said()
    await desk.tell("decision.issued", GRANT, source="/authorities/HDAB-DE")
    said = await desk.said()
    assert [(name, data["code"], data["citation"]) for name, data in said] == [
        ("noncompliance.found", "ACT_IN_ANOTHER_NAME", "EHDS:55(3)")
    ]
    await desk.on("2029-09-04")
    await desk.tell("decision.issued", GRANT, source="/authorities/hdab-fr/officers")
    assert "permit.issued" in await desk.names(), "the body itself decides, whatever others said"


async def test_a_proposal_in_the_name_of_the_trusted_holder_is_none(desk: Any) -> None:
    await desk.on("2029-06-04")
    await desk.accept("N-persons")
    await desk.tell("request.forwarded", {"holder": "biobank-lyon"})
    await desk.said()
    proposal = {"holder": "biobank-lyon", "proposal": "grant"}
    await desk.tell("holder-assessment.submitted", proposal, source="/holders/somebody-else")
    assert await desk.names() == ["noncompliance.found"]


@pytest.mark.parametrize(
    ("short", "source", "counts"),
    [
        ("opinion.issued", "/authorities/CESREES", True),
        ("opinion.issued", "/authorities/HDH", True),
        ("opinion.issued", "/authorities/CNIL", False),
        ("opinion.issued", "/authorities/CPP", False),
    ],
)
async def test_the_committee_speaks_for_itself_or_through_its_secretariat(
    desk: Any, short: str, source: str, counts: bool
) -> None:
    await desk.on("2026-09-01")
    await desk.accept("F05a")
    await desk.on("2026-09-08")
    await desk.tell("file.received", {"body": "CESREES"}, source="/authorities/HDH")
    await desk.said()
    await desk.on("2026-10-01")
    await desk.tell(short, {"body": "CESREES", "verdict": "favourable", "by": ["m-1"]}, source=source)
    names = await desk.names()
    assert ("permit.issued" in names) is counts
    assert ("noncompliance.found" in names) is not counts


async def test_a_host_vouches_for_no_other_environment(desk: Any) -> None:
    lost = {"environment_id": "env-commercial", "evidence": "HDS"}
    with pytest.raises(Unreadable) as refused:
        await desk.tell("environment.qualification-lost", lost, key="env-commercial", source="/hosts/env-other")
    assert refused.value.code == "foreign-source"
