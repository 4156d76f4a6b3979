"""One service hop as every service makes it: decode, validate, inbox, decide, facts, outbox, publish, commit."""

from collections.abc import Sequence

from chassis.messages import Message
from chassis.runtime import run
from chassis.service import Service
from chassis.settings import Settings, read_settings
from chassis.transaction import Transaction
from contracts import topics
from contracts.intake import RequestWithdrawalRecorded
from contracts.portals import RequestWithdrawn


async def record(transaction: Transaction, messages: Sequence[Message]) -> None:
    """Says one fact for each event, as intake does when an applicant withdraws."""
    for message in messages:
        request = message.envelope.subject
        fact = RequestWithdrawalRecorded(request_id=request, said_at=message.envelope.time)
        transaction.say(fact, subject=request, key=request, cause=message.envelope)


SERVICE = Service(
    name="bench",
    topics=(topics.PORTAL,),
    facts={RequestWithdrawn.event_type: RequestWithdrawn},
    handle=record,
)

if __name__ == "__main__":
    raise SystemExit(run(SERVICE, read_settings(Settings)))
