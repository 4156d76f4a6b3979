"""What is easily got wrong by one word or one day: found by changing the code and seeing that nothing noticed."""

from datetime import date, datetime
from typing import Any

import pytest

from compliance.calendars import PARIS
from compliance.case import Item
from compliance.legal_settings import DEFAULT
from compliance.opinions import Opinion
from compliance.steps import after, of, run
from compliance.today import Today


def opinion(body: str, verdict: str, day: str) -> dict[str, Any]:
    return {"opinion": {"body": body, "verdict": verdict, "date": day}}


@pytest.mark.parametrize(
    ("in_document", "on", "as_event", "outcome"),
    [
        ("favourable", "2026-01-10", "unfavourable", "BLOCKED"),
        ("unfavourable", "2026-01-10", "favourable", None),
        ("favourable", "2026-08-05", "unfavourable", None),
        ("unfavourable", "2026-08-05", "favourable", "BLOCKED"),
        ("favourable", "2026-08-03", "unfavourable", "BLOCKED"),
        ("unfavourable", "2026-08-03", "favourable", None),
    ],
)
def test_of_two_opinions_the_later_one_stands_and_on_one_day_the_one_told_later(
    tell: Any, in_document: str, on: str, as_event: str, outcome: str | None
) -> None:
    """A committee's opinion of 3 August as an event, another in a document of the dossier; nothing is declared yet."""
    story = tell("F08a").submitted("2026-07-01").but(conformity_declared=None).without("PRIOR_OPINIONS")
    story.attaching("PRIOR_OPINIONS", **opinion("CPP", in_document, on))
    story.says("2026-08-03", "opinion.issued", body="CPP", verdict=as_event, by=["m-1"])
    seen = story.on("2026-08-20")

    assert seen.outcome == outcome
    assert ("CPP_NOT_FAVOURABLE" in seen.codes("reasons")) == (outcome == "BLOCKED")


def test_an_opinion_dated_in_the_future_is_not_there_yet(tell: Any) -> None:
    story = tell("F08a").submitted("2026-07-01").without("PRIOR_OPINIONS")
    story.attaching("PRIOR_OPINIONS", **opinion("CPP", "favourable", "2026-08-03"))

    assert story.on("2026-08-02").status == "awaiting_opinion"
    assert story.on("2026-08-03").status != "awaiting_opinion"


def at_authority(tell: Any) -> Any:
    story = tell("F07b").submitted("2026-07-01").says("2026-07-08", "file.received", body="CESREES")
    story.says("2026-08-03", "opinion.issued", body="CESREES", verdict="favourable", by=["m-1"])
    return story.says("2026-10-14", "file.received", body="CNIL")


@pytest.mark.parametrize("body", ["HDH", "HDAB-FR"])
def test_only_the_authority_s_own_decision_decides(tell: Any, body: str) -> None:
    story = at_authority(tell).says("2026-11-02", "decision.issued", body=body, verdict="granted", by=["a-1"])

    assert story.on("2026-11-02").outcome is None
    assert story.on("2026-12-15").outcome == "DEEMED_GRANTED"


def test_an_appeal_that_names_the_authority_is_no_decision_of_it(tell: Any) -> None:
    story = at_authority(tell).says("2026-11-02", "appeal.lodged", body="CNIL", verdict="granted")

    assert story.on("2026-11-02").outcome is None


def test_a_decision_without_a_verdict_the_law_knows_is_none(tell: Any) -> None:
    story = at_authority(tell).says("2026-11-02", "decision.issued", body="CNIL", verdict="perhaps", by=["a-1"])

    assert story.on("2026-11-02").outcome is None


@pytest.mark.parametrize(("day", "outcome"), [("2026-12-14", "GRANTED"), ("2026-12-15", "DEEMED_GRANTED")])
def test_the_last_day_is_the_authority_s_until_midnight(tell: Any, day: str, outcome: str) -> None:
    story = at_authority(tell).says(day, "decision.issued", hour="23:59", body="CNIL", verdict="granted", by=["a-1"])

    assert story.on("2026-12-20").outcome == outcome


