"""The Kafka door, and what intake takes from its neighbours: known datasets and environments, how far requests are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chassis.messages import Message
from chassis.transaction import Transaction
from contracts import holders, hosts, topics
from contracts.envelope import Unreadable
from contracts.facts import Fact
from intake import storage
from intake.desk import Desk
from intake.domain import Foreign
from intake.hearing import Heard, NotUnderstood, hear, requests_heard
from intake.public import FOLLOWED, Followed, follow
from intake.reading import HEARD

REFERENCES: Final[tuple[type[Fact], ...]] = (
    holders.DatasetDescribed,
    holders.DatasetWithdrawn,
    hosts.EnvironmentRegistered,
)

FACTS: Final[dict[str, type[Fact]]] = {
    **HEARD,
    **{kind.event_type: kind for kind in (*REFERENCES, *FOLLOWED)},
}
"""Everything intake acts upon."""

TOPICS: Final = (topics.PORTAL, topics.CATALOGUE, topics.ENVIRONMENTS, topics.DECISIONS, topics.WORKSPACES)


async def handle(transaction: Transaction, messages: Sequence[Message]) -> None:
    """Deal with a batch: what may be named first, then what portals bring, then what has become of it."""
    for message in messages:
        if isinstance(message.fact, REFERENCES):
            await learn_reference(transaction, message.fact)
    await hear_portals(transaction, [message for message in messages if message.topic == topics.PORTAL])
    await follow_requests(transaction, [message.fact for message in messages if isinstance(message.fact, Followed)])


async def learn_reference(transaction: Transaction, fact: Fact) -> None:
    """Remember what a dossier may name from now on, and forget what it may not."""
    match fact:
        case holders.DatasetDescribed():
            await storage.describe_dataset(transaction.connection, fact.dataset_id, fact.version)
        case holders.DatasetWithdrawn():
            await storage.withdraw_dataset(transaction.connection, fact.dataset_id)
        case hosts.EnvironmentRegistered():
            await storage.register_environment(transaction.connection, fact.environment_id)
        case _:
            return


async def hear_portals(transaction: Transaction, messages: Sequence[Message]) -> None:
    """Take in what portals brought, in order. Raises `Unreadable` for what belongs among the dead letters."""
    if not messages:
        return
    events = [_heard(message) for message in messages]
    requests = await requests_heard(transaction.connection, events)
    brought = list(zip(requests, events, strict=True))
    desk = await Desk.open(transaction, brought)
    for request, event in brought:
        if isinstance(desk.bring(request, event), Foreign):
            raise Unreadable("foreign-source", "the request belongs to another portal")
    await desk.close()


def _heard(message: Message) -> Heard:
    key = None if message.key is None else message.key.decode("utf-8", "replace")
    event = hear(message.envelope, message.data, key)
    if isinstance(event, NotUnderstood):
        raise Unreadable(
            "invalid-data", "; ".join(f"{each.pointer or '/'}: {each.code}" for each in event.problems[:20])
        )
    return event


async def follow_requests(transaction: Transaction, facts: Sequence[Followed]) -> None:
    """Remember how far requests have come, for their portals to see."""
    about = [(fact.request_id, fact) for fact in facts]
    if not about:
        return
    kept = await storage.lock_progress(transaction.connection, {request for request, _ in about})
    for request, fact in about:
        kept[request] = follow(kept[request], fact)
    await storage.write_progress(transaction.connection, kept)
