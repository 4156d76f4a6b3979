"""Every fact by its type, and the one strict way to read it."""

from __future__ import annotations

import json
import re
from types import ModuleType

from pydantic import ValidationError

from contracts import authorities, compliance, holders, hosts, intake, persons, portals, provisioning, system
from contracts.envelope import MAX_BYTES, Envelope, Unreadable
from contracts.facts import Fact
from contracts.strictjson import loads
from contracts.topics import source_belongs
from contracts.upcasters import UPCASTERS, upcast

PREFIX = "guichet."
_VERSIONED = re.compile(r"(guichet\.[a-z-]+\.[a-z-]+)\.v([1-9][0-9]*)").fullmatch

PUBLISHERS: tuple[ModuleType, ...] = (
    portals,
    authorities,
    holders,
    persons,
    hosts,
    intake,
    compliance,
    provisioning,
    system,
)


def facts_of(module: ModuleType) -> dict[str, type[Fact]]:
    """The facts a publisher's module declares, by full type, in order of declaration."""
    return {
        thing.event_type: thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Fact) and "event_type" in vars(thing)
    }


FACTS: dict[str, type[Fact]] = {name: fact for module in PUBLISHERS for name, fact in facts_of(module).items()}
_NAMES = {found[1] for name in FACTS if (found := _VERSIONED(name)) is not None}


def short(full_type: str) -> str:
    """The type as the vocabulary says it: request.submitted.v1."""
    return full_type.removeprefix(PREFIX)


def read(envelope: Envelope, data: bytes, topic: str) -> Fact:
    """The fact a message states.

    Raises Unreadable: unknown-type, unknown-version, wrong-topic, foreign-source, too-large, not-json, invalid-data.
    """
    fact = FACTS.get(envelope.type)
    if fact is None:
        found = _VERSIONED(envelope.type)
        raise Unreadable("unknown-version" if found is not None and found[1] in _NAMES else "unknown-type")
    if fact.topic != topic:
        raise Unreadable("wrong-topic", f"{short(fact.event_type)} belongs on {fact.topic}")
    if not source_belongs(topic, envelope.source):
        raise Unreadable("foreign-source", f"the source may not write on {topic}")
    if fact.event_type in UPCASTERS:
        older = loads(data)
        if not isinstance(older, dict):
            raise Unreadable("invalid-data", "data: not an object")
        newest, members = upcast(fact.event_type, older)
        return read_data(FACTS[newest], json.dumps(members).encode())
    return read_data(fact, data)


def read_data(fact: type[Fact], data: bytes) -> Fact:
    """Data as a fact of a known type.

    Raises Unreadable, which names the fields that are wrong and by which rule, never what they hold.
    """
    if len(data) > MAX_BYTES:
        raise Unreadable("too-large", f"more than {MAX_BYTES} bytes")
    loads(data)
    try:
        return fact.model_validate_json(data)
    except ValidationError as error:
        raise Unreadable("invalid-data", describe(error)) from None


def describe(error: ValidationError) -> str:
    """The fields that failed and the rule of each, without values: `persons.0.ref: string_pattern_mismatch`."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, detail['loc'])) or 'data'}: {detail['type']}" for detail in details[:20])
