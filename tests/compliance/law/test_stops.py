"""Hard stops: what is refused before any route, who confirms, who sets aside."""

from typing import Any

import pytest

USES_WITH_SNDS = {
    "PROMOTION_TO_PROFESSIONALS": ("PROHIBITED_PROMOTION", "CSP:L1461-1-V-1"),
    "INSURANCE_EXCLUSION_OR_PREMIUM": ("PROHIBITED_INSURANCE", "CSP:L1461-1-V-2"),
    "INDIVIDUAL_DECISION": ("PROHIBITED_INDIVIDUAL_DECISION", "CSP:L1461-1"),
    "REIDENTIFICATION": ("PROHIBITED_REIDENTIFICATION", "CSP:L1461-1"),
    "JOB_OFFER": ("NO_PUBLIC_INTEREST", "LIL:66-I"),
    "CREDIT_OR_LOAN_TERMS": ("NO_PUBLIC_INTEREST", "LIL:66-I"),
    "ADVERTISING_MARKETING": ("NO_PUBLIC_INTEREST", "LIL:66-I"),
    "HARMFUL_PRODUCT": ("NO_PUBLIC_INTEREST", "LIL:66-I"),
    "ETHICS_CONFLICT": ("NO_PUBLIC_INTEREST", "LIL:66-I"),
    "LAW_ENFORCEMENT": ("NO_PUBLIC_INTEREST", "LIL:66-I"),
}
USES_IN_EUROPE = {
    "PROMOTION_TO_PROFESSIONALS": ("PROHIBITED_MARKETING", "EHDS:54(c)"),
    "INSURANCE_EXCLUSION_OR_PREMIUM": ("PROHIBITED_DISCRIMINATION", "EHDS:54(b)"),
    "INDIVIDUAL_DECISION": ("PROHIBITED_DETRIMENTAL_DECISION", "EHDS:54(a)"),
    "REIDENTIFICATION": ("PROHIBITED_REIDENTIFICATION", "EHDS:61(3)"),
    "JOB_OFFER": ("PROHIBITED_DISCRIMINATION", "EHDS:54(b)"),
    "CREDIT_OR_LOAN_TERMS": ("PROHIBITED_DISCRIMINATION", "EHDS:54(b)"),
    "ADVERTISING_MARKETING": ("PROHIBITED_MARKETING", "EHDS:54(c)"),
    "HARMFUL_PRODUCT": ("PROHIBITED_HARMFUL_PRODUCT", "EHDS:54(d)"),
    "ETHICS_CONFLICT": ("PROHIBITED_ETHICS", "EHDS:54(e)"),
    "LAW_ENFORCEMENT": ("OUT_OF_SCOPE_LAW_ENFORCEMENT", "EHDS:REC63"),
}


@pytest.mark.parametrize(("use", "stop"), USES_WITH_SNDS.items())
def test_a_prohibited_use_of_snds_data_stops_the_request(tell: Any, use: str, stop: tuple[str, str]) -> None:
    seen = tell("F05a").submitted("2026-09-01").but(purpose__intended_use=["EPIDEMIOLOGY", use]).on("2026-09-01")

    assert seen.cited("reasons") == dict([stop])
    assert seen.cited("actions") == {"CONFIRM_REFUSAL": stop[1]}
    assert (seen.route, seen.status, seen.outcome) == (None, "awaiting_confirmation", "REFUSAL_PROPOSED")
    assert (seen.alternatives, seen.missing, seen.deadlines, seen.environment) == ([], [], [], None)


@pytest.mark.parametrize("use", ["PROMOTION_TO_PROFESSIONALS", "INSURANCE_EXCLUSION_OR_PREMIUM"])
def test_without_snds_data_the_same_uses_lack_public_interest(tell: Any, use: str) -> None:
    seen = tell("F02a").submitted("2026-09-03").but(purpose__intended_use=[use]).on("2026-09-03")

    assert seen.cited("reasons") == {"NO_PUBLIC_INTEREST": "LIL:66-I"}


@pytest.mark.parametrize(("use", "stop"), USES_IN_EUROPE.items())
def test_a_prohibited_use_stops_an_application_under_the_ehds(tell: Any, use: str, stop: tuple[str, str]) -> None:
    seen = tell("E16b").but(purpose__intended_use=[use, "EPIDEMIOLOGY"]).on("2029-06-04")

    assert seen.cited("reasons") == dict([stop])
    assert seen.outcome == "REFUSAL_PROPOSED"


