"""What compliance does when something is said about a request, when reference data change, and when a day comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from chassis.messages import Message
from chassis.service import Timer
from chassis.transaction import Transaction
from compliance import storage
from compliance.acts_heard import DATASETS, ENVIRONMENTS, OPTOUTS, PLACES, act
from compliance.calendars import local_date
from compliance.catalogue import CHECK, await_check, remind_holder
from compliance.decisions import record
from compliance.domain import decide
from compliance.files import File, Law, item_of, keep, open_files, refer
from compliance.held import held_until, remembering
from compliance.inputs import input_hash
from compliance.problems import CaseError
from compliance.released import assess
from compliance.storage import Said
from compliance.today import start_of
from contracts import holders, intake
from contracts.dossier import Dossier
from contracts.envelope import Envelope, Unreadable
from contracts.facts import Fact
from contracts.identity import permit_id

LOOK_AGAIN: Final = "assess"
"""The timer of a request: the next day on which time alone changes something."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """The handlers of one process, with the law they apply."""

    law: Law

    async def hear(self, transaction: Transaction, messages: Sequence[Message]) -> None:
        """Take in a batch: reference data first, then what was said about requests, in order.

        Raises Unreadable for an act that no case can hold.
        """
        await _learn(transaction, messages, self.law)
        about = [(_request_of(message), message) for message in messages if not _is_reference(message.fact)]
        if not about:
            return
        connection = transaction.connection
        rows = await storage.lock_cases(connection, {request_id for request_id, _ in about})
        files = await open_files(connection, rows, self.law)
        said = [act(message.fact, message.envelope, message.data) for _, message in about]
        await storage.add_items(
            connection,
            [(request_id, message.envelope.id, each) for (request_id, message), each in zip(about, said, strict=True)],
        )
        for (request_id, message), each in zip(about, said, strict=True):
            file = files[request_id]
            await self._add(transaction, file, message.fact, each)
            await self._consider(transaction, file, message.envelope)

    async def look_again(self, transaction: Transaction, timer: Timer) -> None:
        """Assess a case on the day its timer was set for; or say that a holder has not confirmed a description."""
        if timer.kind == CHECK:
            await remind_holder(transaction, timer.subject, self.law.settings)
            return
        row = await storage.lock_case(transaction.connection, timer.subject)
        if row is None:
            return
        files = await open_files(transaction.connection, {row.request_id: row}, self.law)
        await self._consider(transaction, files[row.request_id], None)

    async def _add(self, transaction: Transaction, file: File, fact: Fact, said: Said) -> None:
        file.items.append(item_of(said))
        if isinstance(fact, intake.RequestAccepted) and file.dossier is None:
            file.dossier = fact.dossier
            await storage.save_dossier(
                transaction.connection, file.request_id, _text(fact.dossier), fact.dossier.environment_id
            )
        naming = (intake.RequestAccepted, intake.RequestRevised, *PLACES)
        if isinstance(fact, naming) or "add_datasets" in said.data:
            await refer(transaction.connection, [file])

    async def _consider(self, transaction: Transaction, file: File, cause: Envelope | None) -> None:
        """Assess a case as of today and say what is different from the last assessment.

        What is dated later than today waits for its day, as if it had not been said yet.
        """
        case = file.case()
        if case is None:
            return
        today = local_date(transaction.now)
        waiting = next((item.on for item in case.history if item.on > today), None)
        if case.history[0].on > today:
            await _look_again_on(transaction, file, waiting)
            return
        reference = file.reference_on(case, today)
        try:
            assessed = assess(case, today, reference, self.law.settings)
        except CaseError as error:
            if file.assessment is None:
                return  # It names something that is not known yet: `_learn` looks again when it is.
            raise Unreadable("invalid-data", ", ".join(problem.code for problem in error.problems)) from None
        after = remembering(file.assessment, assessed)
        if file.assessment is None or after.differs_from(file.assessment):
            digest = input_hash(case, today, reference, self.law.settings)
            facts = decide(file.assessment, after, file.request_id, digest)
            for fact in facts:
                transaction.say(fact, subject=_subject(fact, file.request_id), key=file.request_id, cause=cause)
            await record(transaction.connection, file, case, after, digest, facts)
        await keep(transaction.connection, file, after, today)
        await _look_again_on(transaction, file, _earliest(after.next_change, waiting, held_until(after)))


async def _look_again_on(transaction: Transaction, file: File, day: date | None) -> None:
    if day is None:
        await transaction.cancel_timer(file.request_id, LOOK_AGAIN)
    else:
        await transaction.set_timer(file.request_id, LOOK_AGAIN, start_of(day))


def _earliest(*days: date | None) -> date | None:
    return min((day for day in days if day is not None), default=None)


def _subject(fact: Fact, request_id: str) -> str:
    """The life of a permit is told under the permit, everything else under the request."""
    return permit_id(request_id) if fact.event_type.startswith("guichet.permit.") else request_id


def _text(dossier: Dossier) -> str:
    return dossier.model_dump_json(by_alias=True)


def _is_reference(fact: Fact) -> bool:
    return isinstance(fact, (*DATASETS, *ENVIRONMENTS, *OPTOUTS))


def _request_of(message: Message) -> str:
    try:
        return str(UUID((message.key or b"").decode("ascii")))
    except ValueError:
        raise Unreadable("invalid-key", "the key of an event about a request is the request's id") from None


async def _learn(transaction: Transaction, messages: Sequence[Message], law: Law) -> None:
    """Keep reference data, and look again at the cases that they may change, each in a transaction of its own."""
    connection = transaction.connection
    environments: set[str] = set()
    datasets: set[str] = set()
    described = False
    for message in messages:
        fact, envelope = message.fact, message.envelope
        said = Said(envelope.time, envelope.type.removeprefix("guichet."), message.data.decode())
        if isinstance(fact, holders.DatasetDescribed):
            await storage.describe_dataset(connection, fact.dataset_id, said.data, envelope.time)
            datasets.add(fact.dataset_id)
            described = True
        elif isinstance(fact, holders.DatasetWithdrawn):
            await storage.withdraw_dataset(connection, fact.dataset_id, envelope.time)
            datasets.add(fact.dataset_id)
        elif isinstance(fact, ENVIRONMENTS):
            if envelope.source != f"/hosts/{fact.environment_id}":
                raise Unreadable("foreign-source", "a host speaks for its own environment only")
            await storage.add_environment_event(connection, fact.environment_id, envelope.id, said)
            environments.add(fact.environment_id)
        elif isinstance(fact, OPTOUTS):
            await storage.add_optout(connection, envelope.id, said)
    for dataset_id in sorted(datasets):
        await await_check(transaction, dataset_id, law.settings)
    affected = set(await storage.requests_of_environments(connection, environments)) if environments else set()
    if environments or described:
        affected.update(await storage.requests_never_assessed(connection))
    for request_id in sorted(affected):
        await transaction.set_timer(request_id, LOOK_AGAIN, transaction.now)
