"""Compliance without a broker: its handlers on a real database, a day at a time, timers included."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from chassis.database import Database
from chassis.messages import Message
from chassis.service import Timer
from chassis.transaction import Transaction
from compliance.decisions import Again, decide_again
from compliance.files import Law
from compliance.handlers import Handlers
from contracts import registry
from contracts.envelope import Envelope
from contracts.identity import request_id
from contracts.speakers import NAMED_BY
from guichet.stack.postgres import Postgres

CASES = Path(__file__).parents[2] / "cases"
PARIS = ZoneInfo("Europe/Paris")
Json = dict[str, Any]


def source_of(short: str, data: Json) -> str:
    """Who says an event when nothing else is told."""
    if short.startswith("environment."):
        return f"/hosts/{data['environment_id']}"
    if named := data.get(NAMED_BY.get(f"{short}.v1", "")):
        return f"/authorities/{named}" if "body" in data else f"/holders/{named}"
    return "/x"


@dataclass
class Desk:
    """A compliance service whose clock is turned by hand. `said` gives what it said since it was last asked."""

    database: Database
    handlers: Handlers = field(default_factory=lambda: Handlers(Law()))
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    request_id: str = ""
    heard: int = 0

    async def on(self, day: str, hour: str = "10:00") -> None:
        """Turn the clock to an hour in Paris, ringing every timer on the way, each at its time."""
        until = datetime.combine(date.fromisoformat(day), time.fromisoformat(hour), PARIS).astimezone(UTC)
        assert until >= self.now
        while (due := await self._next_timer(until)) is not None:
            self.now = max(self.now, due.due_at)
            async with self.database.transaction() as connection:
                await connection.execute("DELETE FROM chassis.timers WHERE subject = $1", due.subject)
                transaction = Transaction(connection, self.now, "compliance")
                await self.handlers.look_again(transaction, due)
                await transaction.flush()
        self.now = until

    async def _next_timer(self, until: datetime) -> Timer | None:
        async with self.database.connection() as connection:
            row = await connection.fetchrow(
                "SELECT subject, kind, due_at FROM chassis.timers WHERE due_at <= $1 ORDER BY due_at LIMIT 1", until
            )
        return None if row is None else Timer(row["subject"], row["kind"], row["due_at"])

    async def tell(
        self, short: str, data: Json, key: str | None = None, at: datetime | None = None, source: str | None = None
    ) -> None:
        """One event, said now or at an earlier or later instant by whoever it is about, as the engine hands it over."""
        await self._hear([self._message(short, data, key or self.request_id, at or self.now, source)])

    def _message(self, short: str, data: Json, key: str, at: datetime, source: str | None = None) -> Message:
        kind = registry.FACTS[f"guichet.{short}.v1"]
        fact = kind.read(json.dumps(data))
        envelope = Envelope(str(uuid4()), kind.event_type, source or source_of(short, data), key, at)
        return Message(envelope, fact.wire(), fact, kind.topic, 0, 0, key.encode(), (), False)

    async def _hear(self, messages: list[Message]) -> None:
        async with self.database.transaction() as connection:
            transaction = Transaction(connection, self.now, "compliance")
            await self.handlers.hear(transaction, messages)
            await transaction.flush()

    async def describe(self, dataset: Json) -> None:
        await self.tell("dataset.described", dataset, key=dataset["dataset_id"])

    async def open_for_business(self) -> None:
        """The catalogue and the environments of the case files, described and registered now."""
        datasets = json.loads((CASES / "catalogue.json").read_text())["datasets"]
        hosts = json.loads((CASES / "environments.json").read_text())["environments"]
        await self._hear(
            [
                *(self._message("dataset.described", each, each["dataset_id"], self.now) for each in datasets),
                *(self._message("environment.registered", each, each["environment_id"], self.now) for each in hosts),
            ]
        )

    async def accept(self, case: str, **changes: Any) -> Json:
        """The dossier of a case file, accepted now as a new request, of which everything is said from here on."""
        dossier: Json = copy.deepcopy(json.loads((CASES / f"{case}.json").read_text())["dossier"]) | changes
        dossier["portal_reference"] = f"S-{uuid4().hex[:12]}"
        self.request_id = request_id(dossier["portal"], dossier["portal_reference"])
        self.heard = 0
        await self.tell(
            "request.accepted",
            {
                "request_id": self.request_id,
                "portal": dossier["portal"],
                "portal_reference": dossier["portal_reference"],
                "revision": 1,
                "dossier": dossier,
                "submitted_at": self.now.isoformat().replace("+00:00", "Z"),
                "data_sha256": "0" * 64,
            },
        )
        return dossier

    async def notice(self, short: str, data: Json) -> None:
        """What the portal says of the request, as intake passes it on."""
        await self.tell(
            "request.notice-recorded",
            {
                "request_id": self.request_id,
                "notice": f"{short}.v1",
                "said_at": self.now.isoformat().replace("+00:00", "Z"),
                "data": data,
            },
        )

    async def said(self) -> list[tuple[str, Json]]:
        """What compliance said of the request since this was asked last: short type and data, in order."""
        async with self.database.connection() as connection:
            rows = await connection.fetch(
                "SELECT type, body FROM chassis.facts WHERE key = $1 ORDER BY event_id", self.request_id
            )
        new = [(row["type"].removeprefix("guichet.").removesuffix(".v1"), json.loads(row["body"])) for row in rows]
        self.heard, before = len(new), self.heard
        return new[before:]

    async def names(self) -> list[str]:
        """The same, types only."""
        return [name for name, _ in await self.said()]

    async def decisions(self) -> list[Again]:
        """Every decision on the request, made again."""
        async with self.database.connection() as connection:
            return await decide_again(connection, self.request_id, self.handlers.law)


@pytest.fixture
async def desk(postgres: Postgres) -> AsyncIterator[Desk]:
    """A service of its own, with the catalogue and the environments of the case files, on 30 June 2026."""
    database = Database(await postgres.create_database(), service="compliance")
    await database.open()
    try:
        await database.migrate("compliance.migrations")
        made = Desk(database)
        await made.on("2026-06-30")
        await made.open_for_business()
        yield made
    finally:
        await database.close()
