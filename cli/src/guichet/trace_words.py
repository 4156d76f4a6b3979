"""What happened, in words: one sentence for each type of event, with the codes and citations its data carry."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from compliance.rulebook import texts
from compliance.rulebook.texts import Language

Data = Mapping[str, Any]
Sentence = str | Callable[[Data], str]

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def day(text: object) -> str:
    """A calendar day as people write it; the text itself when it is none."""
    try:
        found = date.fromisoformat(str(text))
    except ValueError:
        return str(text)
    return f"{found.day} {_MONTHS[found.month - 1]} {found.year}"


def plain(word: object) -> str:
    """A coded word as people write it: `fee-agreement` as `fee agreement`."""
    return str(word).replace("_", " ").replace("-", " ").lower()


def silence_of(data: Data) -> str:
    """What the silence of whoever is awaited means."""
    word = plain(data.get("silence") or "none")
    return "silence has no effect" if word == "none" else f"silence means: {word}"


def words_of(short_type: str, data: Data) -> str:
    """The sentence for an event, by its type without prefix and version; never fails, whatever the data are."""
    sentence = _SENTENCES.get(short_type)
    if sentence is None:
        return short_type.replace(".", " ").replace("-", " ")
    if isinstance(sentence, str):
        return sentence
    try:
        return sentence(data)
    except (KeyError, TypeError, ValueError, IndexError):
        return short_type.replace(".", " ").replace("-", " ")


def cited(data: object) -> Iterator[tuple[str, str]]:
    """Every (code, citation) in the data, in order, each once; the code is empty where a citation has none anywhere."""
    pairs = list(dict.fromkeys(_cited(data)))
    coded = {citation for code, citation in pairs if code}
    yield from ((code, citation) for code, citation in pairs if code or citation not in coded)


def meaning_of(code: str, lang: Language) -> str:
    """The title of a code; empty for none, and for one that is no rule's."""
    title = texts.title(code, lang) if code else ""
    return "" if title == code else title


def _cited(data: object) -> Iterator[tuple[str, str]]:
    if isinstance(data, Mapping):
        if isinstance(citation := data.get("citation"), str):
            code = data.get("code")
            yield code if isinstance(code, str) else "", citation
        for name, value in data.items():
            # What the gate met and the routes that were not taken are in the JSON; a timeline says what counted.
            if name not in ("criteria", "alternatives", "dossier"):
                yield from _cited(value)
    elif isinstance(data, list):
        for value in data:
            yield from _cited(value)


def _many(values: object, one: str, more: str) -> str:
    count = len(values) if isinstance(values, list) else 0
    return f"{count} {one if count == 1 else more}"


def _step(data: Data) -> str:
    return plain(data["step"])


def _period(data: Data) -> str:
    return f"period for {_step(data)}, due {day(data['due'])}"


