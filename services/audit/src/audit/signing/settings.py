"""What the signer is told from outside."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class SignerSettings(BaseSettings):
    """From GUICHET_* variables."""

    model_config = SettingsConfigDict(env_prefix="GUICHET_", frozen=True, extra="ignore", hide_input_in_errors=True)

    signer_database_url: str = Field(repr=False, pattern=r"^postgres(ql)?://")
    """The audit database as `audit_signer`, who reads."""
    signer_state: Path
    """The SQLite file: on another volume than the database, and in no backup with it."""
    signer_keys: Annotated[tuple[Path, ...], NoDecode]
    """Files of the keys to sign with, separated by commas: more than one while they are being rotated."""
    audit_name: str = "guichet.example/audit"
    signer_policy: Path | None = None
    """A tlog-policy file: the witnesses to ask, each with its address, and how many must agree. None: no witness."""
    signer_tsa_url: str | None = Field(default=None, pattern=r"^https?://")
    """Where a timestamp authority answers (RFC 3161 over HTTP); None: no token is asked for."""
    signer_tsa_certificates: Path | None = None
    """The authority's certificates in PEM, which every token is checked with: needed with its address."""
    signer_tsa_seconds: float = Field(default=3600, ge=1)
    """How often a log that grew is stamped."""
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    log_level: str = "info"

    @field_validator("signer_keys", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value