def test_a_permit_for_the_sample_begins_with_the_act_and_not_with_its_day(tell: Any) -> None:
    """An order given an hour before the grant is about no permit; one given an hour after it is."""
    story = tell("N-sample-refused")
    story.raw["history"] = [each for each in story.raw["history"] if each["type"] != "decision.issued.v1"]
    begins = story.raw["history"][0]["at"][:10]
    day = date.fromisoformat(begins).replace(day=min(28, int(begins[8:]) + 5)).isoformat()
    story.says(day, "suspension.ordered", hour="09:00")
    story.says(day, "decision.issued", hour="10:00", body="HDH", verdict="granted", by=["h-1"])

    assert story.on(day).permit["status"] == "active"
    story.says(day, "suspension.ordered", hour="11:00")
    assert story.on(day).permit["status"] == "suspended"


def test_what_another_body_says_of_the_sample_is_no_approval(tell: Any) -> None:
    story = tell("N-sample-refused")
    for each in story.raw["history"]:
        if each["type"] == "decision.issued.v1":
            each["data"]["body"] = "CNIL"

    assert story.on("2028-01-01").outcome is None


def test_receipt_before_the_opinion_is_no_receipt_of_the_seizure(tell: Any) -> None:
    """MR-007 left for an authorisation: what the authority held before it was seized starts no period."""
    story = tell("F05b").submitted("2026-07-01").attaching("SECURITY")
    story.says("2026-07-02", "file.received", body="CNIL").says("2026-07-06", "file.received", body="CESREES")
    story.says("2026-07-20", "opinion.issued", body="CESREES", verdict="reserved", by=["m-1"])
    story.says("2026-07-24", "request.authority-chosen", choice="seize")
    story.says("2026-07-25", "file.received", body="CESREES")

    assert story.on("2026-08-20").route == "FR_STANDARD"
    assert story.on("2026-08-20").status == "awaiting_authority"
    assert "authority_decision" not in story.on("2026-08-20").steps()
    story.says("2026-08-21", "file.received", body="CNIL")
    assert story.on("2026-08-21").deadline("authority_decision") == ("2026-10-21", "running")


def test_an_authorisation_that_left_a_methodology_cites_its_own_article(tell: Any) -> None:
    story = (
        tell("F05b").submitted("2026-07-01").attaching("SECURITY").says("2026-07-06", "file.received", body="CESREES")
    )
    story.says("2026-07-20", "opinion.issued", body="CESREES", verdict="reserved", by=["m-1"])
    seen = story.says("2026-07-24", "request.authority-chosen", choice="seize").on("2026-07-24")

    assert (seen.route, seen.cited("reasons")["ROUTE_APPLIES"]) == ("FR_STANDARD", "LIL:66-III")
    left = [a["route"] for a in seen.alternatives]
    assert left == [
        "FR_EXEMPT_INTERNAL",
        "FR_PERMANENT",
        "FR_SINGLE_DECISION",
        "FR_MR001",
        "FR_MR003",
        "FR_MR005",
        "FR_MR006",
        "FR_MR007",
        "FR_MR008",
        "FR_SIMPLIFIED_SAMPLE",
        "FR_MR004",
        "FR_REFERENTIEL_EDS",
    ]


def test_a_choice_on_the_day_on_which_silence_became_an_opinion_answers_it(tell: Any) -> None:
    """Received by the committee on 6 July: silent until 6 August, favourable but not in words from the 7th."""
    story = (
        tell("F05b").submitted("2026-07-01").attaching("SECURITY").says("2026-07-06", "file.received", body="CESREES")
    )
    early = story.says("2026-08-06", "request.authority-chosen", choice="seize")

    assert early.on("2026-08-07").route == "FR_MR007"
    assert early.says("2026-08-07", "request.authority-chosen", choice="seize").on("2026-08-07").route == "FR_STANDARD"


