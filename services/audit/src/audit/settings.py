"""What the audit service is told from outside."""

import re
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from chassis.settings import Settings

NAME_PATTERN = r"^[a-z0-9][a-z0-9.-]*(/[a-z0-9._-]+)*$"
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class AuditSettings(Settings):
    """Settings of every service, the name this installation signs its logs with, and who may read what is recorded."""

    audit_name: str = Field(default="guichet.example/audit", pattern=NAME_PATTERN)
    """First part of every origin; never changed once a log exists."""
    signer_url: str | None = None
    """Where the signer answers; without one, nothing is published."""
    audit_readers: Annotated[tuple[str, ...], NoDecode] = ()
    """SHA-256 in lower-case hex of the tokens of those who may read entries and bundles, separated by commas."""

    @field_validator("audit_readers", mode="before")
    @classmethod
    def _split_readers(cls, value: object) -> object:
        if isinstance(value, str):
            value = tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, tuple) and not all(_DIGEST.fullmatch(str(each)) for each in value):
            raise PydanticCustomError("audit_readers", "must be SHA-256 digests in lower-case hex")
        return value
