"""Duties that follow from an EU permit: delivery, access, fee, extension, deletion, results."""

from collections.abc import Iterator
from dataclasses import replace

from compliance.case import Item
from compliance.coded import Finding
from compliance.look import Look
from compliance.periods import due_after
from compliance.permit import Permit
from compliance.procedure import Grant, Procedure
from compliance.steps import STOPPED, Run, after, of, run, same_as

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
    delivery = _delivery(look, permit, items)
    runs = [delivery]
    if delivery.act is not None:
        runs.append(_access(look, permit, items, delivery.act))
    elif not permit.ended:
        shown.actions.append(REQUEST_DATA)
    if any((estimate.number("holder_part_eur") or 0) > 0 for estimate in look.said("fee.estimated.v1")):
        runs.append(run("fee_agreement", permit.issued_on, items, of("fee.agreed.v1"), look.today, look.law))
    runs.append(_extension_request(look, permit, items))
    runs.extend(_after_the_end(look, permit, items))
    for done in runs:
        shown.add(done)
        if done.elapsed and done.deadline.step in OVERDUE:
            shown.actions.append(OVERDUE[done.deadline.step])


def _delivery(look: Look, permit: Permit, items: tuple[Item, ...]) -> Run:
    completing = same_as(_completes_delivery(permit.granted_at_first, items))
    delivery = run("holder_delivery", permit.issued_on, items, completing, look.today, look.law)
    return _until_end(delivery, permit)


def _completes_delivery(datasets: tuple[str, ...], items: tuple[Item, ...]) -> Item | None:
    """The delivery after which no dataset granted at first is outstanding; one that an amendment has taken out since
    is awaited no longer."""
    outstanding = set(datasets)
    for item in items:
        match item.type:
            case "data.delivered.v1":
                outstanding.difference_update(item.words("dataset_ids") or datasets)
            case "amendment.decided.v1" if item.word("verdict") == "granted":
                outstanding.difference_update(item.words("remove_datasets"))
            case _:
                continue
        if not outstanding:
            return item
    return None


def _access(look: Look, permit: Permit, items: tuple[Item, ...], delivered: Item) -> Run:
    opens = of("workspace.reported.v1", state="open")
    return _until_end(run("access", delivered.on, after(items, delivered), opens, look.today, look.law), permit)


def _until_end(done: Run, permit: Permit) -> Run:
    """A duty that no longer matters once the permit has ended, unless it was already over."""
    deadline = done.deadline
    if permit.ended_on is None or done.act is not None or permit.ended_on > deadline.due:
        return done
    return replace(done, deadline=replace(deadline, state=STOPPED))


def _extension_request(look: Look, permit: Permit, items: tuple[Item, ...]) -> Run:
    """One extension may be asked for until a month before the end, whatever becomes of the request."""
    asked = same_as(permit.extension_asked_by)
    return _until_end(run("extension_request", permit.first_expires_on, items, asked, look.today, look.law), permit)


def _after_the_end(look: Look, permit: Permit, items: tuple[Item, ...]) -> Iterator[Run]:
    """Deletion from the end on; publication of results from the end of processing, else of the permit."""
    ended_on = permit.ended_on
    if ended_on is not None:
        later = tuple(item for item in items if item.on >= ended_on)
        last = None
        if permit.ended_by is not None:
            last = due_after(ended_on, look.law.deletion_after_revocation, look.law)
        certified = same_as(permit.certified_by)
        yield run("deletion", ended_on, later, certified, look.today, look.law, last=last)
    completed = permit.completed_by
    starts = ended_on
    if completed is not None and (ended_on is None or completed.on <= ended_on):
        starts = completed.on
    if starts is not None:
        later = tuple(item for item in items if item.on >= starts)
        yield run("results", starts, later, same_as(permit.published_by), look.today, look.law)
