"""Signs a log only when it extends what was signed of it before, by the signer's own reading of its leaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import asyncpg

from audit.signing import trail
from audit.signing.announced import matches
from audit.signing.cosigning import Witness, WitnessDiffers, with_signature
from audit.signing.state import BROKEN, RECOVERING, SIGNING, Signed, SignerState
from audit.signing.trail import Head
from chassis.logs import logger
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.leaves import FirstLeaf, NotALeaf, parse
from guichet_verify.notes import Note, SigningKey, read_note
from guichet_verify.policy import NO_QUORUM, Policy
from guichet_verify.tree import EMPTY_ROOT, Frontier, Span, consistency_spans, leaf_hash

if TYPE_CHECKING:
    from chassis.database import Connection

REPUBLISH_SECONDS = 600.0
"""How often a log that does not grow is said again, so that a silent freeze shows."""
QUORUM_ALARM_SECONDS = 300.0

NO_POLICY = Policy(quorum=NO_QUORUM)

log = logger(component="signer")


class Unfit(Exception):
    """What is stored is not what was signed; `code` names the rule. The log is broken."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NotYet(Exception):
    """Something is still on its way, such as the announcement of a log: look again."""


class Signer:
    """The keys, the state, the witnesses, and what is known of each log."""

    def __init__(
        self,
        keys: Sequence[SigningKey],
        state: SignerState,
        witnesses: Sequence[Witness] = (),
        policy: Policy = NO_POLICY,
        republish_seconds: float = REPUBLISH_SECONDS,
    ) -> None:
        self._keys = tuple(keys)
        self._state = state
        self._witnesses = tuple(witnesses)
        self._policy = policy
        self._republish_seconds = republish_seconds
        self._frontiers: dict[str, Frontier] = {}
        self._said: set[tuple[str, str]] = set()

    async def round(self, connection: Connection) -> None:
        """Looks at every log once and signs those that grew; `connection` is the signer's, outside a transaction."""
        heads = await trail.read_heads(connection)
        newest = self._newest()
        for gone in {f"{place}/{epoch}" for place, epoch in newest.items()} - {head.origin for head in heads}:
            self._recovering(Head(0, gone, 0, EMPTY_ROOT), self._state.get(gone), "not-in-the-trail")
        for head in heads:
            held = self._state.get(head.origin)
            if held is not None and held.state == BROKEN:
                continue
            if head.dropped and (held is None or head.size < held.size):
                continue  # What a log that is over lost, its next epoch names.
            if head.size > (held.size if held else 0) and not (head.active and _is_newest(head.origin, newest)):
                # What it holds beyond the size that the next epoch names is in no tree, and is never signed here.
                if head.active:
                    self._recovering(head, held, "goes-on-past-its-end")
                elif held is not None and self._is_due(held):
                    await self._witness(connection, head)
                continue
            try:
                grown = await self._grown(connection, head, held)
            except NotYet:
                continue
            except Unfit as error:
                self._break(head, held, error.code)
                continue
            if grown is not None:
                await self._sign(connection, head, held, grown)
            elif held is not None and self._is_due(held):
                await self._witness(connection, head)

    async def _grown(self, connection: Connection, head: Head, held: Signed | None) -> Frontier | None:
        """The tree that is to be signed; None when there is nothing new. Raises Unfit and NotYet."""
        if held is not None and head.size < held.size:
            self._recovering(head, held, "smaller-than-signed")
            return None
        if held is not None and head.size == held.size:
            if head.root != held.root:
                raise Unfit("another-root-at-the-signed-size")
            if held.state == RECOVERING:
                await self._recovered(connection, head, held)
            return None
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            frontier = await self._frontier(connection, head, held)
            frontier = await self._extend(connection, head, frontier)
        if held is not None and held.state == RECOVERING:
            self._state.mark(head.origin, SIGNING)
            log.warning("log_recovered", log=head.origin, signed=held.size)
        return frontier

    def _recovering(self, head: Head, held: Signed | None, code: str) -> None:
        self._alarm(RECOVERING, head, held, code)
        self._state.mark(head.origin, RECOVERING, code)
        self._frontiers.pop(head.origin, None)

    def _newest(self) -> dict[str, int]:
        """The newest epoch that was signed of each partition."""
        newest: dict[str, int] = {}
        for each in self._state.all():
            place, epoch = _epoch(each.origin)
            if each.size and epoch > newest.get(place, 0):
                newest[place] = epoch
        return newest

    async def _recovered(self, connection: Connection, head: Head, held: Signed) -> None:
        """A log that was smaller than signed is as large again, with the same root; its leaves are hashed again, or
        of one that was dropped its tiles are looked at."""
        if head.dropped:
            if (await trail.read_nodes(connection, head.log_id, [(0, head.size)]))[0] != head.root:
                raise Unfit("tiles-differ-from-the-head")
        else:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                self._frontiers[head.origin] = await self._extend(connection, head, Frontier())
        self._state.mark(head.origin, SIGNING)
        log.warning("log_recovered", log=head.origin, signed=held.size)

    async def _frontier(self, connection: Connection, head: Head, held: Signed | None) -> Frontier:
        """The tree at the signed size: from memory, else from the stored tiles, or the leaves after a set-back."""
        if held is None:
            return Frontier()
        known = self._frontiers.get(head.origin)
        if known is not None and (known.size, known.root()) == (held.size, held.root):
            return known
        if held.state == RECOVERING:
            known = await self._extend(connection, head._replace(size=held.size, root=held.root), Frontier())
        else:
            peaks = await trail.read_peaks(connection, head.log_id, held.size)
            known = None if peaks is None else Frontier(held.size, peaks)
        if known is None or known.root() != held.root:
            raise Unfit("does-not-extend-what-was-signed")
        return known

    async def _extend(self, connection: Connection, head: Head, frontier: Frontier) -> Frontier:
        """The tree up to the head, each leaf hashed again; raises Unfit when anything differs, NotYet unannounced."""
        offset = await trail.read_offset(connection, head, frontier.size - 1) if frontier.size else -1
        async for page in trail.stream_leaves(connection, head, frontier.size):
            hashes = []
            for number, (index, kafka_offset, leaf, stored) in enumerate(page, frontier.size):
                found = leaf_hash(leaf)
                if index != number:
                    raise Unfit("leaf-missing")
                if found != stored:
                    raise Unfit("leaf-differs-from-its-hash")
                if index == 0:
                    await self._check_first(connection, head, leaf)
                elif kafka_offset <= offset:
                    raise Unfit("offset-does-not-rise")
                offset = kafka_offset
                hashes.append(found)
            frontier, _ = frontier.extend(hashes)
        if frontier.size != head.size:
            raise Unfit("leaf-missing")
        if frontier.root() != head.root:
            raise Unfit("head-differs-from-the-leaves")
        (from_tiles,) = await trail.read_nodes(connection, head.log_id, [(0, head.size)])
        if from_tiles != head.root:
            raise Unfit("tiles-differ-from-the-leaves")
        return frontier

    async def _check_first(self, connection: Connection, head: Head, leaf: bytes) -> None:
        try:
            first = parse(leaf)
        except NotALeaf as error:
            raise Unfit("first-leaf") from error
        if not isinstance(first, FirstLeaf) or first.origin != head.origin:
            raise Unfit("first-leaf")
        announcement = await trail.read_announcement(connection, head.origin)
        if announcement is None:
            raise NotYet
        if not matches(announcement, first):
            raise Unfit("first-leaf-differs-from-its-announcement")

    async def _sign(self, connection: Connection, head: Head, held: Signed | None, grown: Frontier) -> None:
        """Swap first, then sign: a crash in between signs the same text again."""
        before = None if held is None else (held.size, held.root)
        if not self._state.swap(head.origin, before, grown.size, grown.root()):
            raise RuntimeError("another signer uses this state")
        self._frontiers[head.origin] = grown
        await self._witness(connection, head)

    async def _witness(self, connection: Connection, head: Head) -> None:
        """Signs what is held and asks every witness; the note is kept with whatever cosignatures came."""
        held = self._state.get(head.origin)
        if held is None:
            return
        checkpoint = Checkpoint(held.origin, held.size, held.root)
        note = Note(checkpoint.text(), tuple(key.sign(checkpoint.text()) for key in self._keys))

        async def proof(old: int) -> list[bytes] | None:
            wanted: list[Span] = consistency_spans(old, held.size)
            found = await trail.read_nodes(connection, head.log_id, wanted)
            hashes = [each for each in found if each is not None]
            return hashes if len(hashes) == len(found) else None

        signed, cosigned = note.write(), [each.log_key for each in self._keys]
        earlier = read_note(held.note.encode()) if held.note else None
        known = earlier is not None and earlier.text == note.text
        if earlier is not None and known:
            note = _merged(note, earlier)
        for witness in self._witnesses:
            try:
                signature = await witness.cosign(checkpoint, signed, proof)
            except WitnessDiffers as error:
                self._differs(head, held, error)
                return
            if signature is not None:
                cosigned.append(witness.key)
                note = with_signature(note, signature)
        witnessed = self._policy.met_by(cosigned)
        # While a witness is away its answer is asked for again and again; what it did not add to is not said again.
        if not known or witnessed or self._is_old(held):
            self._state.keep_note(head.origin, note.write().decode(), witnessed)
        if not witnessed and time.time() - held.signed_at > QUORUM_ALARM_SECONDS:
            self._alarm("unwitnessed", head, held, "no-quorum")

    def _differs(self, head: Head, held: Signed, error: WitnessDiffers) -> None:
        """A witness knows better: nothing is published. A larger size there means that we were set back."""
        self._alarm(error.code, head, held, f"{error.code}-{error.size}")
        if error.code == "witness-ahead":
            self._state.mark(head.origin, RECOVERING, error.code)
        else:
            self._state.mark(head.origin, BROKEN, error.code)

    def _is_due(self, held: Signed) -> bool:
        """Whether a note is to be said again: it lacks its quorum or a key of ours, or is ten minutes old."""
        return not held.note or not held.witnessed or self._is_old(held) or not self._bears_every_key(held)

    def _bears_every_key(self, held: Signed) -> bool:
        signatures = read_note(held.note.encode()).signatures
        return all(any(each.is_by(key.log_key) for each in signatures) for key in self._keys)

    def _is_old(self, held: Signed) -> bool:
        return time.time() - held.noted_at > self._republish_seconds

    def _break(self, head: Head, held: Signed | None, code: str) -> None:
        self._alarm(BROKEN, head, held, code)
        self._state.mark(head.origin, BROKEN, code)
        self._frontiers.pop(head.origin, None)

    def _alarm(self, what: str, head: Head, held: Signed | None, code: str) -> None:
        if (head.origin, code) not in self._said:
            self._said.add((head.origin, code))
            signed = held.size if held else 0
            log.error("log_not_signed", log=head.origin, state=what, code=code, size=head.size, signed=signed)

    def states(self) -> dict[str, dict[str, object]]:
        """Each log that is not simply being signed, and why; what came to an end and goes on elsewhere is settled."""
        newest = self._newest()
        return {
            each.origin: {"state": each.state, "reason": each.reason, "signed": each.size}
            for each in self._state.all()
            if each.state != SIGNING and _is_newest(each.origin, newest)
        }


