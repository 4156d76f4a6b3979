"""The manifest of a table: how many rows, and one digest of all of them that does not depend on their order."""

import hashlib

import asyncpg

# Each row as PostgreSQL writes it, hashed; the digests added up as 256-bit numbers, in four lanes of 64 bits. bigint
# is signed, so a lane that came out negative is short of 2^64: the negatives are counted and added back.
_SUMS = """
    SELECT count(*) AS rows,
           {lanes}
    FROM (SELECT sha256(convert_to(t::text, 'UTF8')) AS h FROM {table} AS t) AS hashed
"""
_LANE = (
    "sum(substr(h, {at}, 8)::bigint) AS sum_{lane}, "
    "count(*) FILTER (WHERE substr(h, {at}, 8)::bigint < 0) AS negative_{lane}"
)
_STATEMENT = _SUMS.replace("{lanes}", ", ".join(_LANE.format(at=1 + 8 * lane, lane=lane) for lane in range(4)))


async def manifest(connection: asyncpg.Connection, table: str) -> tuple[int, str]:
    """Rows and digest of a table (a quoted, qualified name). Two tables with equal rows have equal manifests.

    The digest is the SHA-256 of `rows:sum`, the sum modulo 2^256 in 64 hexadecimal digits; adding, unlike XOR, does
    not let two equal rows cancel each other.
    """
    row = await connection.fetchrow(_STATEMENT.replace("{table}", table))
    rows = int(row["rows"])
    total = 0
    for lane in range(4):
        value = int(row[f"sum_{lane}"] or 0) + (int(row[f"negative_{lane}"]) << 64)
        total += value << (64 * (3 - lane))
    return rows, hashlib.sha256(f"{rows}:{total % (1 << 256):064x}".encode()).hexdigest()
