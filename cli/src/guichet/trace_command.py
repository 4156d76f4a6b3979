"""`guichet trace`: the story of a request from the trail, cause by cause."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import httpx
import typer

from compliance.rulebook.texts import Language
from guichet import console
from guichet.language import language
from guichet.printed import printed_on
from guichet.sealing.keystore import KeyStore, key_folder
from guichet.sealing.texts import free_texts, opened
from guichet.stack.errors import StackError
from guichet.stack.state import home_folder, load
from guichet.trace_words import around, cited, meaning_of, moment, words_of

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

FOLLOW_SECONDS = 0.5
WIDE = 400
"""Columns where nobody watches: a line is a line."""

Event = Mapping[str, Any]


def trace(
    id_: Annotated[str, typer.Argument(metavar="ID", help="A request, permit, workspace or event.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Go on showing what comes, until interrupted.")] = False,
    lang: Annotated[
        Literal["fr", "en"] | None,
        typer.Option("--lang", help="In French or English; else in the language of the environment."),
    ] = None,
) -> None:
    """Tell the story of a request from the trail: what happened, because of what, under which rule, due when.

    Example: guichet trace 5f0c7f4e-6c1e-5a44-9d7e-2f1f6a3b9c10 --lang fr
    """
    spoken = language(lang)
    url = load(home_folder()).service("audit").url
    with httpx.Client(base_url=url, timeout=10, headers=_authorization()) as client:
        if follow:
            _follow(client, id_, as_json, spoken)
            return
        story = _story(client, id_)
        if story is None:
            raise StackError(f"nothing is recorded about {id_}", "guichet status shows whether the trail is behind")
        if as_json:
            console.show_json(story)
        else:
            _show(story, spoken)


def _authorization() -> dict[str, str]:
    """The reader's token, where the audit service names its readers: GUICHET_READER_TOKEN."""
    token = os.environ.get("GUICHET_READER_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _story(client: httpx.Client, id_: str) -> dict[str, Any] | None:
    try:
        response = client.get(f"/stories/{id_}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise StackError("this trail is for named readers", "set GUICHET_READER_TOKEN to a reader's token")
        response.raise_for_status()
    except httpx.HTTPError as error:
        raise StackError("the audit service does not answer", "guichet status") from error
    found: dict[str, Any] = response.json()
    if key_folder().is_dir():
        store = KeyStore(key_folder())
        for event in found["events"]:
            if isinstance(event["data"], dict):
                event["data"] = opened(store, event["type"], event["id"], event["data"])
    for event in found["events"]:
        if printed := printed_on(client, event):
            event["checkpoint"] = printed
    return found


def _show(story: Mapping[str, Any], lang: Language) -> None:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    events: Sequence[Event] = story["events"]
    request_id = story["request_id"]
    root = Tree(
        Text(around("request", lang, id=request_id) if request_id else around("story", lang, id=story["subjects"][0]))
    )
    branches: dict[str, Tree] = {}
    for event in events:
        parent = branches.get(event["causation_id"] or "", root)
        branches[event["id"] or ""] = parent.add(_line(event, lang))
    screen = console.out() if console.out().is_terminal else Console(width=WIDE, highlight=False)
    screen.print(root, soft_wrap=False)
    repeats = sum(len(event["recorded"]) - 1 for event in events)
    told = around("recorded", lang, events=len(events))
    console.say(told + (around("repeated", lang, events=repeats) if repeats else ""))
    if story.get("dropped_before"):
        console.say(around("dropped before", lang))
    for line in open_periods(events, lang):
        console.say(line)


def _line(event: Event, lang: Language) -> Text:
    from rich.text import Text

    data = event["data"] if isinstance(event["data"], dict) else {}
    line = Text()
    line.append(moment(event["time"], lang), style="dim")
    line.append(f"  {actor_of(event['source'])}  ", style="cyan")
    line.append(words_of(short_type(event["type"]), data, lang))
    for field, state, text in free_texts(event["type"], data):
        told = around(state, lang, text=text)
        line.append("\n    " + around("field", lang, field=field, text=told), style="italic")
    for code, citation in cited(data):
        line.append(f"\n    {code} " if code else "\n    ", style="yellow")
        line.append(citation, style="green")
        if meaning := meaning_of(code, lang):
            line.append(f"  {meaning}")
    if event.get("checkpoint"):
        line.append("\n    " + around("checkpoint", lang, checkpoint=event["checkpoint"]), style="magenta")
    if event["unreadable"]:
        line.append("\n    " + around("unreadable", lang, unreadable=event["unreadable"]), style="red")
    return line


def short_type(full: str | None) -> str:
    """`guichet.request.accepted.v1` as `request.accepted`."""
    words = (full or "unknown").removeprefix("guichet.").split(".")
    return ".".join(words[:-1] if len(words) > 1 and words[-1][:1] == "v" else words)


def actor_of(source: str | None) -> str:
    """Who speaks: the last word of a source, such as `intake` or `portal-hdh`."""
    return (source or "unknown").rstrip("/").rpartition("/")[2] or "unknown"


def open_periods(events: Sequence[Event], lang: Language) -> list[str]:
    """The periods that are still running, each with the day it is due and what silence means."""
    running: dict[str, Mapping[str, Any]] = {}
    for event in events:
        data, kind = event["data"], short_type(event["type"])
        if not isinstance(data, dict) or not kind.startswith("deadline.") or "step" not in data:
            continue
        if kind in ("deadline.started", "deadline.extended"):
            running[data["step"]] = data
        else:
            running.pop(data["step"], None)
    return [
        around(
            "running",
            lang,
            step=step,
            due=data.get("due"),
            silence=data.get("silence") or "none",
            citation=data.get("citation"),
        )
        for step, data in sorted(running.items(), key=lambda item: str(item[1].get("due")))
    ]


def _follow(client: httpx.Client, id_: str, as_json: bool, lang: Language) -> None:
    """Shows each event once, as soon as it is recorded, indented by how many causes it has."""
    depths: dict[str, int] = {}
    shown: set[tuple[str, int]] = set()
    while True:
        story = _story(client, id_) or {"events": []}
        for event in story["events"]:
            place = event["recorded"][0]["origin"], event["recorded"][0]["index"]
            if place in shown:
                continue
            shown.add(place)
            depth = depths.get(event["causation_id"] or "", -1) + 1
            depths[event["id"] or ""] = depth
            if as_json:
                console.show_json(event, compact=True)
            else:
                line = _line(event, lang)
                line.pad_left(2 * depth)
                console.out().print(line)
        time.sleep(FOLLOW_SECONDS)
