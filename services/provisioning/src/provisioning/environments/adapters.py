"""Which adapter drives which environment: a file of the operator's, by the environment's id in the registry.

Nothing here says that an environment may host anything: that is the gate's, from dated evidence.

    {"env-base": {"kind": "postgres"},
     "env-ext": {"kind": "http", "url": "https://provisioner.example/guichet/v1", "key_id": "2026-11",
                   "keys": {"2026-11": "/run/secrets/env-ext"}}}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, TypeAdapter, ValidationError

from contracts.facts import Shape
from contracts.vocabulary import Reference
from provisioning.environments.http_client import Host
from provisioning.environments.http_signing import Keys

SHORTEST_KEY = 32
"""Bytes (RFC 2104, 3: no shorter than the hash)."""
_HEX = re.compile(r"[0-9a-fA-F]+")

KeyId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class Postgres(Shape):
    """An environment that is the database GUICHET_WORKSPACES_URL."""

    kind: Literal["postgres"]


class Http(Shape):
    """An environment behind a provisioner. `keys` names files; all keys are accepted from it, `key_id` signs ours."""

    kind: Literal["http"]
    url: Annotated[str, Field(pattern=r"^https?://[^\s?#@]+[^\s?#@/]$")]
    key_id: KeyId
    keys: dict[KeyId, str]
    ca_file: str | None = None
    request_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0
    tries: Annotated[int, Field(ge=1, le=10)] = 3


_FILE: TypeAdapter[dict[Reference, Annotated[Postgres | Http, Field(discriminator="kind")]]] = TypeAdapter(
    dict[Reference, Annotated[Postgres | Http, Field(discriminator="kind")]]
)


class AdaptersRefused(ValueError):
    """Everything that is wrong with the file at once: environments, members and rules, never a value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Adapters:
    """What the file says, with the keys read."""

    postgres: frozenset[str]
    hosts: dict[str, Host]


def read_adapters(path: Path, *, production: bool) -> Adapters:
    """The adapters of a file; raises AdaptersRefused. In production a provisioner is spoken to over TLS only."""
    try:
        found = _FILE.validate_json(path.read_bytes())
    except OSError:
        raise AdaptersRefused(["the file cannot be read"]) from None
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise AdaptersRefused(
            [f"{_place(fault['loc'])}: {fault['type'].replace('_', ' ')}" for fault in faults]
        ) from None
    problems: list[str] = []
    hosts = {
        name: host
        for name, entry in found.items()
        if isinstance(entry, Http) and (host := _host(name, entry, path.parent, production, problems)) is not None
    }
    if problems:
        raise AdaptersRefused(problems)
    return Adapters(frozenset(name for name, entry in found.items() if isinstance(entry, Postgres)), hosts)


def _place(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc) or "the file"


def _host(name: str, entry: Http, folder: Path, production: bool, problems: list[str]) -> Host | None:
    before = len(problems)
    if entry.url.startswith("http:") and (production or not on_this_machine(entry.url)):
        problems.append(f"{name}.url: must be https")
    if entry.key_id not in entry.keys:
        problems.append(f"{name}.key_id: is not among the keys")
    secrets: dict[str, bytes] = {}
    for key_id, file in entry.keys.items():
        try:
            secrets[key_id] = read_key(folder / file)
        except AdaptersRefused as refusal:
            problems += [f"{name}.keys.{key_id}: {problem}" for problem in refusal.problems]
    if entry.ca_file is not None and not (folder / entry.ca_file).is_file():
        problems.append(f"{name}.ca_file: is not a file")
    if len(problems) > before:
        return None
    ca_file = None if entry.ca_file is None else folder / entry.ca_file
    return Host(entry.url, Keys(entry.key_id, secrets), entry.request_seconds, entry.tries, ca_file)


def read_key(path: Path) -> bytes:
    """The key in a file, written in hexadecimal (`openssl rand -hex 32`); raises AdaptersRefused."""
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise AdaptersRefused(["the key file cannot be read"]) from None
    return parse_key(text)


def parse_key(text: str) -> bytes:
    """A key written in hexadecimal; raises AdaptersRefused."""
    if _HEX.fullmatch(text) is None or len(text) % 2 or len(text) < 2 * SHORTEST_KEY:
        raise AdaptersRefused([f"a key is at least {2 * SHORTEST_KEY} hexadecimal digits"])
    return bytes.fromhex(text)


def on_this_machine(url: str) -> bool:
    """Whether a URL leads to this machine, where nothing can be overheard on the way."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
