"""`guichet contracts`: the gate, the documents, and a valid example of any event."""

from __future__ import annotations

import json
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from contracts import golden, publication, registry
from contracts.envelope import Unreadable
from contracts.registry import FACTS, short
from contracts.structured import decode_structured
from guichet import contracts_gate

app = typer.Typer(
    name="contracts",
    help="The published language: is it kept, what does it say, what does an event look like.",
    no_args_is_help=True,
)


def problems() -> dict[str, list[str]]:
    """Everything that keeps the contracts from being true, by kind; all lists empty when nothing does."""
    return {
        "incompatible": [str(breach) for breach in contracts_gate.breaches()],
        "stale": publication.stale(),
        "edited": publication.broken_seals(),
        "samples": golden.missing() + golden.surplus() + _unreadable_samples(),
    }


EXPLANATIONS = {
    "incompatible": "a published version never changes meaning: add optional members, or publish a new version",
    "stale": "generated and out of date: guichet contracts docs --write",
    "edited": "frozen files: restore them from version control, or seal new ones with guichet contracts docs --release",
    "samples": "each type has samples/<type>/full.json and required.json; a new member is shown in a new full-2.json",
}


def _unreadable_samples() -> list[str]:
    found = []
    for name, fact in FACTS.items():
        for path in golden.paths(name, ""):
            try:
                envelope, data = decode_structured(path.read_bytes())
                registry.read(envelope, data, fact.topic)
                fact.model_validate_json(data, extra="forbid")
            except (Unreadable, ValidationError):
                found.append(f"{short(name)}/{path.stem} does not follow its contract")
    return found


@app.command(epilog="Example: guichet contracts check --json")
def check(as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """Check compatibility with every release, generated files, frozen files and samples.

    Exit code 0 only when all is true.
    """
    found = problems()
    kept = not any(found.values())
    if as_json:
        typer.echo(json.dumps({"ok": kept, "types": len(FACTS), **found}, indent=1, ensure_ascii=False))
    else:
        for kind, items in found.items():
            if items:
                typer.echo(f"{kind} ({EXPLANATIONS[kind]})")
            for item in items:
                typer.echo(f"  {item}")
        if kept:
            typer.echo(f"{len(FACTS)} types: compatible with every release, documents up to date, samples complete")
    raise typer.Exit(0 if kept else 1)


@app.command(epilog="Example: guichet contracts docs -o asyncapi.yaml")
def docs(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the AsyncAPI document to a file.")
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Regenerate the schemas and documents of the checkout.")
    ] = False,
    release: Annotated[bool, typer.Option("--release", help="Freeze new schemas and samples as released.")] = False,
) -> None:
    """Print the AsyncAPI 3.0 document, or regenerate or release what is checked in."""
    if write or release:
        for path in publication.write() + (publication.release() if release else []):
            typer.echo(path)
        return
    text = publication.render()["asyncapi.yaml"]
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


@app.command(epilog="Example: guichet contracts sample decision.issued.v1 > event.json && guichet emit event.json")
def sample(
    name: Annotated[str, typer.Argument(metavar="TYPE", help="A type, with or without the prefix guichet.")],
    required: Annotated[bool, typer.Option("--required", help="Required members only.")] = False,
) -> None:
    """Print a valid example of an event as structured CloudEvents JSON, as `guichet emit` takes it."""
    try:
        sys.stdout.write(golden.sample(name, "required" if required else "full").decode())
    except KeyError:
        known = [short(full) for full in FACTS]
        near = get_close_matches(short(name), known, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "guichet contracts docs lists all types"
        typer.echo(f"no event has the type {short(name)}; {hint}", err=True)
        raise typer.Exit(1) from None
