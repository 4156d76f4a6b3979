"""Imagined catalogues, hosts, and dossiers that take any of the routes; all legal on the wire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

Json = dict[str, Any]
SNDS = ("SNDS_MAIN", "SNDS_SAMPLE", "PMSI_ATIH")
SOURCES = (*SNDS, "OWN_PATIENTS", "EDS", "COHORT", "REGISTRY", "IMAGING")
EXPRESS = ("favourable", "favourable_with_recommendations")
VERDICTS = (*EXPRESS, "reserved", "unfavourable")
_CODES = (
    "PROTOCOL SUMMARY DATA_SCOPE DPIA NOTICE DOI_FUNDING LEGAL_BASIS SECURITY RETENTION_RESULTS LAB_COMMITMENT "
    "LINKAGE_CIRCUIT PRIOR_OPINIONS INTENDED_USE PSEUDONYMISATION_JUSTIFICATION OWN_DATASETS SAFEGUARDS "
    "PERIOD_JUSTIFICATION ACCESS_FREQUENCY TOOLS ETHICS OPT_OUT_JUSTIFICATION GDPR_COMPLIANCE STATISTICAL_CONTENT"
)
DOCUMENTS = _CODES.split()
USES = ("EPIDEMIOLOGY", "TEACHING", "DRUG_SAFETY")
FORBIDDEN_USES = ("INSURANCE_EXCLUSION_OR_PREMIUM", "JOB_OFFER", "REIDENTIFICATION", "PROMOTION_TO_PROFESSIONALS")
KINDS = ("university", "hospital", "hospital_federation", "health_product_industry", "insurer", "public_body")


def some_catalogue(chance: Random) -> Json:
    datasets = []
    for number, source in enumerate((*SOURCES, *chance.choices(SOURCES, k=3))):
        trusted = source not in SNDS and chance.random() < 0.5
        datasets.append(
            {
                "dataset_id": f"d-{number}",
                "title": f"Dataset {number}",
                "version": "1",
                "holder": f"holder-{chance.randint(1, 2)}" if trusted else f"holder-{number + 3}",
                "trusted_holder": trusted,
                "holder_exempt": chance.random() < 0.06,
                "country": "FR" if source in SNDS else chance.choice(("FR", "FR", "DE", "FI")),
                "source": source,
                "categories": sorted(chance.sample("abcdefghijklmnopq", chance.randint(1, 3))),
                "class": "snds" if source in SNDS else "health",
            }
        )
    body = {"organisation_id": "listed", "point": "1", "sources": list(chance.sample(SNDS, 2)), "max_depth_years": 10}
    return {"datasets": datasets, "permanent_bodies": [body]}


def some_environments(chance: Random) -> Json:
    return {
        "environments": [
            {
                "environment_id": f"env-{number}",
                "operator": "Somebody",
                "storage_country": chance.choice(("FR", "DE", "US")) if number else "FR",
                "controlling_jurisdiction": chance.choice(("FR", "US")) if number else "FR",
                "adequacy": chance.random() < 0.5,
                "evidence": [
                    {
                        "type": proof,
                        "issuer": "issuer",
                        "reference": f"{proof}-{number}",
                        "valid_from": "2024-01-01",
                        "valid_to": "2045-12-31" if chance.random() < 0.8 else f"{chance.randint(2025, 2036)}-06-30",
                    }
                    for proof in ("HDS", "SECNUMCLOUD", "SNDS_HOMOLOGATION", "SPE_73")
                    if not number or chance.random() < 0.7
                ],
            }
            for number in range(3)
        ]
    }


def _shape(chance: Random, europe: bool) -> Json:
    """What leads to one of the routes: sources and members of a dossier by path."""
    lab = {"ref": "lab-1", "committed_2017_07_17": True, "independent": True, "last_audit": "2028-02-29"}
    main, hospital = {"sources": ["SNDS_MAIN"], "lab": lab}, {"sources": ["PMSI_ATIH"]}
    if europe:
        public = {"applicant.public_sector_body": True, "applicant.public_health_mandate": True}
        return chance.choice(
            (
                {},
                {"sources": ["COHORT"]},
                {"sources": ["COHORT", "IMAGING"]},
                {**public, "purpose.ehds_purposes": ["a", "b"]},
                {"kind": "statistics_request", "data.form": "statistics"},
                {"data.form": "anonymised"},
            )
        )
    return chance.choice(
        (
            {
                "sources": ["OWN_PATIENTS"],
                "exclusive_internal_use": True,
                "role": "care_team",
                "research_type": chance.choice(("none", "rniph")),
            },
            {
                "sources": ["PMSI_ATIH"],
                "applicant.organisation_id": "listed",
                "purpose.within_statutory_mission": True,
                "first_year": 2022,
            },
            {"series": True, "sources": ["COHORT"]},
            {"research_type": "riph1", "information.mode": "consent", "sources": ["COHORT"]},
            {"research_type": "riph3", "information.mode": "non_opposition", "sources": ["EDS"]},
            {**hospital, "applicant.kind": "hospital"},
            {
                **hospital,
                "lab": lab,
                "applicant.kind": "health_product_industry",
                "purpose.presumed_public_interest": True,
            },
            {**main, "applicant.public_interest_mission": True, "legal_basis.gdpr6": "6(1)(e)"},
            {**main, "legal_basis.gdpr6": "6(1)(f)"},
            {"sources": ["SNDS_SAMPLE"]},
            {"sources": ["COHORT"], "information.mode": "individual"},
            {"sources": ["EDS"], "information.mode": "individual"},
            {
                "sources": ["EDS"],
                "creates_warehouse": True,
                "applicant.public_interest_mission": True,
                "research_type": "none",
            },
            {"sources": ["SNDS_MAIN", "COHORT"]},
            {"sources": ["SNDS_MAIN"], "creates_warehouse": True},
            {"sources": ["SNDS_MAIN"], "research_type": "riph2"},
            {"sources": ["REGISTRY", "EDS"]},
        )
    )


def some_dossier(
    chance: Random, catalogue: Json, environments: Json, submitted: date, europe: bool, plain: Json | None = None
) -> Json:
    shape = _shape(chance, europe) if plain is None else plain
    role, sources = shape.pop("role", "analyst"), shape.pop("sources", None)
    first_year, series = shape.pop("first_year", chance.choice((2020, 2016))), shape.pop("series", False)
    entries = [d for d in catalogue["datasets"] if sources is None or d["source"] in sources]
    if sources is None or len(entries) > 2:
        entries = chance.sample(entries, chance.randint(1, 3))
    organisation = shape.get("applicant.organisation_id", "university")
    persons = chance.randint(0, 3) if chance.random() < 0.2 else 2
    environment = chance.choice((None, "env-0", "env-0", "env-0", "env-1", "env-2"))
    linkage = {"with": ["COHORT"], "uses_nir": False, "trusted_third_party": None, "circuit": "probabilistic"}
    dossier: Json = {
        "kind": "access_application",
        "title": "An imagined study",
        "portal": "portal-1",
        "portal_reference": "P-1",
        "revision": 1,
        "applicant": {
            "organisation": "An organisation",
            "organisation_id": organisation,
            "kind": "university",
            "country": "FR",
            "public_interest_mission": chance.random() < 0.3,
            "public_sector_body": chance.random() < 0.3,
            "public_health_mandate": False,
            "state_body": chance.random() < 0.2,
            "mandate": None,
        },
        "purpose": {
            "ehds_purposes": sorted(chance.sample(("d", "e", "f"), chance.randint(1, 2))),
            "intended_use": sorted(chance.sample(USES, chance.randint(1, 2))),
            "public_interest_statement": "Better care.",
            "presumed_public_interest": False,
            "within_statutory_mission": False,
            "summary_fr": "Résumé.",
        },
        "research_type": "rniph",
        "information": {"mode": "general"},
        "exclusive_internal_use": False,
        "creates_warehouse": False,
        "data": {
            "datasets": [
                {name: entry[name] for name in ("dataset_id", "version", "source", "holder", "categories")}
                | {"years": [first_year, 2024]}
                for entry in entries
            ],
            "form": "pseudonymised",
            "linkage": None,
            "crosses_potential_identifiers": False,
            "full_birth_date": False,
            "reuses_earlier_extract": False,
            "includes_opted_out": {"requested": False, "basis": None},
        },
        "series": _series(chance) if series else None,
        "requested_months": chance.choice((1, 12, 36, 36, 120, 121)),
        "persons": [
            {
                "ref": f"p-{number}",
                "role": "principal_investigator" if not number else role,
                "organisation": organisation,
                "habilitated": chance.random() < 0.9,
                "confidentiality_signed": chance.random() < 0.95,
            }
            for number in range(persons)
        ],
        "lab": None,
        "legal_basis": {"gdpr6": "6(1)(e)", "gdpr9": "9(2)(j)"},
        "documents": _documents(chance, submitted),
        "environment_id": environment,
        "transfers_outside_eu": [],
        "conformity_declared": _formality(chance, submitted),
        "directory_registered": _formality(chance, submitted),
    }
    for path, value in shape.items():
        _put(dossier, path, value)
    departures: dict[str, Callable[[], Any]] = {
        "applicant.kind": lambda: chance.choice(
            (*KINDS, "union_institution", "law_enforcement", "financial_institution")
        ),
        "applicant.country": lambda: chance.choice(("DE", "CH", "US")),
        "applicant.public_interest_mission": lambda: chance.random() < 0.5,
        "applicant.public_health_mandate": lambda: True,
        "applicant.mandate": lambda: {"from": "ministry", "reference": "M-1", "date": "2024-01-01"},
        "purpose.ehds_purposes": lambda: sorted(chance.sample("abcdef", chance.randint(1, 3))),
        "purpose.intended_use": lambda: sorted(chance.sample((*USES, *FORBIDDEN_USES), chance.randint(1, 3))),
        "purpose.public_interest_statement": lambda: chance.choice((None, "", " ")),
        "purpose.presumed_public_interest": lambda: chance.random() < 0.5,
        "purpose.within_statutory_mission": lambda: chance.random() < 0.5,
        "research_type": lambda: chance.choice(("none", "rniph", "riph1", "riph2", "riph3")),
        "information.mode": lambda: chance.choice(("consent", "non_opposition", "individual", "exception_justified")),
        "exclusive_internal_use": lambda: chance.random() < 0.5,
        "creates_warehouse": lambda: True,
        "data.form": lambda: chance.choice(("statistics", "anonymised", "pseudonymised")),
        "data.linkage": lambda: {
            **linkage,
            "with": sorted(chance.sample(("SNDS_MAIN", "COHORT", "OWN_DATASET"), chance.randint(1, 2))),
            "uses_nir": chance.random() < 0.5,
            "circuit": chance.choice(("nir", "indirect_deterministic", "probabilistic")),
        },
        "data.crosses_potential_identifiers": lambda: True,
        "data.full_birth_date": lambda: True,
        "data.reuses_earlier_extract": lambda: True,
        "data.includes_opted_out": lambda: {"requested": True, "basis": None},
        "series": lambda: _series(chance),
        "lab": lambda: {
            "ref": "lab-1",
            "committed_2017_07_17": chance.random() < 0.8,
            "independent": chance.random() < 0.8,
            "last_audit": chance.choice((None, _days_before(submitted, 1095), _days_before(submitted, 1097))),
        },
        "legal_basis.gdpr6": lambda: chance.choice(("6(1)(a)", "6(1)(e)", "6(1)(f)")),
        "legal_basis.gdpr9": lambda: "9(2)(a)",
        "transfers_outside_eu": lambda: [
            {"country": "US", "kind": chance.choice(("personal", "non_personal")), "adequacy_decision": False}
        ],
    }
    how_many = chance.choice((0, 0, 0, 1, 1, 2, 4)) if plain is None else 0
    for path in chance.sample(sorted(departures), how_many):
        _put(dossier, path, departures[path]())
    return dossier


def _put(dossier: Json, path: str, value: Any) -> None:
    *folders, last = path.split(".")
    for folder in folders:
        dossier = dossier[folder]
    dossier[last] = value


def _days_before(day: date, days: int) -> str:
    return (day - timedelta(days=days)).isoformat()


def _series(chance: Random) -> Json:
    differing = chance.choice((None, None, "ehds_purpose", "categories", "recipients"))
    one = {"ehds_purpose": "e", "categories": ["a", "d"], "recipients": ["r-1", "r-2"]}
    other = {"ehds_purpose": "d", "categories": ["a"], "recipients": ["r-1"]}
    second = {**one, "categories": ["d", "a"]} if differing is None else {**one, differing: other[differing]}
    return {"processings": [{"ref": "1", **one}, {"ref": "2", **second}]}


def _formality(chance: Random, submitted: date) -> Json | None:
    if chance.random() < 0.3:
        return None
    return {"reference": "R-1", "date": (submitted + timedelta(days=chance.choice((-9, -1, 0, 30)))).isoformat()}


def document(chance: Random, code: str, submitted: date) -> Json:
    """A document as a portal names it."""
    made: Json = {"code": code, "version": chance.randint(1, 3), "date": "2024-01-02", "sha256": "0" * 64}
    if code == "SUMMARY":
        made["language"] = "fr" if chance.random() < 0.95 else "en"
    if code == "DPIA":
        made["covers_environments"] = ["env-0", "env-1", "env-2"]
    if code == "PRIOR_OPINIONS":
        on = submitted + timedelta(days=chance.choice((-40, -1, 0, 20)))
        made["opinion"] = {
            "body": chance.choice(("CPP", "CSE")),
            "verdict": chance.choice((*EXPRESS, *VERDICTS)),
            "date": on.isoformat(),
        }
    return made


def _documents(chance: Random, submitted: date) -> list[Json]:
    left_out = set(chance.sample(DOCUMENTS, chance.choice((0, 0, 0, 1, 1, 2, 5))))
    left_out |= {"PRIOR_OPINIONS"} if chance.random() < 0.4 else set()
    return [document(chance, code, submitted) for code in DOCUMENTS if code not in left_out]
