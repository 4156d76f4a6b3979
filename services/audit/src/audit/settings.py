"""What the audit service is told from outside."""

from pydantic import Field

from chassis.settings import Settings

NAME_PATTERN = r"^[a-z0-9][a-z0-9.-]*(/[a-z0-9._-]+)*$"


class AuditSettings(Settings):
    """Settings of every service, and the name this installation signs its logs with."""

    audit_name: str = Field(default="guichet.example/audit", pattern=NAME_PATTERN)
    """First part of every origin; never changed once a log exists."""
    signer_url: str | None = None
    """Where the signer answers; without one, nothing is published."""
