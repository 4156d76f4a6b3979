"""What provisioning is told from outside."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from chassis.settings import Settings
from provisioning.environments.adapters import AdaptersRefused, read_adapters
from provisioning.terms import Terms, read_terms


class ProvisioningSettings(Settings):
    """GUICHET_* variables of this service, beside those of every service."""

    holder_url: str = Field(repr=False)
    """The database of the data holder, which is only read."""
    workspaces_url: str = Field(repr=False)
    """The database of the postgres environment: its owner, who may create roles."""
    postgres_environments: Annotated[tuple[str, ...], NoDecode] = Field(default=(), repr=False)
    """Ids of the environments we drive, separated by commas in the variable. `id` is that database, `id=name` another
    one on its server, `id=postgresql://…` one elsewhere."""
    environments_file: Path | None = None
    """JSON: the adapter of each environment that is driven from here, and where its provisioner is (`adapters.py`)."""
    workspaces_backed_up: bool = False
    """Whether backups of the workspaces outlive them: certificates then say that they do not cover backups."""
    workspaces_backups: Annotated[tuple[str, ...], NoDecode] = ()
    """Names of these backup sets, for the certificates."""
    certificate_key: Path | None = None
    """The private key that signs certificates of destruction, made when the file is not there; the public one is
    written beside it, as `.vkey`. Without it certificates are digested, not signed."""
    deletion_after_days: int = Field(default=30, ge=0, le=180)
    """How long a closed workspace is kept. EHDS:68(12) allows six months."""
    deletion_alarm_days: int = Field(default=7, ge=1)
    """After how many days more a person is called because a workspace that was to be destroyed is still there."""
    workers: int = Field(default=3, ge=1, le=32)
    """Steps done at the same time."""
    lease_seconds: float = Field(default=10, ge=1)
    """How long a worker that has died holds a step up."""
    step_attempts: int = Field(default=8, ge=1)
    """Attempts at a step before a person is needed."""
    step_seconds: float = Field(default=120, ge=1)
    """Time limit of a step, an extraction apart."""
    fill_seconds: float = Field(default=4 * 3600, ge=1)
    """Time limit of an extraction."""

    terms_required: Annotated[tuple[Terms, ...], NoDecode] = ()
    """Versions of the terms of use that persons must have accepted, each with the first day on which it is required:
    `cgu-2=2026-10-01,cgu-3=2027-04-01` in the variable, with `:SHA256` of the text where a portal's word for it counts
    only for that text. None by default (`terms.py`)."""
    sweep_seconds: float = Field(default=300, ge=0.1)
    """How often every environment is compared with what its workspaces should have."""

    @field_validator("postgres_environments", "workspaces_backups", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("terms_required", mode="before")
    @classmethod
    def _read_terms(cls, value: object) -> object:
        return read_terms(value) if isinstance(value, str) else value

    @field_validator("environments_file")
    @classmethod
    def _name_problems(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None:
            try:
                read_adapters(value, production=bool(info.data.get("production")))
            except AdaptersRefused as refusal:
                raise PydanticCustomError("refused", "{problems}", {"problems": str(refusal)}) from None
        return value


def database_urls(workspaces_url: str, entries: Iterable[str]) -> dict[str, str]:
    """Which database each environment is, as `postgres_environments` names them."""
    parts = urlsplit(workspaces_url)
    urls = {}
    for entry in entries:
        name, _, place = entry.partition("=")
        urls[name] = place if "://" in place else urlunsplit(parts._replace(path=f"/{place}" if place else parts.path))
    return urls
