"""`guichet emit`: events of authorities, holders, persons, hosts and portals, each on its topic."""

import asyncio
from typing import Annotated

import typer

from contracts.envelope import Unreadable, write_time
from guichet import console
from guichet.publishing import Event, clock_now, publish, read
from guichet.reading import objects
from guichet.sealing.texts import NotSealable, sealed
from guichet.stack.errors import StackError
from guichet.stack.state import home_folder, load


def emit(
    files: Annotated[list[str], typer.Argument(help="Structured CloudEvents: JSON, NDJSON, or - for standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Publish events of foreign parties, each checked against its contract, on the topic it belongs to.

    `id` and `time` are filled in when absent, the time from the sandbox clock; `type` may leave out the prefix
    `guichet.`. The key is the request id: the subject, or `partitionkey` when the subject is a permit or a workspace.
    A `comment` given as plain text is sealed under the key of its request before it leaves. Nothing is published unless
    every event is in order.

    Example: echo '{"type":"opinion.issued.v1","source":"/authorities/CESREES","subject":"REQUEST-ID","data":
    {"body":"CESREES","verdict":"favourable","by":["c-1"]}}' | guichet emit -
    """
    asyncio.run(_emit(files, as_json))


async def _emit(files: list[str], as_json: bool) -> None:
    state = load(home_folder())
    given = objects(files)
    now = await clock_now(state)
    events: list[Event] = []
    wrong = 0
    for where, item in given:
        try:
            events.append(read(sealed(item, now), now))
        except (Unreadable, NotSealable) as problem:
            wrong += 1
            console.fail(f"{where}: {problem}")
    if wrong:
        raise StackError(f"{wrong} of {len(given)} events are not in order; nothing was published", "correct them")
    await publish(state, events)
    if as_json:
        console.show_json(
            [
                {
                    "id": each.envelope.id,
                    "type": each.envelope.type,
                    "topic": each.topic,
                    "key": each.key,
                    "time": write_time(each.envelope.time),
                }
                for each in events
            ]
        )
        return
    for each in events:
        console.say(f"{each.envelope.id}  {each.envelope.type}  {each.topic}  {each.key}")
