"""Keys against the trail: nothing erased in silence, nothing said to be erased that can still be read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.registry import FACTS
from contracts.system import KeyDestroyed
from guichet.replay.instants import sizes_now
from guichet.replay.recorded import NotRead, read_record, records_until
from guichet.sealing.texts import sealed_fields

if TYPE_CHECKING:
    from asyncpg import Connection

    from guichet.sealing.keystore import KeyStore


@dataclass(frozen=True, slots=True)
class KeysAgainstTrail:
    """What a comparison found: key ids in each."""

    sealed_under: frozenset[str]
    destroyed: frozenset[str]
    kept: frozenset[str]

    @property
    def gone_without_event(self) -> frozenset[str]:
        """Texts are sealed under them, no store has them, and no event says that they were destroyed."""
        return self.sealed_under - self.kept - self.destroyed

    @property
    def event_but_kept(self) -> frozenset[str]:
        """An event says that they were destroyed, and the store still has them."""
        return self.destroyed & self.kept

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return {
            "sealed_under": len(self.sealed_under),
            "destroyed": len(self.destroyed),
            "gone_without_event": sorted(self.gone_without_event),
            "event_but_kept": sorted(self.event_but_kept),
        }


async def compare(connection: Connection, store: KeyStore) -> KeysAgainstTrail:
    """Read the trail for sealed texts and destroyed keys; within the caller's transaction."""
    sealed: set[str] = set()
    destroyed: set[str] = set()
    topics = {kind.topic for kind in FACTS.values() if sealed_fields(kind)} | {KeyDestroyed.topic}
    async for record in records_until(connection, await sizes_now(connection), topics):
        heard = read_record(record)
        if isinstance(heard, NotRead):
            continue
        if isinstance(heard.fact, KeyDestroyed):
            destroyed.add(heard.fact.key_id)
        elif fields := sealed_fields(type(heard.fact)):
            data = json.loads(heard.data)
            sealed.update(data[field]["key_id"] for field in fields if data.get(field))
    kept = frozenset(key.key_id for key in store.listed() if not key.destroyed)
    return KeysAgainstTrail(frozenset(sealed), frozenset(destroyed), kept)
