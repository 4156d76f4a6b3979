"""The yearly check of a description: a holder that has confirmed nothing for twelve months is named on the next day
(EHDS:60(3)). Describing a dataset again, with or without change, is its check."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Final

from chassis.transaction import Transaction
from compliance import storage
from compliance.calendars import DAY, local_date
from compliance.coded import Finding
from compliance.legal_settings import Settings
from compliance.periods import due
from compliance.today import start_of
from contracts import compliance as said

CHECK: Final = "catalogue-check"
"""The timer of a dataset: the day after its holder should have confirmed the description."""

STEP: Final = "catalogue_check"
UNCONFIRMED: Final = Finding("DESCRIPTION_UNCONFIRMED", "EHDS:60(3)")


@dataclass(frozen=True, slots=True)
class Check:
    """The last check of a dataset's description, and the last day for the next."""

    holder: str
    described_on: date
    due: date


async def await_check(transaction: Transaction, dataset_id: str, settings: Settings) -> None:
    """Wait for the next check; for none where the dataset is no longer offered."""
    check = await _next_check(transaction, dataset_id, settings)
    if check is None:
        await transaction.cancel_timer(dataset_id, CHECK)
    else:
        await transaction.set_timer(dataset_id, CHECK, start_of(check.due + DAY))


async def remind_holder(transaction: Transaction, dataset_id: str, settings: Settings) -> None:
    """Say that the check is overdue, unless it was made in the meantime."""
    check = await _next_check(transaction, dataset_id, settings)
    if check is None:
        return
    if local_date(transaction.now) <= check.due:
        await await_check(transaction, dataset_id, settings)
        return
    overdue = said.DatasetCheckOverdue(
        dataset_id=dataset_id,
        holder=check.holder,
        described_on=check.described_on,
        due=check.due,
        on=check.due + DAY,
        code=UNCONFIRMED.code,
        citation=UNCONFIRMED.citation,
    )
    transaction.say(overdue, subject=dataset_id, key=dataset_id, cause=None)


async def _next_check(transaction: Transaction, dataset_id: str, settings: Settings) -> Check | None:
    last = await storage.last_description(transaction.connection, dataset_id)
    if last is None:
        return None
    described_on = local_date(last.described_at)
    holder = json.loads(last.description)["holder"]
    return Check(holder, described_on, due(STEP, described_on, law=settings.at(described_on)))
