"""French dossiers: what is missing by column, objections and completions."""

from typing import Any

import pytest

DEMO = "PROHIB_PURPOSE_DEMO"


def doc(code: str, **members: Any) -> dict[str, Any]:
    return {"code": code, "version": 1, "date": "2026-09-01", "sha256": "1" * 64, **members}


COLUMNS = [
    ("F08a", "2026-09-01", {"PROTOCOL": "D2019-536:89", "DPIA": "GDPR:35", "NOTICE": "GDPR:14"}),
    (
        "F02a",
        "2026-09-07",
        {
            "PROTOCOL": "D2019-536:89",
            "SUMMARY": "CSP:L1461-3",
            "DPIA": "GDPR:35",
            "NOTICE": "GDPR:14",
            "SECURITY": "GDPR:32",
            "PRIOR_OPINIONS": "LIL:76",
        },
    ),
    ("F03", "2026-09-02", {"PROTOCOL": "D2019-536:89", "SUMMARY": "CSP:L1461-3", "DPIA": "GDPR:35"}),
    (
        "F04a",
        "2026-09-02",
        {
            "PROTOCOL": "D2019-536:89",
            "SUMMARY": "CSP:L1461-3",
            "DPIA": "GDPR:35",
            "LAB_COMMITMENT": "A2017-07-17",
        },
    ),
    (
        "F05a",
        "2026-09-01",
        {
            "PROTOCOL": "D2019-536:89",
            "SUMMARY": "CSP:L1461-3",
            "DATA_SCOPE": "D2019-536:89",
            "DPIA": "GDPR:35",
            "NOTICE": "GDPR:14",
            "DOI_FUNDING": "D2019-536:89",
            "LEGAL_BASIS": "GDPR:6",
            "RETENTION_RESULTS": "CSP:L1461-3",
            "LAB_COMMITMENT": "A2017-07-17",
        },
    ),
    (
        "N-sample-refused",
        "2026-09-01",
        {
            "PROTOCOL": "D2019-536:89",
            "SUMMARY": "CSP:L1461-3",
            "DATA_SCOPE": "D2019-536:89",
            "DOI_FUNDING": "D2019-536:89",
            "RETENTION_RESULTS": "CSP:L1461-3",
        },
    ),
    (
        "F07b",
        "2026-07-01",
        {
            "PROTOCOL": "D2019-536:89",
            "SUMMARY": "CSP:L1461-3",
            "DATA_SCOPE": "D2019-536:89",
            "DPIA": "GDPR:35",
            "NOTICE": "GDPR:14",
            "DOI_FUNDING": "D2019-536:89",
            "LEGAL_BASIS": "GDPR:6",
            "SECURITY": "GDPR:32",
            "RETENTION_RESULTS": "CSP:L1461-3",
            "LINKAGE_CIRCUIT": "CSP:R1461-7",
        },
    ),
    (
        "N-warehouse",
        "2026-09-01",
        {
            "SUMMARY": "CSP:L1461-3",
            "DPIA": "GDPR:35",
            "NOTICE": "GDPR:14",
            "LEGAL_BASIS": "GDPR:6",
            "SECURITY": "GDPR:32",
        },
    ),
]


@pytest.mark.parametrize(("name", "day", "items"), COLUMNS, ids=[c[0] for c in COLUMNS])
def test_everything_missing_is_listed_at_once(tell: Any, name: str, day: str, items: dict[str, str]) -> None:
    seen = tell(name).but(documents=[]).on(day)
    missing = {c: a for c, a in seen.cited("missing").items() if c not in ("CONFORMITY_DECLARATION",)}

    assert missing == items
    assert (seen.status, seen.outcome, seen.deadlines) == ("incomplete", None, [])
    assert seen.codes("actions") == ["NOTIFY_MISSING_ITEMS"]
    assert seen.actions[0]["citation"] in items.values()


def test_a_warehouse_on_the_standard_route_has_the_warehouse_s_documents_and_no_declaration(tell: Any) -> None:
    story = tell("N-warehouse").but(applicant__public_interest_mission=False, conformity_declared=None)
    seen = story.on("2026-09-01")

    assert (seen.route, seen.missing, seen.status) == ("FR_STANDARD", [], "awaiting_authority")


@pytest.mark.parametrize("language", ["en", "other"])
def test_a_summary_in_another_language_is_missing(tell: Any, language: str) -> None:
    story = tell("F02a").without("SUMMARY").attaching("SUMMARY", language=language)

    assert story.on("2026-09-07").codes("missing") == ["SUMMARY"]


def test_the_highest_version_of_a_document_counts(tell: Any) -> None:
    worse = tell("F02a").attaching("SUMMARY", version=2, language="en")
    better = tell("F02a").without("SUMMARY").attaching("SUMMARY", language="en")
    better.attaching("SUMMARY", version=3, language="fr").attaching("SUMMARY", version=2, language="other")

    assert worse.on("2026-09-07").codes("missing") == ["SUMMARY"]
    assert better.on("2026-09-07").missing == []


