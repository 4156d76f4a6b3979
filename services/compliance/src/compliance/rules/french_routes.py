"""French routes in their order."""

from compliance.application import Application
from compliance.periods import due
from compliance.rules.routes import Cited, Condition, Route, cites

FR_EXEMPT_INTERNAL = "FR_EXEMPT_INTERNAL"
FR_PERMANENT = "FR_PERMANENT"
FR_SINGLE_DECISION = "FR_SINGLE_DECISION"
FR_MR001 = "FR_MR001"
FR_MR003 = "FR_MR003"
FR_MR004 = "FR_MR004"
FR_MR005 = "FR_MR005"
FR_MR006 = "FR_MR006"
FR_MR007 = "FR_MR007"
FR_MR008 = "FR_MR008"
FR_SIMPLIFIED_SAMPLE = "FR_SIMPLIFIED_SAMPLE"
FR_REFERENTIEL_EDS = "FR_REFERENTIEL_EDS"
FR_STANDARD = "FR_STANDARD"

INSURERS = frozenset({"insurer", "financial_institution"})
INVOLVING_PERSONS = frozenset({"riph1", "riph2", "riph3"})


def involves_no_person(application: Application) -> bool:
    return application.dossier.research_type in ("none", "rniph")


def own_patients(application: Application) -> bool:
    return application.every_source("OWN_PATIENTS")


def care_team(application: Application) -> bool:
    applicant = application.dossier.applicant.organisation_id
    return all(
        person.organisation == applicant and person.role in ("care_team", "principal_investigator")
        for person in application.dossier.persons
    )


def exclusive_use(application: Application) -> bool:
    return application.dossier.exclusive_internal_use and application.dossier.data.linkage is None


def listed_body(application: Application) -> bool:
    return application.dossier.applicant.organisation_id in application.reference.permanent_bodies


def within_decree(application: Application) -> bool:
    body = application.reference.permanent_bodies.get(application.dossier.applicant.organisation_id)
    if body is None:
        return False
    oldest = application.submitted.year - body.max_depth_years
    return all(
        dataset.source in body.sources and dataset.years[0] >= oldest for dataset in application.dossier.data.datasets
    )


def within_mission(application: Application) -> bool:
    return application.dossier.purpose.within_statutory_mission


def series_asked(application: Application) -> bool:
    return application.dossier.series is not None


def one_purpose(application: Application) -> bool:
    series = application.dossier.series
    return series is not None and len({processing.ehds_purpose for processing in series.processings}) == 1


def one_set_of_categories(application: Application) -> bool:
    series = application.dossier.series
    return series is not None and len({frozenset(processing.categories) for processing in series.processings}) == 1


def one_set_of_recipients(application: Application) -> bool:
    series = application.dossier.series
    return series is not None and len({frozenset(processing.recipients) for processing in series.processings}) == 1


def involving_persons(application: Application) -> bool:
    return application.dossier.research_type in INVOLVING_PERSONS


def consent(application: Application) -> bool:
    return application.dossier.information.mode == "consent"


def non_opposition(application: Application) -> bool:
    return application.dossier.information.mode == "non_opposition"


def rniph(application: Application) -> bool:
    return application.dossier.research_type == "rniph"


def pmsi_only(application: Application) -> bool:
    return application.every_source("PMSI_ATIH")


def hospital(application: Application) -> bool:
    return application.dossier.applicant.kind in ("hospital", "hospital_federation")


def industry(application: Application) -> bool:
    return application.dossier.applicant.kind == "health_product_industry"


def no_linkage(application: Application) -> bool:
    return application.dossier.data.linkage is None


def lab_committed(application: Application) -> bool:
    return application.lab_committed()


def lab_audited(application: Application) -> bool:
    lab = application.dossier.lab
    if lab is None or lab.last_audit is None:
        return False
    return due("lab_audit", lab.last_audit, law=application.law) >= application.submitted


