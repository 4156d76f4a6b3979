"""Why one record could not be acted upon."""

from dataclasses import dataclass

from chassis.errors import Kind, code_of, fingerprint_of, kind_of
from chassis.messages import Record
from contracts.envelope import Envelope, Unreadable
from contracts.topics import TOPICS


@dataclass(frozen=True, slots=True)
class Verdict:
    """A record to set aside: which, why in codes, after how many attempts, and whether its key now waits.

    `letter_id` names the letter that is open again when the record was a redriven one.
    """

    record: Record
    envelope: Envelope | None
    kind: Kind
    code: str
    detail: str
    fingerprint: str
    attempts: int
    blocks_key: bool
    letter_id: str | None


def condemn(
    record: Record, error: BaseException, *, envelope: Envelope | None, attempts: int = 1, letter_id: str | None = None
) -> Verdict:
    """Say what is wrong with a record. Keeps codes and the names of fields and rules, never the text of an error.

    Readers of foreign topics are tolerant: a type nobody knows is set aside there without making its key wait.
    """
    code = code_of(error)
    topic = TOPICS.get(record.topic)
    tolerated = code == "unknown-type" and topic is not None and topic.foreign
    return Verdict(
        record,
        envelope,
        kind_of(error),
        code,
        error.detail if isinstance(error, Unreadable) else "",
        fingerprint_of(error),
        attempts,
        record.key is not None and not tolerated,
        letter_id,
    )
