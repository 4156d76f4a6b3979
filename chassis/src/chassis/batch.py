"""What becomes of the records of one transaction: acted upon, passed over, parked, or set aside."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from chassis import dead_letters, inbox, parking
from chassis.crash import crash_point
from chassis.dead_letters import LETTER, REDRIVE
from chassis.errors import Kind, Unavailable, kind_of
from chassis.messages import Message, Record
from chassis.parking import Place
from chassis.reading import SKEWED, Consumer, read_record
from chassis.traces import batch_span
from chassis.transaction import Transaction
from chassis.verdicts import Verdict, condemn

TRIES = 3
"""How often a lone message may meet a bug before it is set aside."""
PASSED_OVER = "passed over"

ClockCaughtUp = Callable[[], Awaitable[bool]]


@dataclass(slots=True)
class Outcome:
    """What became of every record of a batch: each stands in exactly one place. `parked` is by index in the batch."""

    handled: list[Message] = field(default_factory=list)
    parked: dict[int, Record] = field(default_factory=dict)
    set_aside: list[Verdict] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    resolved: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A message to hand over, the record it was read from, where in the batch, and the letter it answers."""

    index: int
    record: Record
    message: Message
    letter_id: str | None

    @property
    def identity(self) -> inbox.Identity:
        return self.message.envelope.id, self.message.envelope.source


async def process(
    transaction: Transaction,
    records: Sequence[Record],
    consumer: Consumer,
    clock_caught_up: ClockCaughtUp,
    *,
    releasing: Place | None = None,
    because: Exception | None = None,
) -> Outcome:
    """Act upon records in order, each event once, and write down what is to be remembered of those that failed.

    `releasing` is a blocked key whose parked records these are: it does not block them. What it leaves parked is in
    the outcome and not written again. `because` is an error that was found to be the records' fault only when all was
    written: it condemns them unread. Raises what is Unavailable; the transaction is then to be given up.
    """
    outcome = Outcome()
    blocked = await _blocked(transaction, records, consumer)
    blocked.discard(releasing)
    entries, unread = await _read(transaction, records, consumer, blocked, outcome, because)
    if any(verdict.code == SKEWED for _, verdict in unread) and not await clock_caught_up():
        raise Unavailable("our clock is behind")
    entries = await _drop_seen(transaction, entries, outcome)
    crash_point("inbox-written")
    failed: set[Place | None] = set()
    if entries:
        done = await _hand_over(transaction, entries, consumer, failed, outcome)
        if len(done) < len(entries):
            kept = {entry.index for entry in done}
            await inbox.forget(transaction.connection, [e.identity for e in entries if e.index not in kept])
        outcome.handled = [entry.message for entry in done]
        outcome.resolved += [entry.letter_id for entry in done if entry.letter_id is not None]
    for index, verdict in unread:
        # Whatever failed under the same key stands before it, or would have been parked behind it.
        if verdict.letter_id is None and _place(verdict.record) in failed:
            outcome.parked[index] = verdict.record
        else:
            outcome.set_aside.append(verdict)
    crash_point("handled")
    await _remember(transaction, consumer, outcome, park=releasing is None)
    return outcome


async def _remember(transaction: Transaction, consumer: Consumer, outcome: Outcome, *, park: bool) -> None:
    if outcome.set_aside:
        await dead_letters.record(transaction, outcome.set_aside, consumer.release)
    if outcome.resolved:
        await dead_letters.resolve(transaction, outcome.resolved)
    if outcome.parked and park:
        waiting = [record for _, record in sorted(outcome.parked.items())]
        await parking.park(transaction.connection, consumer.name, waiting)


async def _blocked(transaction: Transaction, records: Sequence[Record], consumer: Consumer) -> set[Place | None]:
    places = {(record.topic, record.key) for record in records if record.key is not None}
    return {*await parking.lock_blocked(transaction.connection, consumer.name, places)}


async def _read(
    transaction: Transaction,
    records: Sequence[Record],
    consumer: Consumer,
    blocked: set[Place | None],
    outcome: Outcome,
    because: Exception | None,
) -> tuple[list[_Entry], list[tuple[int, Verdict]]]:
    """What can be handed over, and what cannot be read. The latter blocks its key for the records after it."""
    redriven = await _redriven(transaction, records, consumer, outcome)
    waits = set(blocked)
    entries, unread = [], []
    for index, record in enumerate(records):
        letter_id = redriven.get(index)
        if letter_id is PASSED_OVER:
            continue
        read: Message | Verdict | None
        if because is None:
            read = read_record(record, consumer, transaction.now, letter_id=letter_id)
        else:
            read = condemn(record, because, envelope=None, letter_id=letter_id)
        if read is None:
            outcome.passed_over["not-ours"] += 1
        elif letter_id is None and _place(record) in waits:
            outcome.parked[index] = record
        elif isinstance(read, Verdict):
            unread.append((index, read))
            if read.blocks_key:
                waits.add(_place(record))
        else:
            entries.append(_Entry(index, record, read, letter_id))
    return entries, unread


