"""The findings that stand as constants beside the functions that give them, by regime and by what they are."""

from compliance.acts import CONFLICTED, CONTRADICTED
from compliance.appeals import LODGED
from compliance.assessment import ENVIRONMENT_TO_BE_CLEARED
from compliance.authority import (
    APPEAL_OPEN,
    LEGAL_REVIEW,
    REFUSED_BY_CNIL,
    REFUSED_BY_HDH,
    SILENCE_DOES_NOT_GRANT,
    SILENCE_GRANTS,
)
from compliance.catalogue import UNCONFIRMED
from compliance.coded import Finding
from compliance.duties import OVERDUE, REQUEST_DATA
from compliance.european import (
    AUTHORITY_REFUSED,
    COMPLAINT_OPEN,
    CONFIRM_STATISTICS,
    DURATION_CAPPED,
    MUTUAL_RECOGNITION,
    NO_DATA_ACCESS,
    NO_FEE_ESTIMATE,
    NOT_COMPLETED_IN_TIME,
    NOTIFY_FEE_ESTIMATE,
    OPT_OUT_EXCEPTION_APPLIED,
    OPT_OUT_EXCEPTION_UNAVAILABLE,
    PERMIT_CONDITIONS,
    PROPOSAL_NOT_FOLLOWED,
    REAPPLY_POSSIBLE,
    STATISTICS_SUFFICIENT,
)
from compliance.french import (
    CNAM_AGREEMENT,
    CPP_NOT_FAVOURABLE,
    CSE_NOT_FAVOURABLE,
    OFFER_AUTHORITY_ROUTE,
    PERMANENT_CONDITIONS,
    RECORD_OF_PROCESSING,
    SEND_RESULTS,
    SEND_TO_HDH,
    SNDS_SECURITY,
)
from compliance.hosting import PERSON_NOT_HABILITATED
from compliance.incidents import (
    KINDS,
    OPEN_HEARING,
    PROPOSE_REVOCATION,
    TELL_SUPERVISOR,
    TELL_SUPERVISOR_IN_FRANCE,
    TEN_MILLION,
    TWENTY_MILLION,
)
from compliance.incidents import LEGAL_REVIEW as REVIEW_OF_PENALTIES
from compliance.opinions import FOLLOW_RECOMMENDATIONS, OPINION_LATE
from compliance.opt_outs import REMOVE_FROM_PROJECT
from compliance.orders import (
    AMENDMENT_ARTICLE,
    AMENDMENT_REFUSED,
    ARTICLES,
    CODES,
    EXCLUSION_CAPPED,
    EXCLUSION_ORDERED,
    LEAVES_NO_DATA,
)
from compliance.permit import (
    ALREADY_GRANTED,
    EXTENSION_ARTICLE,
    LATE,
    OVER_10_YEARS,
    WITHOUT_DOCUMENTS,
)
from compliance.proceedings import ONLY_COSTS_INCURRED
from compliance.refusals import OFFER_NATIONAL_ROUTE
from compliance.rules import stops
from compliance.rules.european_routes import CATEGORY_NOT_YET_APPLICABLE, HOLDER_EXEMPT
from safeguards.outputs import CITATIONS as OUTPUT_ARTICLES

__all__ = ["AUTHORITY_REFUSED", "CONFIRM_STATISTICS", "EXTENSION_ARTICLE", "SAID"]

OUTPUT_CODES = ("OUTPUT_PERSONAL", "CELL_BELOW_THRESHOLD")

