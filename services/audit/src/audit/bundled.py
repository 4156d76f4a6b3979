"""What bundles hold of a trail: their ranges of leaves, joined into whole logs that end at a signed size."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from audit.dropped import TYPE, Dropped, DroppedEpochs, gathered, said_by
from audit.growth import origin_of
from chassis.ends import Span
from contracts.topics import CHECKPOINTS, stream_of
from guichet_verify.attributes import attributes_of
from guichet_verify.bundle import Bundle
from guichet_verify.checkpoints import Checkpoint, open_checkpoint
from guichet_verify.container import Container
from guichet_verify.contents import split_entries
from guichet_verify.leaves import BREAK, Claim, FirstLeaf, Record, parse, parse_blob
from guichet_verify.members import tile_width
from guichet_verify.policy import Policy
from guichet_verify.tiles import WIDTH
from guichet_verify.verification import Asked, verify_bundle


class NotCovered(ValueError):
    """No trail can be built from these bundles; `problems` names every reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Piece:
    """Leaves [start, end) of a log, which a bundle proves to be in its signed tree."""

    bundle: Bundle
    number: int
    checkpoint: Checkpoint
    start: int
    end: int

    def leaves(self, first: int) -> Iterator[Record | FirstLeaf]:
        """What the leaves from `first` on say, each claim with its blob."""
        for tile in range(max(first, self.start) // WIDTH, -(-self.end // WIDTH)):
            width = tile_width(0, tile, self.checkpoint.size)
            for index, data in enumerate(
                split_entries(self.bundle.entries(self.number, tile), width) or (), tile * WIDTH
            ):
                if index >= first:
                    leaf = parse(data)
                    yield self._claimed(leaf) if isinstance(leaf, Claim) else leaf

    def next_offset(self) -> int:
        """The offset after that of the last leaf."""
        last = next(self.leaves(self.end - 1))
        return last.first_offset if isinstance(last, FirstLeaf) else last.offset + 1

    def _claimed(self, claim: Claim) -> Record:
        blob = self.bundle.claim(claim.digest)
        if blob is None:
            raise NotCovered(
                [f"{self.checkpoint.origin}: the record at offset {claim.offset} is left out of its bundle"]
            )
        return parse_blob(claim, blob)


@dataclass(frozen=True, slots=True)
class Whole:
    """A log from its first leaf to its newest signed size, and what else was signed of it on the way."""

    origin: str
    topic: str
    part: int
    epoch: int
    pieces: Sequence[Piece]
    signed: Mapping[int, bytes]

    @property
    def size(self) -> int:
        return max(self.signed)

    @property
    def first(self) -> FirstLeaf:
        leaf = next(self.pieces[0].leaves(0))
        if not isinstance(leaf, FirstLeaf):
            raise NotCovered([f"{self.origin}: leaf 0 does not open the log"])
        return leaf

    @property
    def next_offset(self) -> int:
        return self.pieces[-1].next_offset()

    def records(self) -> Iterator[Record]:
        """Every record in order, each once, wherever pieces overlap."""
        at = 1
        for piece in self.pieces:
            for leaf in piece.leaves(at):
                if isinstance(leaf, Record):
                    yield leaf
            at = piece.end


@contextmanager
def open_bundles(paths: Sequence[Path], policy: Policy, tell: Callable[[int], None]) -> Iterator[list[Piece]]:
    """The ranges in these bundles, each bundle verified first as `guichet-verify` does it; raises NotCovered."""
    problems: list[str] = []
    for path in paths:
        report = verify_bundle(path, Asked(policy, tell=tell))
        problems += [f"{path.name} does not verify: {failure}" for failure in report.failures]
    if problems:
        raise NotCovered(problems)
    with ExitStack() as stack:
        pieces: list[Piece] = []
        for path in paths:
            bundle = Bundle(stack.enter_context(Container(path)))
            found = [
                Piece(bundle, number, _signed(bundle, number, policy), part.start, part.end)
                for number, part in enumerate(bundle.manifest.logs)
                if part.indexes is None
            ]
            if not found:
                problems.append(f"{path.name} holds single leaves, no range of any log")
            pieces += found
        if problems:
            raise NotCovered(problems)
        yield pieces


def _signed(bundle: Bundle, number: int, policy: Policy) -> Checkpoint:
    return open_checkpoint(bundle.checkpoint(number), policy.keys).checkpoint


def join(name: str, pieces: Sequence[Piece], spans: Mapping[tuple[str, int], Span]) -> list[Whole]:
    """Whole logs of the installation `name`, in the order of topics, partitions and epochs.

    `spans` is what the broker still has of each partition: with it, nothing may be missing in between. Raises
    NotCovered.
    """
    problems: list[str] = []
    wholes: list[Whole] = []
    for origin, group in groupby(sorted(pieces, key=_origin), _origin):
        place = re.fullmatch(re.escape(name) + r"/[a-z]+/([^/]+)/([0-9]+)/([0-9]+)", origin)
        if place is None or origin != origin_of(name, place[1], int(place[2]), int(place[3])):
            problems.append(f"{origin}: a log of another installation")
            continue
        of_log = sorted(group, key=lambda each: (each.start, -each.end))
        signed = {each.checkpoint.size: each.checkpoint.root for each in of_log}
        if any(signed[each.checkpoint.size] != each.checkpoint.root for each in of_log):
            problems.append(f"{origin}: two roots are signed at one size")
            continue
        chain, at = [], 0
        for piece in of_log:
            if piece.start <= at < piece.end:
                chain.append(piece)
                at = piece.end
        if at < max(signed):
            problems.append(f"{origin}: leaf {at} of {max(signed)} is in no bundle")
            continue
        wholes.append(Whole(origin, place[1], int(place[2]), int(place[3]), chain, signed))
    wholes.sort(key=lambda each: (each.topic, each.part, each.epoch))
    problems += _gaps(name, wholes, spans)
    if problems:
        raise NotCovered(problems)
    return wholes


def _origin(piece: Piece) -> str:
    return piece.checkpoint.origin


def _dropped(wholes: Sequence[Whole]) -> DroppedEpochs:
    """What the bundles say was dropped."""
    records = (record for whole in wholes if whole.topic == CHECKPOINTS for record in whole.records())
    said = (said_by(record) for record in records if attributes_of(record).type == TYPE)
    return gathered(Dropped(*each) for each in said if each is not None)


def _goes_on(before: Whole, first: FirstLeaf) -> bool:
    """Whether a log is what this first leaf names; what was lost of a broken one is in no bundle."""
    if before.origin != first.previous_origin:
        return False
    if first.reason == BREAK and before.size < first.previous_size:
        return True
    return (before.size, before.signed[before.size]) == (first.previous_size, first.previous_root)


def _is_dropped(first: FirstLeaf, dropped: DroppedEpochs) -> bool:
    """Whether what goes before this first leaf was dropped as it names it."""
    before = dropped.by_origin.get(first.previous_origin)
    return before is not None and (before.fact.size, before.root) == (first.previous_size, first.previous_root)


def _gaps(name: str, wholes: Sequence[Whole], spans: Mapping[tuple[str, int], Span]) -> Iterator[str]:
    """What is missing between the epochs of a partition, and between its newest log and what the broker has."""
    newest: dict[tuple[str, int], Whole] = {}
    dropped = _dropped(wholes)
    for whole in wholes:
        before, first = newest.get((whole.topic, whole.part)), whole.first
        if before is None and first.previous_origin and not _is_dropped(first, dropped):
            yield f"{first.previous_origin}: goes before {whole.origin}, and is in no bundle"
        elif before is not None and not _goes_on(before, first):
            yield f"{before.origin}: is not what {whole.origin} goes on from"
        newest[whole.topic, whole.part] = whole
    for (topic, part), (oldest, _) in sorted(spans.items()):
        found = newest.get((topic, part))
        if found is None and oldest > 0:
            place = f"{name}/{stream_of(topic)}/{topic}/{part}"
            yield f"{place}: in no bundle, and the broker has nothing before offset {oldest}"
        elif found is not None and oldest > found.next_offset:
            yield f"{found.origin}: offsets {found.next_offset} to {oldest - 1} are in no bundle, nor on the broker"
