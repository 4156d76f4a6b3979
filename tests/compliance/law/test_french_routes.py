"""French routes: their order, and the first condition that fails."""

from datetime import date
from typing import Any

import pytest

from compliance.application import Application
from compliance.legal_settings import DEFAULT
from compliance.rules.french_routes import FRENCH_ROUTES, within_decree


def routed(story: Any) -> tuple[str, dict[str, tuple[str, str]]]:
    seen = story.on(story.raw["history"][0]["at"][:10])
    return seen.route, seen.left_aside()


def source(story: Any, *pairs: tuple[str, str]) -> Any:
    first = story.raw["dossier"]["data"]["datasets"][0]
    return story.but(data__datasets=[{**first, "dataset_id": d, "source": s} for d, s in pairs])


def test_own_patients_own_team_own_use_is_exempt(tell: Any) -> None:
    story = tell("F01b").but(exclusive_internal_use=True).without("PROTOCOL", "SUMMARY", "DPIA", "NOTICE", "SECURITY")
    seen = story.on("2026-09-02")

    assert (seen.route, seen.status, seen.outcome) == ("FR_EXEMPT_INTERNAL", "decided", "START_ALLOWED")
    assert seen.start_allowed is True
    assert seen.cited("conditions") == {"RECORD_OF_PROCESSING": "GDPR:30"}
    assert (seen.permit, seen.environment, seen.missing, seen.deadlines) == (None, None, [], [])
    assert seen.register == {"application_due": "2026-09-03", "decision_due": None, "decision_kind": None}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"research_type": "riph2"}, "INVOLVES_PERSONS"),
        ({"exclusive_internal_use": False}, "NOT_EXCLUSIVE_USE"),
        (
            {
                "data__linkage": {
                    "with": ["EDS"],
                    "uses_nir": False,
                    "trusted_third_party": None,
                    "circuit": "probabilistic",
                }
            },
            "NOT_EXCLUSIVE_USE",
        ),
        (
            {
                "persons": [
                    {
                        "ref": "p-1",
                        "role": "analyst",
                        "organisation": "chu-nord",
                        "habilitated": True,
                        "confidentiality_signed": True,
                    }
                ]
            },
            "NOT_CARE_TEAM",
        ),
        (
            {
                "persons": [
                    {
                        "ref": "p-1",
                        "role": "care_team",
                        "organisation": "chu-sud",
                        "habilitated": True,
                        "confidentiality_signed": True,
                    }
                ]
            },
            "NOT_CARE_TEAM",
        ),
    ],
)
def test_what_ends_the_exemption(tell: Any, changes: dict[str, Any], code: str) -> None:
    _, left = routed(tell("F01b").but(**{"exclusive_internal_use": True, **changes}))

    assert left["FR_EXEMPT_INTERNAL"] == (code, "LIL:65-2")


def test_a_listed_body_within_its_decree_and_mission_has_permanent_access(tell: Any) -> None:
    seen = tell("F10b").but(persons=[]).on("2026-09-01")

    assert (seen.route, seen.outcome, seen.start_allowed) == ("FR_PERMANENT", "START_ALLOWED", True)
    assert seen.cited("conditions") == {
        "KEEP_LIST_OF_PROCESSINGS": "CSP:L1461-3-III",
        "PUBLISH_PROJECT": "CSP:R1461-9-I",
        "SEND_RESULTS_TO_HDH": "CSP:L1461-3",
    }
    assert seen.permit is None


