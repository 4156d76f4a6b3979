"""Facts about the system itself: the clock, records set aside, producers, logs, checkpoints, keys.

No word of the domain.
"""

from typing import Annotated

from pydantic import Field

from contracts import topics
from contracts.facts import OPTIONAL, Fact, Shape
from contracts.sealed import Base64
from contracts.vocabulary import Count, Instant, Positive, Sha256, Word

TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
Partition = Annotated[int, Field(ge=0, le=2**31 - 1)]
Offset = Annotated[int, Field(ge=0, le=2**63 - 1)]
Origin = Annotated[str, Field(pattern=r"^[^\s+]{1,500}$")]
Hash = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$", description="32 bytes in base64.")]
Kebab = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
Actor = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
ShortText = Annotated[str, Field(min_length=1, max_length=200)]
ShortColumn = Annotated[str, Field(min_length=1, max_length=255)]


class ClockSet(Fact):
    """Said when the sandbox clock is moved: from the wall time `wall` on, the clock shows `instant` and runs."""

    event_type = "guichet.clock.set.v1"
    topic = topics.CLOCK

    instant: Instant
    wall: Instant


class RecordHeader(Shape):
    """A header of a record as it came; null and empty are different."""

    name: str
    value: Base64 | None


class DeadLetterFact(Fact):
    """A fact about a record set aside, found again by group, topic, partition and offset."""

    group: Kebab
    record_topic: Annotated[TopicName, Field(description="Topic the record was read from.")]
    partition: Partition
    offset: Offset
    event_id: ShortText | None


class DeadLetterRecorded(DeadLetterFact):
    """Said when a record could not be handled: what kind of trouble, never its text; the record itself when it fits."""

    event_type = "guichet.dead-letter.recorded.v1"
    topic = topics.DEAD_LETTERS

    kind: Word
    code: Kebab
    fingerprint: ShortText
    attempts: Positive
    release: ShortText
    blocks_key: bool
    value_sha256: Sha256 | None
    trace_parent: ShortText | None = OPTIONAL
    key: Base64 | None = OPTIONAL
    value: Base64 | None = OPTIONAL
    headers: tuple[RecordHeader, ...] | None = OPTIONAL


class DeadLetterRedriven(DeadLetterFact):
    """Said when a record set aside is published again under its own id."""

    event_type = "guichet.dead-letter.redriven.v1"
    topic = topics.DEAD_LETTERS

    by: Actor


class DeadLetterDiscarded(DeadLetterFact):
    """Said when a person decides that a record set aside will not be handled."""

    event_type = "guichet.dead-letter.discarded.v1"
    topic = topics.DEAD_LETTERS

    by: Actor
    code: Kebab


class Published(Shape):
    """The last sequence a producer published on one partition in its epoch."""

    topic: TopicName
    partition: Partition
    sequence: Count


class ProducerReported(Fact):
    """Said every ten seconds by each producer, so that a lost tail and a silent producer show."""

    event_type = "guichet.producer.reported.v1"
    topic = topics.CHECKPOINTS

    producer: Kebab
    epoch: Positive
    published: tuple[Published, ...]
    facts_appended: Count
    outbox_pending: Count


class LostRange(Shape):
    """Offsets that are gone for good; `to` is not among them."""

    from_: Annotated[Offset, Field(alias="from")]
    to: Offset


class EpochOpened(Fact):
    """Said when a log begins: every value of its first leaf, so that every consumer starts the same tree."""

    event_type = "guichet.epoch.opened.v1"
    topic = topics.CHECKPOINTS

    origin: Origin
    log_topic: TopicName
    partition: Partition
    first_offset: Offset
    reason: Annotated[int, Field(ge=0, le=3, description="0 first, 1 planned, 2 repartition, 3 break.")]
    previous_origin: Annotated[str, Field(max_length=500)]
    previous_size: Count
    previous_root: Hash
    lost_ranges: tuple[LostRange, ...]
    by: Annotated[tuple[Actor, ...], Field(min_length=2)] | None = OPTIONAL


