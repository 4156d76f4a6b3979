"""Topics: who writes each, what keeps its order, how long it is kept. Everybody takes their names from here."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

PORTAL: Final = "guichet.portal"
REQUESTS: Final = "guichet.requests"
AUTHORITIES: Final = "guichet.authorities"
CATALOGUE: Final = "guichet.catalogue"
OPTOUTS: Final = "guichet.optouts"
ENVIRONMENTS: Final = "guichet.environments"
DECISIONS: Final = "guichet.decisions"
WORKSPACES: Final = "guichet.workspaces"
CHECKPOINTS: Final = "guichet.checkpoints"
ACCESS: Final = "guichet.access"
DEAD_LETTERS: Final = "guichet.dead-letters"
CLOCK: Final = "guichet.clock"
REPLAY_PREFIX: Final = "guichet.replay."

SERVICES: Final = ("intake", "compliance", "provisioning", "audit")
EVERY_SERVICE: Final = "all four services"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the wire. `source_prefix` is what the `source` of every event on it begins with; `stream` is which
    trail records it: of decisions, or of who opened what, which is kept for another time."""

    name: str
    writer: str
    foreign: bool
    source_prefix: str
    key: str
    readers: tuple[str, ...]
    partitions_production: int = 12
    partitions_embedded: int = 6
    retention: timedelta = timedelta(days=30)
    stream: str = "trail"

    @property
    def writers(self) -> tuple[str, ...]:
        """The parties that write, one for each topic but those all services write."""
        return SERVICES if self.writer == EVERY_SERVICE else (self.writer,)


_ALL = (
    Topic(PORTAL, "portals", True, "/portals/", "request id", ("intake", "audit")),
    Topic(REQUESTS, "intake", False, "/guichet/intake", "request id", ("compliance", "provisioning", "audit")),
    Topic(AUTHORITIES, "authorities", True, "/authorities/", "request id", ("compliance", "audit")),
    Topic(
        CATALOGUE,
        "holders",
        True,
        "/holders/",
        "dataset id; request id for deliveries and assessments",
        ("intake", "compliance", "provisioning", "audit"),
    ),
    Topic(
        OPTOUTS,
        "persons",
        True,
        "/persons/",
        "person reference; request id for objections to one project",
        ("compliance", "provisioning", "audit"),
    ),
    Topic(
        ENVIRONMENTS,
        "hosts",
        True,
        "/hosts/",
        "environment id; request id for workspaces, incidents and deletions",
        ("intake", "compliance", "provisioning", "audit"),
    ),
    Topic(
        DECISIONS,
        "compliance",
        False,
        "/guichet/compliance",
        "request id; dataset id for the yearly check of its description",
        ("intake", "provisioning", "audit"),
    ),
    Topic(WORKSPACES, "provisioning", False, "/guichet/provisioning", "request id", ("intake", "compliance", "audit")),
    Topic(CHECKPOINTS, EVERY_SERVICE, False, "/guichet/", "log origin, or producer", ("audit",)),
    Topic(ACCESS, "audit", False, "/guichet/audit", "what was read", ("audit",), 1, 1, stream="access"),
    Topic(DEAD_LETTERS, EVERY_SERVICE, False, "/guichet/", "key of the record set aside", ("audit",)),
    Topic(CLOCK, "operator", False, "/guichet/operator", "the word clock", SERVICES, 1, 1),
)

TOPICS: Final[dict[str, Topic]] = {topic.name: topic for topic in _ALL}


def stream_of(topic: str) -> str:
    """Which trail records a topic."""
    known = TOPICS.get(topic)
    return "trail" if known is None else known.stream


def source_belongs(topic: str, source: str) -> bool:
    """Whether a party named `source` may write on `topic`.

    A prefix that ends in a slash needs a name after it, any other is exact.
    """
    known = TOPICS.get(topic)
    if known is None:
        return False
    if known.source_prefix.endswith("/"):
        return len(source) > len(known.source_prefix) and source.startswith(known.source_prefix)
    return source == known.source_prefix