@pytest.mark.parametrize(
    ("organisation", "pairs", "first_year", "mission", "left"),
    [
        ("ars-est", [("snds-main", "SNDS_MAIN")], 2020, True, ("OUTSIDE_DECREE_SCOPE", "CSP:R1461-12")),
        ("ars-est", [("pmsi-mco", "PMSI_ATIH")], 2015, True, ("OUTSIDE_DECREE_SCOPE", "CSP:R1461-12")),
        ("spf", [("snds-main", "SNDS_MAIN")], 2010, False, ("OUTSIDE_MISSION", "CSP:L1461-3-III")),
        ("nobody", [("snds-main", "SNDS_MAIN")], 2010, True, ("NOT_LISTED_BODY", "CSP:R1461-12")),
    ],
)
def test_what_leaves_permanent_access(
    tell: Any,
    organisation: str,
    pairs: list[tuple[str, str]],
    first_year: int,
    mission: bool,
    left: tuple[str, str],
) -> None:
    story = source(tell("F10b"), *pairs).but(
        applicant__organisation_id=organisation, purpose__within_statutory_mission=mission
    )
    for dataset in story.raw["dossier"]["data"]["datasets"]:
        dataset["years"] = [first_year, 2025]

    route, aside = routed(story)
    assert route != "FR_PERMANENT"
    assert aside["FR_PERMANENT"] == left


@pytest.mark.parametrize(("organisation", "within"), [("spf", True), ("nobody", False)])
def test_a_body_that_no_decree_lists_is_within_the_scope_of_none(tell: Any, organisation: str, within: bool) -> None:
    """The condition by itself (CSP:R1461-12), whatever condition stands before it."""
    story = source(tell("F10b"), ("snds-main", "SNDS_MAIN")).but(applicant__organisation_id=organisation)
    dossier, submitted = story.case("2026-09-01").dossier, date(2026, 9, 1)

    assert within_decree(Application(dossier, submitted, story.reference, DEFAULT.at(submitted))) is within


def test_ten_years_back_is_within_a_decree_of_ten_years(tell: Any) -> None:
    story = source(tell("F10b"), ("pmsi-mco", "PMSI_ATIH")).but(applicant__organisation_id="ars-est")
    story.raw["dossier"]["data"]["datasets"][0]["years"] = [2016, 2025]

    assert routed(story)[0] == "FR_PERMANENT"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ehds_purpose": "b"}, "PURPOSES_DIFFER"),
        ({"categories": ["a"]}, "CATEGORIES_DIFFER"),
        ({"recipients": ["eu-med"]}, "RECIPIENTS_DIFFER"),
    ],
)
def test_a_single_decision_covers_like_processings_only(tell: Any, change: dict[str, Any], code: str) -> None:
    story = tell("F11a")
    story.raw["dossier"]["series"]["processings"][1].update(change)

    assert routed(story)[1]["FR_SINGLE_DECISION"] == (code, "LIL:66-IV")
    assert routed(tell("F11a").but(series=None))[1]["FR_SINGLE_DECISION"] == ("NO_SERIES_ASKED", "LIL:66-IV")


@pytest.mark.parametrize(
    ("day", "consent", "non_opposition"),
    [("2026-05-23", "CNIL:2018-153", "CNIL:2018-154"), ("2026-05-24", "CNIL:2026-050", "CNIL:2026-051")],
)
def test_the_texts_of_2026_apply_from_their_day(tell: Any, day: str, consent: str, non_opposition: str) -> None:
    story = tell("F08a").submitted(day)
    assert story.on(day).cited("reasons")["ROUTE_APPLIES"] == consent

    story.but(information__mode="non_opposition")
    seen = story.on(day)
    assert (seen.route, seen.cited("reasons")["ROUTE_APPLIES"]) == ("FR_MR003", non_opposition)
    assert seen.left_aside()["FR_MR001"] == ("NO_CONSENT", consent)


def test_the_day_of_the_texts_of_2026_is_a_setting(tell: Any) -> None:
    story = tell("F08a").submitted("2026-09-01").under(fr__mr_texts="2027-01-01")

    assert story.on("2026-09-01").cited("reasons")["ROUTE_APPLIES"] == "CNIL:2018-153"