_SENTENCES: dict[str, Sentence] = {
    # portals
    "request.submitted": "the portal submits the dossier",
    "request.completed": lambda d: f"the portal adds {_many(d['documents'], 'document', 'documents')}",
    "request.withdrawn": "the portal withdraws the request",
    "request.authority-chosen": lambda d: f"the applicant chooses: {d['choice']}",
    "request.conversion-agreed": "the applicant agrees to an answer in statistics",
    "permit.persons-updated": lambda d: f"new list of {_many(d['persons'], 'person', 'persons')}",
    "permit.amendment-requested": "an amendment is asked for",
    "permit.extension-requested": lambda d: f"an extension by {d['months']} months is asked for",
    "permit.processing-completed": "the processing is complete",
    "permit.results-published": "the results are published",
    "output.requested": lambda d: f"output {d['ref']} is asked for ({d['kind']})",
    "finding.reported": "a finding is reported",
    "appeal.lodged": "an appeal is lodged",
    # authorities
    "file.received": lambda d: f"{d['body']} has the file",
    "completeness.objected": lambda d: f"{_many(d['items'], 'item is', 'items are')} missing, says the authority",
    "period.extended": lambda d: f"the authority extends the period for {_step(d)}",
    "opinion.issued": lambda d: f"opinion of {d['body']}: {d['verdict']}",
    "interest.declared": "an interest is declared",
    "assessment.recorded": lambda d: f"assessment recorded: {d['finding']}",
    "request.forwarded": lambda d: f"forwarded to {d['holder']}",
    "decision.issued": lambda d: f"decision of {d['body']}: {d['verdict']}",
    "refusal.confirmed": "a person confirms the refusal",
    "refusal.overridden": "a person overrides the proposed refusal",
    "fee.estimated": lambda d: f"fee estimated: {d['amount_eur']} €",
    "fee.agreed": "fee agreed",
    "answer.provided": "the answer is provided",
    "amendment.decided": lambda d: f"amendment decided: {d['verdict']}",
    "extension.decided": lambda d: f"extension decided: {d['verdict']}",
    "suspension.ordered": "suspension ordered",
    "resumption.ordered": "resumption ordered",
    "revocation.ordered": "revocation ordered",
    "exclusion.ordered": lambda d: f"exclusion ordered until {day(d['until'])}",
    "views.submitted": "the permit holder gives its views",
    "extract.prepared": "the extract is prepared",
    "output.checked": lambda d: f"output {d['ref']} checked: {d['verdict']}",
    # holders, persons, hosts
    "data.delivered": "the holder delivers the data",
    "holder-assessment.submitted": lambda d: f"the trusted holder {d['holder']} proposes: {d['proposal']}",
    "objection.received": "an objection to this project is received",
    "workspace.reported": lambda d: f"the environment reports: {d['state']}",
    "incident.reported": lambda d: f"incident reported: {d['kind']}",
    "deletion.certified": lambda d: f"deletion certified ({d['scope']})",
    # intake
    "request.accepted": lambda d: f"accepted from {d['portal']} as {d['portal_reference']}, revision {d['revision']}",
    "request.rejected": lambda d: f"rejected: {', '.join(sorted({p['code'] for p in d['problems']}))}",
    "request.revised": lambda d: f"revised, now revision {d['revision']}",
    "submission.conflicted": lambda d: f"another body under revision {d['revision']}: not taken",
    "request.withdrawal-recorded": "withdrawal recorded",
    "request.notice-recorded": lambda d: f"notice of the portal recorded: {d['notice']}",
    # compliance
    "route.determined": lambda d: f"route {d['route'] or 'none'} under {d['rule_pack']}",
    "completeness.passed": lambda d: f"complete on {day(d['complete_on'])}",
    "completeness.failed": lambda d: f"{_many(d['missing'], 'item', 'items')} missing",
    "deadline.started": lambda d: f"{_period(d)}; {silence_of(d)}",
    "deadline.extended": lambda d: f"{_period(d)}, before {day(d['previous_due'])}",
    "deadline.met": lambda d: f"{_step(d)} came {'late' if d['late'] else 'in time'} (due {day(d['due'])})",
    "deadline.elapsed": lambda d: f"{_step(d)} did not come by {day(d['due'])}",
    "deadline.stopped": lambda d: f"the period for {_step(d)} stops",
    "opinion.deemed-favourable": lambda d: f"silence of {d['body']}: opinion deemed favourable",
    "authorisation.deemed-granted": "silence of the authority: authorisation deemed granted",
    "authorisation.not-obtained": "silence of the authority: no authorisation",
    "refusal.proposed": "refusal proposed; a person must confirm",
    "request.granted": lambda d: f"GRANTED ({d['outcome']}) under {d['rule_pack']}",
    "request.refused": lambda d: f"REFUSED ({d['outcome']}) under {d['rule_pack']}",
    "request.lapsed": "LAPSED",
    "request.converted": "converted into a request for statistics",
    "request.closed": lambda d: f"CLOSED ({d['outcome']})",
    "permit.issued": lambda d: (
        f"permit {d['kind']} for {_many(d['datasets'], 'dataset', 'datasets')} and "
        f"{_many(d['persons'], 'person', 'persons')}, until {day(d['expires_on'])}"
    ),
    "permit.amended": lambda d: f"permit amended, version {d['version']}",
    "permit.extended": lambda d: f"permit extended until {day(d['expires_on'])}",
    "permit.suspended": "permit SUSPENDED",
    "permit.resumed": "permit resumed",
    "permit.revoked": "permit REVOKED",
    "permit.expired": "permit expired",
    "permit.closed": "permit closed",
    "extension.refused": "extension refused",
    "amendment.refused": lambda d: f"amendment refused ({_change(d)})",
    "applicant.excluded": lambda d: f"applicant EXCLUDED from access until {day(d['until'])}",
    "appeal.recorded": lambda d: f"appeal on record against {d['outcome'] or 'no outcome yet'}",
    "dataset.check-overdue": lambda d: (
        f"{d['dataset_id']} not confirmed by {d['holder']} since {day(d['described_on'])}, due {day(d['due'])}"
    ),
    "data.requested": lambda d: (
        f"{_many(d['dataset_ids'], 'dataset', 'datasets')} asked of {d['holder']}"
        + (f", due {day(d['due'])}" if d["due"] else "")
    ),
    "noncompliance.found": "non-compliance found",
    "duty.overdue": lambda d: f"overdue since {day(d['due'])}: {plain(d['duty'])}",
    "output.assessed": lambda d: f"output {d['ref']} {plain(d['verdict'])}" + (f": {_small(d)}" if d["cells"] else ""),
    "register.entry-published": "entry in the public register",
    "register.corrected": "entry in the public register corrected",
    # provisioning
    "environment.cleared": lambda d: f"environment {d['environment_id']} cleared ({_met(d)})",
    "environment.rejected": lambda d: f"environment {d['environment_id']} REJECTED ({_met(d)})",
    "workspace.requested": lambda d: f"workspace asked of {d['environment_id']}",
    "workspace.provisioned": lambda d: (
        f"{sum(t['rows'] for t in d['tables']):,} rows in {_many(d['tables'], 'table', 'tables')}, "
        f"opt-out list {d['opt_out_list_version']}"
    ),
    "workspace.opened": lambda d: f"workspace OPEN to {_many(d['persons'], 'person', 'persons')}, probed",
    "workspace.frozen": "workspace frozen",
    "workspace.closed": "workspace closed, every login refused",
    "workspace.destroyed": lambda d: (
        f"workspace destroyed, {d['certificate']['objects_left']} objects left, certificate"
    ),
    "workspace.person-needed": lambda d: f"a person is needed: {_step(d)}",
    "optout-filter.applied": lambda d: f"{d['excluded']} opted-out persons left out (list {d['list_version']})",
    "output.released": lambda d: f"output {d['ref']} released",
    "output.returned": lambda d: f"output {d['ref']} returned",
    "output.rejected": lambda d: f"output {d['ref']} rejected",
    "terms.accepted": lambda d: f"terms {d['terms']} accepted by {d['person']}",
    "drift.found": lambda d: f"drift found: {d['object']}",
    "drift.repaired": lambda d: f"drift repaired: {d['object']}",
    "rehosting.planned": lambda d: f"move planned from {d['source_environment_id']} to {d['target_environment_id']}",
    "rehosting.cut-over": lambda d: f"moved to {d['target_environment_id']}, manifests equal",
    "rehosting.rolled-back": "move rolled back",
    "rehosting.completed": "source destroyed after the move, certificate",
    "dead-letter.recorded": lambda d: f"record set aside: {d['code']}",
    "dead-letter.redriven": "record sent again",
    "dead-letter.discarded": "record given up",
    "key.destroyed": lambda d: f"the key is destroyed by {' and '.join(d['by'])}: what was sealed under it is erased",
}


def _change(data: Data) -> str:
    signed = [f"+{each}" for each in data["add_datasets"]] + [f"-{each}" for each in data["remove_datasets"]]
    return ", ".join(signed) or "no dataset named"


def _small(data: Data) -> str:
    return f"cells under {data['threshold']}: {', '.join(data['cells'])}"


def _met(data: Data) -> str:
    criteria = data["criteria"]
    return f"{sum(1 for each in criteria if each['met'])} of {len(criteria)} criteria met"
