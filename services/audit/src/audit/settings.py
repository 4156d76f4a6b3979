"""What the audit service is told from outside."""

import re
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from chassis.settings import Settings

NAME_PATTERN = r"^[a-z0-9][a-z0-9.-]*(/[a-z0-9._-]+)*$"
_READER = re.compile(r"([A-Za-z0-9][A-Za-z0-9._:-]{0,63}=)?[0-9a-f]{64}", re.ASCII)


class AuditSettings(Settings):
    """Settings of every service, the name this installation signs its logs with, and who may read what is recorded."""

    audit_name: str = Field(default="guichet.example/audit", pattern=NAME_PATTERN)
    """First part of every origin; never changed once a log exists."""
    signer_url: str | None = None
    """Where the signer answers; without one, nothing is published."""
    audit_readers: Annotated[tuple[str, ...], NoDecode] = ()
    """Those who may read entries and bundles, separated by commas: the SHA-256 of each one's token in lower-case hex,
    after a name and "=". What they open is recorded under that name, which is a role or a reference, no person's name;
    without one, under the beginning of the digest."""

    @field_validator("audit_readers", mode="before")
    @classmethod
    def _split_readers(cls, value: object) -> object:
        if isinstance(value, str):
            value = tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, tuple) and not all(_READER.fullmatch(str(each)) for each in value):
            raise PydanticCustomError("audit_readers", "must be SHA-256 digests in lower-case hex, perhaps after NAME=")
        return value
