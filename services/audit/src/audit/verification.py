"""The live trail checked from its bytes up: leaves, blobs, tiles, heads, batches, then what producers numbered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from audit import inspection, reading
from audit.anchors import Anchor, differences, read_published
from audit.completeness import check_sequences
from audit.dropped import Dropped, read_dropped
from audit.growth import NO_OFFSET, columns_of
from audit.inspection import StoredBatch, StoredLeaf, StoredLog
from audit.producers import Numbering
from audit.report import Report
from audit.signing.trail import read_nodes
from audit.succession import check_succession, read_beginnings
from audit.windows import Windows
from contracts.topics import TOPICS
from guichet_verify.leaves import BREAK, Claim, FirstLeaf, NotALeaf, Record, parse, parse_blob
from guichet_verify.notes import Key
from guichet_verify.tiles import WIDTH, Edge, all_tiles
from guichet_verify.tree import leaf_hash

if TYPE_CHECKING:
    from chassis.database import Connection

Progress = Callable[[int], None]
"""Told how many leaves were checked since it was last told."""


async def verify_live(
    connection: Connection,
    progress: Progress | None = None,
    anchors: Sequence[Anchor] = (),
    keys: Sequence[Key] = (),
) -> Report:
    """Checks a whole trail as it stood at one moment, in memory that does not grow with it.

    `connection` is a direct one to the audit database or a copy of it, outside any transaction and without a statement
    time limit; nothing is written. Whether the whole was set back or rewritten consistently only an older checkpoint
    shows: `anchors` are those of the signer and the witness, asked for before, and with the `keys` of logs what the
    trail recorded as published is held against it too.
    """
    report = Report()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        numbered: dict[tuple[str, int], tuple[str, Numbering]] = {}
        dropped = await read_dropped(connection)
        following = {first.previous_origin: first for first in await read_beginnings(connection)}
        for log in await inspection.read_stored_logs(connection):
            report.logs += 1
            if log.dropped:
                report.dropped += 1
                said = dropped.by_origin.get(log.origin)
                await _DroppedCheck(connection, log, report).run(said, following.get(log.origin))
                continue
            # A producer numbers a partition, whatever epoch it is read into; what went before one that is left may
            # have been dropped with its epoch.
            _, numbering = numbered.get((log.topic, log.part), ("", Numbering(partial=not log.origin.endswith("/1"))))
            numbered[log.topic, log.part] = log.origin, numbering
            await _LogCheck(connection, log, report, progress or (lambda _: None), numbering).run()
        _check_numbers(numbered.values(), report)
        if not report.logs:
            report.fail("L2", None, None, "no-log-recorded")
        elif await inspection.count_leaves(connection) != report.leaves:
            report.fail("L2", None, None, "leaves-of-no-log")
        await check_succession(connection, report)
        published = await read_published(connection, keys) if keys else []
        for difference in await differences(connection, [*anchors, *published]):
            report.fail("L3", difference.anchor.checkpoint.origin, None, difference.reason())
        await check_sequences(connection, report, dropped)
    return report


async def verify_log(connection: Connection, origin: str) -> Report:
    """Checks one log whose records are there from its bytes up, inside the caller's transaction."""
    report = Report()
    for log in await inspection.read_stored_logs(connection):
        if log.origin == origin:
            report.logs += 1
            await _LogCheck(connection, log, report, lambda _: None, Numbering(partial=True)).run()
    return report


def _check_numbers(numbered: Iterable[tuple[str, Numbering]], report: Report) -> None:
    for origin, numbering in numbered:
        report.producers += len(numbering)
        for epoch, first, last in numbering.missing():
            report.fail("L6", origin, None, f"producer-numbers-missing: {epoch}/{first} to {last}")


