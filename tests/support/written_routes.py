"""Which way a dossier takes, written down a second time over its JSON: the tables of routes and nothing else."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
Left = tuple[str, str, str]
SNDS = {"SNDS_MAIN", "SNDS_SAMPLE", "PMSI_ATIH"}


def route(dossier: Json, catalogue: Json, submitted: str, forwarded: bool = False) -> tuple[str, str, list[Left]]:
    """The route, its article, and every route before it with its first condition that fails: (route, code, article).

    `submitted` is a local date as YYYY-MM-DD; the settings are those in force without an override.
    """
    table = _europe(dossier, catalogue, submitted, forwarded) if submitted >= "2029-03-26" else None
    left: list[Left] = []
    for name, article, conditions in table or _france(dossier, catalogue, submitted):
        failed = [(code, own or article) for holds, code, own in conditions if not holds]
        if not failed:
            return name, article, left
        left.append((name, *failed[0]))
    raise AssertionError("the last route has no condition")


Condition = tuple[bool, str, str]
Row = tuple[str, str, list[Condition]]


def _france(dossier: Json, catalogue: Json, submitted: str) -> list[Row]:
    applicant, data, purpose, lab = (dossier[name] for name in ("applicant", "data", "purpose", "lab"))
    datasets, linkage, series = data["datasets"], data["linkage"], dossier["series"]
    processings = series["processings"] if series else []
    classes = {entry["dataset_id"]: entry["class"] for entry in catalogue["datasets"]}
    year, kind, mode = int(submitted[:4]), applicant["kind"], dossier["information"]["mode"]
    bodies = {body["organisation_id"]: body for body in catalogue["permanent_bodies"]}
    body = bodies.get(applicant["organisation_id"], {"sources": [], "max_depth_years": 0})

    def only(source: str) -> bool:
        return {dataset["source"] for dataset in datasets} == {source}

    def alike(*values: Any) -> bool:
        return all(value == values[0] for value in values)

    rniph = (dossier["research_type"] == "rniph", "NOT_RNIPH", "")
    riph = (dossier["research_type"].startswith("riph"), "NOT_INVOLVING_PERSONS", "")
    linked = set(linkage["with"]) if linkage else set()
    no_snds = "snds" not in {classes[dataset["dataset_id"]] for dataset in datasets} and not linked & SNDS
    without_snds = (no_snds, "SNDS_EXCLUDED", "")
    alone = (linkage is None, "LINKAGE_EXCLUDED", "")
    committed = bool(lab) and lab["committed_2017_07_17"] and lab["independent"]
    in_lab = (committed, "LAB_NOT_COMMITTED", "A2017-07-17")
    audit = (lab or {}).get("last_audit")
    audited = bool(audit) and _three_years_after(audit) >= submitted
    interest = (bool((purpose["public_interest_statement"] or "").strip()), "NO_PUBLIC_INTEREST", "")
    mission = applicant["public_interest_mission"]
    gdpr6, gdpr9 = dossier["legal_basis"]["gdpr6"], dossier["legal_basis"]["gdpr9"]
    new_texts = submitted >= "2026-05-24"
    in_snds_main = [
        rniph,
        (only("SNDS_MAIN"), "NOT_SNDS_MAIN_ONLY", ""),
        (kind not in ("insurer", "financial_institution"), "INSURER_EXCLUDED", ""),
    ]
    then = [alone, (not data["reuses_earlier_extract"], "REUSE_EXCLUDED", ""), in_lab]
    team = ("care_team", "principal_investigator")
    return [
        (
            "FR_EXEMPT_INTERNAL",
            "LIL:65-2",
            [
                (dossier["research_type"] in ("none", "rniph"), "INVOLVES_PERSONS", ""),
                (only("OWN_PATIENTS"), "NOT_OWN_PATIENTS", ""),
                (
                    not [
                        person
                        for person in dossier["persons"]
                        if person["organisation"] != applicant["organisation_id"] or person["role"] not in team
                    ],
                    "NOT_CARE_TEAM",
                    "",
                ),
                (dossier["exclusive_internal_use"] and linkage is None, "NOT_EXCLUSIVE_USE", ""),
            ],
        ),
        (
            "FR_PERMANENT",
            "CSP:R1461-12",
            [
                (applicant["organisation_id"] in bodies, "NOT_LISTED_BODY", ""),
                (
                    not [
                        dataset
                        for dataset in datasets
                        if dataset["source"] not in body["sources"]
                        or dataset["years"][0] < year - body["max_depth_years"]
                    ],
                    "OUTSIDE_DECREE_SCOPE",
                    "",
                ),
                (purpose["within_statutory_mission"], "OUTSIDE_MISSION", "CSP:L1461-3-III"),
            ],
        ),
        (
            "FR_SINGLE_DECISION",
            "LIL:66-IV",
            [
                (series is not None, "NO_SERIES_ASKED", ""),
                (alike(*(p["ehds_purpose"] for p in processings)), "PURPOSES_DIFFER", ""),
                (alike(*(sorted(p["categories"]) for p in processings)), "CATEGORIES_DIFFER", ""),
                (alike(*(sorted(p["recipients"]) for p in processings)), "RECIPIENTS_DIFFER", ""),
            ],
        ),
        (
            "FR_MR001",
            "CNIL:2026-050" if new_texts else "CNIL:2018-153",
            [riph, (mode == "consent", "NO_CONSENT", ""), without_snds],
        ),
        (
            "FR_MR003",
            "CNIL:2026-051" if new_texts else "CNIL:2018-154",
            [riph, (mode == "non_opposition", "NO_NON_OPPOSITION", ""), without_snds],
        ),
        (
            "FR_MR005",
            "CNIL:2018-256",
            [
                rniph,
                (only("PMSI_ATIH"), "NOT_ATIH_PLATFORM", ""),
                (kind in ("hospital", "hospital_federation"), "NOT_HOSPITAL", ""),
                alone,
            ],
        ),
        (
            "FR_MR006",
            "CNIL:2018-257",
            [
                rniph,
                (only("PMSI_ATIH"), "NOT_ATIH_PLATFORM", ""),
                (kind == "health_product_industry", "NOT_HEALTH_PRODUCT_INDUSTRY", ""),
                alone,
                in_lab,
                (audited, "AUDIT_TOO_OLD", ""),
                (purpose["presumed_public_interest"], "NOT_PRESUMED_PUBLIC_INTEREST", ""),
            ],
        ),
        (
            "FR_MR007",
            "CNIL:2023-082",
            [*in_snds_main, (mission and gdpr6 == "6(1)(e)", "NOT_PUBLIC_INTEREST_MISSION", ""), *then],
        ),
        (
            "FR_MR008",
            "CNIL:2023-083",
            [*in_snds_main, (gdpr6 == "6(1)(f)", "NOT_LEGITIMATE_INTEREST", ""), *then],
        ),
        (
            "FR_SIMPLIFIED_SAMPLE",
            "CNIL:SAMPLE",
            [
                rniph,
                (only("SNDS_SAMPLE"), "NOT_SAMPLE_ONLY", ""),
                interest,
                (not data["crosses_potential_identifiers"], "CROSSES_POTENTIAL_IDENTIFIERS", ""),
                alone,
            ],
        ),
        (
            "FR_MR004",
            "CNIL:2018-155",
            [
                rniph,
                without_snds,
                (not linkage or not (linkage["uses_nir"] or linkage["circuit"] == "nir"), "NIR_EXCLUDED", ""),
                (not data["full_birth_date"], "FULL_BIRTH_DATE", ""),
                interest,
                (mode in ("individual", "exception_justified"), "NO_INDIVIDUAL_INFORMATION", ""),
            ],
        ),
        (
            "FR_REFERENTIEL_EDS",
            "CNIL:2021-118",
            [
                (dossier["creates_warehouse"], "NOT_A_WAREHOUSE", ""),
                (mission, "NOT_PUBLIC_INTEREST_MISSION", ""),
                (gdpr9 != "9(2)(a)", "EXPLICIT_CONSENT", ""),
                without_snds,
            ],
        ),
        ("FR_STANDARD", "LIL:66-III", []),
    ]


def _three_years_after(day: str) -> str:
    same = f"{int(day[:4]) + 3}{day[4:]}"
    return same if day[5:] != "02-29" else same.replace("02-29", "02-28")


def _europe(dossier: Json, catalogue: Json, submitted: str, forwarded: bool) -> list[Row]:
    applicant = dossier["applicant"]
    entries = {entry["dataset_id"]: entry for entry in catalogue["datasets"]}
    later = set("bfgmp") if submitted < "2031-03-26" else set()
    kept = [
        entries[dataset["dataset_id"]]
        for dataset in dossier["data"]["datasets"]
        if set(dataset["categories"]) - later and not entries[dataset["dataset_id"]]["holder_exempt"]
    ]
    trusted = len({entry["holder"] for entry in kept}) == 1 and not [e for e in kept if not e["trusted_holder"]]
    public = applicant["public_sector_body"] or applicant["kind"] == "union_institution"
    return [
        (
            "EU_STATISTICS_REQUEST",
            "EHDS:69(1)",
            [(dossier["kind"] == "statistics_request", "NOT_A_STATISTICS_REQUEST", "")],
        ),
        (
            "EU_TRUSTED_HOLDER",
            "EHDS:72(1)",
            [(trusted, "NOT_SINGLE_TRUSTED_HOLDER", ""), (forwarded, "NOT_FORWARDED", "")],
        ),
        (
            "EU_PERMIT_ACCELERATED",
            "EHDS:68(6)",
            [
                (public, "NOT_PUBLIC_BODY", ""),
                (applicant["public_health_mandate"], "NO_PUBLIC_HEALTH_MANDATE", ""),
                (not set(dossier["purpose"]["ehds_purposes"]) - set("abc"), "PURPOSE_NOT_ACCELERATED", ""),
            ],
        ),
        ("EU_PERMIT", "EHDS:68(4)", []),
    ]
