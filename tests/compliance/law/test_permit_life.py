"""A permit's life: persons, amendments, the one extension, orders, incidents, duties, closing; opt-outs, outputs."""

from typing import Any

import pytest


def permit(tell: Any) -> Any:
    """An EU permit issued on 14 September 2029 for 36 months, delivered on 5 November: ends 14 September 2032."""
    return (
        tell("N-persons")
        .submitted("2029-06-04")
        .says("2029-08-20", "fee.estimated", amount_eur=14000, holder_part_eur=3000)
        .says("2029-09-14", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-9"])
        .says("2029-11-05", "data.delivered", dataset_ids=["biobank-lyon"])
    )


def test_a_permit_s_last_day_is_its_date(tell: Any) -> None:
    story = permit(tell)

    assert (story.on("2032-09-14").permit["status"], story.on("2032-09-14").start_allowed) == ("active", True)
    assert (story.on("2032-09-15").permit["status"], story.on("2032-09-15").start_allowed) == ("expired", False)


def test_an_extension_in_time_adds_its_months_to_the_issue(tell: Any) -> None:
    story = permit(tell).says("2032-08-14", "permit.extension-requested", months=24, documents=True)
    assert story.on("2032-08-15").permit["extension"] == {"status": "requested", "code": None}
    assert story.on("2032-08-15").deadline("extension_request") == ("2032-08-14", "met")

    story.says("2032-09-01", "extension.decided", verdict="granted", by=["a-9"])
    seen = story.on("2032-09-20")
    assert (seen.permit["status"], seen.permit["version"], seen.permit["months"]) == ("active", 2, 60)
    assert seen.permit["expires_on"] == "2034-09-14"
    assert seen.permit["extension"] == {"status": "granted", "code": None}

    story.says("2033-01-10", "permit.extension-requested", months=12, documents=True)
    seen = story.on("2033-01-10")
    assert seen.permit["extension"] == {"status": "refused", "code": "EXTENSION_ALREADY_GRANTED"}
    assert seen.permit["expires_on"] == "2034-09-14"


@pytest.mark.parametrize(
    ("day", "months", "documents", "code"),
    [
        ("2032-08-15", 121, False, "EXTENSION_LATE"),
        ("2032-08-14", 121, False, "EXTENSION_OVER_10_YEARS"),
        ("2032-08-14", 120, False, "EXTENSION_WITHOUT_DOCUMENTS"),
    ],
)
def test_an_extension_is_refused_by_the_first_rule_that_applies(
    tell: Any, day: str, months: int, documents: bool, code: str
) -> None:
    seen = permit(tell).says(day, "permit.extension-requested", months=months, documents=documents).on(day)

    assert seen.permit["extension"] == {"status": "refused", "code": code}
    assert seen.cited("reasons")[code] == "EHDS:68(12)"
    assert seen.permit["version"] == 1


def test_an_extension_refused_by_the_body_may_be_asked_for_again(tell: Any) -> None:
    story = permit(tell).says("2032-01-10", "permit.extension-requested", months=24, documents=True)
    story.says("2032-02-10", "extension.decided", verdict="refused", by=["a-9"])
    assert story.on("2032-02-10").permit["extension"] == {"status": "refused", "code": None}

    story.says("2032-03-10", "permit.extension-requested", months=6, documents=True)
    assert story.on("2032-03-10").permit["extension"] == {"status": "requested", "code": None}


def test_an_extension_decided_without_request_is_ignored(tell: Any) -> None:
    seen = permit(tell).says("2032-02-10", "extension.decided", verdict="granted", by=["a-9"]).on("2032-02-10")

    assert (seen.permit["extension"], seen.permit["version"]) == (None, 1)


def test_an_amendment_holds_once_it_is_granted(tell: Any) -> None:
    story = permit(tell).says(
        "2030-01-10", "permit.amendment-requested", add_datasets=["eu-cancer-fr"], remove_datasets=["biobank-lyon"]
    )
    assert (story.on("2030-01-10").permit["version"], story.on("2030-01-10").permit["datasets"]) == (
        1,
        ["biobank-lyon"],
    )

    change = {"add_datasets": ["eu-cancer-fr"], "remove_datasets": ["biobank-lyon"], "by": ["a-9"]}
    refused = permit(tell).says("2030-02-10", "amendment.decided", verdict="refused", **change).on("2030-02-10")
    assert (refused.permit["version"], refused.permit["datasets"]) == (1, ["biobank-lyon"])
    seen = story.says("2030-02-10", "amendment.decided", verdict="granted", **change).on("2030-02-10")
    assert (seen.permit["version"], seen.permit["datasets"]) == (2, ["eu-cancer-fr"])


def test_an_amendment_adds_no_dataset_of_an_exempt_holder(tell: Any) -> None:
    story = permit(tell).says(
        "2030-02-10",
        "amendment.decided",
        verdict="granted",
        add_datasets=["wellness-app"],
        remove_datasets=[],
        by=["a-9"],
    )
    seen = story.on("2030-02-10")

    assert seen.permit["datasets"] == ["biobank-lyon"]
    assert seen.cited("reasons")["HOLDER_EXEMPT"] == "EHDS:50(1)"


def test_a_revoked_permit_stays_revoked_and_its_data_are_deleted(tell: Any) -> None:
    story = permit(tell).says("2030-01-31", "revocation.ordered", by=["a-9"]).says("2030-02-05", "resumption.ordered")
    seen = story.on("2030-07-31")

    assert (seen.permit["status"], seen.start_allowed) == ("revoked", False)
    assert seen.deadline("deletion") == ("2030-07-31", "running")
    assert seen.deadline("results") == ("2031-07-31", "running")
    assert seen.deadline("extension_request")[1] == "stopped"
    assert story.on("2030-08-01").cited("actions")["DELETE_DATA_NOW"] == "EHDS:68(12)"
    assert story.on("2031-08-01").cited("actions")["RESULTS_OVERDUE"] == "EHDS:61(4)"
    assert story.on("2040-01-01").permit["status"] == "revoked"


def test_the_months_to_delete_after_a_revocation_are_a_setting(tell: Any) -> None:
    story = permit(tell).says("2030-01-31", "revocation.ordered", by=["a-9"])

    assert story.under(eu__deletion_after_revocation=1).on("2030-02-01").deadline("deletion")[0] == "2030-02-28"


def test_results_run_from_the_end_of_processing(tell: Any) -> None:
    story = permit(tell).says("2030-03-01", "permit.results-published")
    story.says("2030-05-06", "permit.processing-completed")
    assert story.on("2030-05-06").deadline("results") == ("2031-11-06", "running")

    story.says("2031-11-07", "permit.results-published")
    assert story.on("2031-11-07").deadline("results") == ("2031-11-06", "met-late")


def test_a_partial_deletion_closes_nothing(tell: Any) -> None:
    story = tell("N-L6-closed")
    for item in story.raw["history"]:
        if item["type"] == "deletion.certified.v1":
            item["data"]["scope"] = "source"

    assert story.on("2030-08-01").permit["status"] == "expired"
    assert story.on("2030-08-01").codes("actions") == ["DELETE_DATA_NOW"]


def test_holders_and_access_overdue(tell: Any) -> None:
    story = tell("E14")
    assert story.on("2029-12-04").cited("actions") == {
        "REQUEST_DATA_FROM_HOLDER": "EHDS:68(7)",
        "HOLDER_IN_DEFAULT": "EHDS:63(4)",
    }
    story.says("2029-12-05", "period.extended", step="holder_delivery", reasons_given=True)
    assert story.on("2029-12-05").cited("reasons")["EXTENSION_TOO_LATE"] == "EHDS:60(2)"
    story.says("2029-12-10", "data.delivered")
    seen = story.on("2029-12-10")
    assert seen.deadline("holder_delivery") == ("2029-12-03", "met-late")
    assert seen.deadline("access") == ("2030-02-11", "running")
    assert story.on("2030-02-12").cited("actions") == {"ACCESS_OVERDUE": "EHDS:68(7)"}


def test_a_delivery_may_be_extended(tell: Any) -> None:
    story = tell("E14").says("2029-11-05", "period.extended", step="holder_delivery", reasons_given=False)

    assert story.on("2029-11-05").deadline("holder_delivery") == ("2030-03-04", "running")


def test_an_extension_of_a_duty_the_law_does_not_extend_says_so(tell: Any) -> None:
    story = permit(tell).says("2029-11-10", "period.extended", step="access", reasons_given=True)
    story.says("2029-11-10", "period.extended", step="fee_agreement", reasons_given=True, hour="11:00")

    assert story.on("2029-11-10").cited("reasons")["EXTENSION_NOT_AVAILABLE"] in ("EHDS:68(7)", "EHDS:62(4)")


def test_a_fee_is_agreed_within_a_month_or_the_authority_may_set_it(tell: Any) -> None:
    story = permit(tell)
    (fee,) = [d for d in story.on("2029-10-16").deadlines if d["step"] == "fee_agreement"]

    assert (fee["due"], fee["state"], fee["silence"]) == ("2029-10-15", "elapsed", "authority-may-set-fee")
    no_part = tell("E15b").on("2029-07-20")
    assert "fee_agreement" not in no_part.steps()


@pytest.mark.parametrize(
    ("kind", "reasons", "actions"),
    [
        (
            "SHARED_ACCESS",
            {"SHARED_ACCESS": "EHDS:61(2)", "FINE_CEILING_10M_2PCT": "EHDS:64(4)"},
            {"LEGAL_REVIEW": "EHDS:99", "OPEN_HEARING": "EHDS:63(2)"},
        ),
        (
            "REIDENTIFICATION_ATTEMPT",
            {"REIDENTIFICATION_ATTEMPT": "EHDS:61(3)", "FINE_CEILING_20M_4PCT": "EHDS:64(5)"},
            {
                "INFORM_SUPERVISORY_AUTHORITY": "EHDS:63(2)",
                "PROPOSE_REVOCATION": "EHDS:63(3)",
                "OPEN_HEARING": "EHDS:63(2)",
            },
        ),
        (
            "PERSONAL_DATA_EXTRACTION",
            {"PERSONAL_DATA_EXTRACTION": "EHDS:73(2)", "FINE_CEILING_20M_4PCT": "EHDS:64(5)"},
            {
                "INFORM_SUPERVISORY_AUTHORITY": "EHDS:63(2)",
                "PROPOSE_REVOCATION": "EHDS:63(3)",
                "OPEN_HEARING": "EHDS:63(2)",
            },
        ),
        (
            "PROHIBITED_USE",
            {"PROHIBITED_USE": "EHDS:54", "FINE_CEILING_20M_4PCT": "EHDS:64(5)"},
            {"PROPOSE_REVOCATION": "EHDS:63(3)", "OPEN_HEARING": "EHDS:63(2)"},
        ),
    ],
)
def test_incidents(tell: Any, kind: str, reasons: dict[str, str], actions: dict[str, str]) -> None:
    story = permit(tell).says("2030-03-25", "incident.reported", kind=kind)
    seen = story.on("2030-03-25")
    assert (seen.permit["status"], seen.start_allowed) == ("suspended", False)
    assert seen.cited("reasons") == {"ROUTE_APPLIES": "EHDS:68(4)", **reasons}
    assert seen.deadline("hearing") == ("2030-04-23", "running")

    story.says("2030-04-10", "views.submitted").says("2030-04-20", "resumption.ordered")
    seen = story.on("2030-04-20")
    assert (seen.permit["status"], seen.deadline("hearing")[1]) == ("active", "met")
    assert {c: a for c, a in seen.cited("actions").items() if c != "ACCESS_OVERDUE"} == actions


@pytest.mark.parametrize("host", ["/hosts/env-souverain", "/hosts/env-clinique", "/hosts/somebody-else"])
def test_an_incident_suspends_whichever_host_reports_it(tell: Any, host: str) -> None:
    """A breach may come to light where the data should not be; a suspension is undone by order (EHDS:63(2))."""
    story = permit(tell).says("2030-03-25", "incident.reported", kind="SHARED_ACCESS")
    story.raw["history"][-1]["source"] = host
    seen = story.on("2030-03-25")

    assert (seen.permit["status"], seen.start_allowed) == ("suspended", False)
    assert seen.cited("reasons")["SHARED_ACCESS"] == "EHDS:61(2)"
    assert "ACT_IN_ANOTHER_NAME" not in seen.codes("reasons")


def test_an_incident_before_the_permit_is_ignored(tell: Any) -> None:
    story = tell("E16b").says("2029-07-01", "incident.reported", kind="SHARED_ACCESS")

    assert story.on("2029-07-01").codes("reasons") == ["ROUTE_APPLIES"]


@pytest.mark.parametrize(
    ("until", "shown", "capped"), [("2035-03-04", "2035-03-04", False), ("2036-01-01", "2035-03-04", True)]
)
def test_an_exclusion_lasts_five_years_at_most(tell: Any, until: str, shown: str, capped: bool) -> None:
    seen = permit(tell).says("2030-03-04", "exclusion.ordered", until=until).on("2030-03-04")

    assert seen.permit["excluded_until"] == shown
    assert (seen.cited("reasons").get("EXCLUSION_CAPPED") == "EHDS:63(3)") is capped


def test_opt_outs_under_the_ehds_are_compared_by_instant(tell: Any) -> None:
    story = permit(tell)
    story.says("2029-09-14", "optout.recorded", hour="09:59", ref="before", list_version=1)
    story.says("2029-09-14", "optout.recorded", hour="10:01", ref="after", list_version=2)
    story.says("2029-09-13", "optout.recorded", ref="back", list_version=1)
    story.says("2029-10-01", "optout.reversed", ref="back", list_version=3)
    effects = {o["ref"]: (o["effect"], o["citation"]) for o in story.on("2029-10-01").opt_outs}

    assert effects == {
        "before": ("excluded", "EHDS:71(3)"),
        "after": ("not-affected", "EHDS:71(3)"),
        "back": ("reversed", "EHDS:71(3)"),
    }


def test_opt_outs_and_objections_in_france(tell: Any) -> None:
    story = tell("F05a").says("2026-11-10", "objection.received", ref="person-4")
    seen = story.on("2026-11-10")
    assert seen.opt_outs == [{"ref": "person-4", "effect": "removal-task", "citation": "CSP:R1461-9-II"}]
    assert seen.cited("actions")["REMOVE_FROM_PROJECT"] == "CSP:R1461-9-II"

    permanent = tell("F10b").says("2026-09-05", "objection.received", ref="person-4")
    seen = permanent.says("2026-09-06", "optout.recorded", ref="person-5", list_version=3).on("2026-09-06")
    assert {o["effect"] for o in seen.opt_outs} == {"not-applicable"}
    assert {o["citation"] for o in seen.opt_outs} == {"CSP:R1461-9-II-2"}
    assert "REMOVE_FROM_PROJECT" not in seen.codes("actions")


def test_outputs_wait_for_a_person_unless_a_rule_decides(tell: Any) -> None:
    story = permit(tell)
    asked = {"kind": "aggregate_table", "min_cell": 10, "personal": False}
    story.says("2030-02-01", "output.requested", ref="small", **asked)
    story.says("2030-02-01", "output.requested", ref="table", **{**asked, "min_cell": 11})
    story.says("2030-02-01", "output.requested", ref="model", kind="model", min_cell=0, personal=False)
    story.says("2030-02-01", "output.requested", ref="faces", kind="figure", min_cell=50, personal=True)
    for ref in ("small", "table", "faces"):
        story.says("2030-02-03", "output.checked", ref=ref, verdict="released", by=["r-1"])
    verdicts = {o["ref"]: (o["verdict"], o["code"]) for o in story.on("2030-02-03").outputs}

    assert verdicts == {
        "small": ("returned", "CELL_BELOW_THRESHOLD"),
        "table": ("released", None),
        "model": ("in-review", None),
        "faces": ("rejected", "OUTPUT_PERSONAL"),
    }
    assert story.under(output__min_cell=5).on("2030-02-02").outputs[0]["verdict"] == "in-review"


def test_outputs_in_france_cite_the_referential(tell: Any) -> None:
    story = tell("F05a").says("2026-11-01", "output.requested", ref="o", kind="row_level", min_cell=0, personal=False)

    assert story.on("2026-11-01").outputs == [
        {"ref": "o", "verdict": "rejected", "code": "OUTPUT_PERSONAL", "citation": "SNDS-REF:4.5"}
    ]


def test_persons_update_as_often_as_needed(tell: Any) -> None:
    story = tell("N-persons").says("2030-02-01", "permit.persons-updated", persons=[])

    assert (story.on("2030-02-01").permit["version"], story.on("2030-02-01").permit["persons"]) == (3, [])


def test_an_expired_permit_is_not_touched(tell: Any) -> None:
    story = permit(tell)
    before = story.on("2032-10-01").permit
    story.says("2032-09-20", "permit.persons-updated", persons=[]).says("2032-09-21", "suspension.ordered")
    story.says("2032-09-22", "revocation.ordered", by=["a-9"]).says("2032-09-23", "resumption.ordered")

    assert story.on("2032-10-01").permit == before


def test_a_request_refused_by_rule_leaves_the_one_that_waits_alone(tell: Any) -> None:
    story = permit(tell).says("2032-08-14", "permit.extension-requested", months=24, documents=True)
    story.says("2032-08-20", "permit.extension-requested", months=24, documents=True)
    assert story.on("2032-08-20").permit["extension"] == {"status": "refused", "code": "EXTENSION_LATE"}

    seen = story.says("2032-09-01", "extension.decided", verdict="granted", by=["a-9"]).on("2032-09-15")
    assert (seen.permit["status"], seen.permit["version"], seen.permit["months"]) == ("active", 2, 60)
    assert seen.permit["extension"] == {"status": "granted", "code": None}


def test_a_dataset_taken_out_by_amendment_is_awaited_no_longer(tell: Any) -> None:
    story = tell("N-access-met").submitted("2029-06-04")
    story.says("2029-08-20", "fee.estimated", amount_eur=900, holder_part_eur=0)
    story.says("2029-09-03", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-9"])
    story.says("2029-11-05", "data.delivered", dataset_ids=["retina-fr"])
    assert story.on("2029-12-04").cited("actions")["HOLDER_IN_DEFAULT"] == "EHDS:63(4)"

    story.says("2029-11-20", "amendment.decided", verdict="granted", remove_datasets=["ehr-fr"], by=["a-9"])
    seen = story.on("2029-12-04")
    assert seen.deadline("holder_delivery") == ("2029-12-03", "met")
    assert seen.deadline("access") == ("2030-01-21", "running")
    assert "REQUEST_DATA_FROM_HOLDER" not in seen.codes("actions")


@pytest.mark.parametrize(
    ("case", "day", "added", "refusal"),
    [
        ("F02a", "2026-10-05", "eds-chu-sud", None),
        ("F02a", "2026-10-05", "snds-main", ("SNDS_EXCLUDED", "CNIL:2018-155")),
        ("F05a", "2026-10-05", "eds-chu-sud", ("NOT_SNDS_MAIN_ONLY", "CNIL:2023-082")),
        ("F07a", "2026-12-07", "eds-chu-sud", None),
    ],
)
def test_what_an_amendment_adds_has_to_fit_the_declaration_it_rests_on(
    tell: Any, case: str, day: str, added: str, refusal: tuple[str, str] | None
) -> None:
    seen = tell(case).says(day, "amendment.decided", verdict="granted", add_datasets=[added], by=["c-9"]).on(day)

    assert (added in seen.permit["datasets"]) is (refusal is None)
    if refusal is not None:
        code, citation = refusal
        assert {"code": code, "citation": citation, "subject": added} in seen.reasons


def test_an_amendment_does_not_bring_in_what_the_law_forbids(tell: Any) -> None:
    transfer = {"country": "US", "kind": "personal", "adequacy_decision": True}
    story = tell("F02a").but(transfers_outside_eu=[transfer], information={"mode": "general"})
    story.attaching("DATA_SCOPE").attaching("DOI_FUNDING").attaching("LEGAL_BASIS").attaching("RETENTION_RESULTS")
    story.says("2026-09-07", "file.received", body="CESREES")
    story.says("2026-09-14", "opinion.issued", body="CESREES", verdict="favourable", by=["m-1"])
    story.says("2026-09-21", "file.received", body="CNIL")
    story.says("2026-10-05", "decision.issued", body="CNIL", verdict="granted", by=["c-1"])
    story.says("2026-10-12", "amendment.decided", verdict="granted", add_datasets=["snds-main"], by=["c-1"])
    seen = story.on("2026-10-12")

    assert (seen.route, seen.permit["kind"], seen.permit["datasets"]) == (
        "FR_STANDARD",
        "authorisation",
        ["eds-chu-nord"],
    )
    assert {"code": "TRANSFER_OUTSIDE_EU", "citation": "SNDS-REF:3.2", "subject": "snds-main"} in seen.reasons
