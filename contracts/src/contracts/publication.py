"""What is generated from the facts and checked in: JSON Schemas in two views, the AsyncAPI document, the frozen
releases."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import JsonValue

from contracts.asyncapi import document
from contracts.facts import Fact
from contracts.registry import FACTS, short
from contracts.yamltext import to_yaml

ROOT = Path(__file__).parent
SCHEMAS = "schemas"
RELEASED = "released"
SAMPLES = "samples"
SEALS = "frozen.sha256"

Json = dict[str, JsonValue]


def schema(fact: type[Fact]) -> Json:
    """The schema of a type's data: what a reader takes (open) as the root, what a writer may send (closed) at
    `#/$defs/writer`."""
    writer = fact.model_json_schema(by_alias=True, mode="serialization", ref_template="#/$defs/writer/$defs/{model}")
    reader = fact.model_json_schema(by_alias=True, mode="validation", ref_template="#/$defs/reader/$defs/{model}")
    _tidy(reader)
    _tidy(writer)
    _close(writer)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:guichet:{short(fact.event_type)}",
        "title": short(fact.event_type),
        "description": _sentence(fact),
        "$ref": "#/$defs/reader",
        "$defs": {"reader": reader, "writer": writer},
    }


def _sentence(fact: type[Fact]) -> str:
    return " ".join((fact.__doc__ or "").split())


def _tidy(node: JsonValue) -> None:
    """Take out the titles that only repeat names, and defaults of null."""
    if isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        if node.get("default", 0) is None:
            del node["default"]
        for child in node.values():
            _tidy(child)
    elif isinstance(node, list):
        for child in node:
            _tidy(child)


def _close(node: JsonValue) -> None:
    """Allow no member beyond those named, and no null where absence says the same, in every object that names its
    members."""
    if isinstance(node, dict):
        members = node.get("properties")
        if isinstance(members, dict) and "additionalProperties" not in node:
            node["additionalProperties"] = False
            required = node.get("required")
            for name, member in members.items():
                if isinstance(required, list) and name in required:
                    continue
                if isinstance(member, dict) and isinstance(choices := member.get("anyOf"), list):
                    left = [choice for choice in choices if choice != {"type": "null"}]
                    if len(left) == 1 and isinstance(left[0], dict):
                        del member["anyOf"]
                        member.update(left[0])
        for child in node.values():
            _close(child)
    elif isinstance(node, list):
        for child in node:
            _close(child)


def render() -> dict[str, str]:
    """Every generated file, by path inside the package, the same bytes every time."""
    files = {f"{SCHEMAS}/{short(name)}.json": _json(schema(fact)) for name, fact in FACTS.items()}
    files["asyncapi.yaml"] = to_yaml(document())
    return files


def write() -> list[str]:
    """Bring the generated files up to date; the paths that changed."""
    changed = stale()
    files = render()
    for path in changed:
        target = ROOT / path
        if path in files:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(files[path], encoding="utf-8")
        else:
            target.unlink()
    return changed


def stale() -> list[str]:
    """The generated files that are missing, differ from what would be generated, or belong to no type."""
    files = render()
    differing = [path for path, text in files.items() if _text(ROOT / path) != text]
    return differing + sorted(
        found for file in (ROOT / SCHEMAS).glob("*.json") if (found := f"{SCHEMAS}/{file.name}") not in files
    )


def releases(name: str) -> list[Path]:
    """The released schemas of a type, oldest first."""
    return sorted((ROOT / RELEASED / short(name)).glob("*.json"), key=lambda path: int(path.stem))


def release() -> list[str]:
    """Freeze every schema that differs from its last release as the next one, and seal it and every new sample;
    the paths added."""
    added = []
    for name, fact in FACTS.items():
        text = _json(schema(fact))
        earlier = releases(name)
        if earlier and _text(earlier[-1]) == text:
            continue
        target = ROOT / RELEASED / short(name) / f"{len(earlier) + 1}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        added.append(str(target.relative_to(ROOT)))
    sealed = seals()
    fresh = {path: _digest(ROOT / path) for path in _frozen() if path not in sealed}
    lines = [f"{digest}  {path}\n" for path, digest in sorted({**sealed, **fresh}.items())]
    (ROOT / SEALS).write_text("".join(lines), encoding="utf-8")
    return added


def seals() -> dict[str, str]:
    """The SHA-256 of every frozen file, by path inside the package."""
    lines = (_text(ROOT / SEALS) or "").splitlines()
    return {path: digest for digest, _, path in (line.partition("  ") for line in lines)}


def broken_seals() -> list[str]:
    """Frozen files that were edited or removed, or never sealed: released schemas and samples only ever get company."""
    sealed = seals()
    broken = [path for path, digest in sealed.items() if _digest(ROOT / path) != digest]
    return broken + sorted(path for path in _frozen() if path not in sealed)


def _frozen() -> list[str]:
    return [
        str(path.relative_to(ROOT))
        for folder in (RELEASED, SAMPLES)
        for path in sorted((ROOT / folder).glob("*/*.json"))
    ]


def _json(node: Json) -> str:
    return json.dumps(node, indent=1, ensure_ascii=False) + "\n"


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
