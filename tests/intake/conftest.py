"""Dossiers for the tests of intake."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

DOSSIER: dict[str, Any] = {
    "kind": "access_application",
    "title": "Diabetes care pathways",
    "portal": "portal-hdh",
    "portal_reference": "DIAB-1",
    "revision": 1,
    "applicant": {
        "organisation": "University of the West",
        "organisation_id": "univ-ouest",
        "kind": "university",
        "country": "FR",
        "public_interest_mission": True,
        "public_sector_body": True,
        "public_health_mandate": False,
        "state_body": False,
        "mandate": None,
    },
    "purpose": {
        "ehds_purposes": ["e"],
        "intended_use": ["EPIDEMIOLOGY"],
        "public_interest_statement": "Better knowledge of the disease.",
        "presumed_public_interest": False,
        "within_statutory_mission": False,
        "summary_fr": "Résumé public du projet.",
    },
    "research_type": "rniph",
    "information": {"mode": "general"},
    "exclusive_internal_use": False,
    "creates_warehouse": False,
    "data": {
        "datasets": [
            {
                "dataset_id": "snds-main",
                "version": "2026.1",
                "source": "SNDS_MAIN",
                "holder": "cnam",
                "categories": ["a", "e"],
                "years": [2014, 2024],
            }
        ],
        "form": "pseudonymised",
        "linkage": None,
        "crosses_potential_identifiers": False,
        "full_birth_date": False,
        "reuses_earlier_extract": False,
        "includes_opted_out": {"requested": False, "basis": None},
    },
    "series": None,
    "requested_months": 36,
    "persons": [
        {
            "ref": "p-pi",
            "role": "principal_investigator",
            "organisation": "univ-ouest",
            "habilitated": True,
            "confidentiality_signed": True,
        }
    ],
    "lab": {"ref": "lab-indep", "committed_2017_07_17": True, "independent": True, "last_audit": "2025-02-10"},
    "legal_basis": {"gdpr6": "6(1)(e)", "gdpr9": "9(2)(j)"},
    "documents": [
        {"code": "PROTOCOL", "version": 1, "date": "2026-05-04", "sha256": "3" * 64},
        {"code": "SUMMARY", "version": 1, "date": "2026-05-04", "sha256": "4" * 64, "language": "fr"},
    ],
    "environment_id": "env-souverain",
    "transfers_outside_eu": [],
    "conformity_declared": {"reference": "DC-2026-118", "date": "2026-08-31"},
    "directory_registered": None,
}

Json = dict[str, Any]
MakeDossier = Callable[..., Json]


@pytest.fixture(scope="session")
def make_dossier() -> MakeDossier:
    """`make_dossier(title="…", **{"data.form": "statistics"})`: a good dossier with members replaced."""

    def make(**changes: Any) -> Json:
        dossier = copy.deepcopy(DOSSIER)
        for path, value in changes.items():
            *way, last = path.split(".")
            place: Any = dossier
            for name in way:
                place = place[int(name)] if isinstance(place, list) else place[name]
            if isinstance(place, list):
                place[int(last)] = value
            else:
                place[last] = value
        return dossier

    return make


@pytest.fixture(scope="session")
def submission(make_dossier: MakeDossier) -> Callable[..., bytes]:
    """The data of `request.submitted` around a dossier made with the same changes."""
    return lambda **changes: json.dumps({"dossier": make_dossier(**changes)}, ensure_ascii=False).encode()