def test_the_impact_assessment_has_to_cover_the_environment(tell: Any) -> None:
    seen = tell("F02a").but(environment_id="env-souverain").on("2026-09-07")
    assert seen.cited("missing") == {"DPIA_ENVIRONMENT": "GDPR:35"}

    assert tell("F02a").but(environment_id=None).on("2026-09-07").missing == []


def test_prior_opinions_have_to_be_the_warehouse_committee_s(tell: Any) -> None:
    opinion = {"body": "CPP", "verdict": "favourable", "date": "2026-05-20"}
    story = tell("F02a").without("PRIOR_OPINIONS").attaching("PRIOR_OPINIONS", opinion=opinion)

    assert story.on("2026-09-07").codes("missing") == ["PRIOR_OPINIONS"]


def test_an_insurer_proves_or_has_a_laboratory_with_its_commitment(tell: Any) -> None:
    story = tell("F06b").without("LAB_COMMITMENT")
    assert story.on("2026-09-02").cited("missing") == {"LAB_OR_DEMO": "CSP:L1461-3-II"}

    assert tell("F06b").but(lab__independent=False).on("2026-09-02").codes("missing") == ["LAB_OR_DEMO"]
    assert tell("F06b").but(lab=None).attaching(DEMO).on("2026-09-02").missing == []
    assert tell("F06b").but(applicant__kind="consultancy", lab=None).on("2026-09-02").missing == []


def test_formalities_are_missing_beside_documents_but_do_not_make_a_dossier_incomplete(tell: Any) -> None:
    story = tell("F02a").but(conformity_declared=None, directory_registered=None)
    seen = story.on("2026-09-07")

    assert seen.status == "awaiting_formality"
    assert seen.cited("missing") == {"CONFORMITY_DECLARATION": "LIL:66-II", "DIRECTORY_REGISTRATION": "CNIL:2018-155"}
    story.without("NOTICE")
    assert set(story.on("2026-09-07").codes("missing")) == {
        "NOTICE",
        "CONFORMITY_DECLARATION",
        "DIRECTORY_REGISTRATION",
    }


def test_a_formality_counts_from_its_day(tell: Any) -> None:
    story = tell("F02a")

    assert story.on("2026-09-06").codes("missing") == ["DIRECTORY_REGISTRATION"]
    seen = story.on("2026-09-07")
    assert seen.outcome == "START_ALLOWED"
    assert seen.permit["issued_on"] == "2026-09-07"


def test_an_objection_makes_items_missing_from_its_day_until_a_document_comes(tell: Any) -> None:
    story = tell("F05a").submitted("2026-09-01").says("2026-09-04", "completeness.objected", items=["NOTICE", "DPIA"])

    assert story.on("2026-09-03").missing == []
    assert story.on("2026-09-04").cited("missing") == {"NOTICE": "GDPR:14", "DPIA": "GDPR:35"}
    assert story.on("2026-09-04").deadlines == []
    story.says("2026-09-08", "request.completed", documents=[doc("NOTICE", version=2)], set={})
    assert story.on("2026-09-08").codes("missing") == ["DPIA"]
    dpia = doc("DPIA", version=2, covers_environments=["env-souverain"])
    story.says("2026-09-11", "request.completed", documents=[dpia], set={})
    assert story.on("2026-09-11").deadline("secretariat_transmission") == ("2026-09-22", "running")


def test_a_receipt_before_the_dossier_is_complete_is_no_receipt(tell: Any) -> None:
    story = tell("F05a").without("NOTICE").submitted("2026-09-01").says("2026-09-03", "file.received", body="CESREES")
    story.says("2026-09-08", "request.completed", documents=[doc("NOTICE")], set={})

    assert story.on("2026-09-09").steps() == {"secretariat_transmission": "running"}


def test_a_completion_replaces_members_and_may_change_the_route(tell: Any) -> None:
    story = tell("F02a").submitted("2026-09-03")
    story.says("2026-09-04", "request.completed", documents=[], set={"information": {"mode": "general"}})

    assert story.on("2026-09-03").route == "FR_MR004"
    assert story.on("2026-09-04").route == "FR_STANDARD"


def test_a_french_request_never_lapses(tell: Any) -> None:
    seen = tell("F05a").without("NOTICE").submitted("2026-09-01").on("2028-09-01")

    assert (seen.status, seen.outcome) == ("incomplete", None)


def test_a_completion_after_the_outcome_changes_no_outcome(tell: Any) -> None:
    story = tell("F02a").says("2026-09-20", "completeness.objected", items=["NOTICE"])
    story.says("2026-09-25", "request.completed", documents=[], set={"information": {"mode": "none"}})
    seen = story.on("2026-10-01")

    assert (seen.route, seen.outcome, seen.missing) == ("FR_MR004", "START_ALLOWED", [])