def test_the_police_are_out_of_scope_whatever_use_they_claim(tell: Any) -> None:
    in_france = tell("F05a").submitted("2026-09-01").but(applicant__kind="law_enforcement").on("2026-09-01")
    in_europe = tell("E16b").but(applicant__kind="law_enforcement").on("2029-06-04")

    assert in_france.cited("reasons") == {"NO_PUBLIC_INTEREST": "LIL:66-I"}
    assert in_europe.cited("reasons") == {"OUT_OF_SCOPE_LAW_ENFORCEMENT": "EHDS:REC63"}


def test_snds_data_leave_the_territory_in_no_form(tell: Any) -> None:
    transfer = {"country": "CH", "kind": "non_personal", "adequacy_decision": True}

    with_snds = tell("F05a").submitted("2026-09-01").but(transfers_outside_eu=[transfer]).on("2026-09-01")
    without = tell("F02a").but(transfers_outside_eu=[transfer]).on("2026-09-07")

    assert with_snds.cited("reasons") == {"TRANSFER_OUTSIDE_EU": "SNDS-REF:3.2"}
    assert without.outcome == "START_ALLOWED"


@pytest.mark.parametrize(("first_year", "stopped"), [(2005, True), (2006, False)])
def test_snds_data_are_kept_twenty_years(tell: Any, first_year: int, stopped: bool) -> None:
    story = tell("F05a").submitted("2026-09-01")
    story.raw["dossier"]["data"]["datasets"][0]["years"] = [first_year, 2024]

    assert ("SNDS_OVER_20_YEARS" in story.on("2026-09-01").codes("reasons")) is stopped


def test_a_personal_transfer_needs_adequacy(tell: Any) -> None:
    def reasons(kind: str, adequate: bool) -> list[str]:
        transfer = {"country": "US", "kind": kind, "adequacy_decision": adequate}
        return tell("E16b").but(transfers_outside_eu=[transfer]).on("2029-06-04").codes("reasons")

    assert "TRANSFER_OUTSIDE_UNION" in reasons("personal", False)
    assert "TRANSFER_OUTSIDE_UNION" not in reasons("personal", True)
    assert "TRANSFER_OUTSIDE_UNION" not in reasons("non_personal", False)


def test_a_third_country_has_to_be_listed(tell: Any) -> None:
    assert tell("E16b").but(applicant__country="CH").on("2029-06-04").cited("reasons") == {
        "THIRD_COUNTRY_NOT_ELIGIBLE": "EHDS:91(1)"
    }
    assert tell("E16b").but(applicant__country="NO").on("2029-06-04").outcome is None
    assert tell("E16b").but(applicant__country="CH").under(eu__third_countries=["CH"]).on("2029-06-04").outcome is None


def test_a_statistics_request_gets_statistics(tell: Any) -> None:
    seen = tell("N-stat-answered").but(data__form="anonymised").on("2029-06-04")

    assert seen.cited("reasons") == {"FORMAT_NOT_STATISTICAL": "EHDS:69(1)"}


def test_a_mandate_opens_the_reserved_purposes(tell: Any) -> None:
    mandate = {"from": "spf", "reference": "M-1", "date": "2029-01-10"}

    assert tell("E17a").but(applicant__mandate=mandate).on("2029-06-04").route == "EU_PERMIT"
    assert tell("E17a").but(applicant__kind="union_institution").on("2029-06-04").outcome is None


def test_all_stops_are_listed_together(tell: Any) -> None:
    seen = (
        tell("E17a")
        .but(
            applicant__country="US",
            purpose__intended_use=["JOB_OFFER", "CREDIT_OR_LOAN_TERMS", "ETHICS_CONFLICT"],
            transfers_outside_eu=[{"country": "US", "kind": "personal", "adequacy_decision": False}],
        )
        .on("2029-06-04")
    )

    assert sorted(seen.codes("reasons")) == [
        "PROHIBITED_DISCRIMINATION",
        "PROHIBITED_ETHICS",
        "PURPOSE_RESERVED_FOR_PUBLIC_BODIES",
        "THIRD_COUNTRY_NOT_ELIGIBLE",
        "TRANSFER_OUTSIDE_UNION",
    ]