_FRENCH: dict[str, tuple[Finding, ...]] = {
    "stop": (
        *stops.PROHIBITED_IN_FRANCE.values(),
        *stops.PROHIBITED_ON_SNDS.values(),
        stops.NO_PUBLIC_INTEREST,
        stops.TRANSFER_OUTSIDE_EU,
        stops.SNDS_OVER_20_YEARS,
    ),
    "reason": (
        PERSON_NOT_HABILITATED,
        CPP_NOT_FAVOURABLE,
        CSE_NOT_FAVOURABLE,
        OPINION_LATE,
        SILENCE_GRANTS,
        SILENCE_DOES_NOT_GRANT,
        REFUSED_BY_CNIL,
        REFUSED_BY_HDH,
        *(Finding(code, ARTICLES["FR"]) for code in CODES.values()),
        LODGED["FR"],
    ),
    "condition": (
        ENVIRONMENT_TO_BE_CLEARED,
        RECORD_OF_PROCESSING,
        *PERMANENT_CONDITIONS,
        FOLLOW_RECOMMENDATIONS,
        CNAM_AGREEMENT,
        SNDS_SECURITY,
        SEND_TO_HDH,
        SEND_RESULTS,
    ),
    "action": (OFFER_AUTHORITY_ROUTE, APPEAL_OPEN, LEGAL_REVIEW, REMOVE_FROM_PROJECT, TELL_SUPERVISOR_IN_FRANCE),
    "output": tuple(Finding(code, OUTPUT_ARTICLES["FR"]) for code in OUTPUT_CODES),
    "opt-out": (
        Finding("excluded-from-later-exports", "CSP:R1461-9-II"),
        Finding("removal-task", "CSP:R1461-9-II"),
        Finding("not-applicable", "CSP:R1461-9-II-2"),
        Finding("reversed", "CSP:R1461-9-II"),
        Finding("reversed", "CSP:R1461-9-II-2"),
    ),
    "noncompliance": (CONFLICTED["FR"], CONTRADICTED["FR"], *(Finding(kind, "CSP:L1461-1") for kind in KINDS)),
}

_EUROPEAN: dict[str, tuple[Finding, ...]] = {
    "stop": (
        *stops.PROHIBITED_IN_EUROPE.values(),
        stops.PURPOSE_RESERVED,
        stops.THIRD_COUNTRY,
        stops.FORMAT_NOT_STATISTICAL,
        stops.TRANSFER_OUTSIDE_UNION,
    ),
    "dataset": (CATEGORY_NOT_YET_APPLICABLE, HOLDER_EXEMPT),
    "reason": (
        PERSON_NOT_HABILITATED,
        NOT_COMPLETED_IN_TIME,
        DURATION_CAPPED,
        OPT_OUT_EXCEPTION_APPLIED,
        OPT_OUT_EXCEPTION_UNAVAILABLE,
        STATISTICS_SUFFICIENT,
        PROPOSAL_NOT_FOLLOWED,
        NO_FEE_ESTIMATE,
        ALREADY_GRANTED,
        LATE,
        OVER_10_YEARS,
        WITHOUT_DOCUMENTS,
        *(Finding(code, ARTICLES["EU"]) for code in CODES.values()),
        EXCLUSION_ORDERED,
        EXCLUSION_CAPPED,
        Finding(AMENDMENT_REFUSED, AMENDMENT_ARTICLE),
        Finding(LEAVES_NO_DATA, AMENDMENT_ARTICLE),
        LODGED["EU"],
        TEN_MILLION,
        TWENTY_MILLION,
    ),
    "condition": (
        ENVIRONMENT_TO_BE_CLEARED,
        MUTUAL_RECOGNITION,
        NO_DATA_ACCESS,
        ONLY_COSTS_INCURRED,
        *PERMIT_CONDITIONS,
    ),
    "action": (
        OFFER_NATIONAL_ROUTE,
        REAPPLY_POSSIBLE,
        NOTIFY_FEE_ESTIMATE,
        COMPLAINT_OPEN,
        REQUEST_DATA,
        OPEN_HEARING,
        TELL_SUPERVISOR,
        PROPOSE_REVOCATION,
        REVIEW_OF_PENALTIES,
    ),
    "duty": tuple(OVERDUE.values()),
    "catalogue": (UNCONFIRMED,),
    "output": tuple(Finding(code, OUTPUT_ARTICLES["EU"]) for code in OUTPUT_CODES),
    "opt-out": (
        Finding("excluded", "EHDS:71(3)"),
        Finding("included-by-exception", "EHDS:71(4)"),
        Finding("not-affected", "EHDS:71(3)"),
        Finding("reversed", "EHDS:71(3)"),
        Finding("reversed", "EHDS:71(4)"),
    ),
    "noncompliance": (
        CONFLICTED["EU"],
        CONTRADICTED["EU"],
        *(Finding(kind, article) for kind, (article, _, _) in KINDS.items()),
    ),
}

SAID: dict[str, dict[str, tuple[Finding, ...]]] = {"FR": _FRENCH, "EU": _EUROPEAN}
"""By regime and kind."""
