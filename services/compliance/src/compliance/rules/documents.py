"""What a dossier must contain: documents and formalities by column of the law, with the article that asks for each."""

from collections.abc import Iterator, Mapping

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
APPLICATION_ITEMS: dict[str, str] = {
    "PERSONS": "EHDS:67(2)(a)",
    "INTENDED_USE": "EHDS:67(2)(c)",
    "DATA_SCOPE": "EHDS:67(2)(d)",
    "PSEUDONYMISATION_JUSTIFICATION": "EHDS:67(2)(e)",
    "OWN_DATASETS": "EHDS:67(2)(f)",
    "SAFEGUARDS": "EHDS:67(2)(g)",
    "PERIOD_JUSTIFICATION": "EHDS:67(2)(h)",
    "ACCESS_FREQUENCY": "EHDS:67(5)",
    "TOOLS": "EHDS:67(2)(i)",
    "ETHICS": "EHDS:67(2)(j)",
    "OPT_OUT_JUSTIFICATION": "EHDS:67(2)(k)",
    "GDPR_COMPLIANCE": "EHDS:67(4)",
}
STATISTICS_ITEMS: dict[str, str] = {
    "INTENDED_USE": "EHDS:69(2)(b)",
    "DATA_SCOPE": "EHDS:69(2)(c)",
    "STATISTICAL_CONTENT": "EHDS:69(2)(d)",
    "SAFEGUARDS": "EHDS:69(2)(e)",
    "GDPR_COMPLIANCE": "EHDS:69(2)(f)",
    "OPT_OUT_JUSTIFICATION": "EHDS:69(2)(g)",
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
    return tuple(
        Finding(code, FRENCH_ITEMS[code]) for code in _missing_in_france(application, route) if code not in aside
    )


def _missing_in_france(application: Application, route: str) -> Iterator[str]:
    dossier = application.dossier
    documents = current_documents(dossier)
    of_a_warehouse = route == fr.FR_STANDARD and dossier.creates_warehouse
    column = W if of_a_warehouse else COLUMNS[route]
    for code in column:
        if code not in documents or (code == "SUMMARY" and not any(d.language == "fr" for d in documents[code])):
            yield code
    if (
        dossier.data.linkage is not None
        and route in LINKED
        and not of_a_warehouse
        and "LINKAGE_CIRCUIT" not in documents
    ):
        yield "LINKAGE_CIRCUIT"
    if route == fr.FR_MR004 and needs_warehouse_committee(application) and not _opinion_of("CSE", documents):
        yield "PRIOR_OPINIONS"
    if column in (G, H) and _lab_or_proof_needed(application) and not _lab_or_proof(application, documents):
        yield "LAB_OR_DEMO"
    if "DPIA" in column and "DPIA" in documents and not _covers(documents["DPIA"], dossier.environment_id):
        yield "DPIA_ENVIRONMENT"


def needs_warehouse_committee(application: Application) -> bool:
    """A source is a hospital warehouse, whose committee (CSE) gives an opinion."""
    return any(dataset.source == "EDS" for dataset in application.dossier.data.datasets)


def _opinion_of(body: str, documents: Mapping[str, list[Document]]) -> bool:
    return any(d.opinion is not None and d.opinion.body == body for d in documents.get("PRIOR_OPINIONS", ()))


def _lab_or_proof_needed(application: Application) -> bool:
    return application.dossier.applicant.kind in PROOF_KINDS and application.has_snds()


def _lab_or_proof(application: Application, documents: Mapping[str, list[Document]]) -> bool:
    by_lab = application.lab_committed() and "LAB_COMMITMENT" in documents
    return by_lab or "PROHIB_PURPOSE_DEMO" in documents


def _covers(dpia: list[Document], environment_id: str | None) -> bool:
    return environment_id is None or any(environment_id in (d.covers_environments or ()) for d in dpia)


def missing_in_europe(application: Application) -> tuple[Finding, ...]:
    """Every item missing of an application (EHDS:67) or of a statistics request (EHDS:69)."""
    items = european_items(application.dossier)
    documents = {document.code for document in application.dossier.documents}
    return tuple(
        Finding(code, items[code])
        for code in _required_in_europe(application)
        if code not in application.law.set_aside
        and (not application.dossier.persons if code == "PERSONS" else code not in documents)
    )


def european_items(dossier: Dossier) -> dict[str, str]:
    """The items the law names for this kind of request, with their articles."""
    return STATISTICS_ITEMS if dossier.kind == "statistics_request" else APPLICATION_ITEMS


def _required_in_europe(application: Application) -> Iterator[str]:
    dossier, law = application.dossier, application.law
    opted_out = dossier.data.includes_opted_out.requested
    if dossier.kind == "statistics_request":
        yield from ("INTENDED_USE", "DATA_SCOPE", "STATISTICAL_CONTENT", "SAFEGUARDS", "GDPR_COMPLIANCE")
    else:
        yield from ("PERSONS", "INTENDED_USE", "DATA_SCOPE", "SAFEGUARDS", "TOOLS")
        yield "ACCESS_FREQUENCY" if application.public_body() else "PERIOD_JUSTIFICATION"
        pseudonymised = dossier.data.form == "pseudonymised"
        if pseudonymised:
            yield from ("PSEUDONYMISATION_JUSTIFICATION", "GDPR_COMPLIANCE")
        if law.ethics_required == "always" or (pseudonymised and law.ethics_required == "pseudonymised"):
            yield "ETHICS"
        if dossier.data.linkage is not None and "OWN_DATASET" in dossier.data.linkage.with_:
            yield "OWN_DATASETS"
    if opted_out:
        yield "OPT_OUT_JUSTIFICATION"