def test_when_every_dataset_is_excluded_the_national_route_is_offered(tell: Any) -> None:
    story = tell("E16b")
    story.raw["dossier"]["data"]["datasets"] = [
        {**story.raw["dossier"]["data"]["datasets"][0], "dataset_id": "wellness-app", "categories": ["i"]},
        {**story.raw["dossier"]["data"]["datasets"][0], "dataset_id": "trial-xa17", "categories": ["m"]},
    ]
    seen = story.on("2029-06-04")

    assert seen.outcome == "REFUSAL_PROPOSED"
    assert seen.json["reasons"] == [
        {"code": "HOLDER_EXEMPT", "citation": "EHDS:50(1)", "subject": "wellness-app"},
        {"code": "CATEGORY_NOT_YET_APPLICABLE", "citation": "EHDS:105", "subject": "trial-xa17"},
    ]
    assert seen.cited("actions")["OFFER_NATIONAL_ROUTE"] == "EHDS:105"
    assert set(seen.decisions().values()) == {"excluded"}


def test_a_person_confirms_the_refusal(tell: Any) -> None:
    seen = tell("F12").says("2026-09-10", "refusal.confirmed", by=["o-1"]).on("2026-09-10")

    assert (seen.status, seen.outcome, seen.route) == ("decided", "REFUSED", None)
    assert seen.cited("reasons") == {"PROHIBITED_INSURANCE": "CSP:L1461-1-V-2"}
    assert seen.actions == []
    assert seen.register["decision_kind"] == "refusal"
    assert seen.register["decision_due"] is None
    assert seen.decisions() == {"snds-main": "refused"}


def test_a_confirmed_refusal_under_the_ehds_is_published_within_thirty_working_days(tell: Any) -> None:
    seen = tell("E17a").says("2029-09-03", "refusal.confirmed", by=["o-1"]).on("2029-09-03")

    assert seen.register == {
        "application_due": "2029-06-05",
        "decision_due": "2029-10-15",
        "decision_kind": "refusal",
    }
    assert seen.decisions() == {"ehr-fr": "refused"}


def test_nothing_changes_a_confirmed_refusal(tell: Any) -> None:
    story = tell("F12").says("2026-09-10", "refusal.confirmed", by=["o-1"])
    purpose = {**story.raw["dossier"]["purpose"], "intended_use": ["EPIDEMIOLOGY"]}
    story.says("2026-09-11", "request.completed", documents=[], set={"purpose": purpose})
    story.says("2026-09-12", "request.withdrawn").says("2026-09-13", "refusal.overridden", by=["o-2"], codes=["X"])

    assert story.on("2026-09-20").outcome == "REFUSED"


def test_an_override_sets_its_codes_aside_and_the_assessment_goes_on(tell: Any) -> None:
    story = tell("F12").says("2026-09-10", "refusal.overridden", by=["o-1"], codes=["PROHIBITED_INSURANCE"])
    seen = story.on("2026-09-10")

    assert (seen.route, seen.status) == ("FR_STANDARD", "awaiting_transmission")
    assert seen.deadline("secretariat_transmission") == ("2026-09-10", "running")


def test_an_override_of_some_codes_leaves_the_others(tell: Any) -> None:
    story = tell("N-individual").says(
        "2029-06-10", "refusal.overridden", by=["o-1"], codes=["PROHIBITED_REIDENTIFICATION"]
    )
    seen = story.on("2029-06-10")

    assert seen.outcome == "REFUSAL_PROPOSED"
    assert seen.codes("reasons") == ["PROHIBITED_DETRIMENTAL_DECISION"]


def test_a_stopped_request_can_be_withdrawn(tell: Any) -> None:
    seen = tell("E17a").says("2029-06-10", "request.withdrawn").on("2029-06-11")

    assert (seen.status, seen.outcome, seen.actions) == ("withdrawn", "WITHDRAWN", [])


def test_a_completion_that_takes_the_use_away_takes_the_stop_away(tell: Any) -> None:
    story = tell("F12")
    purpose = {**story.raw["dossier"]["purpose"], "intended_use": ["PREVENTION_EVALUATION"]}
    story.says("2026-09-07", "request.completed", documents=[], set={"purpose": purpose})

    assert story.on("2026-09-06").outcome == "REFUSAL_PROPOSED"
    assert story.on("2026-09-07").route == "FR_STANDARD"
