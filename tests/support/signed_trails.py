"""A recorded trail signed by a key that the tests hold, and events to record."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import exporting
from audit.exporting import Wanted
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.notes import SigningKey, sign_note
from guichet_verify.policy import read_policy

KEY = SigningKey("guichet.example/audit", Ed25519PrivateKey.generate())
POLICY = read_policy(f"log {KEY.log_key.vkey()}\nquorum none\n".encode())
REQUEST = "5f0c7f4e-6c1e-5a44-9d7e-2f1f6a3b9c10"


async def sign(trail: Any, published: datetime | None = None) -> dict[str, Checkpoint]:
    """What the signer does: a note for each log at its head, but for those that have ended."""
    signed = {}
    for row in await trail.fetch(
        "SELECT log_id, origin, tree_size, root FROM audit.head JOIN audit.log USING (log_id) WHERE state = 'active'"
    ):
        checkpoint = Checkpoint(row["origin"], row["tree_size"], row["root"])
        note = sign_note(checkpoint.text(), [KEY.sign(checkpoint.text())]).decode()
        signed[checkpoint.origin] = checkpoint
        async with trail.database.transaction() as connection:
            await connection.execute(
                "INSERT INTO audit.checkpoint (log_id, tree_size, note, published_at) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT DO NOTHING",
                row["log_id"],
                row["tree_size"],
                note,
                published or datetime.now(UTC),
            )
    return signed


async def say(
    trail, subject: str, sequence: int, value: bytes = b"{}", partition: int = 0, source: str = "guichet/intake"
):
    headers = {
        "ce_id": f"{source}-{subject}-{sequence}",
        "ce_type": "guichet.request.accepted.v1",
        "ce_source": source,
        "ce_subject": subject,
        "ce_time": "2026-11-24T10:00:01Z",
        "ce_sequence": str(sequence),
    }
    await trail.send(value, [(name, said.encode()) for name, said in headers.items()], subject.encode(), partition)


async def export(trail: Any, path: Path, wanted: Wanted) -> exporting.Plan:
    connection = await asyncpg.connect(trail.url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            decided = await exporting.plan(connection, wanted)
            told = []
            pieces = [piece async for piece in exporting.stream(connection, decided, told.append)]
    finally:
        await connection.close()
    await asyncio.to_thread(path.write_bytes, b"".join(pieces))
    assert sum(told) == decided.leaves
    return decided
