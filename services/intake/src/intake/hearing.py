"""Who speaks, about which request, and what it amounts to: the same for both doors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.database import Connection
from contracts import topics
from contracts.envelope import Envelope, Unreadable
from contracts.identity import permit_id, request_id, workspace_id
from contracts.registry import FACTS, short
from intake.commands import Command
from intake.problems import Problem
from intake.reading import HEARD, LARGEST_DATA, SUBMITTED, read_addition, read_submission, speaker, submit
from intake.storage import requests_of


@dataclass(frozen=True, slots=True)
class Heard:
    """An event of a portal that could be understood; `subject` may name the permit or workspace of the request."""

    envelope: Envelope
    data: bytes
    portal: str
    subject: str
    key: str | None
    command: Command


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """An event whose JSON could be read, and everything that is wrong with it."""

    problems: tuple[Problem, ...]


def hear(envelope: Envelope, data: bytes, key: str | None) -> Heard | NotUnderstood:
    """What an event of a portal says.

    Raises `Unreadable`: unknown-type, wrong-topic, foreign-source, too-large, not-json, not-utf8, invalid-data,
    subject-mismatch. `key` is the request id where the event was given one to keep its order by.
    """
    kind = HEARD.get(envelope.type)
    if kind is None:
        known = FACTS.get(envelope.type)
        if known is not None:
            raise Unreadable("wrong-topic", f"{short(known.event_type)} belongs on {known.topic}")
        base = envelope.type.rpartition(".v")[0]
        same = any(name.rpartition(".v")[0] == base for name in FACTS)
        raise Unreadable("unknown-version" if base and same else "unknown-type")
    portal = speaker(envelope.source)
    if portal is None:
        raise Unreadable("foreign-source", f"a source on {topics.PORTAL} is /portals/ and the name of a portal")
    if len(data) > LARGEST_DATA:
        raise Unreadable("too-large", f"data of more than {LARGEST_DATA} bytes")
    subject = _uuid(envelope.subject)
    if envelope.type == SUBMITTED:
        return _hear_submission(envelope, data, portal, subject)
    command = read_addition(kind, portal, data, envelope.time)
    if isinstance(command, tuple):
        return NotUnderstood(command)
    if subject is None:
        raise Unreadable("subject-mismatch", "the subject is not the text of a UUID")
    return Heard(envelope, data, portal, subject, _uuid(key), command)


def _hear_submission(envelope: Envelope, data: bytes, portal: str, subject: str | None) -> Heard | NotUnderstood:
    submission = read_submission(data)
    if submission.portal is not None and submission.portal != portal:
        raise Unreadable("foreign-source", "the dossier names another portal than the source")
    command = submit(submission, data, envelope.time)
    if command is None:
        return NotUnderstood(submission.problems)
    if subject != request_id(command.portal, command.portal_reference):
        raise Unreadable("subject-mismatch", "the subject is not the request id of portal and portal_reference")
    return Heard(envelope, data, portal, subject, subject, command)


async def requests_heard(connection: Connection, events: Sequence[Heard]) -> list[str]:
    """The request that each event is about.

    A subject names the request itself or, when its key or an earlier submission says so, the request's permit or
    workspace. A subject that nobody knows is taken for a request that is still to come.
    """
    found = [_by_key(event) for event in events]
    unclear = {event.subject for event, request in zip(events, found, strict=True) if request is None}
    stored = await requests_of(connection, unclear) if unclear else {}
    return [
        request if request is not None else stored.get(event.subject, event.subject)
        for event, request in zip(events, found, strict=True)
    ]


def _by_key(event: Heard) -> str | None:
    key = event.key
    if key is not None and event.subject in (key, permit_id(key), workspace_id(key)):
        return key
    return None


def _uuid(text: str | None) -> str | None:
    try:
        return str(UUID(text)) if text is not None and len(text) == 36 else None
    except ValueError:
        return None