def _is_newest(origin: str, newest: Mapping[str, int]) -> bool:
    """Whether no later epoch of the partition was signed."""
    place, epoch = _epoch(origin)
    return epoch >= newest.get(place, 0)


def _epoch(origin: str) -> tuple[str, int]:
    """A partition and its epoch; whatever else stands in the database is of epoch 0, and never newest."""
    place, _, epoch = origin.rpartition("/")
    return place, int(epoch) if epoch.isdecimal() and epoch.isascii() else 0


def _merged(note: Note, earlier: Note) -> Note:
    for signature in earlier.signatures:
        if not any((each.name, each.key_id) == (signature.name, signature.key_id) for each in note.signatures):
            note = Note(note.text, (*note.signatures, signature))
    return note


async def sign_for_ever(signer: Signer, url: str, stopping: asyncio.Event, interval: float = 2.0) -> None:
    """Looks every `interval` seconds until `stopping` is set; a database that is away is waited for."""
    connection: Connection | None = None
    while not stopping.is_set():
        try:
            if connection is None or connection.is_closed():
                connection = await asyncpg.connect(
                    url,
                    timeout=5,
                    command_timeout=60,
                    server_settings={"application_name": "guichet-signer", "jit": "off", "lock_timeout": "5s"},
                )
            await signer.round(connection)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("database_awaited", error=error)
            if connection is not None:
                connection.terminate()
                connection = None
        try:
            async with asyncio.timeout(interval):
                await stopping.wait()
        except TimeoutError:
            continue
    if connection is not None:
        connection.terminate()