@pytest.mark.parametrize("kind", ["hospital", "hospital_federation"])
def test_a_hospital_or_a_federation_of_hospitals_takes_mr005(tell: Any, kind: str) -> None:
    story = tell("F04a").but(applicant__kind=kind)

    assert story.on("2027-01-01").route == "FR_MR005"


@pytest.mark.parametrize("mode", ["individual", "exception_justified"])
def test_individual_information_or_a_justified_exception_takes_mr004(tell: Any, mode: str) -> None:
    assert tell("F02a").but(information__mode=mode).on("2028-01-01").route == "FR_MR004"


def test_an_audit_that_ages_on_a_closed_day_is_young_enough_where_french_periods_move(tell: Any) -> None:
    """Three years after 10 October 2023 is Saturday 10 October 2026: moved, it is Monday the 12th."""
    story = tell("F04a").but(applicant__kind="health_product_industry", purpose__presumed_public_interest=True)
    story.but(
        lab={"ref": "l-1", "committed_2017_07_17": True, "independent": True, "last_audit": "2023-10-10"}
    ).submitted("2026-10-12")

    assert story.on("2026-10-12").left_aside()["FR_MR006"][0] == "AUDIT_TOO_OLD"
    assert story.under(fr__roll="next-working-day").on("2026-10-12").route == "FR_MR006"


def stopped_methodology(tell: Any) -> Any:
    """MR-007 with one prohibited use among others, complete from the first day."""
    uses = ["EPIDEMIOLOGY", "INSURANCE_EXCLUSION_OR_PREMIUM"]
    return tell("F05b").but(purpose__intended_use=uses).submitted("2026-07-01").attaching("SECURITY")


def lift(story: Any, day: str) -> Any:
    return story.says(day, "refusal.overridden", by=["o-1"], codes=["PROHIBITED_INSURANCE"])


def test_what_a_committee_said_of_a_stopped_request_is_no_opinion_to_answer(tell: Any) -> None:
    story = stopped_methodology(tell).says("2026-07-06", "file.received", body="CESREES")
    story.says("2026-07-20", "opinion.issued", body="CESREES", verdict="reserved", by=["m-1"])
    lift(story, "2026-07-22").says("2026-07-24", "request.authority-chosen", choice="seize")

    assert (story.on("2026-07-24").route, story.on("2026-07-24").status) == ("FR_MR007", "awaiting_transmission")


def test_once_a_stop_is_lifted_the_authority_can_be_seized_after_an_opinion(tell: Any) -> None:
    story = lift(stopped_methodology(tell), "2026-07-02").says("2026-07-06", "file.received", body="CESREES")
    story.says("2026-07-20", "opinion.issued", body="CESREES", verdict="reserved", by=["m-1"])
    story.says("2026-07-24", "request.authority-chosen", choice="seize")

    assert (story.on("2026-07-24").route, story.on("2026-07-24").status) == ("FR_STANDARD", "awaiting_authority")


def test_the_authority_of_an_incomplete_dossier_cannot_be_seized(tell: Any) -> None:
    story = tell("F05b").without("PROTOCOL").submitted("2026-07-01").says("2026-07-06", "file.received", body="CESREES")
    story.says("2026-07-24", "request.authority-chosen", choice="seize")

    assert (story.on("2026-08-20").route, story.on("2026-08-20").status) == ("FR_MR007", "incomplete")


