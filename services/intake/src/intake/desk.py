"""The desk at which a few events are dealt with in one transaction: read what is on file, decide, note, say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

from chassis.transaction import Transaction
from contracts.envelope import Envelope, Unreadable
from contracts.structured import decode_structured, encode_structured
from intake import storage
from intake.commands import Submit, named_by
from intake.domain import Answer, Decision, Waiting, decide, evolve
from intake.facts import fact_of
from intake.files import NOTHING, Accepted, Rejected, State, Step, Unheard
from intake.hearing import Heard, hear
from intake.references import Known, together
from intake.storage import WaitingEvent


class Desk:
    """Holds the files of some requests, locked, from `open` until the transaction ends; `close` writes what is new."""

    def __init__(
        self,
        transaction: Transaction,
        steps: Mapping[str, Sequence[Step]],
        waiting: Iterable[tuple[str, Heard]],
        known: Known,
    ) -> None:
        self._transaction = transaction
        self._known = known
        self._states = {request: state_after(noted) for request, noted in steps.items()}
        self._counts = {request: len(noted) for request, noted in steps.items()}
        self._waiting: defaultdict[str, list[Heard]] = defaultdict(list)
        for request, event in waiting:
            self._waiting[request].append(event)
        self._noted: list[tuple[str, int, Step]] = []
        self._to_wait: list[WaitingEvent] = []
        self._served: list[tuple[str, str, str]] = []

    @classmethod
    async def open(cls, transaction: Transaction, events: Sequence[tuple[str, Heard]]) -> Desk:
        """The desk for these events, each with the request it is about."""
        connection = transaction.connection
        steps = await storage.lock_requests(connection, {request for request, _ in events})
        submitted = {request for request, event in events if isinstance(event.command, Submit) and not steps[request]}
        rows = await storage.read_waiting(connection, submitted) if submitted else []
        waiting = [(row.request_id, event) for row in rows if (event := _understood(row)) is not None]
        named = (named_by(event.command) for _, event in [*events, *waiting])
        known = await storage.read_known(connection, *together(named))
        return cls(transaction, steps, waiting, known)

    def bring(self, request: str, event: Heard) -> Answer:
        """The answer to an event; what is new is said, and noted when the desk closes."""
        decision = self._decide(request, event)
        if isinstance(decision.answer, Waiting):
            self._let_wait(request, event)
        if any(isinstance(step, Accepted) for step in decision.steps):
            self._serve(request, event.portal)
        return decision.answer

    def look(self, request: str, event: Heard) -> Decision:
        """The decision on an event, without doing anything about it."""
        return decide(self._states[request], event.command, self._known)

    async def close(self) -> None:
        """Write everything that is new."""
        connection = self._transaction.connection
        await storage.append_steps(connection, self._noted)
        await storage.add_waiting(connection, self._to_wait)
        await storage.end_waiting(connection, self._served)

    def _decide(self, request: str, event: Heard) -> Decision:
        decision = self.look(request, event)
        for step in decision.steps:
            self._note(request, step, event.envelope)
        return decision

    def _note(self, request: str, step: Step, cause: Envelope) -> None:
        state = self._states[request] = evolve(self._states[request], step)
        self._counts[request] += 1
        self._noted.append((request, self._counts[request], step))
        match state, step:
            case Unheard(), Rejected(portal, portal_reference):
                fact = fact_of(request, portal, portal_reference, step)
            case Unheard(), _:
                return
            case on_file, _:
                fact = fact_of(request, on_file.file.portal, on_file.file.portal_reference, step)
        self._transaction.say(fact, subject=request, key=request, cause=cause)

    def _serve(self, request: str, portal: str) -> None:
        """Deal with what waited for this submission. What another portal sent under this id stays where it is."""
        for waited in self._waiting.pop(request, []):
            if waited.portal == portal:
                self._decide(request, waited)
                self._served.append((request, portal, waited.envelope.id))

    def _let_wait(self, request: str, event: Heard) -> None:
        self._waiting[request].append(event)
        structured = encode_structured(event.envelope, event.data)
        self._to_wait.append(WaitingEvent(request, event.portal, event.envelope.id, structured, self._transaction.now))


def state_after(steps: Iterable[Step]) -> State:
    """What is known of a request after everything that was noted about it."""
    nothing: State = NOTHING
    return reduce(evolve, steps, nothing)


def _understood(row: WaitingEvent) -> Heard | None:
    """What waited, read again; None when this release would not have let it wait, and then it stays where it is."""
    try:
        event = hear(*decode_structured(row.event), row.request_id)
    except Unreadable:
        return None
    return event if isinstance(event, Heard) else None
