"""`guichet audit reconcile`: what the services' databases say was said, held against what the trail has."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import asyncpg
import typer

from audit.alarms import say_never_sent
from audit.checks import RECONCILED
from audit.dropped import dropped_until, read_dropped
from audit.producers import runs
from audit.watching import NEVER_SENT, Gap
from guichet import console
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import StackState, home_folder, load
from guichet.trail import connected, record_check, saying

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


class Unsaid(NamedTuple):
    """Numbers that a service gave to facts, and that no event in the trail bears; both ends included."""

    source: str
    subject: str
    first: int
    last: int


def reconcile(as_json: Json = False) -> None:
    """Compare each service's database with the trail: facts that were committed and never recorded.

    Exit code 0 when there are none. Each is an alarm on guichet.checkpoints with the missing numbers, until a later run
    finds them. Run it every day.

    Example: guichet audit reconcile
    """
    subjects, unsaid = asyncio.run(_reconcile(load(home_folder())))
    if as_json:
        console.show_json({"subjects": subjects, "unsaid": [each._asdict() for each in unsaid]})
    else:
        for each in unsaid:
            console.say(f"{each.source} {each.subject}: {each.first} to {each.last} were said and never recorded")
        console.say(f"{subjects:,} numbered subjects of the services compared with the trail")
    if unsaid:
        raise typer.Exit(1)


async def _reconcile(state: StackState) -> tuple[int, list[Unsaid]]:
    urls = [state.service(name).database_url for name in state.services]
    said = {url: [row async for row in _said(url)] for url in urls}
    await wait_quiet(state)  # What was said until now is in the trail after this.
    unsaid: list[Unsaid] = []
    async with connected(None) as trail:
        dropped = await read_dropped(trail)
        for url, rows in said.items():
            gone: list[Unsaid] = []
            for source, subject, last in rows:
                known = await trail.fetchrow(_LOWEST, subject, source)
                if known["lowest"] is None:
                    gone.append(Unsaid(source, subject, 1, last))
                    continue
                first = dropped.first(known["lowest"], known["topic"])
                for hole in await trail.fetch(_HOLES, subject, source, last, first - 1):
                    unsaid += [
                        Unsaid(source, subject, *missing)
                        for missing in dropped.missing(source, subject, hole["first"], hole["last"])
                    ]
            unsaid += await _said_later(url, gone, dropped_until(dropped)) if gone else []
    gaps = [Gap(NEVER_SENT, each.source, each.subject, "", -1, each.first, each.last) for each in unsaid]
    async with saying() as transaction:
        await say_never_sent(transaction, gaps)
    await record_check(RECONCILED, len(unsaid))
    return sum(map(len, said.values())), unsaid


async def _said_later(url: str, gone: Sequence[Unsaid], dropped: Mapping[str, datetime]) -> list[Unsaid]:
    """Of subjects of which the trail has nothing, what was said after the end of every epoch of its topic that was
    dropped: that was in none of them."""
    connection = await asyncpg.connect(url, timeout=10)
    found = []
    try:
        for each in gone:
            rows = await connection.fetch(_FACTS, each.subject, each.source)
            gone_with = {row["sequence"] for row in rows if row["time"] <= dropped.get(row["topic"], _NEVER)}
            later = [number for number in range(1, each.last + 1) if number not in gone_with]
            found += [Unsaid(each.source, each.subject, first, last) for first, last in runs(later)]
        return found
    finally:
        await connection.close()


async def _said(url: str) -> AsyncIterator[tuple[str, str, int]]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        async with connection.transaction(readonly=True):
            async for row in connection.cursor("SELECT source, subject, last FROM chassis.sequences", prefetch=1000):
                yield row["source"], row["subject"], row["last"]
    finally:
        await connection.close()


_NEVER = datetime.min.replace(tzinfo=UTC)

_FACTS = "SELECT sequence, topic, time FROM chassis.facts WHERE subject = $1 AND source = $2 ORDER BY sequence"

_LOWEST = """
SELECT min(sequence) AS lowest, min(topic) AS topic FROM audit.entry JOIN audit.log USING (log_id)
WHERE subject = $1 AND source = $2
"""

_HOLES = """
SELECT previous + 1 AS first, sequence - 1 AS last FROM (
    SELECT sequence, lag(sequence, 1, $4::bigint) OVER (ORDER BY sequence) AS previous FROM (
        SELECT sequence FROM audit.entry WHERE subject = $1 AND source = $2 AND sequence BETWEEN $4 + 1 AND $3
        UNION SELECT $3 + 1
    ) AS known
) AS numbered WHERE sequence > previous + 1 ORDER BY 1
"""
