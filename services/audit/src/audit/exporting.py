"""Bundles of the trail: what was asked for, at signed sizes, streamed as a zip file that an auditor verifies alone."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from audit import holdings
from audit.packing import Packer
from audit.proving import AT_ONCE, prove_consistency, prove_inclusion, prove_range
from audit.signed import SignedLog, read_signed, read_signed_size
from audit.stories import read_story, record_of
from contracts.envelope import write_time
from guichet_verify.encoding import write_hashes
from guichet_verify.leaves import BLOB_LIMIT, CLAIM
from guichet_verify.manifest import ALL, LOG, SUBJECT, AsOf, LogPart, Manifest, Scope, Subject
from guichet_verify.members import in_path_order, tile_name, tile_path, tile_width
from guichet_verify.stories import Stories
from guichet_verify.tiles import WIDTH, full_tiles, levels, partial_width

if TYPE_CHECKING:
    from chassis.database import Connection

TOOL = "guichet audit export"


class NotExported(ValueError):
    """What was asked for cannot be given; `code` names the rule, the text says it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a bundle is asked to hold: everything, one log or a range of it, or all about a request or subject.

    `as_of` is an instant: the sizes are then the largest that were published by it, with `stamped` the largest for
    which there is a token (RFC 3161), given by it. `sizes` gives them directly, and must name signed ones; other logs
    are left out.
    `since` maps origins to sizes that the reader holds, for which the bundle proves that nothing before them changed.
    """

    kind: str = ALL
    value: str | None = None
    between: tuple[int, int] | None = None
    as_of: datetime | None = None
    since: Mapping[str, int] = field(default_factory=dict)
    stamped: bool = False
    sizes: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A bundle decided but for its bytes."""

    manifest: Manifest
    logs: Sequence[SignedLog]
    blobs: Sequence[bytes]
    stories: Sequence[bytes]
    gaps: Sequence[str]

    @property
    def digest(self) -> str:
        """SHA-256 of bundle.json in hex, which names every size: of the same sizes every bundle has the same bytes."""
        return hashlib.sha256(self.manifest.write()).hexdigest()

    @property
    def dropped(self) -> list[str]:
        """The logs that are in it with their checkpoint and no leaf, because their records were dropped."""
        return [log.origin for log in self.logs if log.dropped]

    @property
    def leaves(self) -> int:
        return sum(part.end - part.start if part.indexes is None else len(part.indexes) for part in self.manifest.logs)


async def plan(connection: Connection, wanted: Wanted) -> Plan:
    """Decides what goes into a bundle; raises NotExported. Inside a transaction that sees one state of the trail."""
    signed = await _signed(connection, wanted)
    if not signed:
        raise NotExported("nothing-signed", "no checkpoint of any log was published by then")
    if wanted.kind == SUBJECT:
        return await _plan_subjects(connection, wanted, signed)
    if wanted.kind == LOG:
        signed = [log for log in signed if log.origin == wanted.value]
        if not signed:
            raise NotExported("unknown-log", "no checkpoint of this log was published by then")
    elif wanted.sizes is None and (gone := sorted(wanted.since.keys() - {log.origin for log in signed})):
        raise NotExported("held-ahead", f"nothing is signed of what is held: {', '.join(gone)}: a rollback")
    parts = [_range(log, wanted) for log in signed]
    blobs, absent = await _blobs(connection, signed, parts)
    complete = all(part.whole for part in parts)
    return Plan(_manifest(wanted, signed, parts, complete, (), absent), signed, blobs, (), ())


async def _signed(connection: Connection, wanted: Wanted) -> list[SignedLog]:
    """The logs at the sizes that are asked for."""
    if wanted.sizes is None:
        return await read_signed(connection, until=wanted.as_of, stamped=wanted.stamped)
    found = {origin: await read_signed_size(connection, origin, size) for origin, size in sorted(wanted.sizes.items())}
    if unsigned := [f"{origin} at size {wanted.sizes[origin]}" for origin, log in found.items() if log is None]:
        raise NotExported("unsigned-size", f"not signed: {', '.join(unsigned)}")
    return [log for log in found.values() if log is not None]


