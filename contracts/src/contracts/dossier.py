"""The dossier: a request for health data as a portal sends it.

No direct identifier of a patient; persons are opaque references.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, JsonValue
from pydantic_core import PydanticCustomError

from contracts.facts import NOT_NULL, OPTIONAL, Shape
from contracts.vocabulary import Category, Country, Day, Form, Purpose, Reference, Role, Sha256, Source

T = TypeVar("T")


def _unique(items: tuple[T, ...]) -> tuple[T, ...]:
    # Frozen shapes and texts are hashable; comparing each with each would let one dossier hold a door for seconds.
    if len(items) > 1 and len(set(items)) < len(items):
        raise PydanticCustomError("unique", "items must differ from one another")
    return items


Unique = Annotated[tuple[T, ...], AfterValidator(_unique), Field(json_schema_extra={"uniqueItems": True})]
UniqueSome = Annotated[
    tuple[T, ...], Field(min_length=1, json_schema_extra={"uniqueItems": True}), AfterValidator(_unique)
]

IntendedUse = Literal[
    "PUBLIC_HEALTH_SURVEILLANCE",
    "HEALTHCARE_QUALITY",
    "EPIDEMIOLOGY",
    "DRUG_SAFETY",
    "MEDICAL_DEVICE_EVALUATION",
    "HEALTH_ECONOMICS",
    "POLICY_EVALUATION",
    "OFFICIAL_STATISTICS",
    "TEACHING",
    "ALGORITHM_TRAINING",
    "CLINICAL_RESEARCH",
    "CARE_IMPROVEMENT",
    "BENCHMARKING",
    "PREVENTION_EVALUATION",
    "PROMOTION_TO_PROFESSIONALS",
    "INSURANCE_EXCLUSION_OR_PREMIUM",
    "CREDIT_OR_LOAN_TERMS",
    "JOB_OFFER",
    "ADVERTISING_MARKETING",
    "HARMFUL_PRODUCT",
    "INDIVIDUAL_DECISION",
    "REIDENTIFICATION",
    "LAW_ENFORCEMENT",
    "ETHICS_CONFLICT",
]
ApplicantKind = Literal[
    "public_body",
    "union_institution",
    "university",
    "research_institute",
    "hospital",
    "hospital_federation",
    "patient_association",
    "research_ngo",
    "health_product_industry",
    "insurer",
    "financial_institution",
    "consultancy",
    "law_enforcement",
    "other_private",
    "natural_person",
]
DocumentCode = Literal[
    "PROTOCOL",
    "SUMMARY",
    "DATA_SCOPE",
    "DPIA",
    "NOTICE",
    "DOI_FUNDING",
    "LEGAL_BASIS",
    "SECURITY",
    "RETENTION_RESULTS",
    "LAB_COMMITMENT",
    "PROHIB_PURPOSE_DEMO",
    "LINKAGE_CIRCUIT",
    "PRIOR_OPINIONS",
    "INTENDED_USE",
    "PSEUDONYMISATION_JUSTIFICATION",
    "OWN_DATASETS",
    "SAFEGUARDS",
    "PERIOD_JUSTIFICATION",
    "ACCESS_FREQUENCY",
    "TOOLS",
    "ETHICS",
    "OPT_OUT_JUSTIFICATION",
    "GDPR_COMPLIANCE",
    "STATISTICAL_CONTENT",
]
LinkageSource = Literal[Source, "OWN_DATASET"]
ResearchType = Literal["none", "rniph", "riph1", "riph2", "riph3"]
InformationMode = Literal["consent", "non_opposition", "individual", "exception_justified", "general", "none"]
DossierKind = Literal["access_application", "statistics_request"]


class Mandate(Shape):
    """Written mandate of a public sector body or Union institution on whose behalf the applicant acts."""

    from_: Annotated[Reference, Field(alias="from", description="Organisation id of the mandating body.")]
    reference: Reference
    date: Day


class Applicant(Shape):
    """Who applies: the controller."""

    organisation: Annotated[str, Field(max_length=200, description="Public name, or 'natural person'.")]
    organisation_id: Reference
    kind: ApplicantKind
    country: Country
    public_interest_mission: bool
    public_sector_body: Annotated[bool, Field(description="In the sense of EHDS art. 53(2).")]
    public_health_mandate: bool
    state_body: Annotated[bool, Field(description="State administration or operator in the scope of SREN art. 31.")]
    mandate: Mandate | None


class PurposeOfUse(Shape):
    """What for."""

    ehds_purposes: Annotated[UniqueSome[Purpose], Field(description="Purposes of EHDS art. 53(1).")]
    intended_use: UniqueSome[IntendedUse]
    public_interest_statement: Annotated[str, Field(max_length=2000)] | None
    presumed_public_interest: bool
    within_statutory_mission: bool
    summary_fr: Annotated[str, Field(max_length=2000, description="Summary in French for the register.")]


class Information(Shape):
    """How the persons concerned are informed."""

    mode: InformationMode


class Dataset(Shape):
    """One dataset of the catalogue that is asked for."""

    dataset_id: Reference
    version: Annotated[Reference, Field(description="Version pinned.")]
    source: Source
    holder: Reference
    categories: Annotated[UniqueSome[Category], Field(description="Categories of EHDS art. 51(1).")]
    years: Annotated[
        tuple[Annotated[int, Field(ge=1950, le=2100)], ...],
        Field(min_length=2, max_length=2, description="First and last year wanted."),
    ]


class Linkage(Shape):
    """Matching with another source."""

    with_: Annotated[UniqueSome[LinkageSource], Field(alias="with", description="Sources matched.")]
    uses_nir: Annotated[bool, Field(description="Matched through the national identity number.")]
    trusted_third_party: str | None
    circuit: Literal["nir", "indirect_deterministic", "probabilistic"]


class IncludesOptedOut(Shape):
    """Whether persons who opted out are asked for."""

    requested: bool
    basis: Annotated[str, Field(max_length=200)] | None


class Data(Shape):
    """What data."""

    datasets: UniqueSome[Dataset]
    form: Form
    linkage: Linkage | None
    crosses_potential_identifiers: bool
    full_birth_date: bool
    reuses_earlier_extract: bool
    includes_opted_out: IncludesOptedOut


class Processing(Shape):
    """One of several processings that a single decision shall cover."""

    ref: Reference
    ehds_purpose: Purpose
    categories: UniqueSome[Category]
    recipients: UniqueSome[Reference]


class Series(Shape):
    """Asked when one decision shall cover several processings (LIL 66-IV)."""

    processings: Annotated[
        tuple[Processing, ...],
        Field(min_length=2, json_schema_extra={"uniqueItems": True}),
        AfterValidator(_unique),
    ]


class Person(Shape):
    """A natural person who would have access, by opaque reference only."""

    ref: Reference
    role: Role
    organisation: Reference
    habilitated: Annotated[bool, Field(description="A named access right was granted by the controller.")]
    confidentiality_signed: bool


class Lab(Shape):
    """Laboratory or consultancy that processes."""

    ref: Reference
    committed_2017_07_17: Annotated[bool, Field(description="Committed to the order of 17 July 2017.")]
    independent: bool
    last_audit: Day | None


class LegalBasis(Shape):
    """Legal basis under the GDPR."""

    gdpr6: Literal["6(1)(a)", "6(1)(c)", "6(1)(e)", "6(1)(f)"]
    gdpr9: Literal["9(2)(a)", "9(2)(h)", "9(2)(i)", "9(2)(j)"]


class PriorOpinion(Shape):
    """What the committee said, for PRIOR_OPINIONS."""

    body: Literal["CPP", "CSE", "CESREES"]
    verdict: Literal["favourable", "favourable_with_recommendations", "reserved", "unfavourable"]
    date: Day


class Document(Shape):
    """A document by reference; the file itself stays with the portal."""

    code: DocumentCode
    version: Annotated[int, Field(ge=1)]
    date: Day
    sha256: Sha256
    language: Annotated[Literal["fr", "en", "other"] | None, NOT_NULL] = OPTIONAL
    covers_environments: Annotated[Unique[Reference] | None, NOT_NULL] = OPTIONAL
    opinion: Annotated[PriorOpinion | None, NOT_NULL] = OPTIONAL


class Transfer(Shape):
    """One transfer outside the EEA."""

    country: Country
    kind: Literal["personal", "non_personal"]
    adequacy_decision: bool


class Act(Shape):
    """A dated act: a declaration of conformity, an entry in the public directory."""

    reference: Reference
    date: Day


class Dossier(Shape):
    """A request for health data as a portal sends it. Read it with `extra="forbid"`: the published shape is closed."""

    kind: DossierKind
    title: Annotated[str, Field(min_length=3, max_length=200)]
    portal: Reference
    portal_reference: Annotated[Reference, Field(description="With portal it identifies the request.")]
    revision: Annotated[int, Field(ge=1)]
    applicant: Applicant
    purpose: PurposeOfUse
    research_type: ResearchType
    information: Information
    exclusive_internal_use: bool
    creates_warehouse: bool
    data: Data
    series: Series | None
    requested_months: Annotated[int, Field(ge=1, le=600)]
    persons: Unique[Person]
    lab: Lab | None
    legal_basis: LegalBasis
    documents: Unique[Document]
    environment_id: str | None
    transfers_outside_eu: Unique[Transfer]
    conformity_declared: Act | None
    directory_registered: Act | None


def read_dossier(data: bytes | str | Mapping[str, JsonValue]) -> Dossier:
    """Read a dossier in its closed published shape; raises pydantic.ValidationError, whose errors are all there are."""
    text = json.dumps(data) if isinstance(data, Mapping) else data
    return Dossier.model_validate_json(text, extra="forbid")
