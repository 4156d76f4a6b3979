"""What "then" means: an instant becomes a vector of tree sizes, which can be checked; the time alone cannot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from guichet_verify.checkpoints import open_checkpoint
from guichet_verify.notes import Key, NotANote

if TYPE_CHECKING:
    from asyncpg import Connection

Basis = Literal["now", "sizes", "published", "token"]


class NoSuchVector(ValueError):
    """A vector of sizes that this trail cannot answer for; the text says which log, and why."""


@dataclass(frozen=True, slots=True)
class Vector:
    """A size for each log that had begun, by origin; `basis` says where the sizes come from."""

    basis: Basis
    sizes: Mapping[str, int]

    def as_json(self) -> dict[str, object]:
        """As it is printed, and as `--sizes` reads it again."""
        return {"basis": self.basis, "sizes": dict(sorted(self.sizes.items()))}


async def sizes_now(connection: Connection) -> Vector:
    """Every log as far as it has grown."""
    rows = await connection.fetch("SELECT origin, tree_size FROM audit.log JOIN audit.head USING (log_id)")
    return Vector("now", {row["origin"]: row["tree_size"] for row in rows})


async def sizes_published(connection: Connection, instant: datetime, keys: Sequence[Key] = ()) -> Vector:
    """For each log the largest checkpoint published at or before an instant; a log without one had not begun.

    An event dated before the instant but recorded later is not in it. Raises NoSuchVector when nothing was published
    by then, and with the `keys` of the logs when one of these checkpoints was signed by none of them.
    """
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (origin) origin, tree_size AS size, note
        FROM audit.checkpoint JOIN audit.log USING (log_id)
        WHERE published_at <= $1 ORDER BY origin, tree_size DESC
        """,
        instant,
    )
    if not rows:
        raise NoSuchVector(f"no checkpoint was published by {instant.isoformat()}")
    if keys and (false := [f"{row['origin']} at size {row['size']}" for row in rows if not _is_signed(row, keys)]):
        raise NoSuchVector(f"nobody who is trusted signed {', '.join(false)}: guichet audit verify")
    return Vector("published", {row["origin"]: row["size"] for row in rows})


def _is_signed(row: Mapping[str, Any], keys: Sequence[Key]) -> bool:
    try:
        found = open_checkpoint(row["note"].encode(), keys).checkpoint
    except NotANote:
        return False
    return (found.origin, found.size) == (row["origin"], row["size"])


async def sizes_stamped(connection: Connection, instant: datetime | None) -> Vector:
    """For each log the largest checkpoint for which an authority gave a token (RFC 3161), by an instant as the token
    says it. Raises NoSuchVector when there is none."""
    from audit.signed import read_signed

    found = {log.origin: log.size for log in await read_signed(connection, until=instant, stamped=True)}
    if not found:
        raise NoSuchVector("no authority had stamped a checkpoint" + (f" by {instant.isoformat()}" if instant else ""))
    return Vector("token", found)


def read_sizes(file: Path) -> dict[str, object]:
    """The sizes a file names, `{"sizes": {origin: size}}` as printed before. Raises NoSuchVector, OSError."""
    try:
        asked = json.loads(file.read_bytes())["sizes"]
        return {str(origin): size for origin, size in asked.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NoSuchVector(f'{file.name}: {{"sizes": {{origin: size}}}} is expected') from None


async def sizes_given(connection: Connection, sizes: Mapping[str, object]) -> Vector:
    """Sizes given by hand. Raises NoSuchVector naming every one that this trail has not reached."""
    known = (await sizes_now(connection)).sizes
    given = {origin: size for origin, size in sizes.items() if type(size) is int}
    wrong = [
        f"{origin}: {'no such log' if origin not in known else f'a whole number from 1 to {known[origin]} is expected'}"
        for origin, size in sorted(sizes.items())
        if origin not in given or origin not in known or not 1 <= given[origin] <= known[origin]
    ]
    if wrong:
        raise NoSuchVector("; ".join(wrong))
    return Vector("sizes", given)