def presumed_public_interest(application: Application) -> bool:
    return application.dossier.purpose.presumed_public_interest


def snds_main_only(application: Application) -> bool:
    return application.every_source("SNDS_MAIN")


def insurer_allowed_in_mr007(application: Application) -> bool:
    return FR_MR007 not in application.law.insurers_excluded or application.dossier.applicant.kind not in INSURERS


def insurer_allowed_in_mr008(application: Application) -> bool:
    return FR_MR008 not in application.law.insurers_excluded or application.dossier.applicant.kind not in INSURERS


def mission_and_basis(application: Application) -> bool:
    dossier = application.dossier
    return dossier.applicant.public_interest_mission and dossier.legal_basis.gdpr6 == "6(1)(e)"


def legitimate_interest(application: Application) -> bool:
    return application.dossier.legal_basis.gdpr6 == "6(1)(f)"


def new_extract(application: Application) -> bool:
    return not application.dossier.data.reuses_earlier_extract


def sample_only(application: Application) -> bool:
    return application.every_source("SNDS_SAMPLE")


def public_interest(application: Application) -> bool:
    return application.claims_public_interest()


def crosses_nothing(application: Application) -> bool:
    return not application.dossier.data.crosses_potential_identifiers


def no_snds(application: Application) -> bool:
    return application.without_snds()


def no_nir(application: Application) -> bool:
    linkage = application.dossier.data.linkage
    return linkage is None or not (linkage.uses_nir or linkage.circuit == "nir")


def no_full_birth_date(application: Application) -> bool:
    return not application.dossier.data.full_birth_date


def individual_information(application: Application) -> bool:
    return application.dossier.information.mode in ("individual", "exception_justified")


def warehouse(application: Application) -> bool:
    return application.dossier.creates_warehouse


def mission(application: Application) -> bool:
    return application.dossier.applicant.public_interest_mission


def no_explicit_consent(application: Application) -> bool:
    return application.dossier.legal_basis.gdpr9 != "9(2)(a)"


def replaced(old: str, new: str) -> Cited:
    """A text of CNIL that another replaced on the day the setting `fr.mr-texts` names."""
    return Cited((old, new), lambda application: new if application.submitted >= application.law.mr_texts else old)


NOT_RNIPH = Condition(rniph, "NOT_RNIPH")
NOT_INVOLVING = Condition(involving_persons, "NOT_INVOLVING_PERSONS")
NO_LINKAGE = Condition(no_linkage, "LINKAGE_EXCLUDED")
NO_SNDS = Condition(no_snds, "SNDS_EXCLUDED")
LAB = Condition(lab_committed, "LAB_NOT_COMMITTED", "A2017-07-17")
PUBLIC_INTEREST = Condition(public_interest, "NO_PUBLIC_INTEREST")

