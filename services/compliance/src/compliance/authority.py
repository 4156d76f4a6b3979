"""The authority: the applicant's choice after an opinion, CNIL's decision or silence, HDH's approval of samples."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from compliance.calendars import DAY
from compliance.case import Item
from compliance.coded import Finding
from compliance.look import Look
from compliance.opinions import Opinion
from compliance.procedure import DEEMED_GRANTED, GRANTED, NOT_AUTHORISED, REFUSED, Grant, Procedure
from compliance.steps import after, never, run

APPEAL_OPEN = Finding("APPEAL_OPEN", "CJA:R421-1")
REFUSED_BY_CNIL = Finding("AUTHORITY_REFUSED", "LIL:66-III")
REFUSED_BY_HDH = Finding("AUTHORITY_REFUSED", "CNIL:SAMPLE")
SILENCE_GRANTS = Finding("SILENCE_GRANTS", "LIL:66-V")
SILENCE_DOES_NOT_GRANT = Finding("OPINION_NOT_EXPRESSLY_FAVOURABLE", "LIL:66-V")
# A refusal after a deemed grant changes nothing; a lawyer looks (confidence: low).
LEGAL_REVIEW = Finding("LEGAL_REVIEW", "LIL:66-V")


def decide_by_authority(look: Look, shown: Procedure, opinions: Iterable[Opinion], begun: Item, chosen: bool) -> None:
    """From the opinions to CNIL's decision or silence (LIL:66-V).

    `opinions` are those given so far, in order, of the one committee whose opinion is required; none when none is.
    The procedure starts after `begun`. `chosen` says that no choice of the applicant is awaited.
    """
    given = tuple(opinions)
    seized_by: Item | None = None
    received: Item | None = None
    for item in look.items:
        if item.place <= begun.place or (given and not given[0].precedes(item)):
            continue
        if item.type == "request.authority-chosen.v1" and seized_by is None and given:
            if item.word("choice") == "stop":
                shown.withdraw()
                return
            if item.word("choice") == "seize":
                seized_by = item
        elif item.type == "file.received.v1" and item.word("body") == "CNIL":
            received = item
            break
    _await_decision(look, shown, given, received, chosen or seized_by is not None)


def decide_by_authority_once_seized(look: Look, shown: Procedure, opinion: Opinion, seized_by: Item) -> None:
    """The same once a committee route was left: the seizing act may itself be the record of receipt."""
    received = next(
        (
            item
            for item in look.said("file.received.v1")
            if item.place >= seized_by.place and item.word("body") == "CNIL"
        ),
        None,
    )
    _await_decision(look, shown, (opinion,), received, chosen=True)


def _await_decision(
    look: Look, shown: Procedure, opinions: tuple[Opinion, ...], received: Item | None, chosen: bool
) -> None:
    if received is None:
        shown.status = "awaiting_authority" if chosen else "awaiting_applicant"
        return
    shown.status = "awaiting_authority"
    decided = run("authority_decision", received.on, after(look.items, received), _by_cnil, look.today, look.law, never)
    last = decided.deadline.due
    # What is said after the period cannot change what the silence of that day meant.
    in_time = [opinion for opinion in opinions if opinion.on <= last] or list(opinions)
    grants = not in_time or in_time[-1].expressly_favourable(look)
    deadline = replace(decided.deadline, silence="deemed-granted" if grants else "not-authorised")
    act = decided.act
    if act is None and decided.elapsed and not grants:
        act = next((item for item in after(look.items, received) if _grants_late(item, last)), None)
        if act is not None:
            deadline = replace(deadline, state="met-late")
    shown.deadlines.append(deadline)
    shown.reasons.extend(decided.refused_extensions)
    if act is not None:
        _decided(look, shown, act)
    elif decided.elapsed and grants:
        shown.decide(DEEMED_GRANTED)
        shown.reasons.append(SILENCE_GRANTS)
        shown.grant = _grant(look, "deemed-authorisation", last + DAY)
        if decided.too_late is not None and any(
            _by_cnil(item) and item.word("verdict") == "refused" and item.on > last
            for item in after(look.items, received)
        ):
            shown.actions.append(LEGAL_REVIEW)
    elif decided.elapsed:
        shown.decide(NOT_AUTHORISED)
        shown.reasons.append(SILENCE_DOES_NOT_GRANT)
        shown.actions.append(APPEAL_OPEN)


def _by_cnil(item: Item) -> bool:
    return _decides(item, "CNIL")


def _decides(item: Item, body: str) -> bool:
    return (
        item.type == "decision.issued.v1"
        and item.word("body") == body
        and item.word("verdict") in ("granted", "refused")
    )


def _grants_late(item: Item, last: date) -> bool:
    return _by_cnil(item) and item.word("verdict") == "granted" and item.on > last


def _decided(look: Look, shown: Procedure, act: Item) -> None:
    if act.word("verdict") == "granted":
        shown.decide(GRANTED)
        shown.grant = _grant(look, "authorisation", act.on, act)
    else:
        shown.decide(REFUSED)
        shown.reasons.append(REFUSED_BY_CNIL)
        shown.actions.append(APPEAL_OPEN)


def _grant(look: Look, kind: str, issued_on: date, act: Item | None = None) -> Grant:
    months = act.number("months") if act is not None else None
    dossier = look.dossier
    datasets = tuple(dataset.dataset_id for dataset in dossier.data.datasets)
    return Grant(kind, issued_on, months or dossier.requested_months, datasets, act)


def hdh_approval(look: Look, shown: Procedure, completed_by: Item, items: tuple[Item, ...]) -> None:
    """HDH approves or refuses the simplified procedure; its silence means nothing."""
    approved = shown.add(
        run("hdh_approval", completed_by.on, items, lambda item: _decides(item, "HDH"), look.today, look.law)
    )
    shown.status = "awaiting_authority"
    if approved.act is None:
        return
    if approved.act.word("verdict") == "granted":
        shown.decide(GRANTED)
        shown.grant = _grant(look, "authorisation", approved.act.on, approved.act)
    else:
        shown.decide(REFUSED)
        shown.reasons.append(REFUSED_BY_HDH)