async def stream(connection: Connection, decided: Plan, tell: Callable[[int], None]) -> AsyncGenerator[bytes, None]:
    """The bytes of the bundle, in pieces; `tell` hears how many leaves were written. In the plan's transaction."""
    packer, manifest = Packer(), decided.manifest
    yield packer.add("bundle.json", manifest.write())
    for digest in decided.blobs:
        yield packer.add(f"blobs/{digest.hex()}", await holdings.read_blob(connection, digest))
    for number in sorted(range(len(manifest.logs)), key=str):
        log, part = decided.logs[number], manifest.logs[number]
        async for name, data in _log_files(connection, log, part, tell):
            yield packer.add(f"logs/{number}/{name}", data)
    for number in sorted(range(len(decided.stories)), key=lambda each: f"{each}.json"):
        yield packer.add(f"state/{number}.json", decided.stories[number])
    yield packer.end()


async def _log_files(
    connection: Connection, log: SignedLog, part: LogPart, tell: Callable[[int], None]
) -> AsyncIterator[tuple[str, bytes]]:
    yield "checkpoint", log.note
    if log.token is not None:
        yield "checkpoint.tsr", log.token
    for old in sorted(part.older, key=str):
        yield f"consistency/{old}", write_hashes(await prove_consistency(connection, log, old))
    if part.indexes is not None:
        async for file in _points(connection, log, part.indexes, tell):
            yield file
        return
    if not part.whole:
        yield "range.proof", write_hashes(await prove_range(connection, log, part.start, part.end))
    else:
        for level in range(levels(log.size)):
            count = full_tiles(level, log.size) + bool(partial_width(level, log.size))
            for index in in_path_order(0, count):
                width = tile_width(level, index, log.size)
                yield (
                    f"tile/{tile_name(level, index, width)}",
                    await holdings.read_hashes(connection, log, level, index, width),
                )
    for index in in_path_order(part.start // WIDTH, -(-part.end // WIDTH)):
        width = tile_width(0, index, log.size)
        leaves = await holdings.read_leaves(connection, log, index * WIDTH, width)
        yield f"tile/entries/{tile_path(index, width)}", write_entries(leaves)
        tell(width)


async def _points(
    connection: Connection, log: SignedLog, indexes: Sequence[int], tell: Callable[[int], None]
) -> AsyncIterator[tuple[str, bytes]]:
    for index in sorted(indexes, key=str):
        (leaf,) = await holdings.read_leaves(connection, log, index, 1)
        yield f"entry/{index}", leaf
        tell(1)
    ordered = sorted(indexes, key=lambda each: f"{each}.tlog-proof")
    for first in range(0, len(ordered), AT_ONCE):
        for proof in await prove_inclusion(connection, log, ordered[first : first + AT_ONCE]):
            yield f"proof/{proof.index}.tlog-proof", proof.write()


def write_entries(leaves: Sequence[bytes]) -> bytes:
    """An entry bundle (C2SP tlog-tiles): each leaf after its length in 16 bits."""
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def _range(log: SignedLog, wanted: Wanted) -> LogPart:
    """The whole log, or the range asked for widened to whole tiles; of one whose records were dropped no leaf, so that
    what was held of it can still be shown to be the same."""
    if log.dropped:
        if wanted.between is not None:
            raise NotExported("dropped", f"the records of {log.origin} were dropped: their retention was over")
        return LogPart(log.origin, log.size, 0, 0, (), _older(log, wanted))
    start, end = wanted.between or (0, log.size)
    if not 0 <= start < end <= log.size:
        raise NotExported("range", f"the signed log has leaves 0 to {log.size - 1}; a range A:B ends before B")
    start, end = start // WIDTH * WIDTH, min(log.size, -(-end // WIDTH) * WIDTH)
    return LogPart(log.origin, log.size, start, end, None, _older(log, wanted))


def _older(log: SignedLog, wanted: Wanted) -> tuple[int, ...]:
    held = wanted.since.get(log.origin, 0)
    if held > log.size:
        raise NotExported("held-ahead", f"what is held of {log.origin} is larger than what is signed: a rollback")
    return (held,) if 1 <= held < log.size else ()


async def _blobs(
    connection: Connection, logs: Sequence[SignedLog], parts: Sequence[LogPart]
) -> tuple[list[bytes], tuple[str, ...]]:
    """The blobs that these parts claim, and the digests of those too large for any verifier."""
    blobs, absent = [], []
    for digest, length in await holdings.read_claims(connection, logs, parts):
        if length is None:
            raise NotExported("blob-missing", "a large record is missing from the trail: guichet audit verify")
        if length > BLOB_LIMIT:
            absent.append(digest.hex())
        else:
            blobs.append(digest)
    return blobs, tuple(absent)


async def _plan_subjects(connection: Connection, wanted: Wanted, signed: Sequence[SignedLog]) -> Plan:
    story = await read_story(connection, wanted.value or "")
    by_origin = {log.origin: log for log in signed}
    found = await holdings.read_about(connection, story.subjects, signed)
    if not found:
        raise NotExported("unknown-id", "nothing about this id is in the signed trail")
    indexes: dict[str, list[int]] = {}
    blobs: dict[bytes, int] = {}
    stories = Stories(story.subjects, keep=True)
    for entry in sorted(found, key=lambda each: (each.origin, each.leaf_index)):
        indexes.setdefault(entry.origin, []).append(entry.leaf_index)
        if entry.leaf[4] == CLAIM:
            if entry.blob is None:
                raise NotExported("blob-missing", "a large record is missing from the trail: guichet audit verify")
            blobs[entry.leaf[-32:]] = len(entry.blob)
            if len(entry.blob) > BLOB_LIMIT:
                continue  # A verifier reads no larger blob, so its record has no attributes for him.
        stories.listen(entry.origin, entry.leaf_index, record_of(entry))
    told = [stories.of(subject) for subject in story.subjects if stories.of(subject).events]
    logs = [by_origin[origin] for origin in indexes]
    parts = [LogPart(log.origin, log.size, 0, 0, tuple(indexes[log.origin]), _older(log, wanted)) for log in logs]
    subjects = tuple(Subject(telling.subject, telling.last()) for telling in told)
    gaps = [f"{each.subject}: {gap}" for each in told for gap in each.gaps(each.last())]
    value = wanted.value if any(each.name == wanted.value for each in subjects) else subjects[0].name
    asked = Wanted(SUBJECT, value, None, wanted.as_of, wanted.since)
    absent = tuple(sorted(digest.hex() for digest, length in blobs.items() if length > BLOB_LIMIT))
    manifest = _manifest(asked, logs, parts, not gaps, subjects, absent)
    kept = sorted(digest for digest, length in blobs.items() if length <= BLOB_LIMIT)
    return Plan(manifest, logs, kept, [telling.text() for telling in told], gaps)


def _manifest(
    wanted: Wanted,
    logs: Sequence[SignedLog],
    parts: Sequence[LogPart],
    complete: bool,
    subjects: tuple[Subject, ...],
    absent: tuple[str, ...],
) -> Manifest:
    published = [log.published_at for log in logs if log.published_at is not None]
    return Manifest(
        # Of the same sizes every bundle has the same bytes, so the time is that of its newest checkpoint.
        write_time(max(published).astimezone(UTC)) if published else "",
        TOOL,
        Scope(wanted.kind, wanted.value, complete),
        AsOf(None if wanted.as_of is None else write_time(wanted.as_of.astimezone(UTC)), _basis(wanted)),
        tuple(parts),
        subjects,
        absent,
    )


def _basis(wanted: Wanted) -> str:
    """By what the sizes stand for a moment (`as_of` of bundle.json)."""
    if wanted.sizes is not None:
        return "sizes"
    return "token" if wanted.stamped else "now" if wanted.as_of is None else "published"