class _TreeCheck:
    """The tree of one log: its tiles, and its head."""

    def __init__(self, connection: Connection, log: StoredLog, report: Report) -> None:
        self._connection, self._log, self._report = connection, log, report
        self._edge = Edge()
        self._whole = True
        self._spoiled: set[int] = set()

    def _fail(self, index: int | None, reason: str) -> None:
        self._report.fail("L2", self._log.origin, index, reason)

    async def _grow(self, hashes: list[bytes]) -> None:
        """Appends hashes and compares every tile that they touch with the stored one, hash by hash.

        Behind a missing leaf every hash would stand at another place: nothing is compared from there on.
        """
        self._edge, touched = self._edge.extend(hashes)
        if not self._whole:
            return
        places = [(tile.level, tile.number) for tile in touched]
        stored = await reading.read_tiles(self._connection, self._log.log_id, places)
        for tile in touched:
            found = stored.get((tile.level, tile.number), b"")
            if found[: len(tile.hashes)] == tile.hashes:
                continue
            for at in range(tile.width):
                if found[32 * at : 32 * (at + 1)] != tile.hashes[32 * at : 32 * (at + 1)]:
                    self._differ(tile.level, tile.number * WIDTH + at)

    def _differ(self, level: int, node: int) -> None:
        """A hash is not the stored one; above leaves that differ this is no news."""
        index = node * WIDTH**level
        if level == 0:
            self._spoiled.add(index // WIDTH)
            self._fail(index, "leaf-differs-from-its-tile")
        elif not any(index <= tile * WIDTH < index + WIDTH**level for tile in self._spoiled):
            self._fail(index, "tile-differs")

    async def _end(self) -> None:
        if self._edge.size != self._log.size:
            self._fail(None, "size-differs")
        elif self._edge.root() != self._log.root:
            self._fail(None, "head-differs")
        expected = sum(1 for _ in all_tiles(self._log.size))
        hashes = sum(width for _, _, width in all_tiles(self._log.size))
        if await inspection.count_tiles(self._connection, self._log.log_id) != (expected, hashes):
            self._fail(None, "tiles-of-another-size")
        self._report.tiles += expected


class _LogCheck(_TreeCheck):
    """One log, leaf by leaf."""

    def __init__(
        self, connection: Connection, log: StoredLog, report: Report, progress: Progress, numbering: Numbering
    ) -> None:
        super().__init__(connection, log, report)
        self._progress = progress
        self._next_offset = 0
        self._numbering = numbering
        self._windows = Windows(())
        self._numbered = log.topic not in TOPICS or not TOPICS[log.topic].foreign

    async def run(self) -> None:
        try:
            self._windows = Windows(await inspection.read_tokens(self._connection, self._log.log_id))
        except ValueError:
            self._report.fail("L5", self._log.origin, None, "token-unreadable")
        batches = _Batches(inspection.stream_batches(self._connection, self._log.log_id), self._fail)
        index = 0
        async for page in inspection.stream_leaves(self._connection, self._log.log_id):
            hashes = []
            for stored in page:
                if stored.leaf_index != index:
                    self._fail(index, f"leaves-missing: {index} to {stored.leaf_index - 1}")
                    self._whole = False
                index = stored.leaf_index + 1
                hashes.append(leaf_hash(stored.leaf))
                if hashes[-1] != stored.leaf_hash:
                    self._fail(stored.leaf_index, "leaf-differs-from-its-hash")
                self._check_leaf(stored)
                await batches.check(stored)
            await self._grow(hashes)
            self._report.leaves += len(page)
            self._progress(len(page))
        await batches.end(index, self._log.next_offset)
        self._report.batches += batches.count
        await self._end()

    def _check_leaf(self, stored: StoredLeaf) -> None:
        try:
            leaf = parse(stored.leaf)
            if isinstance(leaf, Claim):
                self._report.blobs += 1
                if stored.blob is None:
                    return self._fail(stored.leaf_index, "blob-missing")
                leaf = parse_blob(leaf, stored.blob)
        except NotALeaf as error:
            return self._fail(stored.leaf_index, f"not-a-leaf: {error}")
        if isinstance(leaf, FirstLeaf) != (stored.leaf_index == 0):
            return self._fail(stored.leaf_index, "first-leaf-out-of-place")
        if isinstance(leaf, FirstLeaf):
            return self._check_first(leaf, stored)
        return self._check_record(leaf, stored)

    def _check_first(self, leaf: FirstLeaf, stored: StoredLeaf) -> None:
        self._next_offset = leaf.first_offset
        if leaf.origin != self._log.origin:
            self._fail(0, "first-leaf-of-another-log")
        if stored.kafka_offset != NO_OFFSET or any(column is not None for column in stored.columns):
            self._fail(0, "columns-differ-from-leaf")

    def _check_record(self, record: Record, stored: StoredLeaf) -> None:
        if (record.topic, record.partition) != (self._log.topic, self._log.part):
            self._fail(stored.leaf_index, "record-of-another-log")
        if record.offset < self._next_offset:
            self._fail(stored.leaf_index, "offset-does-not-rise")
        self._next_offset = record.offset + 1
        if stored.kafka_offset != record.offset or stored.columns != columns_of(record):
            self._fail(stored.leaf_index, "columns-differ-from-leaf")
        if self._numbered:
            self._numbering.add(record)
            said = stored.columns.event_time
            if said is not None and (reason := self._windows.refuses(stored.leaf_index, said)) is not None:
                self._report.fail("L5", self._log.origin, stored.leaf_index, reason)


class _DroppedCheck(_TreeCheck):
    """One log whose records were dropped: that it was said, when it was due, and the tree that stays of it."""

    async def run(self, said: Dropped | None, following: FirstLeaf | None) -> None:
        if said is None:
            self._fail(None, "dropped-without-a-word")
        elif not said.was_due():
            self._fail(None, "dropped-too-early")
        batches = _Batches(inspection.stream_batches(self._connection, self._log.log_id), self._fail)
        async for tile in inspection.stream_leaf_tiles(self._connection, self._log.log_id):
            await self._grow([tile[at : at + 32] for at in range(0, len(tile), 32)])
        await batches.end(self._edge.size, None)
        self._report.batches += batches.count
        await self._end()
        if said is not None and not await self._is(said, following):
            self._fail(None, "dropped-otherwise-than-said")

    async def _is(self, said: Dropped, following: FirstLeaf | None) -> bool:
        """What was said is what the next epoch names, and where the tree leads; a broken log may have lost leaves."""
        size, root = said.fact.size, said.root
        if following is not None and (following.previous_size, following.previous_root) != (size, root):
            return False
        if size > self._log.size:
            return following is None or following.reason == BREAK
        return (await read_nodes(self._connection, self._log.log_id, [(0, size)]))[0] == root


class _Window(NamedTuple):
    """Where the current batch ends."""

    end_index: int
    offset_from: int
    offset_to: int


class _Batches:
    """The batches of a log, walked beside its leaves."""

    def __init__(self, batches: AsyncIterator[StoredBatch], fail: Callable[[int | None, str], None]) -> None:
        self._batches, self._fail = batches, fail
        self._window: _Window | None = None
        self.count = 0

    async def check(self, stored: StoredLeaf) -> None:
        """A leaf stands in the batch that has its index, within the batch's offsets."""
        while self._window is None or stored.leaf_index >= self._window.end_index:
            if not await self._advance():
                return self._fail(stored.leaf_index, "leaf-of-no-batch")
        window = self._window
        if stored.kafka_offset != NO_OFFSET and not window.offset_from <= stored.kafka_offset < window.offset_to:
            return self._fail(stored.leaf_index, "offset-outside-its-batch")
        return None

    async def end(self, size: int, next_offset: int | None) -> None:
        """After the last leaf there is no further batch, and reading goes on where the last one ended."""
        while await self._advance():
            pass
        if self._window and self._window.end_index != size:
            self._fail(size, "batch-without-leaves")
        if self._window and next_offset is not None and self._window.offset_to != next_offset:
            self._fail(None, "source-differs-from-last-batch")

    async def _advance(self) -> bool:
        batch = await anext(self._batches, None)
        if batch is None:
            return False
        before = self._window
        if before and (batch.first_index, batch.offset_from) != (before.end_index, before.offset_to):
            self._fail(batch.first_index, "batches-do-not-join")
        self._window = _Window(batch.first_index + batch.n, batch.offset_from, batch.offset_to)
        self.count += 1
        return True
