"""Records that nobody could act upon: kept as bytes, said as facts, published again or given up by a person."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from chassis import parking
from chassis.database import Connection
from chassis.ids import new_event_id
from chassis.messages import Headers, header_columns, headers_of
from chassis.transaction import Transaction
from chassis.verdicts import Verdict
from contracts.envelope import MAX_BYTES, Unreadable
from contracts.system import DeadLetterDiscarded, DeadLetterRecorded, DeadLetterRedriven, RecordHeader

REDRIVE = "guichet-redrive"
"""Header of a record published again: the group it is meant for; every other group passes it over."""
LETTER = "guichet-letter"
"""Header beside it: the id of the letter, which alone lets the record pass the block of its key."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch


class LetterRefused(Exception):
    """What was asked of a letter cannot be done; names the letter and why."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One record set aside. `group` is the consumer that could not act upon it; `key`, `value`, `headers` its bytes."""

    letter_id: str
    group: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    event_id: str | None
    event_type: str | None
    kind: str
    code: str
    detail: str
    fingerprint: str
    attempts: int
    release: str
    trace_parent: str | None
    blocks_key: bool
    state: str
    recorded_at: datetime
    changed_at: datetime


async def list_letters(connection: Connection, *, state: str | None = None, limit: int = 1000) -> list[Letter]:
    """Letters, oldest first: all, or those in one state (`open`, `redriven`, `resolved`, `discarded`)."""
    rows = await connection.fetch(
        "SELECT * FROM chassis.dead_letters WHERE $1::text IS NULL OR state = $1 ORDER BY letter_id LIMIT $2",
        state,
        limit,
    )
    return [_letter(row) for row in rows]


async def show(connection: Connection, letter_id: str) -> Letter | None:
    """One letter, or None."""
    row = await connection.fetchrow("SELECT * FROM chassis.dead_letters WHERE letter_id = $1", letter_id)
    return None if row is None else _letter(row)


async def redrive(connection: Connection, letter_id: str, *, now: datetime, by: str) -> Letter:
    """Publish a letter's record again, same bytes, same id, for the group that could not act upon it, and say so.

    `by` names the person. Raises LetterRefused when there is no such letter, it is not open, or it is too large.
    """
    async with connection.transaction():
        letter = await _open_letter(connection, letter_id)
        transaction = Transaction(connection, now, letter.group)
        headers = [(name, value) for name, value in letter.headers if name not in (REDRIVE, LETTER)]
        headers += [(REDRIVE, letter.group.encode()), (LETTER, letter_id.encode())]
        try:
            transaction.relay_record(letter.topic, letter.key, letter.value, headers, partition=letter.partition)
        except Unreadable as error:
            raise LetterRefused(f"letter {letter_id}: {error.detail}; discard it") from None
        await _change(connection, [letter_id], "redriven", now)
        transaction.say(
            DeadLetterRedriven(
                group=letter.group,
                record_topic=letter.topic,
                partition=letter.partition,
                offset=letter.offset,
                event_id=letter.event_id,
                by=by,
            ),
            subject=_about(letter.key, letter_id),
            key=_about(letter.key, letter_id),
        )
        await transaction.flush()
    return letter


async def discard(connection: Connection, letter_id: str, *, now: datetime, by: str, code: str) -> Letter:
    """Give a letter up, for the reason `code`, say so, and let the records go that wait behind it.

    Raises LetterRefused when there is no such letter or it is settled.
    """
    async with connection.transaction():
        letter = await _open_letter(connection, letter_id)
        transaction = Transaction(connection, now, letter.group)
        await _change(connection, [letter_id], "discarded", now)
        await parking.begin_release(connection, [letter_id])
        transaction.say(
            DeadLetterDiscarded(
                group=letter.group,
                record_topic=letter.topic,
                partition=letter.partition,
                offset=letter.offset,
                event_id=letter.event_id,
                by=by,
                code=code,
            ),
            subject=_about(letter.key, letter_id),
            key=_about(letter.key, letter_id),
        )
        await transaction.flush()
    return letter


async def record(transaction: Transaction, verdicts: Sequence[Verdict], release: str) -> None:
    """Set records aside in the transaction of their neighbours: a letter, a fact, and a key that waits."""
    connection, consumer, now = transaction.connection, transaction.service, transaction.now
    for verdict in verdicts:
        letter_id = verdict.letter_id
        if letter_id is None:
            letter_id = await _insert(connection, consumer, verdict, release, now)
        else:
            await _reopen(connection, letter_id, verdict, release, now)
        if letter_id is None:
            continue
        if verdict.blocks_key and verdict.record.key is not None:
            await parking.block(connection, consumer, (verdict.record.topic, verdict.record.key), letter_id, now)
        about = _about(verdict.record.key, letter_id)
        transaction.say(_recorded(verdict, consumer, release), subject=about, key=about)


async def resolve(transaction: Transaction, letter_ids: Sequence[str]) -> None:
    """Settle letters whose redriven records were acted upon, and let the records go that wait behind them."""
    await _change(transaction.connection, letter_ids, "resolved", transaction.now)
    await parking.begin_release(transaction.connection, letter_ids)


