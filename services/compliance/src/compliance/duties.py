"""Duties that follow from an EU permit: delivery, access, fee, extension, deletion, results."""

from dataclasses import replace
from datetime import date

from compliance.case import Item
from compliance.coded import Finding
from compliance.look import Look
from compliance.periods import due, due_after
from compliance.permit import Permit
from compliance.procedure import Grant, Procedure
from compliance.steps import ELAPSED, MET, MET_LATE, RUNNING, STOPPED, Deadline, after, of, run, state_of

REQUEST_DATA = Finding("REQUEST_DATA_FROM_HOLDER", "EHDS:68(7)")
OVERDUE: dict[str, Finding] = {
    "holder_delivery": Finding("HOLDER_IN_DEFAULT", "EHDS:63(4)"),
    "access": Finding("ACCESS_OVERDUE", "EHDS:68(7)"),
    "deletion": Finding("DELETE_DATA_NOW", "EHDS:68(12)"),
    "results": Finding("RESULTS_OVERDUE", "EHDS:61(4)"),
}


def follow_duties(look: Look, shown: Procedure, grant: Grant, permit: Permit) -> None:
    """Run every duty of an EU permit, and say what is overdue."""
    items = tuple(item for item in look.items if grant.precedes(item))
    running: list[Deadline] = []
    delivered = _delivery(look, shown, permit, items, running)
    if delivered is not None:
        _access(look, permit, items, delivered, running)
    elif not permit.ended:
        shown.actions.append(REQUEST_DATA)
    if any((estimate.number("holder_part_eur") or 0) > 0 for estimate in look.said("fee.estimated.v1")):
        agreed = run("fee_agreement", permit.issued_on, items, of("fee.agreed.v1"), look.today, look.law)
        running.append(agreed.deadline)
    running.append(_extension_request(look, permit))
    running.extend(_after_the_end(look, permit))
    for deadline in running:
        shown.deadlines.append(deadline)
        if deadline.state == ELAPSED and deadline.step in OVERDUE:
            shown.actions.append(OVERDUE[deadline.step])


def _delivery(
    look: Look, shown: Procedure, permit: Permit, items: tuple[Item, ...], running: list[Deadline]
) -> Item | None:
    completing = _completes_delivery(permit.granted_at_first, items)
    delivery = run(
        "holder_delivery",
        permit.issued_on,
        items,
        lambda item: completing is not None and item.place == completing.place,
        look.today,
        look.law,
    )
    shown.reasons.extend(delivery.refused_extensions)
    running.append(_until_end(delivery.deadline, permit))
    return delivery.act


def _completes_delivery(datasets: tuple[str, ...], items: tuple[Item, ...]) -> Item | None:
    """The delivery after which no dataset granted at first is outstanding."""
    outstanding = set(datasets)
    for item in items:
        if item.type == "data.delivered.v1":
            named = item.words("dataset_ids")
            outstanding.difference_update(named or datasets)
            if not outstanding:
                return item
    return None


def _access(look: Look, permit: Permit, items: tuple[Item, ...], delivered: Item, running: list[Deadline]) -> None:
    opened = run(
        "access",
        delivered.on,
        after(items, delivered),
        of("workspace.reported.v1", state="open"),
        look.today,
        look.law,
    )
    running.append(_until_end(opened.deadline, permit))


def _until_end(deadline: Deadline, permit: Permit) -> Deadline:
    """A duty that no longer matters once the permit has ended, unless it was already over."""
    if permit.ended_on is None or deadline.state in (MET, MET_LATE):
        return deadline
    return replace(deadline, state=STOPPED) if permit.ended_on <= deadline.due else deadline


def _extension_request(look: Look, permit: Permit) -> Deadline:
    starts = permit.first_expires_on
    last = due("extension_request", starts, law=look.law)
    if permit.extension_asked_by is not None:
        state = MET
    elif permit.ended_on is not None and permit.ended_on <= last:
        state = STOPPED
    else:
        state = ELAPSED if look.today.is_after(last) else RUNNING
    return Deadline("extension_request", starts, last, "none", state)


def _after_the_end(look: Look, permit: Permit) -> list[Deadline]:
    found: list[Deadline] = []
    if permit.ended_on is not None:
        revoked = permit.ended_by is not None
        months = look.law.deletion_after_revocation if revoked else 6
        last = due_after(permit.ended_on, months, look.law)
        found.append(_duty(look, "deletion", permit.ended_on, last, permit.certified_by))
    completed = permit.completed_by
    starts = completed.on if completed is not None and _first(completed, permit) else permit.ended_on
    if starts is not None:
        found.append(_duty(look, "results", starts, due("results", starts, law=look.law), permit.published_by))
    return found


def _first(completed: Item, permit: Permit) -> bool:
    return permit.ended_on is None or completed.on <= permit.ended_on


def _duty(look: Look, step: str, starts: date, last: date, act: Item | None) -> Deadline:
    return Deadline(step, starts, last, "none", state_of(act, last, look.today))