def test_snds_data_or_matching_with_snds_leave_mr003(tell: Any) -> None:
    linkage = {"with": ["PMSI_ATIH"], "uses_nir": False, "trusted_third_party": None, "circuit": "probabilistic"}
    story = tell("F08a").but(information__mode="non_opposition", data__linkage=linkage)

    assert routed(story)[1]["FR_MR003"] == ("SNDS_EXCLUDED", "CNIL:2026-051")


@pytest.mark.parametrize(
    ("changes", "code", "citation"),
    [
        ({"research_type": "none"}, "NOT_RNIPH", "CNIL:2018-257"),
        ({"applicant__kind": "consultancy"}, "NOT_HEALTH_PRODUCT_INDUSTRY", "CNIL:2018-257"),
        ({"lab": None}, "LAB_NOT_COMMITTED", "A2017-07-17"),
        ({"lab__independent": False}, "LAB_NOT_COMMITTED", "A2017-07-17"),
        ({"lab__committed_2017_07_17": False}, "LAB_NOT_COMMITTED", "A2017-07-17"),
        ({"lab__last_audit": "2023-09-01"}, "AUDIT_TOO_OLD", "CNIL:2018-257"),
        ({"lab__last_audit": None}, "AUDIT_TOO_OLD", "CNIL:2018-257"),
        ({"purpose__presumed_public_interest": False}, "NOT_PRESUMED_PUBLIC_INTEREST", "CNIL:2018-257"),
    ],
)
def test_what_leaves_mr006(tell: Any, changes: dict[str, Any], code: str, citation: str) -> None:
    assert routed(tell("F04a").but(**changes))[1]["FR_MR006"] == (code, citation)


def test_an_audit_of_three_years_to_the_day_is_young_enough(tell: Any) -> None:
    assert routed(tell("F04a").but(lab__last_audit="2023-09-02"))[0] == "FR_MR006"


@pytest.mark.parametrize(
    ("changes", "code", "citation"),
    [
        ({"research_type": "none"}, "NOT_RNIPH", "CNIL:2023-082"),
        ({"applicant__kind": "financial_institution"}, "INSURER_EXCLUDED", "CNIL:2023-082"),
        ({"applicant__public_interest_mission": False}, "NOT_PUBLIC_INTEREST_MISSION", "CNIL:2023-082"),
        ({"legal_basis__gdpr6": "6(1)(a)"}, "NOT_PUBLIC_INTEREST_MISSION", "CNIL:2023-082"),
        ({"data__reuses_earlier_extract": True}, "REUSE_EXCLUDED", "CNIL:2023-082"),
        ({"lab": None}, "LAB_NOT_COMMITTED", "A2017-07-17"),
    ],
)
def test_what_leaves_mr007(tell: Any, changes: dict[str, Any], code: str, citation: str) -> None:
    assert routed(tell("F05a").but(**changes))[1]["FR_MR007"] == (code, citation)


def test_mr008_needs_legitimate_interest(tell: Any) -> None:
    _, left = routed(tell("F05a").but(applicant__public_interest_mission=False))

    assert left["FR_MR008"] == ("NOT_LEGITIMATE_INTEREST", "CNIL:2023-083")


def test_the_exclusion_of_insurers_is_a_setting(tell: Any) -> None:
    assert routed(tell("F06b").under(fr__insurers_excluded=[]))[0] == "FR_MR008"
    assert routed(tell("F06b").under(fr__insurers_excluded=["MR-008"]))[1]["FR_MR008"][0] == "INSURER_EXCLUDED"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"purpose__public_interest_statement": None}, "NO_PUBLIC_INTEREST"),
        ({"purpose__public_interest_statement": ""}, "NO_PUBLIC_INTEREST"),
        ({"data__crosses_potential_identifiers": True}, "CROSSES_POTENTIAL_IDENTIFIERS"),
    ],
)
def test_what_leaves_the_simplified_procedure(tell: Any, changes: dict[str, Any], code: str) -> None:
    assert routed(tell("N-sample-refused").but(**changes))[1]["FR_SIMPLIFIED_SAMPLE"] == (code, "CNIL:SAMPLE")