async def _redriven(
    transaction: Transaction, records: Sequence[Record], consumer: Consumer, outcome: Outcome
) -> dict[int, str]:
    """Which records answer a letter of ours, by index, and which are to be passed over: meant for another group, or
    repeated after the letter was settled. A letter nobody knows makes its record an ordinary one."""
    answers: dict[int, str] = {}
    marked: dict[int, str] = {}
    own = consumer.name.encode()
    for index, record in enumerate(records):
        for name, value in record.headers:
            if name == REDRIVE and value != own:
                answers[index] = PASSED_OVER
            elif name == LETTER and value is not None:
                marked[index] = value.decode("ascii", "replace")
    outcome.passed_over["not-ours"] += len(answers)
    marked = {index: letter_id for index, letter_id in marked.items() if index not in answers}
    if not marked:
        return answers
    known = await dead_letters.states(transaction.connection, consumer.name, marked.values())
    for index, letter_id in marked.items():
        if known.get(letter_id) == "redriven":
            answers[index] = letter_id
            known[letter_id] = "answered"
        elif letter_id in known:
            answers[index] = PASSED_OVER
            outcome.passed_over["duplicate"] += 1
    return answers


async def _drop_seen(transaction: Transaction, entries: Sequence[_Entry], outcome: Outcome) -> list[_Entry]:
    """Only what was never acted upon, and of two copies in one batch the first.

    A redriven event that was acted upon meanwhile settles its letter all the same.
    """
    first: dict[inbox.Identity, _Entry] = {}
    for entry in entries:
        first.setdefault(entry.identity, entry)
    fresh = await inbox.enter(transaction.connection, list(first)) if first else set()
    if len(fresh) == len(entries):
        return list(entries)
    kept = [entry for number, entry in enumerate(first.values()) if number in fresh]
    standing = {entry.index for entry in kept}
    outcome.passed_over["duplicate"] += len(entries) - len(kept)
    outcome.resolved += [e.letter_id for e in entries if e.letter_id is not None and e.index not in standing]
    return kept


async def _hand_over(
    transaction: Transaction, entries: Sequence[_Entry], consumer: Consumer, failed: set[Place | None], outcome: Outcome
) -> list[_Entry]:
    """Give the handler as much as it takes: all, or halves of what it fails at, until the culprit is alone.

    Halves are tried in order, so that what a failed key still has ahead of it can be parked.
    """
    done: list[_Entry] = []
    stack = [list(entries)]
    while stack:
        part = []
        for entry in stack.pop():
            if entry.letter_id is None and _place(entry.record) in failed:
                outcome.parked[entry.index] = entry.record
            else:
                part.append(entry)
        if not part:
            continue
        error = await _attempt(transaction, part, consumer)
        if error is None:
            done += part
        elif len(part) > 1:
            middle = len(part) // 2
            stack += [part[middle:], part[:middle]]
        elif (verdict := await _insist(transaction, part[0], consumer, error)) is None:
            done += part
        else:
            outcome.set_aside.append(verdict)
            if verdict.blocks_key:
                failed.add(_place(verdict.record))
    return done


async def _insist(transaction: Transaction, entry: _Entry, consumer: Consumer, error: Exception) -> Verdict | None:
    """Try a lone message again if it met a bug; a verdict if that does not help."""
    attempts = 1
    while kind_of(error) is Kind.BUG and attempts < TRIES:
        attempts += 1
        again = await _attempt(transaction, [entry], consumer)
        if again is None:
            return None
        error = again
    envelope, letter_id = entry.message.envelope, entry.letter_id
    return condemn(entry.record, error, envelope=envelope, attempts=attempts, letter_id=letter_id)


async def _attempt(transaction: Transaction, part: Sequence[_Entry], consumer: Consumer) -> Exception | None:
    """Hand messages over within a savepoint; the error, if any, with everything taken back."""
    mark = transaction.mark()
    messages = [entry.message for entry in part]
    events = ((message.envelope.id, message.envelope.trace_parent) for message in messages)
    try:
        with batch_span(f"{consumer.name} batch", events):
            async with transaction.connection.transaction():
                await consumer.handle(transaction, messages)
    except Exception as error:  # a service's code may raise anything: it condemns one message, never the batch
        transaction.rewind(mark)
        if kind_of(error) is Kind.UNAVAILABLE:
            raise
        return error
    return None


def _place(record: Record) -> Place | None:
    return None if record.key is None else (record.topic, record.key)