async def states(connection: Connection, consumer: str, letter_ids: Collection[str]) -> dict[str, str]:
    """The state of each of these letters, locked; ids that are no letter of this consumer are left out."""
    rows = await connection.fetch(
        """
        SELECT letter_id, state FROM chassis.dead_letters
        WHERE letter_id = ANY($1::uuid[]) AND consumer = $2 ORDER BY letter_id FOR UPDATE
        """,
        [letter_id for letter_id in letter_ids if _UUID(letter_id)],
        consumer,
    )
    return {str(row["letter_id"]): row["state"] for row in rows}


async def _open_letter(connection: Connection, letter_id: str) -> Letter:
    row = await connection.fetchrow("SELECT * FROM chassis.dead_letters WHERE letter_id = $1 FOR UPDATE", letter_id)
    if row is None:
        raise LetterRefused(f"letter {letter_id}: there is none")
    if row["state"] != "open":
        raise LetterRefused(f"letter {letter_id}: it is {row['state']}, not open")
    return _letter(row)


async def _change(connection: Connection, letter_ids: Sequence[str], state: str, now: datetime) -> None:
    await connection.execute(
        "UPDATE chassis.dead_letters SET state = $2, changed_at = $3 WHERE letter_id = ANY($1::uuid[])",
        letter_ids,
        state,
        now,
    )


async def _insert(connection: Connection, consumer: str, verdict: Verdict, release: str, now: datetime) -> str | None:
    """The id of the new letter; None when the record was set aside before."""
    record = verdict.record
    names, values = header_columns(record.headers)
    letter_id = await connection.fetchval(
        """
        INSERT INTO chassis.dead_letters (letter_id, consumer, topic, part, record_offset, key, value, header_names,
            header_values, event_id, event_type, kind, code, detail, fingerprint, attempts, release, trace_parent,
            blocks_key, recorded_at, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $20)
        ON CONFLICT DO NOTHING RETURNING letter_id
        """,
        new_event_id(),
        consumer,
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        names,
        values,
        _storable(verdict.event_id),
        _storable(verdict.event_type),
        verdict.kind.value,
        verdict.code,
        _storable(verdict.detail),
        verdict.fingerprint,
        verdict.attempts,
        release,
        verdict.trace_parent,
        verdict.blocks_key,
        now,
    )
    return None if letter_id is None else str(letter_id)


async def _reopen(connection: Connection, letter_id: str, verdict: Verdict, release: str, now: datetime) -> None:
    await connection.execute(
        """
        UPDATE chassis.dead_letters SET state = 'open', kind = $2, code = $3, detail = $4, fingerprint = $5,
            attempts = attempts + $6, release = $7, changed_at = $8 WHERE letter_id = $1
        """,
        letter_id,
        verdict.kind.value,
        verdict.code,
        _storable(verdict.detail),
        verdict.fingerprint,
        verdict.attempts,
        release,
        now,
    )


def _recorded(verdict: Verdict, consumer: str, release: str) -> DeadLetterRecorded:
    """The fact, with the record's bytes unless they would make it too large: then they are in the letter only."""
    record = verdict.record
    headers = [(name, value) for name, value in record.headers if name not in (REDRIVE, LETTER)]
    size = len(record.key or b"") + len(record.value or b"")
    size += sum(len(name) * 6 + len(value or b"") + 40 for name, value in headers)
    fits = size < MAX_BYTES // 2
    return DeadLetterRecorded(
        group=consumer,
        record_topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        event_id=verdict.event_id,
        kind=verdict.kind.value,
        code=verdict.code,
        fingerprint=verdict.fingerprint,
        attempts=verdict.attempts,
        release=release,
        blocks_key=verdict.blocks_key,
        value_sha256=None if record.value is None else hashlib.sha256(record.value).hexdigest(),
        trace_parent=verdict.trace_parent,
        key=_base64(record.key) if fits else None,
        value=_base64(record.value) if fits else None,
        headers=tuple(RecordHeader(name=name, value=_base64(value)) for name, value in headers) if fits else None,
    )


def _about(key: bytes | None, letter_id: str) -> str:
    """Subject and key of a fact about a letter: the record's own key where that is a short text, for one story."""
    if key is not None and 0 < len(key) <= 200:
        text = key.decode("utf-8", "replace")
        if text.isprintable() and text.encode() == key:
            return text
    return letter_id


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else b64encode(raw).decode()


def _storable(text: str | None) -> str | None:
    """A text that the database takes: no NUL, no lone surrogate, not long."""
    return text and text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()[:500]


def _letter(row: asyncpg.Record) -> Letter:
    return Letter(
        str(row["letter_id"]),
        row["consumer"],
        row["topic"],
        row["part"],
        row["record_offset"],
        row["key"],
        row["value"],
        headers_of(row["header_names"], row["header_values"]),
        row["event_id"],
        row["event_type"],
        row["kind"],
        row["code"],
        row["detail"],
        row["fingerprint"],
        row["attempts"],
        row["release"],
        row["trace_parent"],
        row["blocks_key"],
        row["state"],
        row["recorded_at"],
        row["changed_at"],
    )
