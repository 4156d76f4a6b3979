"""What stands of the trail outside its database: sizes and roots that the signer, a witness or the broker hold.

A database that was set back, or built again from what is older, is whole in itself. Only these show it.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from audit.dropped import Dropped, read_dropped
from audit.publication import read_answer
from audit.reading import Entry
from audit.signing.trail import read_nodes
from audit.stories import record_of
from audit.succession import read_beginnings
from guichet_verify.checkpoints import Checkpoint, open_checkpoint
from guichet_verify.leaves import BREAK, NotALeaf
from guichet_verify.notes import Key, NotANote

if TYPE_CHECKING:
    from chassis.database import Connection

ANSWER_LIMIT = 8 << 20
SIGNER, WITNESS, PUBLISHED = "signer", "witness", "published checkpoint"


class Silent(OSError):
    """Nobody answered there."""


class Anchor(NamedTuple):
    """A checkpoint, and who holds it."""

    by: str
    checkpoint: Checkpoint


class Difference(NamedTuple):
    """A trail that is not what an anchor holds: `found` leaves of the log are there."""

    anchor: Anchor
    found: int
    forked: bool

    def reason(self) -> str:
        """What differs, and with whom, as a code and the sizes."""
        size = self.anchor.checkpoint.size
        if self.forked:
            return f"fork: another root at size {size} than the {self.anchor.by} holds"
        return f"rollback: size {size} is held by the {self.anchor.by}, and {self.found} leaves are there"


async def ask_signer(url: str, keys: Sequence[Key]) -> list[Anchor]:
    """The newest checkpoint that the signer holds of each log, its note verified; raises Silent, NotANote.

    None at all: the signer has lost its state, or never signed.
    """
    found: dict[str, Checkpoint] = {}
    since = 0
    while said := (await _ask(f"{url}/checkpoints?since={since}"))["checkpoints"]:
        for each in map(read_answer, said):
            since = max(since, each.revision)
            if each.token is None:  # One that is stamped is older, and perhaps of a key that is gone.
                opened = open_checkpoint(each.note.encode(), keys).checkpoint
                found[opened.origin] = opened
    return [Anchor(SIGNER, each) for _, each in sorted(found.items())]


async def ask_witness(url: str) -> list[Anchor]:
    """What a witness of ours has cosigned of each log; raises Silent."""
    said = (await _ask(f"{url}/logs"))["logs"]
    held = [Checkpoint(each["origin"], each["size"], bytes.fromhex(each["root"])) for each in said if each["size"]]
    return [Anchor(WITNESS, each) for each in held]


async def read_published(connection: Connection, keys: Sequence[Key]) -> list[Anchor]:
    """The newest checkpoint of each log that the trail itself recorded as published and whose note verifies: whoever
    may write the topic may say anything after it. Inside or outside a transaction."""
    found: dict[str, Checkpoint] = {}
    async with connection.transaction():
        async for row in connection.cursor(_NEWEST_FIRST, prefetch=1000):
            if row["subject"] not in found:
                for checkpoint, _ in _said(tuple(row)[:5], keys):
                    if checkpoint.origin == row["subject"]:
                        found[checkpoint.origin] = checkpoint
    return [Anchor(PUBLISHED, each) for _, each in sorted(found.items())]


async def stream_published(
    connection: Connection, keys: Sequence[Key]
) -> AsyncIterator[tuple[Checkpoint, str, datetime | None]]:
    """Every checkpoint that the trail recorded as published, log by log and rising, with its note and when that was
    said; said again with more signatures it comes again. Inside the caller's transaction."""
    async for row in connection.cursor(_EVERY, prefetch=1000):
        for checkpoint, note in _said(tuple(row)[:5], keys):
            yield checkpoint, note, row["event_time"]


def _said(row: Sequence[Any], keys: Sequence[Key]) -> Iterable[tuple[Checkpoint, str]]:
    try:
        note = json.loads(record_of(Entry(*row)).value or b"")["note"]
        yield open_checkpoint(note.encode(), keys).checkpoint, note
    except (NotALeaf, NotANote, ValueError, KeyError, TypeError, AttributeError):
        return  # Whoever may write the topic may say anything; only what the log signed counts.


async def differences(connection: Connection, anchors: Iterable[Anchor]) -> list[Difference]:
    """Where a trail is smaller than, or another than, what is held of it.

    A log whose bytes were lost for good is as small as it is: that is settled by the first leaf of its next epoch,
    which names the size and root that are held. One that is not there at all was dropped, if the trail says so.
    """
    heads = {row["origin"]: row for row in await connection.fetch(_HEADS)}
    ended = {each.previous_origin: each for each in await read_beginnings(connection) if each.reason == BREAK}
    anchors = list(anchors)
    dropped = (await read_dropped(connection, (each.checkpoint.origin for each in anchors))).by_origin
    found = []
    for anchor in anchors:
        origin, size, root = anchor.checkpoint
        head, end = heads.get(origin), ended.get(origin)
        there = 0 if head is None else head["tree_size"]
        if end is not None and (end.previous_size, end.previous_root) == (size, root):
            continue
        if head is None and origin in dropped and _within(dropped[origin], size, root):
            continue
        if there < size:
            found.append(Difference(anchor, there, forked=False))
        elif head is not None and (await read_nodes(connection, head["log_id"], [(0, size)]))[0] != root:
            found.append(Difference(anchor, there, forked=True))
    return found


def _within(said: Dropped, size: int, root: bytes) -> bool:
    """Whether a checkpoint can be one of a log that ended so."""
    return size < said.fact.size or (size, root) == (said.fact.size, said.root)


async def _ask(url: str) -> dict[str, Any]:
    def ask() -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=10) as response:
            said: dict[str, Any] = json.loads(response.read(ANSWER_LIMIT))
            return said

    try:
        return await asyncio.to_thread(ask)
    except (OSError, ValueError) as error:
        raise Silent(f"{url.partition('?')[0]} does not answer") from error


_HEADS = "SELECT log_id, origin, tree_size FROM audit.log JOIN audit.head USING (log_id)"

_RECORDED = r"""
SELECT origin, leaf_index, leaf, leaf_hash, NULL::bytea, subject, event_time
FROM audit.entry JOIN audit.log USING (log_id)
WHERE event_type = 'guichet.checkpoint.published.v1' AND topic = 'guichet.checkpoints' AND subject IS NOT NULL
"""
# A checkpoint is on one partition with those of its log: the newest by place is the newest by size.
_NEWEST_FIRST = f"{_RECORDED} ORDER BY subject, log_id DESC, leaf_index DESC"
_EVERY = f"{_RECORDED} ORDER BY subject, log_id, leaf_index"
