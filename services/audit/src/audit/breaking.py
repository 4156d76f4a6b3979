"""Ends a log whose bytes are lost or whose tree is broken, and begins the next epoch, which names what is lost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from audit.growth import Log
from audit.openings import Beginning, open_log
from chassis.clock import SandboxClock
from chassis.transaction import Transaction
from guichet_verify.checkpoints import read_checkpoint
from guichet_verify.leaves import BREAK
from guichet_verify.notes import read_note

if TYPE_CHECKING:
    from chassis.database import Connection


PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)


class NotBroken(ValueError):
    """The log cannot be ended; the text says why."""


async def break_log(
    connection: Connection, name: str, origin: str, first_available: int, by: Sequence[str]
) -> tuple[Log, list[tuple[int, int]]]:
    """The new log, and the offsets that are lost (`to` exclusive); over a superuser's connection.

    The old log ends at its newest signed size: never another root for a signed size. `first_available` is the oldest
    offset that the broker still has; the announcement of the new log names who said so. Raises NotBroken.
    """
    persons = tuple(sorted(set(by)))
    if len(persons) < 2:
        raise NotBroken("two different persons have to say so")
    if not all(PERSON.fullmatch(each) for each in persons):
        raise NotBroken("a person is named by letters, digits and . _ : - alone, at most 64 of them")
    async with connection.transaction():
        row = await connection.fetchrow(
            """
            SELECT log_id, topic, part, epoch, state, next_offset,
                   coalesce(signed.tree_size, head.tree_size) AS size, signed.note, head.root
            FROM audit.log JOIN audit.head USING (log_id) JOIN audit.source USING (log_id, topic, part)
            LEFT JOIN LATERAL (
                SELECT tree_size, note FROM audit.checkpoint WHERE log_id = log.log_id ORDER BY tree_size DESC LIMIT 1
            ) AS signed ON true
            WHERE origin = $1 FOR UPDATE OF log
            """,
            origin,
        )
        if row is None:
            raise NotBroken("there is no such log, or a later epoch took over")
        if row["state"] != "active":
            raise NotBroken(f"the log is {row['state']} already")
        root = row["root"] if row["note"] is None else _root_of(row["note"])
        lost = [(row["next_offset"], first_available)] if first_available > row["next_offset"] else []
        await connection.execute("UPDATE audit.log SET state = 'broken' WHERE log_id = $1", row["log_id"])
        now = await SandboxClock().read(connection)
        transaction = Transaction(connection, now.astimezone(UTC), "audit")
        opened = await open_log(
            transaction,
            name,
            row["topic"],
            row["part"],
            max(row["next_offset"], first_available),
            epoch=row["epoch"] + 1,
            beginning=Beginning(BREAK, origin, row["size"], root, tuple(lost)),
            by=persons,
        )
        await transaction.flush()
    return opened, lost


def _root_of(note: str) -> bytes:
    return read_checkpoint(read_note(note.encode()).text).root
