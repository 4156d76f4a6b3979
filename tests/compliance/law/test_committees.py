"""Committees: transmission, opinions express and tacit, extensions, urgency, the choice that follows."""

from typing import Any

import pytest


def at_committee(tell: Any, **received: Any) -> Any:
    """MR-007, complete on 1 September, received by CESREES on the 8th: due 8 October."""
    return tell("F05b").submitted("2026-09-01").says("2026-09-08", "file.received", body="CESREES", **received)


def test_the_secretariat_has_seven_working_days_and_may_be_late(tell: Any) -> None:
    story = tell("F05b").submitted("2026-09-01")
    assert story.on("2026-09-10").deadline("secretariat_transmission") == ("2026-09-10", "running")
    assert story.on("2026-09-11").deadline("secretariat_transmission") == ("2026-09-10", "elapsed")
    assert story.on("2026-09-11").status == "awaiting_transmission"

    story.says("2026-09-14", "file.received", body="CESREES")
    seen = story.on("2026-09-14")
    assert seen.deadline("secretariat_transmission") == ("2026-09-10", "met-late")
    assert seen.deadline("committee_opinion") == ("2026-10-14", "running")
    assert seen.status == "awaiting_opinion"


@pytest.mark.parametrize(("day", "state"), [("2026-10-08", "met"), ("2026-10-09", "elapsed")])
def test_an_opinion_on_the_last_day_is_in_time_and_a_day_later_without_effect(tell: Any, day: str, state: str) -> None:
    story = at_committee(tell).says(day, "opinion.issued", body="CESREES", verdict="favourable", by=["m-1"])
    seen = story.on(day)

    assert seen.deadline("committee_opinion") == ("2026-10-08", state)
    if state == "met":
        assert seen.outcome == "START_ALLOWED"
        assert seen.permit["issued_on"] == "2026-10-08"
    else:
        assert (seen.outcome, seen.status) == (None, "awaiting_applicant")
        assert seen.cited("reasons")["OPINION_LATE"] == "D2019-536:90"


def test_whether_a_late_opinion_counts_is_a_setting(tell: Any) -> None:
    story = at_committee(tell).says("2026-10-12", "opinion.issued", body="CESREES", verdict="favourable", by=["m-1"])
    seen = story.under(fr__late_opinion="counts").on("2026-10-12")

    assert seen.deadline("committee_opinion") == ("2026-10-08", "met-late")
    assert seen.outcome == "START_ALLOWED"


@pytest.mark.parametrize("verdict", ["reserved", "unfavourable"])
def test_an_opinion_that_is_not_favourable_leaves_the_choice_to_the_applicant(tell: Any, verdict: str) -> None:
    seen = (
        at_committee(tell)
        .says("2026-10-01", "opinion.issued", body="CESREES", verdict=verdict, by=["m"])
        .on("2026-10-01")
    )

    assert (seen.status, seen.outcome) == ("awaiting_applicant", None)
    assert seen.cited("reasons")["OPINION_NOT_EXPRESSLY_FAVOURABLE"] == "CNIL:2023-082"
    assert seen.cited("actions") == {"OFFER_AUTHORITY_ROUTE": "D2019-536:91"}


def test_whether_recommendations_are_favourable_is_a_setting(tell: Any) -> None:
    story = tell("N-recommendations").under(fr__express_favourable=["favourable"])

    assert story.on("2026-10-02").status == "awaiting_applicant"


def test_an_extension_gives_one_period_of_two_months(tell: Any) -> None:
    story = at_committee(tell).says("2026-10-08", "period.extended", step="committee_opinion", reasons_given=False)

    assert story.on("2026-10-09").deadline("committee_opinion") == ("2026-11-08", "running")
    assert story.on("2026-11-09").deadline("committee_opinion") == ("2026-11-08", "elapsed")


@pytest.mark.parametrize(
    ("extensions", "code", "due"),
    [
        ([("2026-10-09", "committee_opinion")], "EXTENSION_TOO_LATE", "2026-10-08"),
        (
            [("2026-09-20", "committee_opinion"), ("2026-09-21", "committee_opinion")],
            "EXTENSION_ALREADY_USED",
            "2026-11-08",
        ),
        (
            [("2026-09-20", "committee_opinion"), ("2026-11-09", "committee_opinion")],
            "EXTENSION_ALREADY_USED",
            "2026-11-08",
        ),
    ],
)
def test_an_extension_that_does_not_count_says_why(
    tell: Any, extensions: list[tuple[str, str]], code: str, due: str
) -> None:
    story = at_committee(tell)
    for day, step in extensions:
        story.says(day, "period.extended", step=step, reasons_given=True)
    seen = story.on("2026-11-10")

    assert seen.deadline("committee_opinion")[0] == due
    assert seen.cited("reasons")[code] == "D2019-536:90"