def test_a_closed_procedure_is_not_tried(tell: Any) -> None:
    route, left = routed(tell("N-sample-refused").under(fr__sample_procedure="closed"))

    assert route == "FR_STANDARD"
    assert "FR_SIMPLIFIED_SAMPLE" not in left


def test_matching_by_nir_leaves_mr004(tell: Any) -> None:
    linkage = {"with": ["COHORT"], "uses_nir": True, "trusted_third_party": "ttp-1", "circuit": "nir"}

    assert routed(tell("F02a").but(data__linkage=linkage))[1]["FR_MR004"] == ("NIR_EXCLUDED", "CNIL:2018-155")
    linkage.update(uses_nir=False, circuit="indirect_deterministic")
    seen = tell("F02a").but(data__linkage=linkage).on("2026-09-07")
    assert (seen.route, seen.cited("missing")) == ("FR_MR004", {"LINKAGE_CIRCUIT": "CSP:R1461-7"})


def test_the_first_failing_condition_is_named(tell: Any) -> None:
    story = tell("F02a").but(data__full_birth_date=True, information__mode="none")

    assert routed(story)[1]["FR_MR004"] == ("FULL_BIRTH_DATE", "CNIL:2018-155")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"applicant__public_interest_mission": False}, "NOT_PUBLIC_INTEREST_MISSION"),
        ({"legal_basis__gdpr9": "9(2)(a)"}, "EXPLICIT_CONSENT"),
        ({"creates_warehouse": False}, "NOT_A_WAREHOUSE"),
    ],
)
def test_what_leaves_the_referential_of_warehouses(tell: Any, changes: dict[str, Any], code: str) -> None:
    route, left = routed(tell("N-warehouse").but(**changes))

    assert route == "FR_STANDARD"
    assert left["FR_REFERENTIEL_EDS"] == (code, "CNIL:2021-118")


def test_every_route_before_the_standard_one_says_why_it_does_not_fit(tell: Any) -> None:
    route, left = routed(tell("F07b"))

    assert route == "FR_STANDARD"
    assert list(left) == [
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


@pytest.mark.parametrize(
    ("day", "hour", "regime"),
    [("2029-03-25", "23:59", "FR"), ("2029-03-26", "00:00", "EU")],
)
def test_the_ehds_decides_from_its_first_day_in_paris(tell: Any, day: str, hour: str, regime: str) -> None:
    seen = tell("E16b").submitted(day, hour).on("2029-03-26")

    assert seen.regime == regime
    assert seen.rule_pack == {"FR": "fr-2026.1", "EU": "eu-2029.1"}[regime]


def test_the_routes_stand_in_the_order_of_the_law_each_with_every_text_it_may_rest_on() -> None:
    assert [(route.name, *route.citation.texts) for route in FRENCH_ROUTES] == [
        ("FR_EXEMPT_INTERNAL", "LIL:65-2"),
        ("FR_PERMANENT", "CSP:R1461-12"),
        ("FR_SINGLE_DECISION", "LIL:66-IV"),
        ("FR_MR001", "CNIL:2018-153", "CNIL:2026-050"),
        ("FR_MR003", "CNIL:2018-154", "CNIL:2026-051"),
        ("FR_MR005", "CNIL:2018-256"),
        ("FR_MR006", "CNIL:2018-257"),
        ("FR_MR007", "CNIL:2023-082"),
        ("FR_MR008", "CNIL:2023-083"),
        ("FR_SIMPLIFIED_SAMPLE", "CNIL:SAMPLE"),
        ("FR_MR004", "CNIL:2018-155"),
        ("FR_REFERENTIEL_EDS", "CNIL:2021-118"),
        ("FR_STANDARD", "LIL:66-III"),
    ]
    assert FRENCH_ROUTES[-1].conditions == ()
