"""What intake is told from outside."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from chassis.settings import Settings
from intake.portals import PortalsRefused, read_portals


class IntakeSettings(Settings):
    """The settings of every service, the portals' tokens, and the limits of the HTTP door."""

    portals_file: Path
    """JSON: for each portal the SHA-256 of its token in lower-case hex. Read again when the file changes."""
    events_per_second: float = Field(default=200, gt=0)
    """How many events each portal may bring over HTTP, in the long run."""
    events_at_once: int = Field(default=1000, ge=1)
    """How many it may bring in a burst."""
    outbox_seconds: float = Field(default=30, gt=0)
    """The door asks portals to wait while the oldest unpublished record is older than this."""
    transactions_at_once: int = Field(default=4, ge=1, le=7)
    """Events of the HTTP door in a transaction at the same time; the rest of the pool is for consuming."""

    @field_validator("portals_file")
    @classmethod
    def _name_portals(cls, value: Path) -> Path:
        try:
            read_portals(value)
        except PortalsRefused:
            raise PydanticCustomError("must_be_json_of_portals_and_sha256_digests", "refused") from None
        return value


LARGEST_BODY = 1024 * 1024
"""Bytes of one HTTP body, whatever is in it."""

LARGEST_BATCH = 100
"""Events in one HTTP body."""
