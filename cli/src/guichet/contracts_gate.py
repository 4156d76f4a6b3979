"""The compatibility gate: what any released writer may send, any released reader must take, and the reasons when
not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, product

import jsoncompat

from contracts import publication
from contracts.registry import FACTS, short

Schema = dict[str, object]

WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
AT_LEAST = {"minLength": "characters", "minItems": "items", "minimum": ""}
AT_MOST = {"maxLength": "characters", "maxItems": "items", "maximum": ""}
COMPARED = {
    *("type", "enum", "const", "properties", "required", "additionalProperties", "items", "anyOf"),
    *("pattern", "format", "uniqueItems", *AT_LEAST, *AT_MOST),
}
"""The keywords the comparison understands; a reader that uses another is not let through unseen."""


@dataclass(frozen=True, slots=True)
class Release:
    """A schema of a type as it was released, or as it is now: what a writer may send (closed), what a reader takes
    (open)."""

    name: str
    writer: Schema
    reader: Schema


@dataclass(frozen=True, slots=True)
class Breach:
    """Why two releases of a type do not get along."""

    type: str
    writer: str
    reader: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.type}, written as {self.writer}, read as {self.reader}: " + "; ".join(self.reasons)


def breaches() -> list[Breach]:
    """Every breach among the released schemas and the present ones, of all types."""
    present = {short(name): publication.schema(fact) for name, fact in FACTS.items()}
    found = [
        Breach(name, "a release", "the present", ("the type was released and nobody publishes it any more",))
        for name in sorted(path.name for path in (publication.ROOT / publication.RELEASED).glob("*"))
        if name not in present
    ]
    for name, document in present.items():
        history = [
            release(f"release {path.stem}", json.loads(path.read_text(encoding="utf-8")))
            for path in publication.releases(name)
        ]
        found += compare(name, [*history, release("the present", document)])
    return found


def release(name: str, document: Mapping[str, object]) -> Release:
    """The two views of a published schema, every reference resolved. Raises ValueError when one refers to itself."""
    return Release(
        name,
        resolved(document, {"$ref": "#/$defs/writer"}),
        resolved(document, {"$ref": "#/$defs/reader"}),
    )


def compare(name: str, history: list[Release]) -> list[Breach]:
    """The breaches among the releases of one type, oldest first: every writer against every reader, and members
    that vanished."""
    found = []
    judged: dict[str, list[str]] = {}  # Most releases change nothing: the same two schemas are judged once.
    for writer, reader in product(history, history):
        pair = json.dumps([writer.writer, reader.reader])
        if pair not in judged:
            judged[pair] = judge(writer.writer, reader.reader)
        if reasons := judged[pair]:
            found.append(Breach(name, writer.name, reader.name, tuple(reasons)))
    for old, new in pairwise(history):
        gone = tuple(_gone(old.writer, new.writer, ""))
        if gone:
            found.append(Breach(name, old.name, new.name, gone))
    return found


def judge(writer: Schema, reader: Schema) -> list[str]:
    """Why `reader` does not take everything `writer` may send; empty when it does.

    The member-by-member comparison gives reasons; jsoncompat judges the inclusion as a whole. Both must be content.
    """
    reasons = list(_reasons(writer, reader, ""))
    if not reasons and (objection := _objection(writer, reader)) is not None:
        reasons.append(objection)
    return reasons


def _objection(writer: Schema, reader: Schema) -> str | None:
    """What jsoncompat has against every instance of `writer` being one of `reader` (its role of a deserialiser).

    From 0.5 on (Python 3.12) it tells a counterexample from a proof it did not find; without either our own comparison
    stands, which takes nothing for granted. 0.3 says yes or no.
    """
    analyse = getattr(jsoncompat, "analyze_compat", None)
    try:
        if analyse is None:
            proved = bool(jsoncompat.check_compat(json.dumps(writer), json.dumps(reader), "deserializer"))
            return None if proved else "it cannot be proved that the reader takes everything the writer may send"
        result = analyse(json.dumps(writer), json.dumps(reader), "deserializer")
    except ValueError:
        return "the schemas cannot be compared as a whole"
    if result["status"] != "incompatible":
        return None
    return f"the writer may send what the reader refuses, for example {result['counterexample_json']}"


def resolved(document: Mapping[str, object], node: object, within: tuple[str, ...] = ()) -> Schema:
    """A node with its references replaced by what they point at, and without notes for people."""
    if not isinstance(node, Mapping):
        raise ValueError("a schema is an object")
    reference = node.get("$ref")
    if isinstance(reference, str):
        if reference in within:
            raise ValueError(f"{reference} refers to itself")
        target: object = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step] if isinstance(target, Mapping) else None
        return resolved(document, target, (*within, reference))
    plain: Schema = {}
    for key, value in node.items():
        match key, value:
            case "description" | "title" | "$defs" | "default" | "$schema" | "$id", _:
                continue
            case "properties", Mapping():
                plain[key] = {name: resolved(document, member, within) for name, member in value.items()}
            case "anyOf", list():
                plain[key] = [resolved(document, choice, within) for choice in value]
            case "items" | "additionalProperties", Mapping():
                plain[key] = resolved(document, value, within)
            case _:
                plain[key] = value
    return plain


def _choices(schema: Schema) -> list[Schema]:
    choices = schema.get("anyOf")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else [schema]


def _reasons(writer: Schema, reader: Schema, where: str) -> Iterator[str]:
    """What the writer may send here that the reader does not take, in words."""
    wanted = _choices(reader)
    for sent in _choices(writer):
        attempts = [list(_single(sent, choice, where)) for choice in wanted]
        if all(attempts):
            same_type = [
                reasons
                for reasons, choice in zip(attempts, wanted, strict=True)
                if choice.get("type") == sent.get("type")
            ]
            yield from (same_type or [[_mismatch(sent, wanted, where)]])[0]


def _mismatch(sent: Schema, wanted: list[Schema], where: str) -> str:
    expected = " or ".join(_word(choice) for choice in wanted)
    return f"{_name(where)} may be {_word(sent)}, and the reader expects {expected}"


def _word(schema: Schema) -> str:
    return WORDS.get(str(schema.get("type")), "anything")


def _name(where: str) -> str:
    return f"`{where}`" if where else "the data"


def _single(sent: Schema, wanted: Schema, where: str) -> Iterator[str]:
    if strange := sorted(set(wanted) - COMPARED):
        yield f"{_name(where)}: the gate does not know how to compare {', '.join(strange)}"
    if "type" in wanted and sent.get("type") != wanted["type"]:
        yield _mismatch(sent, [wanted], where)
        return
    allowed, values = _values(wanted), _values(sent)
    if allowed is not None:
        if values is None:
            yield f"{_name(where)} may hold any value, and the reader knows a list of them"
        elif unknown := [str(value) for value in values if value not in allowed]:
            yield f"{_name(where)} may be {', '.join(unknown)}, unknown to the reader"
    yield from _limits(sent, wanted, where)
    if wanted.get("type") == "object":
        yield from _members(sent, wanted, where)
    if isinstance(item := wanted.get("items"), dict):
        sent_item = sent.get("items")
        yield from _reasons(sent_item if isinstance(sent_item, dict) else {}, item, f"{where}[]")


def _values(schema: Schema) -> list[object] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return values if isinstance(values, list) else None


def _limits(sent: Schema, wanted: Schema, where: str) -> Iterator[str]:
    for limits, sign, word in ((AT_LEAST, 1, "at least"), (AT_MOST, -1, "at most")):
        for key, unit in limits.items():
            bound, own = wanted.get(key), sent.get(key)
            if isinstance(bound, int) and not (isinstance(own, int) and sign * own >= sign * bound):
                yield f"{_name(where)}: the reader asks for {word} {bound} {unit}".rstrip() + ", the writer does not"
    for key, phrase in (("pattern", "form"), ("format", "format"), ("uniqueItems", "uniqueness")):
        if key in wanted and sent.get(key) != wanted[key] and _values(sent) is None:
            yield f"{_name(where)}: the reader asks for another {phrase} than the writer promises"


def _members(sent: Schema, wanted: Schema, where: str) -> Iterator[str]:
    own, known = _properties(sent), _properties(wanted)
    promised = _names(sent.get("required"))
    for name in _names(wanted.get("required")):
        if name not in own:
            yield f"`{_at(where, name)}` is required by the reader and unknown to the writer"
        elif name not in promised:
            yield f"`{_at(where, name)}` is required by the reader and may be left out by the writer"
    for name, member in own.items():
        if name in known:
            yield from _reasons(member, known[name], _at(where, name))
        elif wanted.get("additionalProperties") is False:
            yield f"`{_at(where, name)}` may be sent, and the reader refuses members it does not know"


def _gone(old: Schema, new: Schema, where: str) -> Iterator[str]:
    """Members that were published and are no more: a version keeps what it once had, optional or not."""
    for before, after in product(_choices(old), _choices(new)):
        if before.get("type") != after.get("type"):
            continue
        kept = _properties(after)
        for name, member in _properties(before).items():
            if name in kept:
                yield from _gone(member, kept[name], _at(where, name))
            elif kept:
                yield f"`{_at(where, name)}` was published and is gone or renamed"
        match before.get("items"), after.get("items"):
            case dict() as old_item, dict() as new_item:
                yield from _gone(old_item, new_item, f"{where}[]")


def _properties(schema: Schema) -> dict[str, Schema]:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _names(names: object) -> list[str]:
    return [str(name) for name in names] if isinstance(names, list) else []


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
