"""The EHDS regime: completeness, lapse, decisions of several bodies, fees, statistics, trusted holders."""

from typing import Any

import pytest

from compliance.rules.european_routes import european_routes


def doc(code: str) -> dict[str, Any]:
    return {"code": code, "version": 1, "date": "2029-06-20", "sha256": "1" * 64}


def fee(story: Any, day: str = "2029-08-20", holder: int = 0) -> Any:
    return story.says(day, "fee.estimated", amount_eur=100, holder_part_eur=holder)


def granted(tell: Any, name: str = "E16b") -> Any:
    """An application complete on 4 June 2029 (due 4 September), granted on 3 September."""
    return fee(tell(name)).says("2029-09-03", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-9"])


def test_an_application_says_everything_it_lacks(tell: Any) -> None:
    linkage = {"with": ["OWN_DATASET"], "uses_nir": False, "trusted_third_party": None, "circuit": "probabilistic"}
    opted_out = {"requested": True, "basis": None}
    story = tell("E16b").but(documents=[], persons=[], data__linkage=linkage, data__includes_opted_out=opted_out)

    assert story.on("2029-06-04").cited("missing") == {
        "PERSONS": "EHDS:67(2)(a)",
        "INTENDED_USE": "EHDS:67(2)(c)",
        "DATA_SCOPE": "EHDS:67(2)(d)",
        "PSEUDONYMISATION_JUSTIFICATION": "EHDS:67(2)(e)",
        "OWN_DATASETS": "EHDS:67(2)(f)",
        "SAFEGUARDS": "EHDS:67(2)(g)",
        "PERIOD_JUSTIFICATION": "EHDS:67(2)(h)",
        "TOOLS": "EHDS:67(2)(i)",
        "ETHICS": "EHDS:67(2)(j)",
        "OPT_OUT_JUSTIFICATION": "EHDS:67(2)(k)",
        "GDPR_COMPLIANCE": "EHDS:67(4)",
    }


def test_a_public_body_says_how_often_it_needs_access_and_anonymised_data_need_less(tell: Any) -> None:
    story = tell("E16b").but(documents=[], applicant__public_sector_body=True, data__form="anonymised")

    assert story.on("2029-06-04").cited("missing") == {
        "INTENDED_USE": "EHDS:67(2)(c)",
        "DATA_SCOPE": "EHDS:67(2)(d)",
        "SAFEGUARDS": "EHDS:67(2)(g)",
        "TOOLS": "EHDS:67(2)(i)",
        "ACCESS_FREQUENCY": "EHDS:67(5)",
    }
    assert "ETHICS" in story.under(eu__ethics_required="always").on("2029-06-04").codes("missing")


def test_a_statistics_request_says_what_it_lacks_and_its_period_runs(tell: Any) -> None:
    story = tell("N-stat-answered").submitted("2029-06-04").but(documents=[])
    seen = story.on("2029-09-05")

    assert seen.cited("missing") == {
        "INTENDED_USE": "EHDS:69(2)(b)",
        "DATA_SCOPE": "EHDS:69(2)(c)",
        "STATISTICAL_CONTENT": "EHDS:69(2)(d)",
        "SAFEGUARDS": "EHDS:69(2)(e)",
        "GDPR_COMPLIANCE": "EHDS:69(2)(f)",
    }
    assert (seen.status, seen.outcome, seen.steps()) == ("incomplete", None, {"request_assessment": "elapsed"})


def test_a_partial_completion_does_not_restart_the_four_weeks(tell: Any) -> None:
    story = tell("E16a").says("2029-06-20", "request.completed", documents=[doc("TOOLS")], set={})

    assert story.on("2029-06-20").codes("missing") == ["SAFEGUARDS"]
    assert story.on("2029-06-20").deadline("completion") == ("2029-07-02", "running")
    assert story.on("2029-07-03").outcome == "LAPSED"


def test_a_completion_on_the_last_day_starts_the_decision_period(tell: Any) -> None:
    story = tell("E16a").says("2029-07-02", "request.completed", documents=[doc("TOOLS"), doc("SAFEGUARDS")], set={})
    seen = story.on("2029-07-10")

    assert (seen.status, seen.missing) == ("assessing", [])
    assert seen.deadline("completion") == ("2029-07-02", "met")
    assert seen.deadline("permit_decision") == ("2029-10-02", "running")


def test_a_completion_after_the_lapse_changes_nothing(tell: Any) -> None:
    story = tell("E16a").says("2029-07-03", "request.completed", documents=[doc("TOOLS"), doc("SAFEGUARDS")], set={})
    seen = story.on("2029-08-01")

    assert (seen.status, seen.outcome) == ("lapsed", "LAPSED")
    assert seen.codes("missing") == ["SAFEGUARDS", "TOOLS"]


def test_an_objection_gives_four_weeks_and_its_cure_a_new_decision_period(tell: Any) -> None:
    story = tell("E16b").says("2029-06-18", "completeness.objected", items=["ETHICS"])
    seen = story.on("2029-06-18")
    assert (seen.status, seen.cited("missing")) == ("incomplete", {"ETHICS": "EHDS:67(2)(j)"})
    assert seen.steps() == {"completion": "running"}
    assert seen.deadline("completion") == ("2029-07-16", "running")

    story.says("2029-07-10", "request.completed", documents=[{**doc("ETHICS"), "version": 2}], set={})
    assert story.on("2029-07-10").deadline("permit_decision") == ("2029-10-10", "running")


def test_silence_grants_nothing_and_a_late_refusal_counts(tell: Any) -> None:
    story = tell("E16b").says("2029-10-01", "decision.issued", body="HDAB-FR", verdict="refused", by=["a-9"])
    assert story.on("2029-09-30").cited("actions") == {"ESCALATE_OVERDUE": "EHDS:68(4)", "COMPLAINT_OPEN": "EHDS:81"}

    seen = story.on("2029-10-01")
    assert (seen.outcome, seen.deadline("permit_decision")[1]) == ("REFUSED", "met-late")
    assert {"code": "AUTHORITY_REFUSED", "citation": "EHDS:68(9)", "subject": "eu-cancer-fr"} in seen.reasons
    assert seen.cited("actions") == {"COMPLAINT_OPEN": "EHDS:81"}
    assert seen.register == {
        "application_due": "2029-06-05",
        "decision_due": "2029-11-13",
        "decision_kind": "refusal",
    }


@pytest.mark.parametrize(
    ("name", "step", "reasons_given", "due", "code"),
    [
        ("E16b", "permit_decision", True, "2029-12-04", None),
        ("E16b", "permit_decision", False, "2029-09-04", "EXTENSION_WITHOUT_REASONS"),
        ("E15b", "permit_decision_accelerated", False, "2029-09-04", None),
        ("N-stat-answered", "request_assessment", True, "2029-09-04", "EXTENSION_NOT_AVAILABLE"),
    ],
)
def test_extensions_of_decision_periods(
    tell: Any, name: str, step: str, reasons_given: bool, due: str, code: str | None
) -> None:
    story = tell(name).submitted("2029-06-04")
    seen = story.says("2029-06-20", "period.extended", step=step, reasons_given=reasons_given).on("2029-06-20")

    assert seen.deadline(step) == (due, "running")
    assert [c for c in seen.codes("reasons") if c.startswith("EXTENSION")] == ([code] if code else [])


def test_an_overdue_accelerated_decision_cites_its_own_article(tell: Any) -> None:
    seen = tell("E15b").submitted("2029-06-04").on("2029-08-07")

    assert seen.cited("reasons")["DECISION_OVERDUE"] == "EHDS:68(6)"


def test_a_grant_without_a_fee_estimate_does_not_count(tell: Any) -> None:
    story = tell("E16b").says("2029-08-01", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-9"])
    seen = story.on("2029-08-01")
    assert (seen.status, seen.outcome, seen.permit) == ("assessing", None, None)
    assert seen.cited("reasons")["NO_FEE_ESTIMATE"] == "EHDS:62(5)"
    assert seen.cited("actions") == {"NOTIFY_FEE_ESTIMATE": "EHDS:62(5)"}

    fee(story, "2029-08-10").says("2029-08-20", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-9"])
    seen = story.on("2029-08-20")
    assert (seen.outcome, seen.permit["issued_on"]) == ("GRANTED", "2029-08-20")
    assert "NO_FEE_ESTIMATE" not in seen.codes("reasons")


def test_an_estimate_of_the_same_day_is_in_time(tell: Any) -> None:
    story = fee(tell("E16b"), "2029-08-01")
    story.says("2029-08-01", "decision.issued", hour="09:00", body="HDAB-FR", verdict="granted", by=["a-9"])

    assert story.on("2029-08-01").outcome == "GRANTED"


def test_a_decision_while_incomplete_is_ignored(tell: Any) -> None:
    story = fee(tell("E16a"), "2029-06-05")
    story.says("2029-06-10", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-9"])
    story.says("2029-06-20", "request.completed", documents=[doc("TOOLS"), doc("SAFEGUARDS")], set={})

    assert story.on("2029-06-20").outcome is None


def test_each_body_decides_on_its_own_datasets(tell: Any) -> None:
    story = fee(tell("E20a").submitted("2029-06-04"))
    story.says("2029-08-21", "decision.issued", body="HDAB-FI", verdict="granted", months=24, by=["fi-1"])
    seen = story.on("2029-08-21")

    assert (seen.outcome, seen.status, seen.start_allowed) == (None, "assessing", True)
    assert seen.decisions() == {"eu-cancer-fr": "pending", "eu-cancer-fi": "granted", "eu-cancer-de": "pending"}
    assert (seen.permit["datasets"], seen.permit["months"]) == (["eu-cancer-fi"], 24)
    assert seen.deadline("permit_decision") == ("2029-09-04", "running")
    assert seen.register["decision_kind"] == "permit"
    assert story.on("2029-09-05").cited("reasons")["DECISION_OVERDUE"] == "EHDS:68(4)"


def test_a_body_may_name_datasets(tell: Any) -> None:
    story = fee(tell("E14").submitted("2029-06-04"))
    story.says("2029-08-21", "decision.issued", body="HDAB-FR", verdict="refused", datasets=["ehr-fr"], by=["a-1"])
    assert story.on("2029-08-21").decisions() == {"retina-fr": "pending", "ehr-fr": "refused"}

    story.says("2029-08-22", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-1"])
    seen = story.on("2029-08-22")
    assert (seen.outcome, seen.permit["datasets"]) == ("PARTIALLY_GRANTED", ["retina-fr"])
    assert seen.deadline("permit_decision") == ("2029-09-04", "met")
    assert "MUTUAL_RECOGNITION_OPTIONAL" not in seen.codes("conditions")


def test_all_granted_is_partial_when_a_dataset_was_excluded(tell: Any) -> None:
    story = tell("E16b")
    first = story.raw["dossier"]["data"]["datasets"][0]
    wellness = {**first, "dataset_id": "wellness-app", "categories": ["i"]}
    story.raw["dossier"]["data"]["datasets"] = [first, wellness]
    seen = (
        fee(story).says("2029-09-03", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-9"]).on("2029-09-03")
    )

    assert seen.outcome == "PARTIALLY_GRANTED"
    assert seen.decisions() == {"eu-cancer-fr": "granted", "wellness-app": "excluded"}
    assert {"code": "HOLDER_EXEMPT", "citation": "EHDS:50(1)", "subject": "wellness-app"} in seen.reasons


@pytest.mark.parametrize(
    ("day", "reason", "decision"),
    [("2031-03-25", True, "pending"), ("2031-03-26", False, "pending")],
)
def test_categories_apply_from_their_day(tell: Any, day: str, reason: bool, decision: str) -> None:
    story = tell("E16b").submitted(day)
    dataset = story.raw["dossier"]["data"]["datasets"][0]
    dataset.update(dataset_id="cohort-survey", categories=["a", "p"])
    seen = story.on(day)

    assert ("CATEGORY_NOT_YET_APPLICABLE" in seen.codes("reasons")) is reason
    assert seen.decisions() == {"cohort-survey": decision}


@pytest.mark.parametrize(
    ("submitted", "datasets"),
    [("2031-03-25", ["eu-cancer-fr"]), ("2031-03-26", ["eu-cancer-fr", "biobank-lyon-genomes"])],
)
def test_an_amendment_brings_in_genomes_when_their_category_applied_to_the_application(
    tell: Any, submitted: str, datasets: list[str]
) -> None:
    """Category f applies from 26 March 2031 (EHDS:105), that day included; what counts is the day of submission."""
    story = fee(tell("E16b").submitted(submitted), "2031-04-20")
    story.says("2031-05-05", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-9"])
    genomes = {"add_datasets": ["biobank-lyon-genomes"], "remove_datasets": [], "by": ["a-9"]}
    seen = story.says("2031-06-02", "amendment.decided", verdict="granted", **genomes).on("2031-06-02")

    assert seen.permit["datasets"] == datasets
    assert ("CATEGORY_NOT_YET_APPLICABLE" in seen.codes("reasons")) == (len(datasets) == 1)


def test_months_are_capped_at_ten_years_once_complete(tell: Any) -> None:
    assert "DURATION_CAPPED" not in tell("E16a").but(requested_months=121).on("2029-06-04").codes("reasons")
    assert tell("E16b").but(requested_months=121).on("2029-06-04").cited("reasons")["DURATION_CAPPED"] == "EHDS:68(12)"
    assert "DURATION_CAPPED" not in tell("E16b").but(requested_months=120).on("2029-06-04").codes("reasons")


def test_a_withdrawal_costs_what_was_incurred(tell: Any) -> None:
    seen = tell("E16b").says("2029-07-01", "request.withdrawn").on("2030-01-01")

    assert (seen.status, seen.outcome) == ("withdrawn", "WITHDRAWN")
    assert seen.cited("conditions") == {"ONLY_COSTS_INCURRED": "EHDS:62(5)"}
    assert seen.deadline("permit_decision") == ("2029-09-04", "stopped")


def test_statistics_suffice(tell: Any) -> None:
    story = tell("E18b").submitted("2029-06-04")
    story.says("2029-07-02", "assessment.recorded", by=["a-4"], finding="STATISTICS_SUFFICIENT")
    seen = story.on("2029-07-02")
    assert (seen.status, seen.outcome) == ("awaiting_confirmation", "REFUSAL_PROPOSED")
    assert seen.cited("reasons")["STATISTICS_SUFFICIENT"] == "EHDS:66(2)"
    assert seen.cited("actions") == {"CONFIRM_REFUSAL": "EHDS:66(2)"}

    confirmed = tell("E18b").submitted("2029-06-04")
    confirmed.says("2029-07-02", "assessment.recorded", by=["a-4"], finding="STATISTICS_SUFFICIENT")
    confirmed.says("2029-07-05", "refusal.confirmed", by=["o-1"])
    seen = confirmed.on("2029-07-05")
    assert (seen.outcome, seen.register["decision_kind"]) == ("REFUSED", "refusal")
    assert seen.deadline("permit_decision") == ("2029-09-04", "met")

    story.says("2029-07-05", "refusal.overridden", by=["o-1"], codes=["STATISTICS_SUFFICIENT"])
    assert (story.on("2029-07-05").status, story.on("2029-07-05").outcome) == ("assessing", None)


def test_other_findings_change_nothing_and_a_conversion_needs_the_finding(tell: Any) -> None:
    story = tell("E18b").submitted("2029-06-04").says("2029-06-20", "request.conversion-agreed")
    story.says("2029-07-02", "assessment.recorded", by=["a-4"], finding="NECESSARY")

    assert story.on("2029-07-03").outcome is None
    assert tell("E18b").on("2029-07-09").deadline("permit_decision") == ("2029-09-04", "stopped")


def test_a_conversion_is_final(tell: Any) -> None:
    story = fee(tell("E18b"), "2029-07-10")
    story.says("2029-07-20", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-1"])

    assert story.on("2029-07-20").outcome == "CONVERTED"


def test_a_statistics_request_is_approved_then_answered(tell: Any) -> None:
    story = tell("N-stat-answered").submitted("2029-06-04")
    story.says("2029-08-20", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-3"])
    seen = story.on("2029-11-21")

    assert (seen.status, seen.outcome, seen.permit, seen.environment) == ("answering", "GRANTED", None, None)
    assert seen.deadline("statistical_answer") == ("2029-11-20", "elapsed")
    assert (seen.register["decision_kind"], seen.register["decision_due"]) == ("approval", "2029-10-01")
    story.says("2029-11-26", "answer.provided")
    assert story.on("2029-11-26").deadline("statistical_answer") == ("2029-11-20", "met-late")
    assert story.on("2029-11-26").outcome == "ANSWERED"


def forwarded(tell: Any) -> Any:
    return tell("E19a")


def test_the_trusted_holder_proposes_and_the_body_decides(tell: Any) -> None:
    story = fee(forwarded(tell), "2029-07-01")
    story.says("2029-08-01", "holder-assessment.submitted", holder="biobank-lyon", proposal="grant")
    seen = story.on("2029-08-01")
    assert seen.status == "assessing"
    assert seen.deadline("trusted_holder_assessment") == ("2029-08-13", "met")
    assert seen.deadline("trusted_holder_decision") == ("2029-10-01", "running")

    story.says("2029-09-10", "decision.issued", body="HDAB-FR", verdict="refused", by=["a-9"])
    seen = story.on("2029-09-10")
    assert (seen.outcome, seen.deadline("trusted_holder_decision")[1]) == ("REFUSED", "met")
    assert seen.cited("reasons")["PROPOSAL_NOT_FOLLOWED"] == "EHDS:72(5)"
    assert seen.deadline("permit_decision")[1] == "stopped"


def test_a_proposal_that_is_followed_is_not_remarked_upon(tell: Any) -> None:
    story = fee(forwarded(tell), "2029-07-01")
    story.says("2029-08-01", "holder-assessment.submitted", holder="biobank-lyon", proposal="grant")
    story.says("2029-10-02", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-9"])
    seen = story.on("2029-10-02")

    assert (seen.route, seen.outcome) == ("EU_TRUSTED_HOLDER", "GRANTED")
    assert seen.deadline("trusted_holder_decision") == ("2029-10-01", "met-late")
    assert "PROPOSAL_NOT_FOLLOWED" not in seen.codes("reasons")


def test_the_body_s_overdue_decision_after_a_proposal_cites_the_trusted_holder_s_article(tell: Any) -> None:
    story = forwarded(tell)
    story.says("2029-08-01", "holder-assessment.submitted", holder="biobank-lyon", proposal="grant")

    assert story.on("2029-10-02").cited("reasons")["DECISION_OVERDUE"] == "EHDS:72(5)"


def test_a_decision_before_the_holder_s_assessment_is_ignored(tell: Any) -> None:
    story = fee(forwarded(tell), "2029-06-13")
    story.says("2029-07-01", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-9"])

    assert story.on("2029-07-01").status == "with_trusted_holder"


@pytest.mark.parametrize(
    ("datasets", "code"),
    [
        (["biobank-lyon", "biobank-lille"], "NOT_SINGLE_TRUSTED_HOLDER"),
        (["biobank-lyon", "biobank-lyon-genomes"], None),
        (["eu-cancer-fr"], "NOT_SINGLE_TRUSTED_HOLDER"),
    ],
)
def test_who_may_be_forwarded_to(tell: Any, datasets: list[str], code: str | None) -> None:
    story = forwarded(tell)
    first = story.raw["dossier"]["data"]["datasets"][0]
    story.raw["dossier"]["data"]["datasets"] = [{**first, "dataset_id": d} for d in datasets]
    seen = story.on("2029-06-20")

    if code is None:
        assert seen.route == "EU_TRUSTED_HOLDER"
    else:
        assert (seen.route, seen.left_aside()["EU_TRUSTED_HOLDER"]) == ("EU_PERMIT", (code, "EHDS:72(1)"))


def test_forwarding_stops_an_accelerated_step_too(tell: Any) -> None:
    story = tell("E15b").submitted("2029-06-04")
    story.raw["dossier"]["data"]["datasets"][0].update(dataset_id="biobank-lyon", categories=["q"])
    story.says("2029-06-12", "request.forwarded", holder="biobank-lyon")
    seen = story.on("2029-06-12")

    assert seen.route == "EU_TRUSTED_HOLDER"
    assert seen.deadline("permit_decision_accelerated") == ("2029-08-06", "stopped")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"purpose__ehds_purposes": ["a", "e"]}, "PURPOSE_NOT_ACCELERATED"),
        ({"applicant__public_health_mandate": False}, "NO_PUBLIC_HEALTH_MANDATE"),
    ],
)
def test_what_leaves_the_fast_lane(tell: Any, changes: dict[str, Any], code: str) -> None:
    seen = tell("E15b").submitted("2029-06-04").but(**changes).on("2029-06-04")

    assert (seen.route, seen.left_aside()["EU_PERMIT_ACCELERATED"]) == ("EU_PERMIT", (code, "EHDS:68(6)"))


@pytest.mark.parametrize(
    ("law", "changes", "applied"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"applicant__public_health_mandate": False}, False),
        (True, {"purpose__ehds_purposes": ["a", "d"]}, False),
    ],
)
def test_opted_out_persons_are_included_only_by_a_national_law(
    tell: Any, law: bool, changes: dict[str, Any], applied: bool
) -> None:
    seen = tell("E15b").but(**changes).under(eu__optout_exception_law=law).on("2029-07-20")

    assert seen.permit["includes_opted_out"] is applied
    assert seen.opt_outs == [
        {"ref": "person-7", "effect": "included-by-exception", "citation": "EHDS:71(4)"}
        if applied
        else {"ref": "person-7", "effect": "excluded", "citation": "EHDS:71(3)"}
    ]
    expected = {"OPT_OUT_EXCEPTION_APPLIED": "EHDS:71(4)"}
    assert (expected.items() <= seen.cited("reasons").items()) is applied


def test_a_grant_opens_with_its_conditions_and_the_gate_of_its_datasets(tell: Any) -> None:
    seen = granted(tell).on("2029-09-03")

    assert seen.cited("conditions") == {
        "PUBLISH_RESULTS_18_MONTHS": "EHDS:61(4)",
        "NO_REIDENTIFICATION": "EHDS:61(3)",
        "SPE_ONLY": "EHDS:73(1)",
    }
    story = granted(tell)
    story.but(environment_id="env-clinique")
    seen = story.on("2029-09-03")
    assert (seen.outcome, seen.start_allowed) == ("GRANTED", False)
    assert seen.environment["findings"] == [{"code": "SPE_73_MISSING", "citation": "EHDS:73(1)"}]
    assert {"code": "FREEZE_AND_REHOST", "citation": "EHDS:73(1)"} in seen.actions


def test_storage_outside_the_union(tell: Any) -> None:
    seen = granted(tell).but(environment_id="env-outremer").on("2029-09-03")

    assert seen.environment["findings"] == [
        {"code": "STORAGE_OUTSIDE_EEA", "citation": "D2026-209"},
        {"code": "STORAGE_OUTSIDE_UNION", "citation": "EHDS:87(1)"},
    ]


def test_an_objection_that_names_no_item_of_the_law_gives_no_new_four_weeks(tell: Any) -> None:
    story = tell("E16a").says("2029-06-11", "completeness.objected", items=["COFFEE"])
    assert story.on("2029-06-11").deadline("completion") == ("2029-07-02", "running")

    story.says("2029-06-12", "completeness.objected", items=["ETHICS"])
    assert story.on("2029-06-12").deadline("completion") == ("2029-07-10", "running")


def test_a_decision_for_more_than_ten_years_is_capped_too(tell: Any) -> None:
    story = tell("E14").submitted("2029-06-04").says("2029-08-20", "fee.estimated", amount_eur=1, holder_part_eur=0)
    story.says("2029-09-03", "decision.issued", body="HDAB-FR", verdict="granted", months=130, by=["a-9"])
    seen = story.on("2029-09-03")

    assert seen.permit["months"] == 120
    assert seen.cited("reasons")["DURATION_CAPPED"] == "EHDS:68(12)"


def test_the_european_routes_stand_in_their_order_and_the_permit_is_everybody_s() -> None:
    routes = european_routes((), False)

    assert [(route.name, *route.citation.texts) for route in routes] == [
        ("EU_STATISTICS_REQUEST", "EHDS:69(1)"),
        ("EU_TRUSTED_HOLDER", "EHDS:72(1)"),
        ("EU_PERMIT_ACCELERATED", "EHDS:68(6)"),
        ("EU_PERMIT", "EHDS:68(4)"),
    ]
    assert routes[-1].conditions == ()
