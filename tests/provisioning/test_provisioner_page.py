"""What whoever writes a provisioner reads is true: the page's example, the calls it names, and the description."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from starlette.routing import Route

from provisioning.environments.adapters import read_adapters
from provisioning.environments.http_signing import Keys, answer_components, request_components, signature_of, verify
from provisioning.openapi import document
from reference_provisioner import PREFIX, Provisioner

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "provisioner.md").read_text()
KEYS = Keys("example", {"example": bytes(range(32))})


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def message(text: str) -> tuple[str, dict[str, str], bytes]:
    """First line, headers and body of a message as the page shows it."""
    head, _, body = text.partition("\n\n")
    first, *lines = head.splitlines()
    return (
        first,
        {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)},
        body.strip().encode(),
    )


def test_the_signed_example_is_signed_and_the_code_beside_it_signs_so() -> None:
    call, answer = map(message, blocks("http"))
    method, path, _ = call[0].split()
    components = request_components(method, path, "", call[1])
    verify(KEYS, components, call[1], call[2], tag="guichet-order", now=1764151200)
    answered = answer_components(200, answer[1], signature_of(call[1]))
    verify(KEYS, answered, answer[1], answer[2], tag="guichet-answer", now=1764151201)
    [code] = blocks("python")
    made: dict[str, Any] = {}
    exec(code, made)
    assert (made["call"], made["answer"]) == (signature_of(call[1]), signature_of(answer[1]))


def test_the_file_of_the_example_is_one(tmp_path: Path) -> None:
    [text] = blocks("json")
    (tmp_path / "environments.json").write_text(text)
    (tmp_path / "env-external.hex").write_text("ab" * 32)
    (tmp_path / "ca.pem").write_text("")
    found = read_adapters(tmp_path / "environments.json", production=True)
    assert list(found.hosts) == ["env-external"]


def test_the_published_description_is_the_current_one() -> None:
    published = json.loads((DOCS / "provisioner.openapi.json").read_text())
    assert published == document(), "guichet environments openapi > docs/provisioner.openapi.json"


def test_every_reference_of_the_description_leads_to_a_sound_schema() -> None:
    described: Any = document()
    for schema in described["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    text = json.dumps(described)
    for kind, name in re.findall(r'"#/components/(\w+)/(\w+)"', text):
        assert name in described["components"][kind]


def test_the_description_has_exactly_the_calls_that_a_provisioner_answers() -> None:
    described: Any = document()
    told = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, calls in described["paths"].items()
        for method in calls
        if method != "parameters"
    }
    offered = {
        (method, re.sub(r"\{[\w:]+\}", "{}", route.path.removeprefix(PREFIX)))
        for route in Provisioner("k", b"").app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert told == offered
