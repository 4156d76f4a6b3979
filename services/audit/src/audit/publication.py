"""What the signer signed, put where everybody sees it: the table of checkpoints, and `guichet.checkpoints`."""

from __future__ import annotations

import asyncio
import base64
import json
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chassis.errors import Unavailable
from chassis.logs import logger
from chassis.supervision import wait_until
from chassis.transaction import Transaction
from contracts.system import CheckpointPublished
from contracts.topics import CHECKPOINTS

if TYPE_CHECKING:
    from chassis.database import Connection

LOOK_SECONDS = 1.0
ANSWER_LIMIT = 8 << 20

log = logger(component="publication")
Transactions = Callable[[], AbstractAsyncContextManager[Transaction]]


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint as the signer gave it; with a token it is one that was given before."""

    origin: str
    size: int
    root: bytes
    note: str
    revision: int
    token: bytes | None = None


class Publication:
    """Asks the signer for what is new. The signer is asked again from the beginning after a restart: what is in the
    table already is not said a second time."""

    def __init__(self, url: str, transactions: Transactions) -> None:
        self._url = url
        self._transactions = transactions
        self._revision = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping` is set; a signer that is away is waited for."""
        while not stopping.is_set():
            found = await asyncio.to_thread(self._ask, self._revision)
            if found:
                await self.publish(found, first=self._revision == 0)
                self._revision = found[-1].revision
                continue
            await wait_until(stopping, LOOK_SECONDS)

    async def publish(self, found: Sequence[Signed], *, first: bool) -> None:
        """Enters what the signer gave, and says what was not said before."""
        async with self._transactions() as transaction:
            for each in found:
                known = await _keep(transaction.connection, each, transaction.now)
                if (known and first) or each.token is not None:
                    continue
                # A log of checkpoints would grow by each of its own for ever: those go to HTTP and the witness only.
                if f"/{CHECKPOINTS}/" not in each.origin:
                    root = base64.b64encode(each.root).decode()
                    fact = CheckpointPublished(origin=each.origin, size=each.size, root=root, note=each.note)
                    transaction.say(fact, subject=each.origin, key=each.origin)

    def _ask(self, since: int) -> list[Signed]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self._url}/checkpoints?since={since}", timeout=5) as response:
                found = json.loads(response.read(ANSWER_LIMIT))["checkpoints"]
        except OSError as error:
            raise Unavailable("the signer does not answer") from error
        return [read_answer(each) for each in found]


def read_answer(said: dict[str, Any]) -> Signed:
    """One checkpoint of the signer's answer."""
    token = base64.b64decode(said["token"]) if "token" in said else None
    root = bytes.fromhex(said["root"])
    return Signed(said["origin"], said["size"], root, said["note"], said["revision"], token)


async def _keep(connection: Connection, signed: Signed, now: datetime) -> bool:
    """Enters a checkpoint, or the signatures and the token that it gained; whether it was there already.

    It is published at the time of the fact that says so: in the sandbox that is what `--as-of` is asked in.
    """
    row = await connection.fetchrow(
        "SELECT log_id, note, token FROM audit.log JOIN audit.checkpoint USING (log_id) "
        "WHERE origin = $1 AND tree_size = $2",
        signed.origin,
        signed.size,
    )
    if row is not None:
        if added := gained_lines(row["note"], signed.note):
            await connection.execute(
                "UPDATE audit.checkpoint SET note = note || $3 WHERE log_id = $1 AND tree_size = $2",
                row["log_id"],
                signed.size,
                added,
            )
        if signed.token is not None and row["token"] is None:
            await connection.execute(
                "UPDATE audit.checkpoint SET token = $3 WHERE log_id = $1 AND tree_size = $2",
                row["log_id"],
                signed.size,
                signed.token,
            )
        return True
    await connection.execute(
        """
        INSERT INTO audit.checkpoint (log_id, tree_size, note, published_at, token)
        SELECT log_id, $2, $3, $4, $5 FROM audit.log WHERE origin = $1 ON CONFLICT DO NOTHING
        """,
        signed.origin,
        signed.size,
        signed.note,
        now,
        signed.token,
    )
    return False


def gained_lines(old: str, new: str) -> str:
    """The signature lines of `new` by keys that have none in `old`."""
    lines = old.partition("\n\n")[2].splitlines()
    signers = {_signer(line) for line in lines}
    return "".join(f"{line}\n" for line in new.partition("\n\n")[2].splitlines() if _signer(line) not in signers)


def _signer(line: str) -> str:
    """Name and key id of a signature line."""
    _, name, value = line.split(" ", 2)
    return f"{name} {base64.b64decode(value)[:4].hex()}"