FRENCH_ROUTES: tuple[Route, ...] = (
    Route(
        FR_EXEMPT_INTERNAL,
        cites("LIL:65-2"),
        (
            Condition(involves_no_person, "INVOLVES_PERSONS"),
            Condition(own_patients, "NOT_OWN_PATIENTS"),
            Condition(care_team, "NOT_CARE_TEAM"),
            Condition(exclusive_use, "NOT_EXCLUSIVE_USE"),
        ),
    ),
    Route(
        FR_PERMANENT,
        cites("CSP:R1461-12"),
        (
            Condition(listed_body, "NOT_LISTED_BODY"),
            Condition(within_decree, "OUTSIDE_DECREE_SCOPE"),
            Condition(within_mission, "OUTSIDE_MISSION", "CSP:L1461-3-III"),
        ),
    ),
    Route(
        FR_SINGLE_DECISION,
        cites("LIL:66-IV"),
        (
            Condition(series_asked, "NO_SERIES_ASKED"),
            Condition(one_purpose, "PURPOSES_DIFFER"),
            Condition(one_set_of_categories, "CATEGORIES_DIFFER"),
            Condition(one_set_of_recipients, "RECIPIENTS_DIFFER"),
        ),
    ),
    Route(
        FR_MR001, replaced("CNIL:2018-153", "CNIL:2026-050"), (NOT_INVOLVING, Condition(consent, "NO_CONSENT"), NO_SNDS)
    ),
    Route(
        FR_MR003,
        replaced("CNIL:2018-154", "CNIL:2026-051"),
        (NOT_INVOLVING, Condition(non_opposition, "NO_NON_OPPOSITION"), NO_SNDS),
    ),
    Route(
        FR_MR005,
        cites("CNIL:2018-256"),
        (NOT_RNIPH, Condition(pmsi_only, "NOT_ATIH_PLATFORM"), Condition(hospital, "NOT_HOSPITAL"), NO_LINKAGE),
    ),
    Route(
        FR_MR006,
        cites("CNIL:2018-257"),
        (
            NOT_RNIPH,
            Condition(pmsi_only, "NOT_ATIH_PLATFORM"),
            Condition(industry, "NOT_HEALTH_PRODUCT_INDUSTRY"),
            NO_LINKAGE,
            LAB,
            Condition(lab_audited, "AUDIT_TOO_OLD"),
            Condition(presumed_public_interest, "NOT_PRESUMED_PUBLIC_INTEREST"),
        ),
    ),
    Route(
        FR_MR007,
        cites("CNIL:2023-082"),
        (
            NOT_RNIPH,
            Condition(snds_main_only, "NOT_SNDS_MAIN_ONLY"),
            Condition(insurer_allowed_in_mr007, "INSURER_EXCLUDED"),
            Condition(mission_and_basis, "NOT_PUBLIC_INTEREST_MISSION"),
            NO_LINKAGE,
            Condition(new_extract, "REUSE_EXCLUDED"),
            LAB,
        ),
    ),
    Route(
        FR_MR008,
        cites("CNIL:2023-083"),
        (
            NOT_RNIPH,
            Condition(snds_main_only, "NOT_SNDS_MAIN_ONLY"),
            Condition(insurer_allowed_in_mr008, "INSURER_EXCLUDED"),
            Condition(legitimate_interest, "NOT_LEGITIMATE_INTEREST"),
            NO_LINKAGE,
            Condition(new_extract, "REUSE_EXCLUDED"),
            LAB,
        ),
    ),
    Route(
        FR_SIMPLIFIED_SAMPLE,
        cites("CNIL:SAMPLE"),
        (
            NOT_RNIPH,
            Condition(sample_only, "NOT_SAMPLE_ONLY"),
            PUBLIC_INTEREST,
            Condition(crosses_nothing, "CROSSES_POTENTIAL_IDENTIFIERS"),
            NO_LINKAGE,
        ),
    ),
    Route(
        FR_MR004,
        cites("CNIL:2018-155"),
        (
            NOT_RNIPH,
            NO_SNDS,
            Condition(no_nir, "NIR_EXCLUDED"),
            Condition(no_full_birth_date, "FULL_BIRTH_DATE"),
            PUBLIC_INTEREST,
            Condition(individual_information, "NO_INDIVIDUAL_INFORMATION"),
        ),
    ),
    Route(
        FR_REFERENTIEL_EDS,
        cites("CNIL:2021-118"),
        (
            Condition(warehouse, "NOT_A_WAREHOUSE"),
            Condition(mission, "NOT_PUBLIC_INTEREST_MISSION"),
            Condition(no_explicit_consent, "EXPLICIT_CONSENT"),
            NO_SNDS,
        ),
    ),
    Route(FR_STANDARD, cites("LIL:66-III"), ()),
)
_WITHOUT_SAMPLE = tuple(route for route in FRENCH_ROUTES if route.name != FR_SIMPLIFIED_SAMPLE)


def french_routes(application: Application) -> tuple[Route, ...]:
    """The routes open under the law in force, in their order."""
    return FRENCH_ROUTES if application.law.sample_procedure else _WITHOUT_SAMPLE
