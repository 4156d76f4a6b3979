"""Plays the scenario on a stack and compares what comes of every request with what must."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from contracts.identity import request_id
from contracts.portals import RequestCompleted
from guichet.demo.scenario import Query, Scenario, Statement, Step, document
from guichet.publishing import Event, clock_now, publish, read
from guichet.stack.prepare import set_clock
from guichet.stack.quiet import client, wait_quiet
from guichet.stack.state import StackState
from guichet.submitting import public_state, submit

Public = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as the scenario says."""

    step: str
    name: str
    member: str
    wanted: object
    found: object

    def __str__(self) -> str:
        return f"{self.step}: {self.name}: {self.member} is {self.found}, not {self.wanted}"


@dataclass(slots=True)
class Story:
    """What has come of the scenario so far."""

    scenario: Scenario
    differences: list[Difference] = field(default_factory=list)
    logins: dict[str, str] = field(default_factory=dict)

    def request(self, name: str) -> str:
        """The id of a request by its name in the scenario."""
        return request_id(str(self.scenario.dossiers[name]["portal"]), name)

    async def play(self, state: StackState, step: Step) -> None:
        """One day: the clock, submissions, statements, then silence, then the comparison."""
        if step.at:
            await set_clock(state, step.at)
        now = await clock_now(state)
        if step.submit:
            answers = await submit(state, [(name, self.scenario.dossiers[name]) for name in step.submit], now)
            for answer in answers:
                if not answer.taken:
                    self._differs(step, answer.portal_reference, "submission", "accepted", answer.problems)
        events = self._events(step, now)
        if events:
            await publish(state, events)
        await wait_quiet(state)
        for name, wanted in step.expect.items():
            self._compare(step, name, wanted, await self.shown(state, name))

    async def shown(self, state: StackState, name: str) -> Public:
        """What intake shows of a request."""
        async with client(10) as asking:
            portal = str(self.scenario.dossiers[name]["portal"])
            return await public_state(asking, state, self.request(name), portal) or {}

    def _events(self, step: Step, now: datetime) -> list[Event]:
        """A second apart, in the order they stand in: what is said later is dated later."""
        pairs = [(each, name) for each in step.say for name in each.about]
        return [self._event(each, name, now + timedelta(seconds=n)) for n, (each, name) in enumerate(pairs)]

    def _event(self, statement: Statement, name: str, now: datetime) -> Event:
        data = dict(statement.data)
        if statement.type == RequestCompleted.event_type:
            data = {"documents": [document(name, code, now.date()) for code in statement.completes], "set": {}}
        subject = self.request(name) if name in self.scenario.dossiers else name
        raw = {"type": statement.type, "source": statement.source, "subject": subject, "data": data}
        return read(raw, now)

    def _compare(self, step: Step, name: str, wanted: Mapping[str, Any], shown: Public) -> None:
        found = summary(shown)
        for member, value in wanted.items():
            if found.get(member) != value:
                self._differs(step, name, member, value, found.get(member))

    def _differs(self, step: Step, name: str, member: str, wanted: object, found: object) -> None:
        self.differences.append(Difference(step.tell, name, member, wanted, found))

    async def ask(self, state: StackState, step: Step, query: Query) -> str:
        """A researcher asks, later on with the same login; returns what happened, and notes what should not have."""
        from guichet.demo.researcher import count_rows, login
        from provisioning.environments import Refused

        try:
            if query.answers:
                self.logins[query.about] = await login(state, self.request(query.about), query.person)
            rows = await count_rows(self.logins[query.about])
        except Refused as refused:
            if query.answers:
                self._differs(step, query.about, "query", "answered", refused.code)
            return f"refused ({refused.code})"
        if not query.answers or not rows:
            self._differs(step, query.about, "query", "rows" if query.answers else "refused", f"{rows} rows")
        return f"answered, {rows:,} rows"


def summary(shown: Public) -> dict[str, Any]:
    """The words that tell how a request stands, and where its workspace does."""
    return {
        "status": shown.get("status"),
        "route": shown.get("route"),
        "outcome": shown.get("outcome"),
        "permit": (shown.get("permit") or {}).get("status"),
        "workspace": (shown.get("workspace") or {}).get("state"),
        "environment": (shown.get("workspace") or {}).get("environment_id"),
    }


async def final(story: Story, state: StackState) -> Sequence[tuple[str, dict[str, Any]]]:
    """How every request stands at the end, in the order of the scenario."""
    return [(name, summary(await story.shown(state, name))) for name in story.scenario.dossiers]
