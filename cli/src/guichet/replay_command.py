"""`guichet audit replay`: what was known then, from the trail alone; what other rules decide; events said again."""

from __future__ import annotations

import asyncio
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from guichet import console
from guichet.stack.errors import StackError
from guichet.stack.state import home_folder, load
from guichet.trail import at_one_moment, record_access

if TYPE_CHECKING:
    from asyncpg import Connection

    from compliance.files import Law
    from guichet.replay.instants import Vector
    from guichet.replay.policy import Draft
    from guichet.replay.state import Memory

PARIS = ZoneInfo("Europe/Paris")
BAD_INPUT = 2


def replay(
    request: Annotated[str | None, typer.Option("--request", help="One request only, by its id.")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="What had been published by then: an instant with its offset.")
    ] = None,
    stamped: Annotated[
        bool, typer.Option("--stamped", help="What a timestamp authority had stamped, by its own word.")
    ] = False,
    sizes: Annotated[Path | None, typer.Option("--sizes", help="The sizes of the trees, as printed before.")] = None,
    day: Annotated[
        str | None, typer.Option("--day", help="YYYY-MM-DD to assess on; else the day of the last thing said.")
    ] = None,
    rules: Annotated[
        str | None, typer.Option("--rules", metavar="PACK", help="Decide again by another rule pack: a name or a file.")
    ] = None,
    emit: Annotated[
        str | None, typer.Option("--emit", metavar="JOB", help="Say the records again on guichet.replay.JOB.")
    ] = None,
    law: Annotated[
        Path | None, typer.Option("--permanent-bodies", help="Catalogue file with `permanent_bodies`.")
    ] = None,
    settings: Annotated[Path | None, typer.Option("--settings", help="Values of dated settings, as JSON.")] = None,
    database: Annotated[str | None, typer.Option(help="Database URL of a trail; that of the stack by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Rebuild what was known of every request at a moment, from the trail alone.

    "Then" is a vector of tree sizes, which is printed: for each log the largest checkpoint published by --as-of (with
    --stamped the largest for which an authority gave a token by then), or the sizes of a file, or everything. The hash
    of the state is SHA-256 over its canonical JSON: the same on any machine.

    With --rules every recorded request is decided twice from its recorded inputs and dates, and what differs is shown
    with the rule that makes the difference. A pack is a released one, or a file such as {"name": "draft",
    "based_on": "fr-2026.1", "settings": {"fr.urgent-days": 20}, "set_aside": ["FR_MR007/INSURER_EXCLUDED"]}.

    Example: guichet audit replay --as-of 2027-03-01T00:00:00Z --request cf8e0752-8f1e-5123-bd3c-1b40b5dec40c
    """
    if sizes is not None and (as_of is not None or stamped):
        console.fail("either --as-of and --stamped or --sizes say what then means", "leave one of them out")
        raise typer.Exit(BAD_INPUT)
    if sum(each is not None for each in (rules, emit, request)) > 1:
        console.fail("--rules, --emit and --request are three questions", "ask one at a time")
        raise typer.Exit(BAD_INPUT)
    instant, asked_day, draft = _instant(as_of), _day(day), _draft(rules)
    body = asyncio.run(_replay(database, instant, stamped, sizes, asked_day, request, emit, draft, law, settings))
    if as_json:
        console.show_json(body)
    else:
        from guichet.replay.shown import show

        show(body)


async def _replay(
    database: str | None,
    instant: datetime | None,
    stamped: bool,
    sizes: Path | None,
    day: date | None,
    request: str | None,
    job: str | None,
    draft: Draft | None,
    bodies: Path | None,
    settings: Path | None,
) -> dict[str, Any]:
    from audit.accesses import EMISSION, REPLAY, RULES
    from audit.checkpoints import trusted_ever
    from compliance.calendars import local_date
    from contracts.topics import TOPICS, stream_of
    from contracts.upcasters import digest
    from guichet.held import trusted_keys
    from guichet.replay.emission import emit, topic_of
    from guichet.replay.instants import NoSuchVector, read_sizes, sizes_given, sizes_now, sizes_published, sizes_stamped
    from guichet.replay.policy import compare
    from guichet.replay.recorded import dropped_among, records_until
    from guichet.replay.state import state_hash, state_of

    async with at_one_moment(database) as connection:
        try:
            if stamped:
                vector = await sizes_stamped(connection, instant)
            elif instant is not None:
                keys = await trusted_ever(connection, trusted_keys(home_folder())) if database is None else []
                vector = await sizes_published(connection, instant, keys)
            elif sizes is not None:
                vector = await sizes_given(connection, read_sizes(sizes))
            else:
                vector = await sizes_now(connection)
        except (NoSuchVector, OSError) as error:
            raise StackError(f"nothing to replay: {error}", "guichet audit logs; guichet audit checkpoint") from None
        act = EMISSION if job is not None else RULES if draft is not None else REPLAY
        await record_access(database, act, request)
        dropped = await dropped_among(connection, vector)
        if job is not None:
            # Who opened what is no part of what is said again: it grows by each saying.
            records = records_until(connection, vector, [topic for topic in TOPICS if stream_of(topic) == "trail"])
            said = await emit(load(home_folder()).kafka, job, records)
            return {
                "vector": vector.as_json(),
                "dropped": dropped,
                "emitted": {"topic": topic_of(job), "records": said},
            }
        memory = await _remember(connection, vector)
    on = day or local_date(instant or memory.latest or datetime.now(PARIS))
    law = _law(bodies, settings)
    state = state_of(memory, on, law)
    if request is not None and request not in state:
        raise StackError(f"no request {request} was recorded by then", "guichet audit replay lists those that were")
    if draft is None:
        answer: dict[str, Any] = {"requests": state if request is None else {request: state[request]}}
    else:
        answer = {
            "rules": {"draft": draft.name, "based_on": draft.pack.name} | compare(memory, on, law, draft).as_json()
        }
    return {
        "as_of": None if instant is None else instant.isoformat(),
        "vector": vector.as_json(),
        "dropped": dropped,
        "day": on.isoformat(),
        "upcasters": digest(),
        "events": memory.events,
        "state_sha256": state_hash(state),
        **answer,
        "not_read": [
            {
                "topic": each.place.topic,
                "partition": each.place.partition,
                "offset": each.place.offset,
                "code": each.code,
            }
            for each in sorted(memory.not_read)
        ],
    }


async def _remember(connection: Connection, vector: Vector) -> Memory:
    from guichet.replay.recorded import read_record, records_until
    from guichet.replay.state import TOPICS, Memory

    memory = Memory()
    with console.progress(quiet=not sys.stderr.isatty()) as tell:
        async for record in records_until(connection, vector, TOPICS):
            memory.hear(read_record(record))
            if memory.events % 1000 == 0:
                tell(f"{memory.events:,} events read again")
    return memory


def _law(bodies: Path | None, settings: Path | None) -> Law:
    """The bodies with permanent access and the dated settings: those of the embedded stack unless named."""
    from compliance.app import law_from
    from compliance.problems import CaseError
    from guichet import demo_data

    try:
        return law_from(bodies or Path(demo_data.__file__).with_name("catalogue.json"), settings)
    except CaseError as error:
        raise StackError("; ".join(str(problem) for problem in error.problems), "look at --settings") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise StackError("a file of the law cannot be read", "look at --permanent-bodies and --settings") from None


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        console.fail("--as-of: an instant with its offset is expected", "for example 2027-03-01T12:00:00+01:00")
        raise typer.Exit(BAD_INPUT)
    return instant


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        console.fail("--day: a date is expected", "for example 2027-03-01")
        raise typer.Exit(BAD_INPUT) from None


def _draft(asked: str | None) -> Draft | None:
    from guichet.replay.policy import NotAPack, read_draft

    try:
        return None if asked is None else read_draft(asked)
    except NotAPack as error:
        console.fail(f"--rules: {error}", "guichet rules list says what there is")
        raise typer.Exit(BAD_INPUT) from None
