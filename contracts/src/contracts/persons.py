"""What the services that hear persons say on guichet.optouts: source /persons/<service>, persons by opaque
reference only."""

from contracts import topics
from contracts.facts import Fact
from contracts.vocabulary import Count, Reference


class OptoutRecorded(Fact):
    """Said when a person opts out of secondary use (EHDS:71(3), CSP:R1461-9-II)."""

    event_type = "guichet.optout.recorded.v1"
    topic = topics.OPTOUTS

    ref: Reference
    list_version: Count


class OptoutReversed(Fact):
    """Said when a person takes an opt-out back."""

    event_type = "guichet.optout.reversed.v1"
    topic = topics.OPTOUTS

    ref: Reference
    list_version: Count


class ObjectionReceived(Fact):
    """Said when a person objects to one project; the subject is its request (CSP:R1461-9-II)."""

    event_type = "guichet.objection.received.v1"
    topic = topics.OPTOUTS

    ref: Reference