@pytest.mark.parametrize(
    ("said", "data"),
    [
        ("interest.declared", {"person": "m-9"}),
        ("appeal.lodged", {"choice": "stop"}),
        ("request.authority-chosen", {"choice": "perhaps"}),
    ],
)
def test_what_is_neither_choice_nor_receipt_leaves_the_choice_open(tell: Any, said: str, data: dict[str, str]) -> None:
    """MR-007 after a reserved opinion: what is said on 22 July chooses nothing, the choice of the 24th does
    (D2019-536:91)."""
    story = tell("F05b").submitted("2026-07-01").attaching("SECURITY")
    story.says("2026-07-06", "file.received", body="CESREES")
    story.says("2026-07-20", "opinion.issued", body="CESREES", verdict="reserved", by=["m-1"])
    story.says("2026-07-22", said, **data)
    assert (story.on("2026-07-22").route, story.on("2026-07-22").status) == ("FR_MR007", "awaiting_applicant")

    story.says("2026-07-24", "request.authority-chosen", choice="seize")
    assert (story.on("2026-07-24").route, story.on("2026-07-24").status) == ("FR_STANDARD", "awaiting_authority")


def test_a_choice_before_the_opinion_chooses_nothing_on_the_standard_route(tell: Any) -> None:
    story = tell("F07b").submitted("2026-07-01").says("2026-07-08", "file.received", body="CESREES")
    story.says("2026-07-20", "request.authority-chosen", choice="stop")
    story.says("2026-08-03", "opinion.issued", body="CESREES", verdict="favourable", by=["m-1"])

    assert story.on("2026-08-10").status == "awaiting_applicant"


def test_who_stopped_is_not_seized_by_a_receipt_that_comes_later(tell: Any) -> None:
    story = tell("F05b").attaching("SECURITY").says("2026-10-12", "request.authority-chosen", choice="stop")
    story.says("2026-10-13", "file.received", body="CNIL")
    seen = story.on("2026-10-14")

    assert (seen.route, seen.outcome) == ("FR_MR007", "WITHDRAWN")


def test_the_committee_s_own_receipt_does_not_seize_the_authority(tell: Any) -> None:
    story = tell("F05b").attaching("SECURITY").says("2026-10-12", "file.received", body="CESREES")

    assert story.on("2026-10-13").route == "FR_MR007"


def test_the_authority_s_receipt_is_not_the_transmission_to_the_committee(tell: Any) -> None:
    story = tell("F07b").submitted("2026-07-01").says("2026-07-03", "file.received", body="CNIL")
    seen = story.on("2026-07-06")

    assert (seen.status, seen.steps()["secretariat_transmission"]) == ("awaiting_transmission", "running")


def test_another_body_s_receipt_does_not_start_the_authority_s_period(tell: Any) -> None:
    story = tell("F08b").without("PRIOR_OPINIONS").submitted("2026-09-01")
    story.says("2026-09-10", "opinion.issued", body="CPP", verdict="favourable", by=["cpp-1"])
    story.says("2026-09-14", "file.received", body="CESREES")

    assert "authority_decision" not in story.on("2026-11-20").steps()


@pytest.mark.parametrize(
    ("day", "outcome"), [("2026-11-13", "NOT_AUTHORISED"), ("2026-11-14", "NOT_AUTHORISED"), ("2026-11-15", None)]
)
def test_what_the_committee_says_until_the_last_day_decides_what_silence_means(
    tell: Any, day: str, outcome: str | None
) -> None:
    """The file came on 14 September; the committee was favourable first, and takes it back on a day."""
    story = tell("F08b").without("PRIOR_OPINIONS").submitted("2026-09-01")
    story.says("2026-09-10", "opinion.issued", body="CPP", verdict="favourable", by=["cpp-1"])
    story.says("2026-09-14", "file.received", body="CNIL")
    story.says(day, "opinion.issued", body="CPP", verdict="unfavourable", by=["cpp-1"])

    assert story.on("2026-11-25").outcome == (outcome or "DEEMED_GRANTED")


