"""A permit that is held back: it was issued, and since then a person joined who may not see the data, so that the case
is blocked and shows no permit. It is remembered until it holds again or its last day is over."""

from dataclasses import replace
from datetime import date

from compliance.assessment import Assessment, PermitView
from compliance.calendars import DAY
from compliance.permit import EXPIRED, SUSPENDED

OVER = frozenset({"revoked", "expired", "closed"})


def remembering(before: Assessment | None, after: Assessment) -> Assessment:
    """The assessment with the permit that it does not show although one was issued."""
    held = _held(before, after)
    if held is None:
        return after
    assert before is not None
    told = before.particulars
    return replace(
        after,
        particulars=replace(
            after.particulars,
            held=held,
            orders=told.orders,
            exclusions=told.exclusions,
            refused_amendments=told.refused_amendments,
        ),
    )


def _held(before: Assessment | None, after: Assessment) -> PermitView | None:
    if before is None or after.permit is not None:
        return None
    last = before.permit or before.particulars.held
    if last is None or last.status in OVER:
        return last
    return replace(last, status=EXPIRED if after.as_of > last.expires_on else SUSPENDED)


def last_permit(assessment: Assessment | None) -> PermitView | None:
    """The permit as it was left: shown or held back."""
    return None if assessment is None else assessment.permit or assessment.particulars.held


def held_until(assessment: Assessment) -> date | None:
    """The day on which a permit that is held back is over."""
    held = assessment.particulars.held
    return None if held is None or held.status in OVER else held.expires_on + DAY
