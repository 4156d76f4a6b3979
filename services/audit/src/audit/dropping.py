"""Drops epochs whose retention is over: said first, recorded and signed, and only then are the records destroyed."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from audit import stories
from audit.dropped import TYPE, read_said
from audit.persons import NotTwoPersons, two_persons
from audit.retention import Ended, Retention, read_ended
from audit.succession import read_beginnings
from audit.verification import verify_log
from chassis.clock import SandboxClock
from chassis.transaction import Transaction
from contracts.system import DroppedNumber, EpochDropped
from guichet_verify.checkpoints import Checkpoint, open_checkpoint
from guichet_verify.notes import Key, NotANote

if TYPE_CHECKING:
    from chassis.database import Connection

MOST_NUMBERS = 1_000
"""Numbers that one statement can name."""
NOTHING_HELD: Mapping[str, int] = {}
NAMED = 3
"""Failures of a log that are named."""


class NotDropped(ValueError):
    """These epochs cannot be dropped; `problems` names every reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class _End(NamedTuple):
    """Where a log ended, as its next epoch names it, and the note of that size where the table has it."""

    size: int
    root: bytes
    note: str | None


async def read_due(connection: Connection, retention: Retention) -> list[Ended]:
    """The epochs that have been kept as long as their stream is, in the order of their end."""
    now = await SandboxClock().read(connection)
    return [each for each in await read_ended(connection, retention) if each.keep_until <= now]


