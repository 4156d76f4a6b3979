"""`guichet audit reconcile`: what the services' databases say was said, held against what the trail has."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, NamedTuple

import asyncpg
import typer

from guichet import console
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import StackState, home_folder, load
from guichet.trail import connected

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


class Unsaid(NamedTuple):
    """Numbers that a service gave to facts, and that no event in the trail bears; both ends included."""

    source: str
    subject: str
    first: int
    last: int


def reconcile(as_json: Json = False) -> None:
    """Compare each service's database with the trail: facts that were committed and never recorded.

    Exit code 0 when there are none. Run it every day.

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
    said = [row for name in state.services async for row in _said(state.service(name).database_url)]
    await wait_quiet(state)  # What was said until now is in the trail after this.
    async with connected(state.service("audit").database_url) as trail:
        return len(said), [each for row in said async for each in _unsaid(trail, *row)]


async def _said(url: str) -> AsyncIterator[tuple[str, str, int]]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        async with connection.transaction(readonly=True):
            async for row in connection.cursor("SELECT source, subject, last FROM chassis.sequences", prefetch=1000):
                yield row["source"], row["subject"], row["last"]
    finally:
        await connection.close()


async def _unsaid(trail: asyncpg.Connection, source: str, subject: str, last: int) -> AsyncIterator[Unsaid]:
    rows = await trail.fetch(
        """
        SELECT previous + 1 AS first, sequence - 1 AS last FROM (
            SELECT sequence, lag(sequence, 1, 0::bigint) OVER (ORDER BY sequence) AS previous FROM (
                SELECT sequence FROM audit.entry WHERE subject = $1 AND source = $2 AND sequence <= $3
                UNION SELECT $3 + 1
            ) AS known
        ) AS numbered WHERE sequence > previous + 1 ORDER BY 1
        """,
        subject,
        source,
        last,
    )
    for row in rows:
        yield Unsaid(source, subject, row["first"], row["last"])
