"""`guichet environments certify` and `openapi`: for whoever builds a provisioner, against their own."""

import asyncio
import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from guichet import console
from guichet.stack.errors import StackError

if TYPE_CHECKING:
    from provisioning.conformance import Outcome

KEY = "GUICHET_PROVISIONER_KEY"


def certify(
    url: Annotated[str, typer.Argument(help="Base address of the provisioner, such as https://host/guichet/v1.")],
    key_id: Annotated[str, typer.Option("--key-id", help="Id of the shared key.")] = "certify",
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help=f"File of the key in hexadecimal; else the variable {KEY}.")
    ] = None,
    ca_file: Annotated[Path | None, typer.Option("--ca-file", help="Certificates to trust.")] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Names of checks, or parts of them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Try every promise of a hosting environment against a provisioner; exit code 0 only when all are kept.

    Makes workspaces with invented rows there, and takes them away again.

    Example: guichet environments certify https://host/guichet/v1 --key-id test --key-file key.hex
    """
    from provisioning.conformance import CHECKS, enter, protocol_checks
    from provisioning.conformance import certify as try_all
    from provisioning.environments.adapters import on_this_machine
    from provisioning.environments.http import HttpEnvironment
    from provisioning.environments.http_client import Host
    from provisioning.environments.http_signing import Keys

    if not url.startswith("https://") and not (url.startswith("http://") and on_this_machine(url)):
        raise StackError("a provisioner is spoken to over https", "http:// is for one on this machine only")
    host = Host(url.rstrip("/"), Keys(key_id, {key_id: _key(key_file)}), ca_file=ca_file)
    _find(host.url)
    checks = [
        check for check in (*CHECKS, *protocol_checks(host)) if not only or any(part in check.name for part in only)
    ]
    if not checks:
        raise StackError("no check has such a name", "guichet environments certify URL lists them all")

    with console.progress(quiet=as_json) as tell:
        tell(f"trying {len(checks)} promises")

        def heard(outcome: "Outcome") -> None:
            if not as_json:
                tell(f"{outcome.name}: {'kept' if outcome.passed else outcome.found}")

        outcomes = asyncio.run(try_all(checks, HttpEnvironment(host, ""), enter, heard))
    kept = sum(outcome.passed for outcome in outcomes)
    if as_json:
        listed = [
            {
                "name": each.name,
                "promise": each.promise,
                "passed": each.passed,
                "found": each.found or None,
                "seconds": round(each.seconds, 3),
            }
            for each in outcomes
        ]
        console.show_json({"url": host.url, "passed": kept == len(outcomes), "kept": kept, "checks": listed})
    else:
        _show(outcomes)
        console.say(f"{kept} of {len(outcomes)} promises kept")
    raise typer.Exit(0 if kept == len(outcomes) else 1)


def _find(url: str) -> None:
    """Refuses an address where nobody listens: no promise is broken there, and none is kept."""
    try:
        address = urlsplit(url)
        port = address.port or (443 if address.scheme == "https" else 80)
        socket.create_connection((address.hostname or "", port), timeout=10).close()
    except (OSError, ValueError) as error:
        raise StackError(f"nobody listens at {url}: {error}", "start the provisioner, or look at its address") from None


def _key(file: Path | None) -> bytes:
    from provisioning.environments.adapters import AdaptersRefused, parse_key, read_key

    try:
        return read_key(file) if file is not None else parse_key(os.environ.get(KEY, ""))
    except AdaptersRefused as refusal:
        raise StackError(str(refusal), f"openssl rand -hex 32 > key.hex, then --key-file key.hex or {KEY}") from None


def _show(outcomes: "Sequence[Outcome]") -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for title in ("", "promise", "found"):
        table.add_column(title)
    for each in outcomes:
        table.add_row("[green]kept[/]" if each.passed else "[red]BROKEN[/]", each.name, each.found)
    console.out().print(table)


def openapi() -> None:
    """The interface of a provisioner as OpenAPI 3.1.

    Example: guichet environments openapi > provisioner.openapi.json
    """
    from provisioning.openapi import document

    console.say(json.dumps(document(), indent=2, ensure_ascii=False))


def mount(app: typer.Typer) -> None:
    """Adds both verbs to the application of `guichet environments`."""
    app.command("certify")(certify)
    app.command("openapi")(openapi)
