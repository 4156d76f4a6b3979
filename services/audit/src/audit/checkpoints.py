"""The table of checkpoints looked at: whoever may write it could enter what nobody signed, or under another day."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from audit.inspection import StoredLog, read_stored_logs
from audit.reading import read_by_type
from audit.report import Report
from audit.signing.trail import read_nodes
from audit.stories import record_of
from contracts.topics import CHECKPOINTS
from guichet_verify.checkpoints import open_checkpoint
from guichet_verify.leaves import NotALeaf, Record, parse
from guichet_verify.notes import Key, NotAKey, NotANote, read_vkey

if TYPE_CHECKING:
    from chassis.database import Connection

AT_ONCE = 500
"""Checkpoints looked at together."""
SAME = timedelta(seconds=1)
"""A fact tells its time in milliseconds, the table in microseconds."""


async def check_checkpoints(connection: Connection, report: Report, keys: Sequence[Key]) -> None:
    """Adds each checkpoint of the table that no key of the logs signed, that its tree does not lead to, or that is
    entered under another time than the trail says it was published at: what was known "as of" rests on that.

    `keys` are those that are trusted, and what they handed over to or took over from is told by the trail. Inside a
    transaction that sees one state of the trail; without keys nothing can be said.
    """
    known = await trusted_ever(connection, keys)
    for log in await read_stored_logs(connection) if known else ():
        said = {} if log.dropped else await _published(connection, log)
        page: list[tuple[int, str, datetime | None]] = []
        async for row in connection.cursor(_CHECKPOINTS, log.log_id, prefetch=AT_ONCE):
            page.append(tuple(row))
            if len(page) == AT_ONCE:
                await _check(connection, report, log, page, known, said)
                page = []
        if page:
            await _check(connection, report, log, page, known, said)


async def trusted_ever(connection: Connection, keys: Sequence[Key]) -> list[Key]:
    """The keys, and every key that one of them took over from or handed over to (guichet.log-key.rotated.v1)."""
    known = list(keys)
    turns = []
    for entry in await read_by_type(connection, [ROTATED]):
        try:
            said = json.loads(record_of(entry).value or b"")
            turns.append({read_vkey(said["old_key"]), read_vkey(said["new_key"])})
        except (NotALeaf, NotAKey, ValueError, KeyError, TypeError):
            continue  # Whoever may write the topic may say anything.
    while joined := [turn for turn in turns if turn & set(known) and turn - set(known)]:
        known += [key for key in joined[0] if key not in known]
    return known


async def _check(
    connection: Connection,
    report: Report,
    log: StoredLog,
    page: Sequence[tuple[int, str, datetime | None]],
    keys: Sequence[Key],
    said: dict[int, datetime],
) -> None:
    roots = await read_nodes(connection, log.log_id, [(0, size) for size, _, _ in page if size <= log.size])
    there = iter(roots)
    for size, note, published_at in page:
        root = next(there) if size <= log.size else None
        try:
            found = open_checkpoint(note.encode(), keys).checkpoint
        except NotANote as error:
            report.fail("L1", log.origin, None, f"checkpoint at size {size}: {error}")
            continue
        if (found.origin, found.size) != (log.origin, size):
            report.fail("L1", log.origin, None, f"checkpoint at size {size}: of another log or size")
        elif root is not None and found.root != root:
            report.fail("L2", log.origin, None, f"checkpoint at size {size}: the tree does not lead to it")
        elif published_at is not None and size in said and abs(published_at - said[size]) > SAME:
            report.fail("L2", log.origin, None, f"checkpoint at size {size}: entered under another time than said")


async def _published(connection: Connection, log: StoredLog) -> dict[int, datetime]:
    """When each size of a log was first said to be published: after its announcement, which stays as it does."""
    found: dict[int, datetime] = {}
    async for row in connection.cursor(_SAID, log.origin, CHECKPOINTS, prefetch=AT_ONCE):
        try:
            leaf = parse(row["leaf"])
            size = json.loads((leaf.value if isinstance(leaf, Record) else None) or b"")["size"]
        except (NotALeaf, ValueError, KeyError, TypeError):
            continue
        if isinstance(size, int) and row["event_time"] is not None:
            found.setdefault(size, row["event_time"])
    return found


ROTATED = "guichet.log-key.rotated.v1"
_CHECKPOINTS = "SELECT tree_size, note, published_at FROM audit.checkpoint WHERE log_id = $1 ORDER BY tree_size"
_SAID = """
SELECT leaf, event_time FROM audit.entry JOIN audit.log USING (log_id)
WHERE subject = $1 AND event_type = 'guichet.checkpoint.published.v1' AND source = '/guichet/audit' AND topic = $2
ORDER BY log_id, leaf_index
"""
