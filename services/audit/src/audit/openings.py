"""New logs: each a tree with its first leaf, its partition of `entry` and its source, announced to every reader.

Only a superuser's session opens one, at deployment: the writer's role can define nothing.
"""

from __future__ import annotations

import base64
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from audit import storage
from audit.growth import Log, open_growth, origin_of
from chassis.clock import SandboxClock
from chassis.transaction import Transaction
from contracts.system import EpochOpened, LostRange
from guichet_verify.leaves import BREAK, FIRST, FirstLeaf
from guichet_verify.tree import EMPTY_ROOT

if TYPE_CHECKING:
    from chassis.database import Connection

NO_ROOT = bytes(32)


class Beginning(NamedTuple):
    """Why a log begins and what it goes on from: all that its first leaf says beside its origin and offset."""

    reason: int = FIRST
    previous_origin: str = ""
    previous_size: int = 0
    previous_root: bytes = NO_ROOT
    lost: tuple[tuple[int, int], ...] = ()


FROM_NOTHING = Beginning()


async def open_log(
    transaction: Transaction,
    name: str,
    topic: str,
    part: int,
    first_offset: int,
    *,
    epoch: int = 1,
    beginning: Beginning = FROM_NOTHING,
    announce: bool = True,
    by: tuple[str, ...] | None = None,
) -> Log:
    """A new log of size 1 that its partition is read into from `first_offset` on, in the caller's transaction.

    Without `announce` it is one that was announced before, and whose database is built again. `by` are the persons who
    asked for it, when persons did.
    """
    connection = transaction.connection
    log_id = await connection.fetchval("SELECT coalesce(max(log_id), 0) + 1 FROM audit.log")
    log = Log(log_id, origin_of(name, topic, part, epoch), topic, part, first_offset, 0, EMPTY_ROOT)
    await connection.execute(
        "INSERT INTO audit.log (log_id, origin, topic, part, epoch) VALUES ($1, $2, $3, $4, $5)",
        log_id,
        log.origin,
        topic,
        part,
        epoch,
    )
    await connection.execute(f"CREATE TABLE audit.entry_{log_id:d} PARTITION OF audit.entry FOR VALUES IN ({log_id:d})")
    await connection.execute("SELECT guard.dress($1::text::regclass)", f"audit.entry_{log_id:d}")
    await connection.execute("INSERT INTO audit.head (log_id, tree_size, root) VALUES ($1, 0, $2)", log_id, EMPTY_ROOT)
    await connection.execute(
        """
        INSERT INTO audit.source (topic, part, log_id, next_offset) VALUES ($1, $2, $3, $4)
        ON CONFLICT (topic, part) DO UPDATE SET log_id = excluded.log_id, next_offset = excluded.next_offset
        """,
        topic,
        part,
        log_id,
        first_offset,
    )
    leaf = FirstLeaf(log.origin, first_offset, *beginning)
    growth = open_growth(log, leaf)
    await storage.append(connection, [growth])
    if announce:
        transaction.say(announcement(leaf, topic, part, by), subject=log.origin, key=log.origin)
    return growth.grown


async def open_again(connection: Connection, name: str, first: FirstLeaf) -> Log:
    """A log that was announced with this first leaf before, in a database that is built again; what went before it ends
    with it. In a transaction of its own."""
    async with connection.transaction():
        if first.previous_origin:
            state = "broken" if first.reason == BREAK else "frozen"
            await connection.execute("UPDATE audit.log SET state = $2 WHERE origin = $1", first.previous_origin, state)
        transaction = Transaction(connection, (await SandboxClock().read(connection)).astimezone(UTC), "audit")
        topic, part, epoch = first.origin.rsplit("/", 3)[1:]
        return await open_log(
            transaction,
            name,
            topic,
            int(part),
            first.first_offset,
            epoch=int(epoch),
            beginning=Beginning(*first[2:]),
            announce=False,
        )


def announcement(leaf: FirstLeaf, topic: str, part: int, by: tuple[str, ...] | None = None) -> EpochOpened:
    """What every reader is told of a first leaf, so that all begin with the same one."""
    return EpochOpened(
        origin=leaf.origin,
        log_topic=topic,
        partition=part,
        first_offset=leaf.first_offset,
        reason=leaf.reason,
        previous_origin=leaf.previous_origin,
        previous_size=leaf.previous_size,
        previous_root=base64.b64encode(leaf.previous_root).decode(),
        lost_ranges=tuple(LostRange(from_=since, to=until) for since, until in leaf.lost),
        by=by,
    )
