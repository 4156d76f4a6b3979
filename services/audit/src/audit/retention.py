"""How long each stream is kept, and which epochs have been kept long enough: a tree ends as a whole, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.topics import stream_of

if TYPE_CHECKING:
    from chassis.database import Connection


class Retention(BaseSettings):
    """Days from the end of an epoch, from GUICHET_AUDIT_* variables."""

    model_config = SettingsConfigDict(env_prefix="GUICHET_AUDIT_", frozen=True, extra="ignore")

    trail_retention_days: int = Field(default=3650, ge=365)
    """Decisions: what the controller's limitation periods ask for."""
    access_retention_days: int = Field(default=365, ge=365, le=1096)
    """Who opened what: at least one year (Regulation (EU) 2025/327, article 73); the CNIL's guidance on logging takes
    six months to one year, and three years where controls are documented."""

    def of(self, topic: str) -> timedelta:
        """How long an epoch of a topic is kept after its end."""
        days = self.access_retention_days if stream_of(topic) == "access" else self.trail_retention_days
        return timedelta(days=days)


class Ended(NamedTuple):
    """An epoch that is over, and until when it is kept."""

    origin: str
    size: int
    ended_at: datetime
    keep_until: datetime


async def read_ended(connection: Connection, retention: Retention) -> Sequence[Ended]:
    """Every epoch that is over, in the order of its end: that is when its next epoch was announced."""
    rows = await connection.fetch(
        """
        SELECT before.origin, before.topic, tree_size, min(opened.event_time) AS ended_at
        FROM audit.log AS before
        JOIN audit.head USING (log_id)
        JOIN audit.log AS after
            ON (after.topic, after.part, after.epoch) = (before.topic, before.part, before.epoch + 1)
        JOIN audit.entry AS opened ON opened.subject = after.origin AND opened.event_type = 'guichet.epoch.opened.v1'
        WHERE before.state IN ('frozen', 'broken') GROUP BY 1, 2, 3 ORDER BY 4, 1
        """
    )
    return [
        Ended(row["origin"], row["tree_size"], row["ended_at"], row["ended_at"] + retention.of(row["topic"]))
        for row in rows
    ]
