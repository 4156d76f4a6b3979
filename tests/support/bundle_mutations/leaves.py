"""Changes to leaves, tiles, blobs and proofs, some with everything above them made anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import made_bundles as made
from bundle_mutations.manifest import BLOBS
from bundle_mutations.table import GOOD, Files, changed, flip, manifested, mutation
from guichet_verify.encoding import write_base64
from guichet_verify.leaves import FirstLeaf, Record, encode_first, leaf_of
from guichet_verify.manifest import LogPart
from guichet_verify.proofs import read_proof

ENTRIES, RANGED = "logs/0/tile/entries/001", "logs/1/tile/entries/002.p/188"


def leaves_of(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        after = at + 2 + int.from_bytes(data[at : at + 2], "big")
        found.append(data[at + 2 : after])
        at = after
    return found


def bundled(leaves: list[bytes]) -> bytes:
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


changed(2, "a byte of a leaf is flipped", ENTRIES, flip)
changed(2, "a byte of a leaf in a range is flipped", RANGED, flip)
changed(2, "two leaves change places", ENTRIES, lambda data: bundled([*leaves_of(data)[1::-1], *leaves_of(data)[2:]]))
changed(
    2,
    "two leaves in a range change places",
    RANGED,
    lambda data: bundled([*leaves_of(data)[1::-1], *leaves_of(data)[2:]]),
)
changed(2, "a leaf is missing", ENTRIES, lambda data: bundled(leaves_of(data)[1:]))
changed(2, "a leaf is there twice", ENTRIES, lambda data: bundled([*leaves_of(data)[:-1], leaves_of(data)[0]]))
changed(2, "a leaf is empty", ENTRIES, lambda data: bundled([b"", *leaves_of(data)[1:]]))
changed(2, "an entry bundle has bytes behind it", ENTRIES, lambda data: data + b"\x00")
changed(2, "an entry bundle is cut", ENTRIES, lambda data: data[:-1])
changed(2, "a leaf is longer than its entry bundle", ENTRIES, lambda data: b"\xff\xff" + data[2:])
changed(2, "a hash of a tile is changed", "logs/0/tile/0/001", flip)
changed(2, "a hash of an upper tile is changed", "logs/0/tile/1/000.p/2", flip)
changed(
    2,
    "a hash of a range proof is changed",
    "logs/1/range.proof",
    lambda data: write_base64(bytes(32)).encode() + data[44:],
)
changed(2, "a range proof has one hash more", "logs/1/range.proof", lambda data: data + data[:45])
changed(2, "a range proof has one hash less", "logs/1/range.proof", lambda data: data[45:])
changed(2, "a range proof is no base64", "logs/1/range.proof", lambda data: b"?" + data[1:])
changed(
    2,
    "a range proof's base64 has a second spelling",
    "logs/1/range.proof",
    lambda data: data[:42] + bytes([data[42] + 1]) + data[43:],
)
changed(2, "an entry is changed", "logs/2/entry/64", flip)
changed(2, "an entry is another's", "logs/2/entry/64", lambda data: GOOD["logs/2/entry/5"])
changed(2, "an entry has bytes behind it", "logs/2/entry/64", lambda data: data + b"\x00")
PROOF = "logs/2/proof/64.tlog-proof"
changed(2, "a proof is of another index", PROOF, lambda data: GOOD["logs/2/proof/5.tlog-proof"])
changed(2, "a proof has an extra line", PROOF, lambda data: replace(read_proof(data), extra=b"x").write())
changed(
    2,
    "a proof has another hash",
    PROOF,
    lambda data: replace(read_proof(data), hashes=(bytes(32), *read_proof(data).hashes[1:])).write(),
)
changed(
    2,
    "a proof has one hash less",
    PROOF,
    lambda data: replace(read_proof(data), hashes=read_proof(data).hashes[1:]).write(),
)
changed(
    2,
    "a proof has another checkpoint",
    PROOF,
    lambda data: replace(read_proof(data), checkpoint=made.note_of(made.POINTED.checkpoint(), (made.ONE,))).write(),
)
changed(2, "a proof is no text", PROOF, lambda data: b"\xff" + data)
changed(2, "a blob is changed", BLOBS[0], flip)
mutation(2, "a blob is another's")(lambda files: {**files, BLOBS[0]: files[BLOBS[1]]})
mutation(2, "a blob is missing")(lambda files: {name: data for name, data in files.items() if name != BLOBS[0]})
mutation(2, "a blob that nobody claims")(lambda files: {**files, "blobs/" + "ff" * 32: bytes(70_000)})
manifested(2, "an absent blob that nobody claims", lambda body: body.update(absent=["ff" * 32]))


def rebuilt(level: int, name: str, change: Callable[[list[bytes]], object], **manifest: Any) -> None:
    """A trail that its operator built anew from other leaves, and signed, and had cosigned."""

    class Rebuilt(made.MadeLog):
        @property
        def leaves(self) -> list[bytes]:
            leaves = made.MadeLog(self.topic, self.partition, self.records).leaves
            change(leaves)
            return leaves

    def mutate(_: Files) -> Files:
        log = Rebuilt(made.POINTED.topic, 0, made.POINTED.records)
        size = len(log.leaves)
        part = LogPart(log.origin, size, 0, size, None, ())
        whole = made.whole(made.POINTED)
        return made.files_of(replace(whole, logs=(part,), **manifest), [log])

    mutation(level, name)(mutate)


def put(index: int, leaf: bytes) -> Callable[[list[bytes]], object]:
    return lambda leaves: leaves.__setitem__(index, leaf)


def placed(**change: Any) -> Record:
    return made.POINTED.records[49]._replace(**change)


rebuilt(2, "rebuilt: leaf 0 opens another log", put(0, encode_first(FirstLeaf("other.example/x", 0))))
rebuilt(2, "rebuilt: leaf 0 is a record", put(0, leaf_of(placed(offset=0)).leaf))
rebuilt(2, "rebuilt: a first leaf further on", put(50, encode_first(FirstLeaf(made.POINTED.origin, 0))))
rebuilt(2, "rebuilt: an offset falls", put(50, leaf_of(placed(offset=3)).leaf))
rebuilt(2, "rebuilt: an offset stays", put(50, leaf_of(placed(offset=48)).leaf))
rebuilt(2, "rebuilt: an offset before the first", put(0, encode_first(FirstLeaf(made.POINTED.origin, 9))))
rebuilt(2, "rebuilt: a record of another topic", put(50, leaf_of(placed(topic="guichet.other")).leaf))
rebuilt(2, "rebuilt: a record of another partition", put(50, leaf_of(placed(partition=1)).leaf))
rebuilt(2, "rebuilt: a leaf that is none", put(50, b"hello"))
rebuilt(2, "rebuilt: a leaf of an unknown kind", put(50, b"AE1\x00\x09"))
rebuilt(2, "rebuilt: a leaf with a byte behind it", lambda leaves: put(50, leaves[50] + b"\x00")(leaves))
rebuilt(2, "rebuilt: a claim without its blob", put(50, leaf_of(placed(value=bytes(70_000))).leaf))


@mutation(2, "rebuilt: a log whose name holds no topic")
def _(files: Files) -> Files:
    class Odd(made.MadeLog):
        @property
        def origin(self) -> str:
            return f"{made.NAME}/somewhere"

    log = Odd(made.POINTED.topic, 0, made.POINTED.records)
    return made.files_of(made.whole(log), [log])
