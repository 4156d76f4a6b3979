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
    event_id: str | None
    event_type: str | None
    trace_parent: str | None
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
        _sole_text(record, "ce_id") if envelope is None else envelope.id,
        _sole_text(record, "ce_type") if envelope is None else envelope.type,
        None if envelope is None else envelope.trace_parent,
        kind_of(error),
        code,
        error.detail if isinstance(error, Unreadable) else "",
        fingerprint_of(error),
        attempts,
        record.key is not None and not tolerated,
        letter_id,
    )


def _sole_text(record: Record, name: str) -> str | None:
    """What a header says of a record that could not be read, to find it by; None unless it is one readable text."""
    values = [value for header, value in record.headers if header == name]
    if len(values) != 1 or values[0] is None:
        return None
    text = values[0].decode("utf-8", "replace")
    return text if text.isascii() and text.isprintable() and 0 < len(text) <= 200 else None
