"""Incidents on a project: suspension, reasons with their articles, fines, the hearing (EHDS:63, 64; CSP:L1461-1)."""

from compliance.case import Item
from compliance.coded import Finding
from compliance.look import Look
from compliance.procedure import Breach, Procedure
from compliance.steps import after, of, run

OPEN_HEARING = Finding("OPEN_HEARING", "EHDS:63(2)")
TELL_SUPERVISOR = Finding("INFORM_SUPERVISORY_AUTHORITY", "EHDS:63(2)")
PROPOSE_REVOCATION = Finding("PROPOSE_REVOCATION", "EHDS:63(3)")
LEGAL_REVIEW = Finding("LEGAL_REVIEW", "EHDS:99")
TELL_SUPERVISOR_IN_FRANCE = Finding("INFORM_SUPERVISORY_AUTHORITY", "GDPR:33")
TEN_MILLION = Finding("FINE_CEILING_10M_2PCT", "EHDS:64(4)")
TWENTY_MILLION = Finding("FINE_CEILING_20M_4PCT", "EHDS:64(5)")

KINDS: dict[str, tuple[str, Finding, tuple[Finding, ...]]] = {
    "SHARED_ACCESS": ("EHDS:61(2)", TEN_MILLION, (LEGAL_REVIEW,)),
    "REIDENTIFICATION_ATTEMPT": ("EHDS:61(3)", TWENTY_MILLION, (TELL_SUPERVISOR, PROPOSE_REVOCATION)),
    "PERSONAL_DATA_EXTRACTION": ("EHDS:73(2)", TWENTY_MILLION, (TELL_SUPERVISOR, PROPOSE_REVOCATION)),
    "PROHIBITED_USE": ("EHDS:54", TWENTY_MILLION, (PROPOSE_REVOCATION,)),
}
"""By kind: the article it breaks, the ceiling of the fine, what is to do beside the hearing."""


def report_incidents(look: Look, shown: Procedure, items: tuple[Item, ...]) -> None:
    """Say what each incident means; what it asks for stays on the list of things to do."""
    for item in items:
        if item.type != "incident.reported.v1":
            continue
        kind = item.word("kind")
        if look.regime == "FR":
            shown.reasons.append(Finding(kind, "CSP:L1461-1"))
            shown.breaches.append(Breach(item.at, kind, "CSP:L1461-1"))
            shown.actions.append(TELL_SUPERVISOR_IN_FRANCE)
            continue
        if kind in KINDS:
            article, ceiling, actions = KINDS[kind]
            shown.reasons.extend((Finding(kind, article), ceiling))
            shown.breaches.append(Breach(item.at, kind, article))
            shown.actions.extend(actions)
        shown.actions.append(OPEN_HEARING)
        heard = run("hearing", item.on, after(items, item), of("views.submitted.v1"), look.today, look.law)
        shown.add(heard)
