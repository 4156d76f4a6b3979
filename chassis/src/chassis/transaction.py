"""One database transaction: what is said in it is published if, and only if, it commits."""

from datetime import datetime

from chassis import inbox, outbox
from chassis.database import Connection
from chassis.ids import new_event_id
from chassis.messages import Headers
from chassis.outbox import Raw, Said
from chassis.traces import current_traceparent
from contracts.envelope import MAX_BYTES, Envelope, Unreadable
from contracts.facts import Fact

RAW_BYTES = 1_000_000
"""The broker refuses a record above 1 MiB together with all its neighbours, so none may get as far as the outbox."""

Mark = tuple[int, int]
_TimerSetting = tuple[str, str, datetime | None, str]


class Transaction:
    """A connection inside a transaction, the instant it happens at, and what it has to say.

    Whoever opens one calls `flush` as the last thing before the commit, and wakes the relay after the commit when
    `flush` gave more than zero.
    """

    def __init__(self, connection: Connection, now: datetime, service: str) -> None:
        self.connection = connection
        self.now = now
        self.service = service
        self._said: list[Said | Raw] = []
        self._timers: list[_TimerSetting] = []

    def say(
        self,
        fact: Fact,
        *,
        subject: str,
        key: str,
        cause: Envelope | None = None,
        time: datetime | None = None,
        source: str | None = None,
    ) -> str:
        """Say a fact, to be published after the commit, and give the id of its event.

        `subject` is the request, permit or workspace it is about; `key` keeps its order on the topic. `time` is the
        transaction's instant by default, `source` the service. Raises Unreadable("too-large") above 256 KiB.
        """
        body = fact.wire()
        if len(body) > MAX_BYTES:
            raise Unreadable("too-large", f"{fact.event_type} has more than {MAX_BYTES} bytes")
        _check_text(subject)
        _check_text(key)
        event_id = new_event_id()
        self._said.append(
            Said(
                event_id,
                fact.topic,
                key,
                fact.event_type,
                source or f"/guichet/{self.service}",
                subject,
                time or self.now,
                None,
                key if cause is None else cause.correlation_id or key,
                None if cause is None else cause.id,
                current_traceparent() if cause is None else current_traceparent(cause.id) or cause.trace_parent,
                body,
            )
        )
        return event_id

    def relay_record(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        *,
        partition: int | None = None,
    ) -> None:
        """Publish a record byte for byte, in order with what is said under the same key.

        Without `partition` it goes where the key belongs. Raises Unreadable("too-large") above a million bytes.
        """
        size = len(key or b"") + len(value or b"") + sum(len(name) + len(text or b"") for name, text in headers)
        if size > RAW_BYTES:
            raise Unreadable("too-large", f"a record of more than {RAW_BYTES} bytes")
        self._said.append(Raw(new_event_id(), topic, partition, key, value, headers))

    async def set_timer(self, subject: str, kind: str, due_at: datetime, *, key: str | None = None) -> None:
        """Set the one timer of this subject and kind, replacing an earlier one. `key` is the subject by default."""
        _check_text(subject)
        self._timers.append((subject, kind, due_at, key or subject))

    async def cancel_timer(self, subject: str, kind: str) -> None:
        """Remove the timer of this subject and kind, if there is one."""
        self._timers.append((subject, kind, None, subject))

    async def seen(self, event_id: str, source: str) -> bool:
        """Enter an event into the inbox; False if it was there already (an id is unique within its source only)."""
        return bool(await inbox.enter(self.connection, [(event_id, source)]))

    def mark(self) -> Mark:
        """Where the transaction's words stand, for a savepoint."""
        return len(self._said), len(self._timers)

    def rewind(self, mark: Mark) -> None:
        """Take back what was said since the mark; the savepoint takes back what was written."""
        said, timers = mark
        del self._said[said:]
        del self._timers[timers:]

    async def flush(self) -> int:
        """Write what was said, and give the number of records that the relay now has to publish."""
        timers, said = self._timers, self._said
        self._timers, self._said = [], []
        if timers:
            await _write_timers(self.connection, timers)
        if said:
            await outbox.write(self.connection, said)
        return len(said)


def _check_text(text: str) -> None:
    """Find here, where the culprit is known, what the database would refuse for the whole batch."""
    if "\x00" in text:
        raise Unreadable("invalid-text", "a subject or key with a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unreadable("invalid-text", "a subject or key with a lone surrogate") from None


async def _write_timers(connection: Connection, settings: list[_TimerSetting]) -> None:
    last = {(subject, kind): (due_at, key) for subject, kind, due_at, key in settings}
    gone = sorted(place for place, (due_at, _) in last.items() if due_at is None)
    kept = sorted((*place, due_at, key) for place, (due_at, key) in last.items() if due_at is not None)
    if gone:
        await connection.execute(
            """
            DELETE FROM chassis.timers USING unnest($1::text[], $2::text[]) AS gone (subject, kind)
            WHERE timers.subject = gone.subject AND timers.kind = gone.kind
            """,
            *map(list, zip(*gone, strict=True)),
        )
    if kept:
        await connection.execute(
            """
            INSERT INTO chassis.timers (subject, kind, due_at, key)
            SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
            ON CONFLICT (subject, kind) DO UPDATE SET due_at = excluded.due_at, key = excluded.key
            """,
            *map(list, zip(*kept, strict=True)),
        )
