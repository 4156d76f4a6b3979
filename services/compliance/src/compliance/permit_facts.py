"""Facts about a permit: issued, amended, extended, suspended, resumed, revoked, expired, closed, data asked for."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from compliance.assessment import Assessment, Particulars, PermittedDataset, PermitView
from compliance.calendars import DAY
from compliance.coded import Finding, once
from compliance.held import last_permit
from compliance.permit import ACTIVE, CLOSED, EXPIRED, EXTENSION_ARTICLE, REVOKED, SUSPENDED
from compliance.procedure import Breach
from compliance.wire import finding, reason
from contracts import compliance as said
from contracts.facts import Fact
from contracts.identity import permit_id
from contracts.vocabulary import Reason

T = TypeVar("T")


def permit_facts(before: Assessment | None, after: Assessment, request_id: str, input_hash: str) -> Iterator[Fact]:
    """What happened to the permit between two assessments."""
    earlier, permit = last_permit(before), after.permit
    if permit is None:
        yield from _held_back(earlier, before, after, request_id)
        return
    yield from _life(earlier, before, after, permit, request_id, input_hash)
    yield from _refused_amendments(before, after, request_id)
    yield from _excluded(before, after, request_id)


def _life(
    earlier: PermitView | None,
    before: Assessment | None,
    after: Assessment,
    permit: PermitView,
    request_id: str,
    input_hash: str,
) -> Iterator[Fact]:
    if earlier is None:
        yield _issued(after, permit, request_id, input_hash)
        yield from _data_requested(after, permit.datasets, request_id)
    else:
        yield from _amended(earlier, after, permit, request_id)
        if permit.expires_on != earlier.expires_on:
            yield said.PermitExtended(
                request_id=request_id,
                on=after.as_of,
                permit_id=permit_id(request_id),
                version=permit.version,
                expires_on=permit.expires_on,
                months=permit.months,
            )
    yield from _extension_refused(earlier, after, permit, request_id)
    yield from _status(before, after, permit, request_id)


def _held_back(
    earlier: PermitView | None, before: Assessment | None, after: Assessment, request_id: str
) -> Iterator[Fact]:
    """The gate no longer holds and never held with these persons: nobody works until it does."""
    if earlier is None:
        return
    if earlier.status == ACTIVE:
        yield _suspended(before, after, request_id)
    if earlier.status in (ACTIVE, SUSPENDED) and after.as_of > earlier.expires_on:
        yield said.PermitExpired(request_id=request_id, on=earlier.expires_on + DAY, permit_id=permit_id(request_id))


def _issued(after: Assessment, permit: PermitView, request_id: str, input_hash: str) -> Fact:
    particulars = after.particulars
    return said.PermitIssued.model_validate(
        {
            "request_id": request_id,
            "on": permit.issued_on,
            "permit_id": permit_id(request_id),
            "kind": permit.kind,
            "version": permit.version,
            "regime": after.regime,
            "rule_pack": after.rule_pack,
            "input_hash": input_hash,
            "issued_on": permit.issued_on,
            "expires_on": permit.expires_on,
            "months": permit.months,
            "persons": particulars.persons,
            "datasets": tuple(map(_dataset, particulars.datasets)),
            "form": permit.form,
            "includes_opted_out": permit.includes_opted_out,
            "full_birth_date": particulars.full_birth_date,
            "crosses_potential_identifiers": particulars.crosses_potential_identifiers,
            "environment_id": after.environment.environment_id if after.environment is not None else None,
            "state_body": particulars.state_body,
            "conditions": tuple(map(finding, after.conditions)),
            "citation": after.citation,
            "covers_environments": particulars.covers_environments,
        }
    )


def _dataset(dataset: PermittedDataset) -> said.PermittedDataset:
    return said.PermittedDataset.model_validate(
        {
            "dataset_id": dataset.dataset_id,
            "version": dataset.version,
            "source": dataset.source,
            "class": dataset.dataset_class,
            "holder": dataset.holder,
            "categories": dataset.categories,
            "years": dataset.years,
        }
    )


def _data_requested(after: Assessment, dataset_ids: Iterable[str], request_id: str) -> Iterator[Fact]:
    """One request to each holder; in the French regime no period is set for the delivery."""
    wanted = frozenset(dataset_ids)
    by_holder: dict[str, list[str]] = {}
    for dataset in after.particulars.datasets:
        if dataset.dataset_id in wanted:
            by_holder.setdefault(dataset.holder, []).append(dataset.dataset_id)
    due = next((deadline.due for deadline in after.deadlines if deadline.step == "holder_delivery"), None)
    for holder, ids in by_holder.items():
        yield said.DataRequested(
            request_id=request_id,
            on=after.as_of,
            permit_id=permit_id(request_id),
            holder=holder,
            dataset_ids=tuple(ids),
            due=due,
        )


def _amended(earlier: PermitView, after: Assessment, permit: PermitView, request_id: str) -> Iterator[Fact]:
    extended_only = permit.persons == earlier.persons and permit.datasets == earlier.datasets
    if extended_only and (permit.version == earlier.version or permit.expires_on != earlier.expires_on):
        return
    added = tuple(d for d in permit.datasets if d not in earlier.datasets)
    yield said.PermitAmended(
        request_id=request_id,
        on=after.as_of,
        permit_id=permit_id(request_id),
        version=permit.version,
        persons=after.particulars.persons,
        datasets=tuple(map(_dataset, after.particulars.datasets)),
        persons_added=tuple(p for p in permit.persons if p not in earlier.persons),
        persons_removed=tuple(p for p in earlier.persons if p not in permit.persons),
        datasets_added=added,
        datasets_removed=tuple(d for d in earlier.datasets if d not in permit.datasets),
    )
    if added:
        yield from _data_requested(after, added, request_id)


def _extension_refused(
    earlier: PermitView | None, after: Assessment, permit: PermitView, request_id: str
) -> Iterator[Fact]:
    extension = permit.extension
    if extension is None or extension.status != "refused" or (earlier is not None and earlier.extension == extension):
        return
    yield said.ExtensionRefused(
        request_id=request_id,
        on=after.as_of,
        permit_id=permit_id(request_id),
        code=extension.code or "AUTHORITY_REFUSED",
        citation=EXTENSION_ARTICLE,
    )


def _refused_amendments(before: Assessment | None, after: Assessment, request_id: str) -> Iterator[Fact]:
    for refused in since(before, after, lambda told: told.refused_amendments):
        yield said.AmendmentRefused(
            request_id=request_id,
            on=after.as_of,
            permit_id=permit_id(request_id),
            add_datasets=refused.add_datasets,
            remove_datasets=refused.remove_datasets,
            reasons=tuple(map(reason, refused.reasons)),
        )


def _excluded(before: Assessment | None, after: Assessment, request_id: str) -> Iterator[Fact]:
    for exclusion in since(before, after, lambda told: told.exclusions):
        yield said.ApplicantExcluded(
            request_id=request_id,
            on=after.as_of,
            permit_id=permit_id(request_id),
            until=exclusion.until,
            reasons=tuple(map(reason, exclusion.reasons)),
        )


def _status(before: Assessment | None, after: Assessment, permit: PermitView, request_id: str) -> Iterator[Fact]:
    earlier = last_permit(before)
    status_before = ACTIVE if earlier is None else earlier.status
    if permit.status == status_before:
        return
    identity = permit_id(request_id)
    if permit.status == SUSPENDED:
        yield _suspended(before, after, request_id)
    elif permit.status == ACTIVE:
        yield said.PermitResumed(request_id=request_id, on=after.as_of, permit_id=identity, reasons=_new(before, after))
    elif permit.status == REVOKED:
        yield said.PermitRevoked(request_id=request_id, on=after.as_of, permit_id=identity, reasons=_new(before, after))
    elif permit.status == EXPIRED:
        yield said.PermitExpired(request_id=request_id, on=permit.expires_on + DAY, permit_id=identity)
    elif permit.status == CLOSED:
        if status_before in (ACTIVE, SUSPENDED):
            yield said.PermitExpired(request_id=request_id, on=permit.expires_on + DAY, permit_id=identity)
        yield said.PermitClosed(request_id=request_id, on=after.as_of, permit_id=identity)


def _suspended(before: Assessment | None, after: Assessment, request_id: str) -> Fact:
    return said.PermitSuspended(
        request_id=request_id, on=after.as_of, permit_id=permit_id(request_id), reasons=_new(before, after)
    )


def _new(before: Assessment | None, after: Assessment) -> tuple[Reason, ...]:
    known = () if before is None else before.reasons
    found = [each for each in after.reasons if each not in known]
    found += [Finding(breach.code, breach.citation) for breach in new_breaches(before, after)]
    found += [order.finding for order in since(before, after, lambda told: told.orders)]
    return tuple(map(reason, once(found)))


def new_breaches(before: Assessment | None, after: Assessment) -> tuple[Breach, ...]:
    """What was done since that the law does not allow, the same again included."""
    return since(before, after, lambda told: told.breaches)


def since(before: Assessment | None, after: Assessment, part: Callable[[Particulars], tuple[T, ...]]) -> tuple[T, ...]:
    """What stands in a part of the particulars, and did not before."""
    known = () if before is None else part(before.particulars)
    return tuple(each for each in part(after.particulars) if each not in known)