async def check_due(
    connection: Connection, origins: Sequence[str], by: Sequence[str], retention: Retention, keys: Sequence[Key]
) -> list[str]:
    """Which of these logs can be dropped: all, or it raises NotDropped. Nothing is said."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        now = await SandboxClock().read(connection)
        await _check(connection, origins, by, retention, keys, now)
    return [*origins]


async def say_dropped(
    connection: Connection, origins: Sequence[str], by: Sequence[str], retention: Retention, keys: Sequence[Key]
) -> list[str]:
    """Says that the records of these logs are to be destroyed, as far as that is not said yet; all of it or nothing.

    Each is over and kept long enough, its end is signed by one of `keys`, and it holds: what does not verify is
    evidence, unless two persons broke it. What other drops the going logs tell of is said again. `connection` is a
    superuser's, outside a transaction. Returns what is said now; raises NotDropped.
    """
    async with connection.transaction():
        transaction = Transaction(connection, (await SandboxClock().read(connection)).astimezone(UTC), "audit")
        said = await _check(connection, origins, by, retention, keys, transaction.now)
        for fact in said:
            transaction.say(fact, subject=fact.origin, key=fact.origin)
        await transaction.flush()
    return [fact.origin for fact in said]


async def _check(
    connection: Connection,
    origins: Sequence[str],
    by: Sequence[str],
    retention: Retention,
    keys: Sequence[Key],
    now: datetime,
) -> list[EpochDropped]:
    """What has to be said before these logs can go; raises NotDropped with every reason why they cannot."""
    problems: list[str] = []
    persons: tuple[str, ...] = ()
    try:
        persons = two_persons(by)
    except NotTwoPersons as error:
        problems.append(str(error))
    ended = {each.origin: each for each in await read_ended(connection, retention)}
    problems += _not_due(origins, ended, now)
    over = [origin for origin in origins if origin in ended and ended[origin].keep_until <= now]
    ends = await _ends(connection, over, keys, problems)
    numbers = await _numbers(connection, [*ends])
    problems += [
        f"{origin}: {len(found)} numbers of subjects that go on lie in it, and {MOST_NUMBERS} can be named: "
        "drop the others of its time with it"
        for origin, found in numbers.items()
        if len(found) > MOST_NUMBERS
    ]
    problems += await _announced_there(connection, [*ends])
    if problems:
        raise NotDropped(problems)
    known = {each.fact.origin for each in await read_said(connection, ends)}
    new = [
        EpochDropped(
            origin=origin,
            size=size,
            root=base64.b64encode(root).decode(),
            note=note,
            ended_at=ended[origin].ended_at.astimezone(UTC),
            retention_days=(ended[origin].keep_until - ended[origin].ended_at).days,
            numbers=tuple(numbers.get(origin, ())),
            by=persons,
        )
        for origin, (size, root, note) in ends.items()
        if origin not in known
    ]
    return new + await _told_there_alone(connection, [*ends])


async def unsigned(connection: Connection, origins: Sequence[str], held: Mapping[str, int] = NOTHING_HELD) -> list[str]:
    """Of these logs, and of those that they say were dropped, the ones of which that is not yet recorded in a log that
    stays, below a size that was signed of it, as the table has it or as it is `held`."""
    needed = {*origins, *(each.origin for each in await _told_in(connection, origins))}
    signed = {**held}
    for row in await connection.fetch(_SIGNED):
        signed[row["origin"]] = max(row["size"], signed.get(row["origin"], 0))
    told = {
        each.fact.origin
        for each in await read_said(connection, needed)
        if each.recorded_in not in origins and each.recorded_at < signed.get(each.recorded_in, 0)
    }
    return sorted(needed - told)


async def drop_records(
    connection: Connection, origins: Sequence[str], held: Mapping[str, int] = NOTHING_HELD
) -> dict[str, int]:
    """Destroys the records of these logs, of which that was said before; how many leaves each had.

    `connection` is a superuser's, outside a transaction; the writer is stopped. Raises NotDropped, and
    asyncpg.LockNotAvailableError while somebody reads.
    """
    if early := await unsigned(connection, origins, held):
        raise NotDropped([f"{origin}: that it is dropped is not recorded and signed yet" for origin in early])
    said = {each.fact.origin: each for each in reversed(await read_said(connection, origins))}
    after = {first.previous_origin: first for first in await read_beginnings(connection)}
    dropped: dict[str, int] = {}
    for row in await connection.fetch(_STILL_THERE, list(origins)):
        fact, following = said[row["origin"]], after.get(row["origin"])
        if following is None or (following.previous_size, following.previous_root) != (fact.fact.size, fact.root):
            raise NotDropped([f"{row['origin']}: another size or root was said than its next epoch names"])
        async with connection.transaction():
            await connection.execute("SELECT guard.drop_records($1)", row["log_id"])
        dropped[row["origin"]] = row["tree_size"]
    return dropped


def _not_due(origins: Sequence[str], ended: Mapping[str, Ended], now: datetime) -> list[str]:
    problems = []
    for origin in origins:
        if origin not in ended:
            problems.append(f"{origin}: there is no such epoch, or it is not over, or dropped already")
        elif ended[origin].keep_until > now:
            problems.append(f"{origin}: kept until {ended[origin].keep_until:%Y-%m-%d}")
        elif (before := _before(origin)) in ended and before not in origins:
            problems.append(f"{origin}: {before} goes before it, and stays")
    return problems


def _before(origin: str) -> str:
    place, epoch = origin.rsplit("/", 1)
    return f"{place}/{int(epoch) - 1}"


async def _ends(
    connection: Connection, origins: Sequence[str], keys: Sequence[Key], problems: list[str]
) -> dict[str, _End]:
    """How each log ended; adds to `problems` where that is not signed, or not what is stored."""
    after = {first.previous_origin: first for first in await read_beginnings(connection)}
    found: dict[str, _End] = {}
    for origin in origins:
        if (first := after.get(origin)) is None:
            problems.append(f"{origin}: the first leaf of its next epoch cannot be read")
            continue
        checkpoint = Checkpoint(origin, first.previous_size, first.previous_root)
        note = await _note(connection, checkpoint, keys)
        found[origin] = _End(checkpoint.size, checkpoint.root, note)
        if await connection.fetchval("SELECT state FROM audit.log WHERE origin = $1", origin) == "broken":
            continue  # Two persons have said that its bytes are not what was signed.
        if note is None:
            problems.append(f"{origin}: no known key has signed size {checkpoint.size}, at which it ended")
        failures = (await verify_log(connection, origin)).failures
        problems += [f"{each}: what does not hold is evidence, and is not dropped" for each in failures[:NAMED]]
    return found


async def _note(connection: Connection, checkpoint: Checkpoint, keys: Sequence[Key]) -> str | None:
    note = await connection.fetchval(
        "SELECT note FROM audit.checkpoint JOIN audit.log USING (log_id) WHERE origin = $1 AND tree_size = $2",
        checkpoint.origin,
        checkpoint.size,
    )
    try:
        signed = note is not None and open_checkpoint(note.encode(), keys).checkpoint == checkpoint
    except NotANote:
        return None
    return note if signed else None


async def _numbers(connection: Connection, origins: Sequence[str]) -> dict[str, list[DroppedNumber]]:
    """By log, the numbers that would be missing between those that stay: a partition is read on at its own pace, so
    at the end of an epoch a later number can lie in it while an earlier one lies in the next epoch of another log."""
    found: dict[str, list[DroppedNumber]] = {}
    for row in await connection.fetch(_NUMBERS, list(origins), stories.OWN_TOPICS):
        number = DroppedNumber(source=row["source"], subject=row["subject"], sequence=row["sequence"])
        found.setdefault(row["origin"], []).append(number)
    return found


async def _announced_there(connection: Connection, origins: Sequence[str]) -> list[str]:
    """What is announced in these logs alone and stays: without its announcement it could not be built again."""
    rows = await connection.fetch(_ANNOUNCED, list(origins))
    return [f"{row['going']}: it announces {row['origin']}, which stays" for row in rows]


async def _told_in(connection: Connection, origins: Sequence[str]) -> list[EpochDropped]:
    """What these logs say was dropped."""
    subjects = await connection.fetch(
        "SELECT DISTINCT subject FROM audit.entry JOIN audit.log USING (log_id) "
        "WHERE origin = ANY($1::text[]) AND event_type = $2 AND subject IS NOT NULL",
        list(origins),
        TYPE,
    )
    said = await read_said(connection, [row["subject"] for row in subjects])
    return [each.fact for each in said if each.recorded_in in origins]


async def _told_there_alone(connection: Connection, origins: Sequence[str]) -> list[EpochDropped]:
    told = {each.origin: each for each in reversed(await _told_in(connection, origins))}
    elsewhere = {each.fact.origin for each in await read_said(connection, told) if each.recorded_in not in origins}
    return [fact for origin, fact in sorted(told.items()) if origin not in elsewhere]


_STILL_THERE = """
SELECT log_id, origin, tree_size FROM audit.log JOIN audit.head USING (log_id)
WHERE origin = ANY($1::text[]) AND state IN ('frozen', 'broken') ORDER BY log_id
"""

_SIGNED = """
SELECT origin, max(tree_size) AS size FROM audit.checkpoint JOIN audit.log USING (log_id)
WHERE state <> 'dropped' GROUP BY origin
"""

_NUMBERS = """
WITH going AS (
    SELECT DISTINCT origin, source, subject, sequence
    FROM audit.entry JOIN audit.log USING (log_id)
    WHERE origin = ANY($1::text[]) AND topic = ANY($2::text[])
        AND source IS NOT NULL AND subject IS NOT NULL AND sequence IS NOT NULL
), staying AS (
    SELECT source, subject, sequence
    FROM audit.entry JOIN audit.log USING (log_id)
    WHERE origin <> ALL($1::text[]) AND topic = ANY($2::text[]) AND sequence IS NOT NULL
        AND (source, subject) IN (SELECT source, subject FROM going)
), lowest AS (
    SELECT source, subject, min(sequence) AS lowest FROM staying GROUP BY 1, 2
)
SELECT origin, source, subject, sequence
FROM going JOIN lowest USING (source, subject) LEFT JOIN staying USING (source, subject, sequence)
WHERE sequence > lowest AND staying.sequence IS NULL
ORDER BY 1, 2, 3, 4
"""

_ANNOUNCED = """
SELECT DISTINCT going.origin AS going, stays.origin
FROM audit.log AS going
JOIN audit.entry USING (log_id)
JOIN audit.log AS stays ON stays.origin = entry.subject
WHERE going.origin = ANY($1::text[]) AND event_type = 'guichet.epoch.opened.v1'
    AND stays.state <> 'dropped' AND stays.origin <> ALL($1::text[])
    AND NOT EXISTS (
        SELECT FROM audit.entry AS again JOIN audit.log AS other USING (log_id)
        WHERE again.subject = stays.origin AND again.event_type = 'guichet.epoch.opened.v1'
            AND other.origin <> ALL($1::text[]))
ORDER BY 1, 2
"""
