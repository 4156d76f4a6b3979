"""What the signer and the witness of a stack hold of its trail, outside its database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from audit.anchors import Anchor, Silent, ask_signer, ask_witness
from guichet import console
from guichet.stack.errors import StackError
from guichet.stack.state import StackState
from guichet.stack.watchers import policy_text
from guichet_verify.checkpoints import Checkpoint, read_checkpoint
from guichet_verify.notes import Key, NotANote, read_note
from guichet_verify.policy import read_policy

SECONDS = 60
"""How long the signer may take to sign what was recorded last."""


@dataclass(frozen=True, slots=True)
class Held:
    """The checkpoints that are held, and who holds none or does not answer."""

    anchors: Sequence[Anchor]
    silent: Sequence[str]

    def newest(self, origin: str) -> Checkpoint | None:
        """The largest that is held of a log."""
        found = [each.checkpoint for each in self.anchors if each.checkpoint.origin == origin]
        return max(found, key=lambda each: each.size, default=None)


def trusted_keys(home: Path) -> list[Key]:
    """The keys of logs that the stack's own policy names."""
    return read_policy(policy_text(home)).logs


async def ask(home: Path, state: StackState) -> Held:
    """Asks both. A signer that holds nothing has lost its state, or never signed: it is named like one that is away."""
    anchors: list[Anchor] = []
    silent: list[str] = []
    for who, asking in (
        ("signer", partial(ask_signer, state.watchers["signer"].url, trusted_keys(home))),
        ("witness", partial(ask_witness, state.watchers["witness"].url)),
    ):
        try:
            found = await asking()
        except Silent:
            silent.append(f"the {who} does not answer")
        except NotANote as error:
            raise StackError(f"a note of the signer does not verify: {error}", "guichet audit keys policy") from error
        else:
            anchors += found
            if not found:
                silent.append(f"the {who} holds no checkpoint")
    return Held(anchors, silent)


async def signed_up_to(state: StackState, origin: str, size: int) -> bool:
    """Whether the signer signs a log as far as it was recorded; at once no when it holds the log as troubled."""
    deadline = time.monotonic() + SECONDS
    async with httpx.AsyncClient(base_url=state.watchers["signer"].url, timeout=10, trust_env=False) as client:
        while time.monotonic() < deadline:
            if origin in (await client.get("/readyz")).json()["logs"]:
                return False
            answer = await client.get(f"/{origin}/checkpoint")
            if answer.is_success and read_checkpoint(read_note(answer.content).text).size >= size:
                return True
            await asyncio.sleep(0.5)
    raise StackError(f"the signer does not sign {origin} up to size {size}", "guichet status, guichet logs signer")


async def held_for_sure(home: Path, state: StackState, signer_is_lost: bool) -> Held:
    """The same; without the signer only when somebody says that its state is lost, and never silently."""
    found = await ask(home, state)
    if not signer_is_lost and any("signer" in each for each in found.silent):
        raise StackError(
            f"{'; '.join(found.silent)}: what was signed last is not known, and nothing would be held against it",
            "guichet status; --signer-is-lost when its state is gone for good",
        )
    for each in found.silent:
        console.fail(f"{each}: nothing is held against it", "hold an older checkpoint against the trail yourself")
    return found
