"""Changes to a bundle that holds, and the level at which each must be refused."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import made_bundles as made
from audit.packing import Packer
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.container import CENTRAL, CENTRAL_MARK, END, END_MARK, LOCAL, LOCAL_MARK
from guichet_verify.encoding import write_base64
from guichet_verify.leaves import FirstLeaf, Record, encode_first, leaf_of
from guichet_verify.manifest import ALL, LOG, LogPart, Scope, Subject
from guichet_verify.notes import Note, SigningKey, read_note, sign_note
from guichet_verify.proofs import read_proof

Files = dict[str, bytes]
Mutation = Callable[[Files], Files | bytes]

GOOD: Files = made.files_of(made.MANIFEST, made.LOGS)
MUTATIONS: dict[str, tuple[int, Mutation]] = {}


def mutation(level: int, name: str) -> Callable[[Mutation], Mutation]:
    def add(function: Mutation) -> Mutation:
        assert name not in MUTATIONS
        MUTATIONS[name] = level, function
        return function

    return add


def changed(level: int, name: str, member: str, change: Callable[[bytes], bytes]) -> None:
    """A mutation of the bytes of one file."""
    assert member in GOOD, member
    mutation(level, name)(lambda files: {**files, member: change(files[member])})


def manifested(level: int, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """A mutation of `bundle.json` as data; the files stay."""

    def mutate(files: Files) -> Files:
        body = json.loads(files["bundle.json"])
        change(body)
        return {**files, "bundle.json": json.dumps(body).encode()}

    mutation(level, name)(mutate)


def rawly(name: str, change: Callable[[bytearray], bytes | bytearray]) -> None:
    """A mutation of the container's bytes."""
    mutation(0, name)(lambda files: bytes(change(bytearray(made.pack(files)))))


def flip(data: bytes, at: int = -1) -> bytes:
    copy = bytearray(data)
    copy[at] ^= 1
    return bytes(copy)


# The container.