def test_an_extension_after_the_opinion_is_ignored(tell: Any) -> None:
    story = at_committee(tell).says("2026-09-20", "opinion.issued", body="CESREES", verdict="reserved", by=["m"])
    story.says("2026-09-21", "period.extended", step="committee_opinion", reasons_given=True)
    seen = story.on("2026-09-22")

    assert seen.deadline("committee_opinion") == ("2026-10-08", "met")
    assert not [code for code in seen.codes("reasons") if code.startswith("EXTENSION")]


def test_an_extension_of_a_step_that_has_not_started_is_ignored(tell: Any) -> None:
    story = tell("F05b").submitted("2026-09-01")
    story.says("2026-09-03", "period.extended", step="committee_opinion", reasons_given=True)
    story.says("2026-09-08", "file.received", body="CESREES")

    assert story.on("2026-09-09").deadline("committee_opinion") == ("2026-10-08", "running")


def test_the_secretariat_s_period_cannot_be_extended(tell: Any) -> None:
    story = tell("F05b").submitted("2026-09-01")
    seen = story.says("2026-09-03", "period.extended", step="secretariat_transmission", reasons_given=True).on(
        "2026-09-03"
    )

    assert seen.cited("reasons")["EXTENSION_NOT_AVAILABLE"] == "D2019-536:88"


def test_an_urgent_file_has_fifteen_days_and_no_extension(tell: Any) -> None:
    story = at_committee(tell, urgent=True)
    story.says("2026-09-10", "period.extended", step="committee_opinion_urgent", reasons_given=True)
    seen = story.on("2026-09-24")

    assert seen.deadline("committee_opinion_urgent") == ("2026-09-23", "elapsed")
    assert seen.cited("reasons")["EXTENSION_NOT_AVAILABLE"] == "D2019-536:100"
    assert seen.status == "awaiting_applicant"
    assert at_committee(tell, urgent=True).under(fr__urgent_days=10).on("2026-09-09").deadline(
        "committee_opinion_urgent"
    ) == ("2026-09-18", "running")


def test_an_opinion_that_nobody_asked_for_is_ignored(tell: Any) -> None:
    story = tell("F05b").submitted("2026-09-01")
    story.says("2026-09-03", "opinion.issued", body="CESREES", verdict="favourable", by=["m-1"])

    assert story.on("2026-09-03").status == "awaiting_transmission"


def test_the_applicant_stops(tell: Any) -> None:
    story = tell("F05b").says("2026-10-12", "request.authority-chosen", choice="stop")
    seen = story.on("2026-10-12")

    assert (seen.status, seen.outcome, seen.actions) == ("withdrawn", "WITHDRAWN", [])


def test_a_choice_before_the_opinion_is_ignored(tell: Any) -> None:
    story = tell("F05b").says("2026-10-08", "request.authority-chosen", choice="seize")

    assert story.on("2026-10-09").route == "FR_MR007"
    assert story.on("2026-10-09").status == "awaiting_applicant"


def test_seizing_the_authority_changes_the_route_and_asks_for_its_documents(tell: Any) -> None:
    story = tell("F05b").says("2026-10-12", "request.authority-chosen", choice="seize")
    seen = story.on("2026-10-12")

    assert seen.route == "FR_STANDARD"
    assert seen.left_aside()["FR_MR007"] == ("OPINION_NOT_EXPRESSLY_FAVOURABLE", "CNIL:2023-082")
    assert seen.left_aside()["FR_MR008"][0] == "NOT_LEGITIMATE_INTEREST"
    assert (seen.status, seen.cited("missing")) == ("incomplete", {"SECURITY": "GDPR:32"})
    assert seen.deadline("committee_opinion") == ("2026-10-08", "elapsed")
    assert "authority_decision" not in seen.steps()

    security = {"code": "SECURITY", "version": 1, "date": "2026-10-13", "sha256": "1" * 64}
    story.says("2026-10-14", "request.completed", documents=[security], set={})
    assert story.on("2026-10-14").status == "awaiting_authority"
    story.says("2026-10-20", "file.received", body="CNIL")
    seen = story.on("2026-10-20")
    assert seen.deadline("authority_decision") == ("2026-12-20", "running")
    assert [d["silence"] for d in seen.deadlines if d["step"] == "authority_decision"] == ["not-authorised"]
    assert story.on("2026-12-21").outcome == "NOT_AUTHORISED"
    story.says("2027-01-10", "decision.issued", body="CNIL", verdict="granted", by=["c-1"])
    seen = story.on("2027-01-10")
    assert (seen.outcome, seen.permit["kind"], seen.deadline("authority_decision")[1]) == (
        "GRANTED",
        "authorisation",
        "met-late",
    )


