"""Which events are acts in a case, and how each becomes an item of its history."""

from __future__ import annotations

import json
from typing import Final

from compliance.acts import in_its_name
from compliance.storage import Said
from compliance.whereabouts import with_host
from contracts import authorities, holders, hosts, intake, persons, provisioning
from contracts.envelope import Envelope
from contracts.facts import Fact
from contracts.registry import facts_of, short
from contracts.speakers import NAMED_BY

DATASETS: Final = (holders.DatasetDescribed, holders.DatasetWithdrawn)
ENVIRONMENTS: Final = (hosts.EnvironmentRegistered, hosts.EnvironmentQualified, hosts.EnvironmentQualificationLost)
OPTOUTS: Final = (persons.OptoutRecorded, persons.OptoutReversed)
PLACES: Final = (provisioning.WorkspaceRequested, provisioning.RehostingCutOver)
NOT_ACTS: Final = (intake.RequestRejected, intake.SubmissionConflicted)

HEARD: Final[dict[str, type[Fact]]] = {
    name: kind
    for module in (intake, authorities, holders, hosts, persons)
    for name, kind in facts_of(module).items()
    if not issubclass(kind, NOT_ACTS)
} | {kind.event_type: kind for kind in PLACES}
"""Every type compliance acts upon, by full type."""


def act(fact: Fact, envelope: Envelope, data: bytes) -> Said:
    """The item that an event adds to the history of its request.

    What portals said is dated by their word, as intake passed it on; everything else by the event itself. What somebody
    said in the name of another is kept as that and nothing more: it counts for nobody.
    """
    match fact:
        case intake.RequestAccepted():
            return Said(fact.submitted_at, "request.submitted.v1", "{}")
        case intake.RequestRevised():
            members = json.loads(data)
            revised = {"documents": members["documents"], "set": members["set"]}
            return Said(fact.said_at, "request.completed.v1", json.dumps(revised, ensure_ascii=False))
        case intake.RequestWithdrawalRecorded():
            return Said(fact.said_at, "request.withdrawn.v1", "{}")
        case intake.RequestNoticeRecorded():
            return Said(fact.said_at, fact.notice, json.dumps(fact.data, ensure_ascii=False))
        case hosts.DeletionCertified():
            said = short(envelope.type)
            return Said(envelope.time, said, json.dumps(with_host(said, json.loads(data), envelope.source)))
        case _:
            return _in_its_name(envelope, data.decode())


def _in_its_name(envelope: Envelope, data: str) -> Said:
    """What was said, or that it was said in the name of another."""
    said = short(envelope.type)
    if said in NAMED_BY:
        told, members = in_its_name(said, json.loads(data), envelope.source)
        if told != said:
            return Said(envelope.time, told, json.dumps(members))
    return Said(envelope.time, said, data)