class DroppedNumber(Shape):
    """A number that was in an epoch that is dropped, while a lower one of its subject is still in the trail."""

    source: ShortColumn
    subject: ShortColumn
    sequence: Positive


class EpochDropped(Fact):
    """Said before the records of an epoch are destroyed, since they were kept as long as they have to be: its tree, its
    last checkpoint, and the numbers that would look lost. Its hashes stay."""

    event_type = "guichet.epoch.dropped.v1"
    topic = topics.CHECKPOINTS

    origin: Origin
    size: Positive
    root: Hash
    note: Annotated[str, Field(min_length=1, max_length=65536)] | None
    ended_at: Instant
    retention_days: Positive
    numbers: Annotated[tuple[DroppedNumber, ...], Field(max_length=1000)]
    by: Annotated[tuple[Actor, ...], Field(min_length=2)]


class CheckpointPublished(Fact):
    """Said when a checkpoint is signed: the three lines and the note with its signatures."""

    event_type = "guichet.checkpoint.published.v1"
    topic = topics.CHECKPOINTS

    origin: Origin
    size: Count
    root: Hash
    note: Annotated[str, Field(min_length=1, max_length=65536)]


class LogKeyRotated(Fact):
    """Said under the old key when another takes its place."""

    event_type = "guichet.log-key.rotated.v1"
    topic = topics.CHECKPOINTS

    old_key: Annotated[str, Field(max_length=4096, description="Verifier key line.")]
    new_key: Annotated[str, Field(max_length=4096, description="Verifier key line.")]


class CertificateKeyRotated(Fact):
    """Said before another key signs certificates of destruction: which one, and from when."""

    event_type = "guichet.certificate-key.rotated.v1"
    topic = topics.CHECKPOINTS

    old_key: Annotated[str, Field(max_length=4096, description="Verifier key line.")]
    new_key: Annotated[str, Field(max_length=4096, description="Verifier key line.")]
    signs_from: Instant


class KeyDestroyed(Fact):
    """Said when the key of a request was destroyed by two persons: what was sealed under it is erased everywhere."""

    event_type = "guichet.key.destroyed.v1"
    topic = topics.CHECKPOINTS

    key_id: Annotated[str, Field(min_length=1, max_length=128)]
    by: Annotated[tuple[Actor, ...], Field(min_length=2)]


class GapFact(Fact):
    """A range that should be in the trail: sequences of a subject or a producer, or offsets of a partition; both
    ends included."""

    kind: Word
    source: ShortText | None
    subject: ShortText | None
    gap_topic: TopicName | None
    partition: Partition | None
    first_missing: Count
    last_missing: Count


class GapFound(GapFact):
    """Said when something that was said is not in the trail."""

    event_type = "guichet.gap.found.v1"
    topic = topics.CHECKPOINTS


class GapClosed(GapFact):
    """Said when what was missing is there."""

    event_type = "guichet.gap.closed.v1"
    topic = topics.CHECKPOINTS


class TrailRead(Fact):
    """Said when recorded bytes are opened, taken away or replayed: who did what, by which door, about what. Never what
    was read, and never what somebody typed to find it: `about` is the id of a request or event, or the name of a log.
    """

    event_type = "guichet.trail.read.v1"
    topic = topics.ACCESS

    act: Word
    by: Actor
    door: Word
    about: Origin | None
    bundle_sha256: Annotated[Sha256, Field(description="Of bundle.json, which names every size.")] | None = OPTIONAL


class TrailChecked(Fact):
    """Said when the whole trail was checked, before anybody is told what came out: which check, by whom, whether
    everything held, and how much did not. Never where: that is for whoever checked.
    """

    event_type = "guichet.trail.checked.v1"
    topic = topics.ACCESS

    check: Word
    by: Actor
    door: Word
    holds: bool
    failures: Count