def test_the_authority_s_receipt_seizes_it(tell: Any) -> None:
    seen = tell("F05b").attaching("SECURITY").says("2026-10-12", "file.received", body="CNIL").on("2026-10-12")

    assert (seen.route, seen.status) == ("FR_STANDARD", "awaiting_authority")
    assert seen.deadline("authority_decision") == ("2026-12-12", "running")


def test_after_an_express_favourable_opinion_seizing_changes_nothing(tell: Any) -> None:
    story = tell("F05a").says("2026-10-05", "request.authority-chosen", choice="seize")
    story.says("2026-10-06", "file.received", body="CNIL")

    assert story.on("2026-10-07").route == "FR_MR007"
    assert story.on("2026-10-07").outcome == "START_ALLOWED"


@pytest.mark.parametrize("verdict", ["reserved", "unfavourable"])
def test_a_protection_committee_that_is_not_favourable_blocks(tell: Any, verdict: str) -> None:
    opinion = {"body": "CPP", "verdict": verdict, "date": "2026-06-15"}
    seen = tell("F08a").without("PRIOR_OPINIONS").attaching("PRIOR_OPINIONS", opinion=opinion).on("2026-09-01")

    assert (seen.status, seen.outcome, seen.permit) == ("decided", "BLOCKED", None)
    assert seen.cited("reasons")["CPP_NOT_FAVOURABLE"] == "LIL:76"


def test_the_protection_committee_s_opinion_may_come_as_an_event(tell: Any) -> None:
    story = tell("F08a").without("PRIOR_OPINIONS")
    assert story.on("2026-09-01").status == "awaiting_opinion"

    story.says("2026-09-20", "opinion.issued", body="CPP", verdict="favourable", by=["cpp-1"])
    seen = story.on("2026-09-21")
    assert (seen.outcome, seen.permit["issued_on"]) == ("START_ALLOWED", "2026-09-20")


def test_a_warehouse_committee_that_is_not_favourable_blocks(tell: Any) -> None:
    opinion = {"body": "CSE", "verdict": "reserved", "date": "2026-05-20"}
    seen = tell("F02a").without("PRIOR_OPINIONS").attaching("PRIOR_OPINIONS", opinion=opinion).on("2026-09-07")

    assert seen.outcome == "BLOCKED"
    assert seen.cited("reasons")["CSE_NOT_FAVOURABLE"] == "CNIL:2018-155"


@pytest.mark.parametrize("verdict", ["favourable", "unfavourable"])
def test_a_committee_s_second_opinion_does_not_move_a_declaration_that_stands(tell: Any, verdict: str) -> None:
    story = tell("F08a").says("2026-10-05", "opinion.issued", body="CPP", verdict=verdict, by=["m-1"])
    seen = story.on("2026-10-05")

    assert (seen.outcome, seen.permit["issued_on"]) == ("START_ALLOWED", "2026-09-01")


def test_the_last_opinion_before_the_declaration_stands_is_the_one_that_counts(tell: Any) -> None:
    story = tell("F08a").but(conformity_declared={"reference": "DC-1", "date": "2026-09-21"})
    story.says("2026-09-14", "opinion.issued", body="CPP", verdict="unfavourable", by=["m-1"])
    assert story.on("2026-09-21").outcome == "BLOCKED"

    story.says("2026-09-28", "opinion.issued", body="CPP", verdict="favourable", by=["m-1"])
    seen = story.on("2026-09-28")
    assert (seen.outcome, seen.permit["issued_on"]) == ("START_ALLOWED", "2026-09-28")


def test_an_extension_after_a_late_decision_is_ignored(tell: Any) -> None:
    story = tell("F07c-tacit").says("2026-12-16", "decision.issued", body="CNIL", verdict="granted", by=["c-1"])
    story.says("2026-12-17", "period.extended", step="authority_decision", reasons_given=True)

    seen = story.on("2026-12-17")
    assert seen.outcome == "GRANTED"
    assert "EXTENSION_TOO_LATE" not in seen.codes("reasons")
