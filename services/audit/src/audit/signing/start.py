"""Whether the signer may start: with a state that is missing while checkpoints exist, only two persons can say so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import asyncpg

from audit.anchors import Anchor, Silent, ask_witness, read_published
from audit.persons import PERSON
from audit.signing import trail
from audit.signing.state import SignerState
from chassis.logs import logger
from guichet_verify.checkpoints import open_checkpoint
from guichet_verify.notes import Key, NotANote

log = logger(component="signer")


class MayNotStart(Exception):
    """The text says why, and what has to be done."""


async def check_start(state: SignerState, url: str, keys: Sequence[Key], witness_urls: Iterable[str]) -> None:
    """Raises MayNotStart when the state is empty while table, witness or the recorded topic have checkpoints."""
    if state.all():
        return
    notes, published = await _signed_before(url, keys)
    if notes or published:
        signed = max(len(notes), len(published))
        raise MayNotStart(f"the state is empty, and {signed} logs have checkpoints: start with --initialise")
    if await _witnessed(witness_urls):
        raise MayNotStart("the state is empty, and a witness has cosigned checkpoints: start with --initialise")


async def initialise(
    state: SignerState, url: str, keys: Sequence[Key], by: Sequence[str], witness_urls: Iterable[str] = ()
) -> int:
    """Begins again from the newest checkpoints in the table, each verified; how many. Raises MayNotStart.

    Not from a table that is behind what a witness or the topic has: that trail was set back, and is brought to where it
    was first.
    """
    if state.all():
        raise MayNotStart("the state is not empty: nothing is to be initialised")
    if len(set(by)) != 2 or not all(PERSON.fullmatch(each) for each in by):
        raise MayNotStart("two different persons have to say so: --by A --by B")
    notes, published = await _signed_before(url, keys)
    known = {}
    for note in notes:
        try:
            checkpoint = open_checkpoint(note.encode(), keys).checkpoint
        except NotANote as error:
            raise MayNotStart(f"a checkpoint in the table does not verify: {error}") from error
        known[checkpoint.origin] = checkpoint
    ahead = [
        f"{each.checkpoint.origin} at size {each.checkpoint.size} ({each.by})"
        for each in [*published, *await _witnessed(witness_urls)]
        if each.checkpoint.size > (known[each.checkpoint.origin].size if each.checkpoint.origin in known else 0)
    ]
    if ahead:
        raise MayNotStart(f"the table is behind what was signed: {', '.join(ahead)}; restore or rebuild first")
    state.initialise(by, list(known.values()))
    return len(known)


async def _signed_before(url: str, keys: Sequence[Key]) -> tuple[list[str], list[Anchor]]:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return await trail.read_checkpoints(connection), await read_published(connection, keys)
    finally:
        await connection.close(timeout=5)


async def _witnessed(urls: Iterable[str]) -> list[Anchor]:
    """What the witnesses of ours say they hold; nothing from one that does not say."""
    found = []
    for url in urls:
        try:
            found += await ask_witness(url)
        except (Silent, KeyError, TypeError, ValueError):
            log.warning("witness_silent", url=url)
    return found
