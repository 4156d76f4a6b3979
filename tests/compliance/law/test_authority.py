"""The authority: decisions, silence, what is late, the sample procedure, withdrawal, the start gate."""

from typing import Any

import pytest


def at_authority(tell: Any, verdict: str | None = "favourable") -> Any:
    """The standard route, received by CNIL on 14 October 2026: due 14 December."""
    story = tell("F07b").submitted("2026-07-01").says("2026-07-08", "file.received", body="CESREES")
    if verdict is not None:
        story.says("2026-08-03", "opinion.issued", body="CESREES", verdict=verdict, by=["m-1"])
    return story.says("2026-10-14", "file.received", body="CNIL")


def test_after_the_opinion_the_applicant_chooses(tell: Any) -> None:
    story = tell("F07b").submitted("2026-07-01").says("2026-07-08", "file.received", body="CESREES")
    story.says("2026-08-03", "opinion.issued", body="CESREES", verdict="favourable", by=["m-1"])

    assert story.on("2026-08-03").status == "awaiting_applicant"
    story.says("2026-09-01", "request.authority-chosen", choice="seize")
    assert story.on("2026-09-01").status == "awaiting_authority"
    assert "authority_decision" not in story.on("2026-09-01").steps()


def test_the_first_choice_stands(tell: Any) -> None:
    story = tell("F07b").submitted("2026-07-01").says("2026-07-08", "file.received", body="CESREES")
    story.says("2026-08-03", "opinion.issued", body="CESREES", verdict="favourable", by=["m-1"])
    story.says("2026-08-10", "request.authority-chosen", choice="stop")
    story.says("2026-08-11", "request.authority-chosen", choice="seize").says(
        "2026-08-12", "file.received", body="CNIL"
    )

    assert story.on("2026-12-31").outcome == "WITHDRAWN"


def test_silence_on_the_last_day_is_not_yet_a_grant(tell: Any) -> None:
    story = at_authority(tell)

    assert story.on("2026-12-14").outcome is None
    assert story.on("2026-12-15").outcome == "DEEMED_GRANTED"
    assert story.on("2027-05-01").permit["issued_on"] == "2026-12-15"


@pytest.mark.parametrize("verdict", [None, "reserved", "unfavourable"])
def test_silence_grants_nothing_unless_the_opinion_is_expressly_favourable(tell: Any, verdict: str | None) -> None:
    seen = at_authority(tell, verdict).on("2026-12-15")

    assert (seen.outcome, seen.permit) == ("NOT_AUTHORISED", None)
    assert seen.cited("reasons")["OPINION_NOT_EXPRESSLY_FAVOURABLE"] == "LIL:66-V"
    assert seen.cited("actions") == {"APPEAL_OPEN": "CJA:R421-1"}
    assert seen.register["decision_kind"] is None
    assert set(seen.decisions().values()) == {"refused"}


@pytest.mark.parametrize(("reasons_given", "due"), [(True, "2027-02-14"), (False, "2026-12-14")])
def test_the_authority_extends_once_with_reasons(tell: Any, reasons_given: bool, due: str) -> None:
    story = at_authority(tell).says(
        "2026-12-10", "period.extended", step="authority_decision", reasons_given=reasons_given
    )
    seen = story.on("2026-12-14")

    assert seen.deadline("authority_decision") == (due, "running")
    assert ("EXTENSION_WITHOUT_REASONS" in seen.codes("reasons")) is not reasons_given
    assert story.on("2027-02-15").permit["issued_on"] == ("2027-02-15" if reasons_given else "2026-12-15")


def test_the_authority_refuses(tell: Any) -> None:
    seen = (
        at_authority(tell)
        .says("2026-12-01", "decision.issued", body="CNIL", verdict="refused", by=["c-1"])
        .on("2026-12-01")
    )

    assert (seen.status, seen.outcome) == ("decided", "REFUSED")
    assert seen.cited("reasons")["AUTHORITY_REFUSED"] == "LIL:66-III"
    assert seen.cited("actions") == {"APPEAL_OPEN": "CJA:R421-1"}
    assert seen.register["decision_kind"] == "refusal"


