"""One database transaction: what is said in it is published if, and only if, it commits."""

from datetime import datetime

from contracts.envelope import Envelope
from contracts.facts import Fact

from chassis.database import Connection


class Transaction:
    """A connection inside a transaction, the instant it happens at, and what it has to say.

    Whoever opens one calls `flush` as the last thing before the commit, and wakes the relay after the commit when
    `flush` gave more than zero.
    """

    def __init__(self, connection: Connection, now: datetime, service: str) -> None:
        self.connection = connection
        self.now = now
        self.service = service

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
        """Say a fact, to be published after the commit, and give the id of its event."""
        return ""

    def relay_record(self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Publish a raw record byte for byte, in order with what is said."""

    async def set_timer(self, subject: str, kind: str, due_at: datetime, *, key: str | None = None) -> None:
        """Set the one timer of this subject and kind, replacing an earlier one. `key` is the subject by default."""

    async def cancel_timer(self, subject: str, kind: str) -> None:
        """Remove the timer of this subject and kind, if there is one."""

    async def seen(self, event_id: str, source: str) -> bool:
        """Enter an event into the inbox; False if it was there already (an id is unique within its source only)."""
        return True

    async def flush(self) -> int:
        """Write what was said, and give the number of records that the relay now has to publish."""
        return 0
