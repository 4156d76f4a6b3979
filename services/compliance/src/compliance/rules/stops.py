"""Hard stops: what is refused before any route is tried, in both regimes."""

from collections.abc import Callable, Iterator

from compliance.application import Application
from compliance.coded import Finding, once

Stop = Callable[[Application], Iterator[Finding]]

PROHIBITED_IN_FRANCE: dict[str, Finding] = {
    "INDIVIDUAL_DECISION": Finding("PROHIBITED_INDIVIDUAL_DECISION", "CSP:L1461-1"),
    "REIDENTIFICATION": Finding("PROHIBITED_REIDENTIFICATION", "CSP:L1461-1"),
}
PROHIBITED_ON_SNDS: dict[str, Finding] = {
    "PROMOTION_TO_PROFESSIONALS": Finding("PROHIBITED_PROMOTION", "CSP:L1461-1-V-1"),
    "INSURANCE_EXCLUSION_OR_PREMIUM": Finding("PROHIBITED_INSURANCE", "CSP:L1461-1-V-2"),
}
# As a stop it cites LIL:66-I (confidence: medium).
NO_PUBLIC_INTEREST = Finding("NO_PUBLIC_INTEREST", "LIL:66-I")
WITHOUT_PUBLIC_INTEREST = frozenset(
    {
        "PROMOTION_TO_PROFESSIONALS",
        "INSURANCE_EXCLUSION_OR_PREMIUM",
        "JOB_OFFER",
        "CREDIT_OR_LOAN_TERMS",
        "ADVERTISING_MARKETING",
        "HARMFUL_PRODUCT",
        "ETHICS_CONFLICT",
        "LAW_ENFORCEMENT",
    }
)

PROHIBITED_IN_EUROPE: dict[str, Finding] = {
    "PROMOTION_TO_PROFESSIONALS": Finding("PROHIBITED_MARKETING", "EHDS:54(c)"),
    "INSURANCE_EXCLUSION_OR_PREMIUM": Finding("PROHIBITED_DISCRIMINATION", "EHDS:54(b)"),
    "INDIVIDUAL_DECISION": Finding("PROHIBITED_DETRIMENTAL_DECISION", "EHDS:54(a)"),
    "REIDENTIFICATION": Finding("PROHIBITED_REIDENTIFICATION", "EHDS:61(3)"),
    "JOB_OFFER": Finding("PROHIBITED_DISCRIMINATION", "EHDS:54(b)"),
    "CREDIT_OR_LOAN_TERMS": Finding("PROHIBITED_DISCRIMINATION", "EHDS:54(b)"),
    "ADVERTISING_MARKETING": Finding("PROHIBITED_MARKETING", "EHDS:54(c)"),
    "HARMFUL_PRODUCT": Finding("PROHIBITED_HARMFUL_PRODUCT", "EHDS:54(d)"),
    "ETHICS_CONFLICT": Finding("PROHIBITED_ETHICS", "EHDS:54(e)"),
    "LAW_ENFORCEMENT": Finding("OUT_OF_SCOPE_LAW_ENFORCEMENT", "EHDS:REC63"),
}

RESERVED_PURPOSES = frozenset("abc")


def _uses(application: Application) -> tuple[str, ...]:
    uses: tuple[str, ...] = application.dossier.purpose.intended_use
    return (*uses, "LAW_ENFORCEMENT") if application.dossier.applicant.kind == "law_enforcement" else uses


def prohibited_use_in_france(application: Application) -> Iterator[Finding]:
    """CSP:L1461-1, CSP:L1461-1-V, LIL:66-I: one prohibited use among others stops the request."""
    on_snds = application.has_snds()
    for use in _uses(application):
        if use in PROHIBITED_IN_FRANCE:
            yield PROHIBITED_IN_FRANCE[use]
        elif on_snds and use in PROHIBITED_ON_SNDS:
            yield PROHIBITED_ON_SNDS[use]
        elif use in WITHOUT_PUBLIC_INTEREST:
            yield NO_PUBLIC_INTEREST


TRANSFER_OUTSIDE_EU = Finding("TRANSFER_OUTSIDE_EU", "SNDS-REF:3.2")


def snds_transfer_outside_the_union(application: Application) -> Iterator[Finding]:
    """SNDS-REF:3.2: SNDS data stay on the territory."""
    if application.dossier.transfers_outside_eu and application.has_snds():
        yield TRANSFER_OUTSIDE_EU


SNDS_OVER_20_YEARS = Finding("SNDS_OVER_20_YEARS", "CSP:L1461-1-IV")


def snds_over_twenty_years(application: Application) -> Iterator[Finding]:
    """CSP:L1461-1-IV (confidence: medium): SNDS data are kept twenty years."""
    oldest = application.submitted.year - 20
    if any(
        dataset.years[0] < oldest and application.entry(dataset.dataset_id).dataset_class == "snds"
        for dataset in application.dossier.data.datasets
    ):
        yield SNDS_OVER_20_YEARS


def prohibited_use_in_europe(application: Application) -> Iterator[Finding]:
    """EHDS:54, EHDS:61(3), EHDS:REC63."""
    for use in _uses(application):
        if use in PROHIBITED_IN_EUROPE:
            yield PROHIBITED_IN_EUROPE[use]


PURPOSE_RESERVED = Finding("PURPOSE_RESERVED_FOR_PUBLIC_BODIES", "EHDS:53(2)")


def purpose_reserved(application: Application) -> Iterator[Finding]:
    """EHDS:53(2): purposes a, b and c are for public bodies and for those they mandate."""
    dossier = application.dossier
    reserved = not RESERVED_PURPOSES.isdisjoint(dossier.purpose.ehds_purposes)
    if reserved and not application.public_body() and dossier.applicant.mandate is None:
        yield PURPOSE_RESERVED


THIRD_COUNTRY = Finding("THIRD_COUNTRY_NOT_ELIGIBLE", "EHDS:91(1)")


def third_country(application: Application) -> Iterator[Finding]:
    """EHDS:91(1): an applicant outside the EEA needs its country to be listed."""
    if not application.in_the_eea() and application.dossier.applicant.country not in application.law.third_countries:
        yield THIRD_COUNTRY


FORMAT_NOT_STATISTICAL = Finding("FORMAT_NOT_STATISTICAL", "EHDS:69(1)")


def format_not_statistical(application: Application) -> Iterator[Finding]:
    """EHDS:69(1): a statistics request is answered in statistical form only."""
    dossier = application.dossier
    if dossier.kind == "statistics_request" and dossier.data.form != "statistics":
        yield FORMAT_NOT_STATISTICAL


TRANSFER_OUTSIDE_UNION = Finding("TRANSFER_OUTSIDE_UNION", "EHDS:87(1)")


def personal_transfer(application: Application) -> Iterator[Finding]:
    """EHDS:87(1): personal data leave the Union under an adequacy decision only."""
    transfers = application.dossier.transfers_outside_eu
    if any(transfer.kind == "personal" and not transfer.adequacy_decision for transfer in transfers):
        yield TRANSFER_OUTSIDE_UNION


FRENCH_STOPS: tuple[Stop, ...] = (prohibited_use_in_france, snds_transfer_outside_the_union, snds_over_twenty_years)
EUROPEAN_STOPS: tuple[Stop, ...] = (
    prohibited_use_in_europe,
    purpose_reserved,
    third_country,
    format_not_statistical,
    personal_transfer,
)


def stops(application: Application, rules: tuple[Stop, ...]) -> tuple[Finding, ...]:
    """Every stop that applies, each once."""
    aside = application.law.set_aside
    return once(found for rule in rules for found in rule(application) if found.code not in aside)