def test_a_late_grant_counts_where_silence_had_refused(tell: Any) -> None:
    story = at_authority(tell, None).says("2027-01-05", "decision.issued", body="CNIL", verdict="granted", by=["c-1"])
    seen = story.on("2027-01-05")

    assert (seen.outcome, seen.deadline("authority_decision")) == ("GRANTED", ("2026-12-14", "met-late"))
    assert seen.actions == []
    assert seen.permit["issued_on"] == "2027-01-05"


def test_a_late_refusal_changes_nothing_where_silence_had_refused(tell: Any) -> None:
    story = at_authority(tell, None).says("2027-01-05", "decision.issued", body="CNIL", verdict="refused", by=["c-1"])

    assert story.on("2027-01-06").outcome == "NOT_AUTHORISED"


@pytest.mark.parametrize(("verdict", "review"), [("refused", True), ("granted", False)])
def test_nothing_changes_a_deemed_grant(tell: Any, verdict: str, review: bool) -> None:
    seen = (
        at_authority(tell)
        .says("2026-12-20", "decision.issued", body="CNIL", verdict=verdict, by=["c-1"])
        .on("2026-12-21")
    )

    assert (seen.outcome, seen.deadline("authority_decision")[1]) == ("DEEMED_GRANTED", "elapsed")
    assert seen.permit["kind"] == "deemed-authorisation"
    assert (seen.cited("actions").get("LEGAL_REVIEW") == "LIL:66-V") is review


def test_the_authority_may_grant_other_months_than_asked(tell: Any) -> None:
    story = at_authority(tell).says(
        "2026-12-01", "decision.issued", body="CNIL", verdict="granted", months=24, by=["c-1"]
    )
    permit = story.on("2026-12-01").permit

    assert (permit["months"], permit["expires_on"]) == (24, "2028-12-01")


def test_a_decision_before_the_file_was_received_is_ignored(tell: Any) -> None:
    story = tell("F07b").submitted("2026-07-01")
    story.says("2026-07-02", "decision.issued", body="CNIL", verdict="granted", by=["c-1"])

    assert story.on("2026-07-03").outcome is None


def test_research_on_persons_goes_to_the_authority_after_its_own_committee(tell: Any) -> None:
    story = tell("F08b").without("PRIOR_OPINIONS").submitted("2026-09-01")
    assert story.on("2026-09-01").status == "awaiting_opinion"

    story.says("2026-09-10", "opinion.issued", body="CPP", verdict="unfavourable", by=["cpp-1"])
    assert story.on("2026-09-10").status == "awaiting_authority"
    story.says("2026-09-14", "file.received", body="CNIL")
    assert story.on("2026-11-15").outcome == "NOT_AUTHORISED"


def test_a_warehouse_needs_no_opinion_so_silence_grants(tell: Any) -> None:
    story = tell("N-warehouse").but(applicant__public_interest_mission=False)
    story.says("2026-09-10", "file.received", body="CNIL")

    assert story.on("2026-09-10").steps() == {"authority_decision": "running"}
    seen = story.on("2026-11-11")
    assert (seen.outcome, seen.permit["kind"]) == ("DEEMED_GRANTED", "deemed-authorisation")
    assert "SEND_TO_HDH_BEFORE_START" not in seen.codes("conditions")


def test_the_sample_procedure(tell: Any) -> None:
    story = tell("N-sample-refused").submitted("2026-09-01")
    assert (story.on("2026-09-16").status, story.on("2026-09-16").deadline("hdh_approval")) == (
        "awaiting_authority",
        ("2026-09-16", "running"),
    )
    assert (story.on("2026-09-17").outcome, story.on("2026-09-17").deadline("hdh_approval")[1]) == (None, "elapsed")

    seen = story.says("2026-09-20", "decision.issued", body="HDH", verdict="granted", by=["hdh-1"]).on("2026-09-20")
    assert (seen.outcome, seen.deadline("hdh_approval")[1]) == ("GRANTED", "met-late")
    assert seen.cited("conditions") == {
        "SNDS_SECURITY": "A2024-05-06",
        "SEND_TO_HDH_BEFORE_START": "CSP:L1461-3",
        "SEND_RESULTS_TO_HDH": "CSP:L1461-3",
    }
    assert (seen.permit["kind"], seen.register["decision_kind"]) == ("authorisation", "authorisation")


