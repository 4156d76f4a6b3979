"""What an application (EHDS:67) and a request for statistics (EHDS:69) must contain, and when each item is asked."""

from collections.abc import Callable
from dataclasses import dataclass

from compliance.application import Application
from compliance.coded import Finding
from contracts.dossier import Dossier


@dataclass(frozen=True, slots=True)
class Asked:
    """An item of a European dossier: its code, the article that asks for it, and when it does."""

    code: str
    citation: str
    of: Callable[[Application], bool]


def everybody(application: Application) -> bool:
    return True


def public_bodies(application: Application) -> bool:
    return application.public_body()


def all_but_public_bodies(application: Application) -> bool:
    return not application.public_body()


def pseudonymised(application: Application) -> bool:
    return application.dossier.data.form == "pseudonymised"


def ethics_asked(application: Application) -> bool:
    """By national law (setting `eu.ethics-required`, confidence: low)."""
    required = application.law.ethics_required
    return required == "always" or (required == "pseudonymised" and pseudonymised(application))


def own_datasets(application: Application) -> bool:
    linkage = application.dossier.data.linkage
    return linkage is not None and "OWN_DATASET" in linkage.with_


def opted_out_asked(application: Application) -> bool:
    return application.dossier.data.includes_opted_out.requested


OF_AN_APPLICATION: tuple[Asked, ...] = (
    Asked("PERSONS", "EHDS:67(2)(a)", everybody),
    Asked("INTENDED_USE", "EHDS:67(2)(c)", everybody),
    Asked("DATA_SCOPE", "EHDS:67(2)(d)", everybody),
    Asked("PSEUDONYMISATION_JUSTIFICATION", "EHDS:67(2)(e)", pseudonymised),
    Asked("OWN_DATASETS", "EHDS:67(2)(f)", own_datasets),
    Asked("SAFEGUARDS", "EHDS:67(2)(g)", everybody),
    Asked("PERIOD_JUSTIFICATION", "EHDS:67(2)(h)", all_but_public_bodies),
    Asked("ACCESS_FREQUENCY", "EHDS:67(5)", public_bodies),
    Asked("TOOLS", "EHDS:67(2)(i)", everybody),
    Asked("ETHICS", "EHDS:67(2)(j)", ethics_asked),
    Asked("OPT_OUT_JUSTIFICATION", "EHDS:67(2)(k)", opted_out_asked),
    Asked("GDPR_COMPLIANCE", "EHDS:67(4)", pseudonymised),
)
OF_A_STATISTICS_REQUEST: tuple[Asked, ...] = (
    Asked("INTENDED_USE", "EHDS:69(2)(b)", everybody),
    Asked("DATA_SCOPE", "EHDS:69(2)(c)", everybody),
    Asked("STATISTICAL_CONTENT", "EHDS:69(2)(d)", everybody),
    Asked("SAFEGUARDS", "EHDS:69(2)(e)", everybody),
    Asked("GDPR_COMPLIANCE", "EHDS:69(2)(f)", everybody),
    Asked("OPT_OUT_JUSTIFICATION", "EHDS:69(2)(g)", opted_out_asked),
)
APPLICATION_ITEMS = {item.code: item.citation for item in OF_AN_APPLICATION}
STATISTICS_ITEMS = {item.code: item.citation for item in OF_A_STATISTICS_REQUEST}


def missing_in_europe(application: Application) -> tuple[Finding, ...]:
    """Every item missing of an application (EHDS:67) or of a statistics request (EHDS:69)."""
    dossier, aside = application.dossier, application.law.set_aside
    statistics = dossier.kind == "statistics_request"
    there = {document.code for document in dossier.documents}
    return tuple(
        Finding(item.code, item.citation)
        for item in (OF_A_STATISTICS_REQUEST if statistics else OF_AN_APPLICATION)
        if item.code not in aside
        and item.of(application)
        and (not dossier.persons if item.code == "PERSONS" else item.code not in there)
    )


def european_items(dossier: Dossier) -> dict[str, str]:
    """The items the law names for this kind of request, with their articles."""
    return STATISTICS_ITEMS if dossier.kind == "statistics_request" else APPLICATION_ITEMS
