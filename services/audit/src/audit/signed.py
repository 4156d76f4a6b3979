"""The checkpoints of the trail: what was signed of each log, and when it was published."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from rfc3161_client import decode_timestamp_response

if TYPE_CHECKING:
    from chassis.database import Connection


class SignedLog(NamedTuple):
    """A log at one signed size. Everything that is proved is proved against such a size, never against the head.

    Of one that is `dropped` the tree is there, and no leaf.
    """

    log_id: int
    origin: str
    size: int
    note: bytes
    token: bytes | None
    published_at: datetime | None
    dropped: bool


async def read_signed(
    connection: Connection, origin: str | None = None, until: datetime | None = None, *, stamped: bool = False
) -> list[SignedLog]:
    """The largest signed size of each log, or of one; with `until`, of those published at or before that instant. With
    `stamped` of those that an authority gave a token for, and then it is the token that says whether it was by `until`:
    when something was published is our own word. Of a log that ended with bytes lost, the largest that is still there.
    """
    rows = await connection.fetch(
        f"""
        SELECT {"" if stamped else "DISTINCT ON (origin)"} log_id, origin, tree_size, note, token, published_at,
            state = 'dropped'
        FROM audit.checkpoint JOIN audit.log USING (log_id)
        WHERE ($1::text IS NULL OR origin = $1)
            AND (state NOT IN ('broken', 'dropped')
                OR tree_size <= (SELECT head.tree_size FROM audit.head WHERE log_id = log.log_id))
            AND ($2::timestamptz IS NULL OR published_at <= $2)
            AND (token IS NOT NULL OR NOT $3::bool)
        ORDER BY origin, tree_size DESC
        """,  # noqa: S608  # two texts of our own
        origin,
        None if stamped else until,
        stamped,
    )
    found: dict[str, SignedLog] = {}
    for log in map(_signed, rows):
        if log.origin not in found and (not stamped or until is None or _stamped_by(log, until)):
            found[log.origin] = log
    return list(found.values())


def _stamped_by(log: SignedLog, until: datetime) -> bool:
    try:
        return log.token is not None and decode_timestamp_response(log.token).tst_info.gen_time <= until
    except ValueError:
        return False  # Found by a verification; it bounds nothing.


async def read_signed_size(connection: Connection, origin: str, size: int) -> SignedLog | None:
    """A log at exactly this size, if that size was signed."""
    row = await connection.fetchrow(
        """
        SELECT log_id, origin, tree_size, note, token, published_at, state = 'dropped'
        FROM audit.checkpoint JOIN audit.log USING (log_id) WHERE origin = $1 AND tree_size = $2
        """,
        origin,
        size,
    )
    return None if row is None else _signed(row)


def _signed(row: Sequence[object]) -> SignedLog:
    log_id, origin, size, note, token, published_at, dropped = row
    return SignedLog(log_id, origin, size, str(note).encode(), token, published_at, dropped)  # type: ignore[arg-type]  # a row is untyped
