"""Which shards of the outbox this relay owns: one owner each, by session locks that a dead or stopped owner loses."""

from math import ceil

from chassis.database import Connection
from chassis.outbox import SHARDS

SHARD_LOCKS = 42
RELAY_LOCKS = 43


async def join(connection: Connection) -> None:
    """Be counted among the live relays, for as long as the connection lives."""
    await connection.execute("SELECT pg_advisory_lock_shared($1, 0)", RELAY_LOCKS)


async def share_out(connection: Connection, owned: list[int]) -> list[int]:
    """Take or give back shards so that each live relay owns its part, and give what is owned now.

    Must be called between batches: what is given back may be published by another relay at once.
    """
    relays = await connection.fetchval(
        """
        SELECT count(DISTINCT pid) FROM pg_locks
        WHERE locktype = 'advisory' AND classid = $1 AND objid = 0 AND objsubid = 2 AND mode = 'ShareLock' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """,
        RELAY_LOCKS,
    )
    share = ceil(SHARDS / max(1, relays))
    kept = list(owned)
    while len(kept) > share:
        await connection.execute("SELECT pg_advisory_unlock($1, $2)", SHARD_LOCKS, kept.pop())
    if len(kept) < share:
        wanted = [shard for shard in range(SHARDS) if shard not in kept]
        for shard in wanted:
            if await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", SHARD_LOCKS, shard):
                kept.append(shard)
                if len(kept) == share:
                    break
    return kept