@pytest.mark.parametrize("day", ["2026-08-07", "2026-08-08"])
def test_a_choice_on_the_committee_s_last_day_is_too_early(tell: Any, day: str) -> None:
    """The committee is silent until 8 August; its silence is an opinion from the 9th."""
    story = tell("F07b").submitted("2026-07-01").says("2026-07-08", "file.received", body="CESREES")
    story.says(day, "request.authority-chosen", choice="stop")

    assert (story.on("2026-08-10").status, story.on("2026-08-10").outcome) == ("awaiting_applicant", None)


def test_an_extended_period_moves_too_where_french_periods_move(tell: Any) -> None:
    """Two months from Sunday 19 July end on a Saturday."""
    story = tell("F07b").under(fr__roll="next-working-day").submitted("2026-07-01")
    story.says("2026-07-19", "file.received", body="CESREES")
    story.says("2026-08-10", "period.extended", step="committee_opinion", reasons_given=False)

    assert story.on("2026-08-11").deadline("committee_opinion") == ("2026-09-21", "running")


@pytest.mark.parametrize(("uses_nir", "circuit"), [(True, "probabilistic"), (False, "nir"), (True, "nir")])
def test_the_national_number_is_excluded_from_mr004_in_the_data_or_in_the_circuit(
    tell: Any, uses_nir: bool, circuit: str
) -> None:
    linkage = {"with": ["COHORT"], "uses_nir": uses_nir, "trusted_third_party": "ttp-1", "circuit": circuit}
    seen = tell("N-MR004-general").but(data__linkage=linkage).on("2026-12-01")

    assert seen.left_aside()["FR_MR004"] == ("NIR_EXCLUDED", "CNIL:2018-155")


def test_a_receipt_before_the_opinion_was_on_record_begins_no_period(tell: Any) -> None:
    """However early the opinion is dated: CNIL had no file with it when it confirmed the receipt."""
    story = tell("F08b").without("PRIOR_OPINIONS").submitted("2026-09-01")
    story.says("2026-09-10", "file.received", body="CNIL")
    named = {"code": "PRIOR_OPINIONS", "version": 1, "date": "2026-09-14", "sha256": "0" * 64}
    brought = named | opinion("CPP", "favourable", "2026-09-05")
    story.says("2026-09-14", "request.completed", documents=[brought], set={})
    assert (story.on("2026-09-15").status, story.on("2026-09-15").steps()) == ("awaiting_authority", {})

    story.says("2026-09-16", "file.received", body="CNIL")
    assert story.on("2026-09-16").deadline("authority_decision") == ("2026-11-16", "running")


def said(day: int, item: str, **data: str) -> Item:
    """Something said in May 2026; its place in the history is its day."""
    return Item(datetime(2026, 5, day, 10, tzinfo=PARIS), f"{item}.v1", data, place=day)


def test_no_act_comes_after_itself() -> None:
    receipt, choice = said(4, "file.received"), said(5, "request.authority-chosen")
    opinion = Opinion("reserved", receipt.on, receipt.place)

    assert (opinion.precedes(receipt), opinion.precedes(choice)) == (False, True)
    assert after((receipt, choice), receipt) == (choice,)
    assert after((choice,), receipt) == (choice,)


def test_of_the_acts_that_come_late_the_first_that_counts_meets_the_period() -> None:
    """Two months from 2 March 2026 end on 2 May (LIL:66-V): a late refusal that does not count leaves the late grant to
    count, and no extension between them comes in time."""
    refused = said(4, "decision.issued", verdict="refused")
    longer = said(5, "period.extended", step="authority_decision")
    granted = said(6, "decision.issued", verdict="granted")
    done = run(
        "authority_decision",
        date(2026, 3, 2),
        (refused, longer, granted),
        of("decision.issued.v1"),
        Today(date(2026, 5, 7)),
        DEFAULT.at(date(2026, 3, 2)),
        counts_late=of("decision.issued.v1", verdict="granted"),
    )

    assert (done.deadline.due, done.deadline.state) == (date(2026, 5, 2), "met-late")
    assert (done.act, done.too_late, done.refused_extensions) == (granted, refused, ())
