"""What a French dossier must contain: documents and formalities by column of the law, with the article of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from compliance.application import Application
from compliance.coded import Finding
from compliance.rules import french_routes as fr
from contracts.dossier import Document, Dossier

FRENCH_ITEMS: dict[str, str] = {
    "PROTOCOL": "D2019-536:89",
    "DATA_SCOPE": "D2019-536:89",
    "DOI_FUNDING": "D2019-536:89",
    "SUMMARY": "CSP:L1461-3",
    "RETENTION_RESULTS": "CSP:L1461-3",
    "DPIA": "GDPR:35",
    "NOTICE": "GDPR:14",
    "LEGAL_BASIS": "GDPR:6",
    "SECURITY": "GDPR:32",
    "LAB_COMMITMENT": "A2017-07-17",
    "LINKAGE_CIRCUIT": "CSP:R1461-7",
    "PRIOR_OPINIONS": "LIL:76",
    "LAB_OR_DEMO": "CSP:L1461-3-II",
    "DPIA_ENVIRONMENT": "GDPR:35",
    "CONFORMITY_DECLARATION": "LIL:66-II",
}


FORMALITIES = frozenset({"CONFORMITY_DECLARATION", "DIRECTORY_REGISTRATION"})

A = ("PROTOCOL", "DPIA", "NOTICE")
B = ("PROTOCOL", "SUMMARY", "DPIA", "NOTICE", "SECURITY")
C = ("PROTOCOL", "SUMMARY", "DPIA")
D = ("PROTOCOL", "SUMMARY", "DPIA", "LAB_COMMITMENT")
F = (
    "PROTOCOL",
    "SUMMARY",
    "DATA_SCOPE",
    "DPIA",
    "NOTICE",
    "DOI_FUNDING",
    "LEGAL_BASIS",
    "RETENTION_RESULTS",
    "LAB_COMMITMENT",
)
G = ("PROTOCOL", "SUMMARY", "DATA_SCOPE", "DOI_FUNDING", "RETENTION_RESULTS")
H = (
    "PROTOCOL",
    "SUMMARY",
    "DATA_SCOPE",
    "DPIA",
    "NOTICE",
    "DOI_FUNDING",
    "LEGAL_BASIS",
    "SECURITY",
    "RETENTION_RESULTS",
)
W = ("SUMMARY", "DPIA", "NOTICE", "LEGAL_BASIS", "SECURITY")

COLUMNS: dict[str, tuple[str, ...]] = {
    fr.FR_EXEMPT_INTERNAL: (),
    fr.FR_PERMANENT: (),
    fr.FR_MR001: A,
    fr.FR_MR003: A,
    fr.FR_MR004: B,
    fr.FR_MR005: C,
    fr.FR_MR006: D,
    fr.FR_MR007: F,
    fr.FR_MR008: F,
    fr.FR_SIMPLIFIED_SAMPLE: G,
    fr.FR_SINGLE_DECISION: H,
    fr.FR_STANDARD: H,
    fr.FR_REFERENTIEL_EDS: W,
}
LINKED = frozenset({fr.FR_MR004, fr.FR_SINGLE_DECISION, fr.FR_STANDARD})
PROOF_KINDS = frozenset({"health_product_industry", "insurer", "financial_institution"})
DECLARED = frozenset(
    {
        fr.FR_MR001,
        fr.FR_MR003,
        fr.FR_MR004,
        fr.FR_MR005,
        fr.FR_MR006,
        fr.FR_MR007,
        fr.FR_MR008,
        fr.FR_REFERENTIEL_EDS,
    }
)
REGISTERED = frozenset({fr.FR_MR004, fr.FR_MR005, fr.FR_MR006})


def current_documents(dossier: Dossier) -> Mapping[str, list[Document]]:
    """By code, the documents of the highest version: several of one code count as one that was replaced."""
    current: dict[str, list[Document]] = {}
    for document in dossier.documents:
        same = current.get(document.code)
        if same is None or document.version > same[0].version:
            current[document.code] = [document]
        elif document.version == same[0].version:
            same.append(document)
    return current


def missing_in_france(application: Application, route: str) -> tuple[Finding, ...]:
    """Every item missing on a French route, formalities aside."""
    aside = application.law.set_aside
    file = File(application, route, current_documents(application.dossier))
    return tuple(Finding(code, FRENCH_ITEMS[code]) for code in _missing_in_france(file) if code not in aside)


def _missing_in_france(file: File) -> Iterator[str]:
    yield from (code for code in file.column if not file.has(code))
    yield from (code for code, missing in UNDER_CONDITIONS if missing(file))


@dataclass(frozen=True, slots=True)
class File:
    """A French dossier on its route, with its current documents by code."""

    application: Application
    route: str
    documents: Mapping[str, list[Document]]

    @property
    def of_a_warehouse(self) -> bool:
        """A warehouse that CNIL has to authorise has the documents of the referential."""
        return self.route == fr.FR_STANDARD and self.application.dossier.creates_warehouse

    @property
    def column(self) -> tuple[str, ...]:
        """The documents that the route asks for in any case."""
        return W if self.of_a_warehouse else COLUMNS[self.route]

    def has(self, code: str) -> bool:
        """Whether a document is there; a summary in another language than French is none."""
        found = self.documents.get(code, ())
        return any(d.language == "fr" for d in found) if code == "SUMMARY" else bool(found)


def linkage_circuit(file: File) -> bool:
    """CSP:R1461-7: data are matched, and how identifiers travel is not described."""
    asked = file.application.dossier.data.linkage is not None and file.route in LINKED and not file.of_a_warehouse
    return asked and not file.has("LINKAGE_CIRCUIT")


def prior_opinions(file: File) -> bool:
    """LIL:76: a source is a hospital warehouse, and the opinion of its committee is not there."""
    asked = file.route == fr.FR_MR004 and needs_warehouse_committee(file.application)
    return asked and not any(d.opinion and d.opinion.body == "CSE" for d in file.documents.get("PRIOR_OPINIONS", ()))


def lab_or_demo(file: File) -> bool:
    """CSP:L1461-3-II: industry, insurers and banks on SNDS data, without a laboratory's commitment or a proof."""
    application = file.application
    asked = file.column in (G, H) and application.dossier.applicant.kind in PROOF_KINDS and application.has_snds()
    by_laboratory = application.lab_committed() and file.has("LAB_COMMITMENT")
    return asked and not by_laboratory and not file.has("PROHIB_PURPOSE_DEMO")


def dpia_environment(file: File) -> bool:
    """GDPR:35: an impact assessment is asked for and there, and does not cover the environment."""
    environment_id = file.application.dossier.environment_id
    dpia = file.documents.get("DPIA", ())
    asked = "DPIA" in file.column and bool(dpia) and environment_id is not None
    return asked and not any(environment_id in (d.covers_environments or ()) for d in dpia)


UNDER_CONDITIONS: tuple[tuple[str, Callable[[File], bool]], ...] = (
    ("LINKAGE_CIRCUIT", linkage_circuit),
    ("PRIOR_OPINIONS", prior_opinions),
    ("LAB_OR_DEMO", lab_or_demo),
    ("DPIA_ENVIRONMENT", dpia_environment),
)
"""Items that are missing under conditions of their own."""


def needs_warehouse_committee(application: Application) -> bool:
    """A source is a hospital warehouse, whose committee (CSE) gives an opinion."""
    return any(dataset.source == "EDS" for dataset in application.dossier.data.datasets)