rawly("an empty file", lambda data: b"")
rawly("no zip file", lambda data: b"guichet" * 100)
rawly("cut in half", lambda data: data[: len(data) // 2])
rawly("the last byte is cut off", lambda data: data[:-1])
rawly("bytes behind the end", lambda data: data + b"\x00")
rawly("bytes before the first member", lambda data: b"#!/bin/sh\n" + data)
rawly("a comment on the whole", lambda data: data[:-2] + b"\x04\x00text")


def central(
    number: int, at: int, form: str, value: int, local: tuple[int, str] | None = None
) -> Callable[[bytearray], bytearray]:
    """Overwrites a field of the directory entry `number`, and perhaps of its local header too."""

    def change(data: bytearray) -> bytearray:
        place = END.unpack_from(data, len(data) - END.size)[6]
        for _ in range(number):
            named, extra, comment = struct.unpack_from("<3H", data, place + 28)
            place += CENTRAL.size + named + extra + comment
        struct.pack_into(form, data, place + at, value)
        if local is not None:
            (offset,) = struct.unpack_from("<L", data, place + 42)
            struct.pack_into(local[1], data, offset + local[0], value)
        return data

    return change


rawly("a member is encrypted", central(3, 8, "<H", 1, (6, "<H")))
rawly("a member's length follows its bytes", central(3, 8, "<H", 8, (6, "<H")))
rawly("a member is a folder", central(3, 38, "<L", 0o040755 << 16 | 0x10))
rawly("a member is a symbolic link", central(3, 38, "<L", 0o120777 << 16))
rawly("a member is a device", central(3, 38, "<L", 0o060777 << 16))
rawly("a member is packed another way", central(3, 10, "<H", 12, (8, "<H")))
rawly("a member has a date", central(3, 14, "<H", 0x5D79, (12, "<H")))
rawly("a member has a time of day", central(3, 12, "<H", 0x6000, (10, "<H")))
rawly("a checksum differs", central(0, 16, "<L", 1, (14, "<L")))
rawly("a checksum in the directory alone differs", central(0, 16, "<L", 1))
rawly("the local header states another size", central(4, 24, "<L", 131))
rawly("a member inflates to more than it states", central(0, 24, "<L", 100, (22, "<L")))
rawly("a member inflates to less than it states", central(0, 24, "<L", 5000, (22, "<L")))
rawly("two members are the same bytes", central(4, 42, "<L", 0))
rawly("a member is on another disk", central(2, 34, "<H", 1))
rawly("a member has a comment that is not there", central(2, 32, "<H", 9))
rawly("a member has an extra field that is not there", central(2, 30, "<H", 12))
rawly("the directory counts one more", lambda data: data[:-12] + struct.pack("<H", 31) + data[-10:])
rawly("both counts are one less", lambda data: data[:-14] + struct.pack("<2H", 29, 29) + data[-10:])
rawly("a packed byte is flipped", lambda data: flip(bytes(data), 60))
rawly("the local header names another file", lambda data: data.replace(b"bundle.json", b"bundle.jsom", 1))


def named(name: str, wrong: str) -> None:
    mutation(0, name)(lambda files: {**files, wrong: b"x"})


named("an upper-case name", "logs/0/README")
named("a name that climbs", "logs/../../etc/passwd")
named("an absolute name", "/etc/passwd")
named("a name with a backslash", "logs\\0\\x")
named("a name with an empty part", "logs//x")
named("a file too many", "logs/0/zzz")
named("a key in the bundle", "logs/0/key")
named("a blob that is named like none", "blobs/abc")
named("a proof of consistency too many", "logs/0/consistency/7")
named("a log too many", "logs/3/checkpoint")


@mutation(0, "a name twice")
def _(files: Files) -> bytes:
    packer = Packer()
    names = ["bundle.json", *sorted([*(name for name in files if name != "bundle.json"), "state/0.json"])]
    return b"".join(packer.add(name, files[name]) for name in names) + packer.end()


@mutation(0, "names are not sorted")
def _(files: Files) -> bytes:
    packer = Packer()
    names = ["bundle.json", *sorted((name for name in files if name != "bundle.json"), reverse=True)]
    return b"".join(packer.add(name, files[name]) for name in names) + packer.end()


@mutation(0, "bundle.json is not first")
def _(files: Files) -> bytes:
    packer = Packer()
    return b"".join(packer.add(name, files[name]) for name in sorted(files)) + packer.end()


@mutation(0, "a gap between members hides bytes")
def _(files: Files) -> bytes:
    packer = Packer()
    written = packer.add("bundle.json", files["bundle.json"])
    packer._written += 5
    rest = b"".join(packer.add(name, files[name]) for name in sorted(files) if name != "bundle.json")
    return written + b"hidden"[:5] + rest + packer.end()


@mutation(0, "a tile of eight kilobytes that inflates to a gigabyte")
def _(files: Files) -> bytes:
    deflater = zlib.compressobj(9, wbits=-15)
    bomb = b"".join(deflater.compress(bytes(1 << 20)) for _ in range(1024)) + deflater.flush()
    return bombed(files, "logs/0/tile/0/000", bomb, 8192)


@mutation(0, "a manifest that inflates to four gigabytes")
def _(files: Files) -> bytes:
    deflater = zlib.compressobj(9, wbits=-15)
    bomb = deflater.compress(bytes(16 << 20)) + deflater.flush()
    return bombed(files, "bundle.json", bomb, (4 << 30) - 1)


def bombed(files: Files, bombed: str, bomb: bytes, size: int) -> bytes:
    """The container with other packed bytes, and another stated size, for one of its members."""
    written, directory = bytearray(), bytearray()
    names = ["bundle.json", *sorted(name for name in files if name != "bundle.json")]
    for name in names:
        deflater = zlib.compressobj(wbits=-15)
        packed = bomb if name == bombed else deflater.compress(files[name]) + deflater.flush()
        sizes = zlib.crc32(files[name]), len(packed), size if name == bombed else len(files[name])
        directory += CENTRAL.pack(CENTRAL_MARK, 20, 20, 0, 8, 0, 33, *sizes, len(name), 0, 0, 0, 0, 0, len(written))
        directory += name.encode()
        written += LOCAL.pack(LOCAL_MARK, 20, 0, 8, 0, 33, *sizes, len(name), 0) + name.encode() + packed
    count = len(names)
    return bytes(written + directory + END.pack(END_MARK, 0, 0, count, count, len(directory), len(written), 0))


# bundle.json.

changed(0, "the manifest is no JSON", "bundle.json", lambda data: data[:-3])
changed(0, "the manifest has a byte order mark", "bundle.json", lambda data: b"\xef\xbb\xbf" + data)
changed(0, "the manifest is not UTF-8", "bundle.json", lambda data: data.replace(b"made for", b"made \xff"))
changed(
    0,
    "the manifest has a member twice",
    "bundle.json",
    lambda data: data.replace(b'"version": 1', b'"version": 1, "version": 1'),
)
changed(0, "the manifest has a second value behind it", "bundle.json", lambda data: data + b"{}")
changed(0, "the manifest is nested a million deep", "bundle.json", lambda data: b"[" * 1_000_000)
changed(0, "the manifest is nested as deep as is counted", "bundle.json", lambda data: b"[" * 499_999)
changed(0, "the manifest is five million empty lists", "bundle.json", lambda data: b"[" + b"[]," * 5_000_000 + b"[]]")
changed(
    0,
    "the manifest is objects as many as are counted",
    "bundle.json",
    lambda data: b"[" + b'{"a":[]},' * 249_000 + b"[]]",
)
changed(0, "the manifest is two million texts", "bundle.json", lambda data: b"[" + b'"ab",' * 3_000_000 + b'""]')
changed(0, "the manifest has a number of a million digits", "bundle.json", lambda data: b"[" + b"9" * 1_000_000 + b"]")
changed(0, "the manifest is a list", "bundle.json", lambda data: b"[]")
changed(0, "a number that is no JSON", "bundle.json", lambda data: data.replace(b'"version": 1', b'"version": NaN'))
changed(0, "a number with a fraction", "bundle.json", lambda data: data.replace(b'"version": 1', b'"version": 1.0'))
changed(0, "a number that is minus nothing", "bundle.json", lambda data: data.replace(b'"from": 0', b'"from": -0'))
manifested(0, "an unknown member", lambda body: body.update(keys=[]))
manifested(0, "a missing member", lambda body: body.pop("absent"))
manifested(0, "another version", lambda body: body.update(version=2))
manifested(0, "another format", lambda body: body.update(format="tar"))
manifested(0, "true for a number", lambda body: body["logs"][0].update(n=False))
manifested(0, "a negative number", lambda body: body["logs"][0].update({"from": -256}))
manifested(0, "a size beyond all numbers", lambda body: body["logs"][0].update(size=1 << 53))
manifested(
    0, "the largest size, claimed whole", lambda body: body["logs"][0].update(size=(1 << 53) - 1, to=(1 << 53) - 1)
)
manifested(0, "a size of nothing", lambda body: body["logs"][2].update(size=0, indexes=[]))
manifested(0, "no log", lambda body: body.update(logs=[]))
manifested(
    0,
    "4,097 logs",
    lambda body: body.update(logs=[{**body["logs"][2], "n": n, "origin": f"o{n}"} for n in range(4097)]),
)
manifested(0, "one log under two numbers", lambda body: body["logs"][1].update(origin=body["logs"][0]["origin"]))
manifested(0, "a log with another's number", lambda body: body["logs"][1].update(n=0))
manifested(0, "a range that begins within a tile", lambda body: body["logs"][1].update({"from": 255}))
manifested(0, "a range that ends within a tile", lambda body: body["logs"][1].update(to=699))
manifested(0, "an empty range", lambda body: body["logs"][1].update({"from": 512, "to": 512}))
manifested(0, "a range beyond the log", lambda body: body["logs"][1].update(to=768))
manifested(0, "indexes that fall", lambda body: body["logs"][2].update(indexes=[5, 0, 64, 99]))
manifested(0, "an index beyond the log", lambda body: body["logs"][2].update(indexes=[0, 5, 64, 100]))
manifested(0, "an older size that is not older", lambda body: body["logs"][0].update(older=[2, 256, 600]))
manifested(0, "an unknown shape", lambda body: body["logs"][0].update(shape="tree"))
manifested(0, "both shapes at once", lambda body: body["logs"][0].update(indexes=[1]))
manifested(0, "a control character in an origin", lambda body: body["logs"][0].update(origin="a\x1b[2J"))
manifested(0, "half a surrogate pair in a text", lambda body: body.update(tool="\ud800"))
manifested(0, "a text of 1,025 characters", lambda body: body.update(tool="x" * 1025))
manifested(0, "a scope that is not listed", lambda body: body["scope"].update(value="request-9"))
manifested(
    0,
    "a scope of a log without its name",
    lambda body: body.update(scope={"kind": "log", "value": None, "complete": True}),
)
manifested(0, "an unknown basis", lambda body: body["as_of"].update(basis="guess"))
manifested(0, "a subject twice", lambda body: body["subjects"].append(body["subjects"][0]))
manifested(0, "a last number of nothing", lambda body: body["subjects"][0].update(last={made.SOURCES[0]: 0}))
manifested(0, "an absent digest that is none", lambda body: body.update(absent=["abc"]))
manifested(0, "one more subject than stories", lambda body: body["subjects"].append({"subject": "x", "last": {}}))
manifested(0, "one index more than entries", lambda body: body["logs"][2].update(indexes=[0, 5, 64, 98, 99]))

# The set of files, and their sizes.

for gone in (
    "bundle.json",
    "logs/0/checkpoint",
    "logs/0/tile/0/001",
    "logs/0/tile/1/000.p/2",
    "logs/0/tile/entries/001",
    "logs/0/consistency/256",
    "logs/1/range.proof",
    "logs/2/entry/64",
    "logs/2/proof/64.tlog-proof",
    "state/1.json",
):
    mutation(0, f"without {gone}")(
        lambda files, gone=gone: {name: data for name, data in files.items() if name != gone}
    )

changed(0, "a checkpoint of 64 KiB and more", "logs/0/checkpoint", lambda data: data + b"x" * (64 << 10))
changed(0, "an empty checkpoint", "logs/0/checkpoint", lambda data: b"")
changed(0, "a tile of another width", "logs/0/tile/0/002.p/88", lambda data: data + bytes(32))
changed(0, "an entry bundle too large for its width", "logs/0/tile/entries/002.p/88", lambda data: bytes(88 * 65_538))
changed(0, "a range proof larger than any", "logs/1/range.proof", lambda data: data * 200)
mutation(0, "a blob too small to be claimed")(lambda files: {**files, "blobs/" + "00" * 32: b"small"})
mutation(0, "a blob too large to be read")(lambda files: {**files, "blobs/" + "00" * 32: bytes((2 << 20) + 1)})
BLOBS = sorted(name for name in GOOD if name.startswith("blobs/"))
manifested(0, "a blob that is listed as absent", lambda body: body.update(absent=[BLOBS[0][6:]]))

# Signatures.


def renoted(level: int, name: str, change: Callable[[Note], Note | bytes], number: int = 0) -> None:
    def mutate(files: Files) -> Files:
        new = change(read_note(files[f"logs/{number}/checkpoint"]))
        return {**files, f"logs/{number}/checkpoint": new if isinstance(new, bytes) else new.write()}

    mutation(level, name)(mutate)


def resigned(text: bytes, *keys: SigningKey) -> bytes:
    return sign_note(
        text, [key.sign(text) for key in keys] + [key.cosign(text, made.TIME) for key in (made.ONE, made.TWO)]
    )


STRANGER, NEIGHBOUR, SAME_NAME = (
    made.signing_key(name, name + " again") for name in ("stranger.example", "made.example/aud", made.NAME)
)

renoted(
    1,
    "the log's signature is damaged",
    lambda note: note._replace(signatures=(note.signatures[0]._replace(value=bytes(64)), *note.signatures[1:])),
)
renoted(
    1,
    "a witness's signature is damaged",
    lambda note: note._replace(signatures=(*note.signatures[:2], note.signatures[2]._replace(value=bytes(72)))),
)
renoted(
    1,
    "a witness's time is changed",
    lambda note: note._replace(
        signatures=(*note.signatures[:2], note.signatures[2]._replace(value=flip(note.signatures[2].value, 7)))
    ),
)
renoted(1, "the size is changed", lambda note: note._replace(text=note.text.replace(b"\n600\n", b"\n601\n")))
renoted(1, "the root is changed", lambda note: note._replace(text=Checkpoint(made.LARGE.origin, 600, bytes(32)).text()))
renoted(1, "signed by a stranger", lambda note: resigned(note.text, STRANGER))
renoted(1, "signed by a log whose name is almost this one", lambda note: resigned(note.text, NEIGHBOUR))
renoted(1, "signed by another key of the log's name", lambda note: resigned(note.text, SAME_NAME))
renoted(1, "signed by witnesses alone", lambda note: resigned(note.text))
renoted(1, "signed for another size than the manifest's", lambda note: made.note_of(made.LARGE.checkpoint(599)))
renoted(1, "signed for another log of the same key", lambda note: made.note_of(made.SMALL.checkpoint()))
renoted(1, "an extension line, well signed", lambda note: resigned(note.text + b"more\n", made.KEY))
renoted(1, "two lines, well signed", lambda note: resigned(b"\n".join(note.text.split(b"\n")[:2]) + b"\n", made.KEY))
renoted(
    1,
    "a size with a leading zero, well signed",
    lambda note: resigned(note.text.replace(b"\n600\n", b"\n0600\n"), made.KEY),
)
renoted(1, "65 signatures", lambda note: note._replace(signatures=note.signatures + note.signatures[:1] * 62))
renoted(1, "a note without its last newline", lambda note: note.write()[:-1])
renoted(1, "a note without signatures", lambda note: note.text)
renoted(1, "a note with a line that is no signature", lambda note: note.write() + b"hello\n")
renoted(1, "a note that is no text", lambda note: b"\xff" + note.write())
renoted(
    1,
    "the second log's note is bad",
    lambda note: note._replace(text=Checkpoint(made.SMALL.origin, 700, bytes(32)).text()),
    1,
)
renoted(4, "one witness is missing", lambda note: note._replace(signatures=note.signatures[:2]))
renoted(4, "both witnesses are missing", lambda note: note._replace(signatures=note.signatures[:1]), 1)
renoted(
    4,
    "one witness signed twice",
    lambda note: sign_note(note.text, [made.KEY.sign(note.text), *(made.ONE.cosign(note.text, at) for at in (1, 2))]),
)

# Leaves and proofs.

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


# What was held before.

changed(
    3,
    "a consistency proof is changed",
    "logs/0/consistency/256",
    lambda data: write_base64(bytes(32)).encode() + data[44:],
)
changed(3, "a consistency proof is another's", "logs/0/consistency/300", lambda data: GOOD["logs/0/consistency/256"])
changed(3, "a consistency proof has one hash less", "logs/0/consistency/300", lambda data: data[45:])
changed(3, "a consistency proof is empty", "logs/1/consistency/500", lambda data: b"")
changed(3, "a consistency proof is no base64", "logs/1/consistency/500", lambda data: b"\x00" + data)

# Numbers and stories.

manifested(6, "the last number is too low", lambda body: body["subjects"][0].update(last={made.SOURCES[0]: 85}))
manifested(6, "the last number is too high", lambda body: body["subjects"][0].update(last={made.SOURCES[0]: 87}))
manifested(
    6,
    "the last number is beyond all counting",
    lambda body: body["subjects"][0].update(last={made.SOURCES[0]: (1 << 53) - 1}),
)
manifested(6, "numbers are denied", lambda body: body["subjects"][0].update(last={made.SOURCES[0]: None}))
manifested(6, "a source is not listed", lambda body: body["subjects"][0].update(last={}))
manifested(
    6, "a source is listed that said nothing", lambda body: body["subjects"][0]["last"].update({"guichet/x": None})
)
manifested(
    6,
    "a source is listed with numbers that it did not give",
    lambda body: body["subjects"][1].update(last={"guichet/provisioning": 3}),
)
manifested(
    6,
    "a part of a log is called everything",
    lambda body: body.update(scope={"kind": ALL, "value": None, "complete": True}),
)
manifested(
    6,
    "a part of a log is called the log",
    lambda body: body.update(scope={"kind": LOG, "value": made.SMALL.origin, "complete": True}),
)


def numbered(level: int, name: str, records: list[Record], last: int) -> None:
    def mutate(_: Files) -> Files:
        log = made.MadeLog(made.LARGE.topic, 0, records)
        manifest = replace(
            made.whole(log), subjects=(Subject("r", {made.SOURCES[0]: last}),), scope=Scope("subject", "r", True)
        )
        return made.files_of(manifest, [log])

    mutation(level, name)(mutate)


def said(offset: int, sequence: int, value: bytes = b"{}") -> Record:
    return made.record(made.LARGE.topic, 0, offset, "r", made.SOURCES[0], sequence, value)


numbered(6, "an event of a request is left out", [said(0, 1), said(1, 3)], 3)
numbered(6, "the first event of a request is left out", [said(0, 2), said(1, 3)], 3)
numbered(6, "one number for two events", [said(0, 1), said(1, 1, b"{ }"), said(2, 2)], 2)
changed(
    7,
    "a story leaves an event out",
    "state/0.json",
    lambda data: json.dumps(
        {**json.loads(data), "events": json.loads(data)["events"][1:]}, separators=(",", ":")
    ).encode(),
)
changed(7, "a story has a space", "state/0.json", lambda data: data.replace(b":", b": ", 1))
changed(7, "a story ends in a newline", "state/0.json", lambda data: data + b"\n")
changed(
    7, "a story has another number", "state/0.json", lambda data: data.replace(b'"sequence":1,', b'"sequence":2,', 1)
)
changed(7, "a story is another's", "state/1.json", lambda data: GOOD["state/0.json"])
changed(7, "a story is no JSON", "state/1.json", lambda data: b"\x00")