def test_a_withdrawal_after_the_outcome_changes_nothing(tell: Any) -> None:
    story = tell("F05a").says("2026-10-05", "request.withdrawn")

    assert story.on("2026-10-06").outcome == "START_ALLOWED"


def test_what_is_said_after_a_withdrawal_changes_nothing(tell: Any) -> None:
    story = tell("N-FR-withdrawn").says(
        "2026-07-25", "opinion.issued", body="CESREES", verdict="favourable", by=["m-1"]
    )

    assert story.on("2027-01-01").json == {**story.on("2026-07-20").json, "as_of": "2027-01-01"}


def test_a_failing_gate_leaves_an_authorisation_but_nobody_starts(tell: Any) -> None:
    story = at_authority(tell).says("2026-12-01", "decision.issued", body="CNIL", verdict="granted", by=["c-1"])
    story.raw["dossier"]["persons"][1]["confidentiality_signed"] = False
    seen = story.on("2026-12-01")

    assert (seen.outcome, seen.start_allowed, seen.permit["status"]) == ("GRANTED", False, "active")
    assert {"code": "PERSON_NOT_HABILITATED", "citation": "CSP:L1461-3-I", "subject": "p-an1"} in seen.reasons


def test_a_declaration_is_blocked_when_the_gate_fails_now_and_failed_on_its_day(tell: Any) -> None:
    story = tell("F02a").but(environment_id="env-outremer")
    story.without("DPIA").attaching("DPIA", covers_environments=["env-outremer"])
    seen = story.on("2026-09-07")

    assert (seen.status, seen.outcome, seen.permit, seen.start_allowed) == ("decided", "BLOCKED", None, False)
    assert seen.cited("reasons")["STORAGE_OUTSIDE_EEA"] == "D2026-209"
    assert seen.environment["cleared"] is False


def test_persons_cured_later_lift_the_block(tell: Any) -> None:
    story = tell("F05a")
    story.raw["dossier"]["persons"][1]["habilitated"] = False
    assert story.on("2026-10-01").outcome == "BLOCKED"

    cured = [{**person, "habilitated": True} for person in story.raw["dossier"]["persons"]]
    story.says("2026-10-09", "request.completed", documents=[], set={"persons": cured})
    seen = story.on("2026-10-09")
    assert (seen.outcome, seen.start_allowed, seen.permit["issued_on"]) == ("START_ALLOWED", True, "2026-10-01")


def test_a_host_that_falls_later_leaves_the_permit(tell: Any) -> None:
    story = tell("F05a").but(environment_id="env-transition")
    story.without("DPIA").attaching("DPIA", covers_environments=["env-transition"])
    story.but(applicant__state_body=True).submitted("2026-05-04")
    story.but(conformity_declared={"reference": "DC-1", "date": "2026-05-01"})
    story.says("2026-05-11", "file.received", body="CESREES")
    story.says("2026-06-01", "opinion.issued", body="CESREES", verdict="favourable", by=["m-1"])

    assert story.on("2026-06-30").start_allowed is True
    seen = story.on("2026-07-01")
    assert (seen.outcome, seen.start_allowed, seen.permit["status"]) == ("START_ALLOWED", False, "active")
    assert seen.cited("actions") == {"FREEZE_AND_REHOST": "SREN:31"}


def test_a_host_qualified_in_time_lifts_the_block(tell: Any) -> None:
    story = tell("L5a")
    assert story.on("2026-09-10").outcome == "BLOCKED"
    story.but(environment_id="env-transition")
    assert story.on("2026-09-10").codes("reasons") == ["ROUTE_APPLIES", "SECNUMCLOUD_MISSING"]
    proof = {
        "type": "SECNUMCLOUD",
        "issuer": "anssi",
        "reference": "SNC-2",
        "valid_from": "2026-09-15",
        "valid_to": "2029-09-14",
    }
    story.says("2026-09-12", "environment.qualified", environment_id="env-transition", evidence=proof)
    assert story.on("2026-09-14").outcome == "BLOCKED"
    assert story.on("2026-09-15").outcome == "START_ALLOWED"
