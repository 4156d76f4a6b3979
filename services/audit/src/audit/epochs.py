"""Planned epochs: a log is frozen at its signed head, and its partition is read on into the next one.

Once a year, so that a whole epoch can be dropped when its retention has passed, its last checkpoint kept.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from audit.growth import Log
from audit.openings import Beginning, open_log
from chassis.clock import SandboxClock
from chassis.transaction import Transaction
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.leaves import PLANNED

if TYPE_CHECKING:
    from chassis.database import Connection


class NotOpened(ValueError):
    """The log cannot be frozen here; the text says why."""


async def open_epoch(connection: Connection, name: str, signed: Checkpoint) -> Log:
    """The next epoch of a log whose newest checkpoint is `signed`, over a superuser's connection.

    It begins where the log ends: nothing may have been recorded that is not signed, or a witness that is not as far
    could not follow. So its writer is stopped, and the signer has caught up. Raises NotOpened.
    """
    async with connection.transaction():
        row = await connection.fetchrow(
            """
            SELECT log_id, topic, part, epoch, state, next_offset, tree_size, root
            FROM audit.log JOIN audit.head USING (log_id) JOIN audit.source USING (log_id, topic, part)
            WHERE origin = $1 FOR UPDATE OF log
            """,
            signed.origin,
        )
        if row is None:
            raise NotOpened("there is no such log, or a later epoch took over")
        if row["state"] != "active":
            raise NotOpened(f"the log is {row['state']} already")
        if (row["tree_size"], row["root"]) != (signed.size, signed.root):
            raise NotOpened(f"the log is at size {row['tree_size']}, and signed at {signed.size}")
        await connection.execute("UPDATE audit.log SET state = 'frozen' WHERE log_id = $1", row["log_id"])
        now = await SandboxClock().read(connection)
        transaction = Transaction(connection, now.astimezone(UTC), "audit")
        opened = await open_log(
            transaction,
            name,
            row["topic"],
            row["part"],
            row["next_offset"],
            epoch=row["epoch"] + 1,
            beginning=Beginning(PLANNED, signed.origin, signed.size, signed.root),
        )
        await transaction.flush()
    return opened
