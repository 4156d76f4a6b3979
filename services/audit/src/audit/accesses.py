"""Who opened what: each reading of recorded bytes is said on `guichet.access` before it is answered.

A reading is one fact, whatever it reads, so reading the record of accesses adds one fact and no more. Hashes, proofs of
sizes and checkpoints are for anyone and speak of nobody: if looking at them were recorded, a monitor that looks whether
the record of accesses has grown would itself make it grow.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from chassis.transaction import Transaction
from contracts.system import TrailRead

STORY, EVENT, ENTRIES, PROOF, BUNDLE = "story_opened", "event_opened", "entries_read", "event_proved", "bundle_exported"
REPLAY, RULES, EMISSION, BACKUP = "replayed", "rules_replayed", "emitted_again", "backed_up"
HTTP, CLI = "http", "cli"

AGAIN_SECONDS = 600.0
"""Who opens the same thing again within this time, as somebody does who follows a story, has opened it once."""
REMEMBERED = 10_000

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_ORIGIN = re.compile(r"[a-z0-9][a-z0-9./-]*/(trail|access)/[A-Za-z0-9._-]+/[0-9]+/[0-9]+", re.ASCII)

Transactions = Callable[[], AbstractAsyncContextManager[Transaction]]


def say_read(
    transaction: Transaction, act: str, by: str, door: str, about: str | None = None, bundle: str | None = None
) -> None:
    """Says that `by` read; of what was asked for only an id or the name of a log is kept, never what somebody typed."""
    asked = (about or "").lower() if _UUID.fullmatch((about or "").lower()) else about
    known = asked if asked is not None and (_UUID.fullmatch(asked) or _ORIGIN.fullmatch(asked)) else None
    # A subject of its own: what is read about a request is no part of the request's story.
    subject = f"access/{known or by}"
    fact = TrailRead(act=act, by=by, door=door, about=known, bundle_sha256=bundle)
    transaction.say(fact, subject=subject, key=subject)


class Accesses:
    """Records readings over HTTP, each reader's reading of one thing once in ten minutes."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._said: dict[tuple[str, str, str | None], float] = {}

    async def record(self, act: str, by: str, about: str | None, *, bundle: str | None = None) -> None:
        """On record when this returns; whoever answers before it has hidden a reading."""
        reading, now = (act, by, about), time.monotonic()
        if bundle is None and now - self._said.get(reading, -AGAIN_SECONDS) < AGAIN_SECONDS:
            return
        async with self._transactions() as transaction:
            say_read(transaction, act, by, HTTP, about, bundle)
        if len(self._said) >= REMEMBERED:
            self._said = {each: said for each, said in self._said.items() if now - said < AGAIN_SECONDS}
        if len(self._said) < REMEMBERED:
            self._said[reading] = now
