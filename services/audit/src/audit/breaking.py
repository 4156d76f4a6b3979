"""Ends a log whose bytes are lost or whose tree is broken, and begins the next epoch, which names what is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from audit import storage
from audit.growth import Log
from audit.openings import Beginning, open_log
from audit.persons import NotTwoPersons, two_persons
from chassis.clock import SandboxClock
from chassis.ends import Span
from chassis.transaction import Transaction
from guichet_verify.checkpoints import Checkpoint, open_checkpoint
from guichet_verify.leaves import BREAK, FirstLeaf, NotALeaf, parse
from guichet_verify.notes import Key, NotANote
from guichet_verify.tree import Frontier, leaf_hash

if TYPE_CHECKING:
    from chassis.database import Connection


PAGE = 2_048
"""Leaves in memory at a time."""


class NotBroken(ValueError):
    """The log cannot be ended; the text says why."""


async def break_log(
    connection: Connection,
    name: str,
    origin: str,
    available: Span,
    by: Sequence[str],
    signed: Checkpoint | None,
    keys: Sequence[Key],
    unreadable_before: int = 0,
) -> tuple[Log, list[tuple[int, int]]]:
    """The new log, and the offsets that are lost (`to` exclusive); over a superuser's connection.

    The old log ends at its newest signed size: never another root for a signed size. That is `signed`, which the signer
    or a witness answers for, or what the table holds if that is more; a log of which nothing was signed ends with its
    first leaf. The new one goes on after the last leaf that the stored bytes prove to be in the signed tree: what was
    recorded after it lies in no tree, so it is read again, and what the broker no longer has of it is named as lost.

    `available` is what the broker still has. Offsets below `unreadable_before` are given up: no consumer can read them.
    The announcement of the new log names who said so. The writer is stopped meanwhile. Raises NotBroken.
    """
    try:
        persons = two_persons(by)
    except NotTwoPersons as error:
        raise NotBroken(str(error)) from None
    async with connection.transaction():
        row = await connection.fetchrow(
            """
            SELECT log_id, topic, part, epoch, state
            FROM audit.log JOIN audit.source USING (log_id, topic, part) WHERE origin = $1 FOR UPDATE OF log
            """,
            origin,
        )
        if row is None:
            raise NotBroken("there is no such log, or a later epoch took over")
        if row["state"] != "active":
            raise NotBroken(f"the log is {row['state']} already")
        roots = await _signed_roots(connection, row["log_id"], origin, signed, keys)
        size, root, after = await _proven(connection, row["log_id"], roots)
        if roots:
            size, root = max(roots.items())
        first, lost = _going_on(after, available, unreadable_before)
        await connection.execute("UPDATE audit.log SET state = 'broken' WHERE log_id = $1", row["log_id"])
        now = await SandboxClock().read(connection)
        transaction = Transaction(connection, now.astimezone(UTC), "audit")
        opened = await open_log(
            transaction,
            name,
            row["topic"],
            row["part"],
            first,
            epoch=row["epoch"] + 1,
            beginning=Beginning(BREAK, origin, size, root, tuple(lost)),
            by=persons,
        )
        await transaction.flush()
    return opened, lost


def _going_on(after: int, available: Span, unreadable_before: int) -> tuple[int, list[tuple[int, int]]]:
    """Where the next epoch begins to read, and what is lost before it.

    A broker that ends before what was recorded was itself set back, and gives the same offsets to other records: all
    that it has is read again, since a record twice in the trail is judged when reading, and one in no tree is not.
    """
    oldest, end = available
    if unreadable_before > end:
        raise NotBroken(f"the broker has nothing up to offset {unreadable_before}: it ends at {end}")
    first = oldest if end < after else max(after, oldest, unreadable_before)
    return first, [(after, first)] if first > after else []


async def _signed_roots(
    connection: Connection, log_id: int, origin: str, signed: Checkpoint | None, keys: Sequence[Key]
) -> dict[int, bytes]:
    """The root of every size that is known to be signed; beside `signed`, a note that does not verify is none."""
    roots: dict[int, bytes] = {}
    for row in await connection.fetch("SELECT tree_size, note FROM audit.checkpoint WHERE log_id = $1", log_id):
        try:
            found = open_checkpoint(row["note"].encode(), keys).checkpoint
        except NotANote as error:
            if signed is None:
                raise NotBroken(f"the checkpoint at size {row['tree_size']} does not verify: {error}") from error
            continue
        if found.origin == origin:
            roots[found.size] = found.root
    if signed is not None and roots.setdefault(signed.size, signed.root) != signed.root:
        raise NotBroken(f"two roots are signed at size {signed.size}: one key speaks for two histories")
    return roots


async def _proven(connection: Connection, log_id: int, roots: Mapping[int, bytes]) -> tuple[int, bytes, int]:
    """The largest signed size whose root the stored leaves lead to, that root, and the offset after its last leaf.

    The first leaf alone where nothing was signed, or nothing that is stored leads there.
    """
    frontier, proven, last = Frontier(), (0, b"", 0), max(roots, default=1)
    while frontier.size < last:
        end = min(last, frontier.size + PAGE)
        leaves = await storage.read_leaves(connection, log_id, frontier.size, end)
        for size in sorted({each for each in (1, *roots) if frontier.size < each <= frontier.size + len(leaves)}):
            count = size - frontier.size
            frontier, _ = frontier.extend([leaf_hash(leaf) for leaf in leaves[:count]])
            if size == 1 or roots[size] == frontier.root():
                proven = size, frontier.root(), _offset_after(leaves[count - 1])
            leaves = leaves[count:]
        frontier, _ = frontier.extend([leaf_hash(leaf) for leaf in leaves])
        if frontier.size < end:  # A leaf is missing: nothing behind it is where it was.
            break
    if not proven[0]:
        raise NotBroken("not even its first leaf is there: guichet audit rebuild")
    return proven


def _offset_after(leaf: bytes) -> int:
    try:
        said = parse(leaf)
    except NotALeaf as error:
        raise NotBroken(f"a stored leaf is none: {error}") from error
    return said.first_offset if isinstance(said, FirstLeaf) else said.offset + 1
