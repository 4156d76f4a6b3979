"""Whether the signer may start: with a state that is missing while checkpoints exist, only two persons can say so."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections.abc import Iterable, Sequence

import asyncpg

from audit.signing import trail
from audit.signing.state import SignerState
from guichet_verify.checkpoints import open_checkpoint
from guichet_verify.notes import Key, NotANote

_PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)


class MayNotStart(Exception):
    """The text says why, and what has to be done."""


async def check_start(state: SignerState, url: str, keys: Sequence[Key], witness_urls: Iterable[str]) -> None:
    """Raises MayNotStart when the state is empty while the table or a witness holds checkpoints."""
    if state.all():
        return
    connection = await asyncpg.connect(url, timeout=5)
    try:
        notes = await trail.read_checkpoints(connection)
    finally:
        await connection.close(timeout=5)
    if notes:
        raise MayNotStart(f"the state is empty, and {len(notes)} logs have checkpoints: start with --initialise")
    for witness in witness_urls:
        if any(each.get("size") for each in await asyncio.to_thread(_held_by, witness)):
            raise MayNotStart("the state is empty, and a witness has cosigned checkpoints: start with --initialise")


async def initialise(state: SignerState, url: str, keys: Sequence[Key], by: Sequence[str]) -> int:
    """Begins again from the newest checkpoints in the table, each verified; how many. Raises MayNotStart."""
    if state.all():
        raise MayNotStart("the state is not empty: nothing is to be initialised")
    if len(set(by)) != 2 or not all(_PERSON.fullmatch(each) for each in by):
        raise MayNotStart("two different persons have to say so: --by A --by B")
    connection = await asyncpg.connect(url, timeout=5)
    try:
        notes = await trail.read_checkpoints(connection)
    finally:
        await connection.close(timeout=5)
    known = []
    for note in notes:
        try:
            checkpoint = open_checkpoint(note.encode(), keys).checkpoint
        except NotANote as error:
            raise MayNotStart(f"a checkpoint in the table does not verify: {error}") from error
        known.append((checkpoint.origin, checkpoint.size, checkpoint.root))
    state.initialise(by, known)
    return len(known)


def _held_by(url: str) -> list[dict[str, object]]:
    """What a witness of ours says it holds; nothing from a witness that does not say."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/logs", timeout=3) as response:
            found = json.loads(response.read(1 << 20))["logs"]
    except (OSError, ValueError, KeyError):
        return []
    return found if isinstance(found, list) else []
