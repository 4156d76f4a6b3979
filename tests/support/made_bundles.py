"""Bundles made in memory, so that every byte of them can be changed: three logs, a claim, stories, two witnesses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.packing import Packer
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.encoding import write_hashes
from guichet_verify.leaves import FirstLeaf, Record, encode_first, leaf_of
from guichet_verify.manifest import ALL, SUBJECT, AsOf, LogPart, Manifest, Scope, Subject
from guichet_verify.members import tile_name, tile_path, tile_width
from guichet_verify.notes import SigningKey, sign_note
from guichet_verify.proofs import TlogProof
from guichet_verify.stories import canonical
from guichet_verify.tiles import WIDTH, Edge
from guichet_verify.tree import consistency_spans, inclusion_spans, leaf_hash, range_spans, root_of

NAME = "made.example/audit"


def signing_key(name: str, secret: str) -> SigningKey:
    return SigningKey(name, Ed25519PrivateKey.from_private_bytes(hashlib.sha256(secret.encode()).digest()))


KEY = signing_key(NAME, "log")
ONE, TWO = (signing_key(name, name) for name in ("w.example/one", "w.example/two"))
POLICY = "\n".join(
    (
        f"log {KEY.log_key.vkey()}",
        f"witness one {ONE.cosigner_key.vkey()}",
        f"witness two {TWO.cosigner_key.vkey()}",
        "group both all one two",
        "quorum both\n",
    )
)
TIME = 1_795_600_000
SOURCES = ("guichet/intake", "guichet/compliance")


def record(
    topic: str, partition: int, offset: int, subject: str, source: str, sequence: int | None, value: bytes = b"{}"
) -> Record:
    """A record as the services write them."""
    headers = [
        ("ce_id", f"{topic}-{partition}-{offset}"),
        ("ce_type", "guichet.request.accepted.v1"),
        ("ce_source", source),
        ("ce_subject", subject),
        ("ce_time", "2026-11-24T10:00:01Z"),
        *([("ce_sequence", str(sequence))] if sequence else []),
    ]
    return Record(
        topic, partition, offset, 0, TIME * 1000, subject.encode(), [(n, v.encode()) for n, v in headers], value
    )


@dataclass
class MadeLog:
    """One log in memory."""

    topic: str
    partition: int = 0
    records: list[Record] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"{NAME}/trail/{self.topic}/{self.partition}/1"

    @property
    def leaves(self) -> list[bytes]:
        return [encode_first(FirstLeaf(self.origin, 0)), *(leaf_of(each).leaf for each in self.records)]

    @property
    def hashes(self) -> list[bytes]:
        return [leaf_hash(leaf) for leaf in self.leaves]

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        hashes = self.hashes[:size]
        return Checkpoint(self.origin, len(hashes), root_of(hashes))

    def proof(self, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        hashes = self.hashes
        return [root_of(hashes[start:end]) for start, end in spans]


def note_of(checkpoint: Checkpoint, witnesses: Sequence[SigningKey] = (ONE, TWO), by: SigningKey = KEY) -> bytes:
    text = checkpoint.text()
    return sign_note(text, [by.sign(text), *(witness.cosign(text, TIME) for witness in witnesses)])


def part_files(number: int, log: MadeLog, part: LogPart) -> dict[str, bytes]:
    """The files of one log."""
    folder, leaves, hashes, note = f"logs/{number}", log.leaves, log.hashes, note_of(log.checkpoint())
    files = {f"{folder}/checkpoint": note}
    for old in part.older:
        files[f"{folder}/consistency/{old}"] = write_hashes(log.proof(consistency_spans(old, part.size)))
    if part.indexes is not None:
        for index in part.indexes:
            path = tuple(log.proof(inclusion_spans(index, part.size)))
            files[f"{folder}/entry/{index}"] = leaves[index]
            files[f"{folder}/proof/{index}.tlog-proof"] = TlogProof(index, path, note).write()
        return files
    for first in range(part.start, part.end, WIDTH):
        width = tile_width(0, first // WIDTH, part.size)
        entries = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves[first : first + width])
        files[f"{folder}/tile/entries/{tile_path(first // WIDTH, width)}"] = entries
    if not part.whole:
        files[f"{folder}/range.proof"] = write_hashes(log.proof(range_spans(part.start, part.end, part.size)))
        return files
    for tile in Edge().extend(hashes)[1]:
        files[f"{folder}/tile/{tile_name(tile.level, tile.number, tile.width)}"] = tile.hashes
    return files


def story(subject: str, logs: Sequence[MadeLog], parts: Sequence[LogPart]) -> bytes:
    """A story by its definition, written anew."""
    events = []
    for log, part in sorted(zip(logs, parts, strict=True), key=lambda both: both[0].origin):
        for index, each in enumerate(log.records, 1):
            within = index in part.indexes if part.indexes is not None else part.start <= index < part.end
            said = {name: (value or b"").decode() for name, value in each.headers}
            if within and said.get("ce_subject") == subject:
                sequence = said.get("ce_sequence")
                events.append(
                    {
                        "data_sha256": None if each.value is None else hashlib.sha256(each.value).hexdigest(),
                        "id": said["ce_id"],
                        "index": index,
                        "origin": log.origin,
                        "sequence": None if sequence is None else int(sequence),
                        "source": said["ce_source"],
                        "time": said["ce_time"],
                        "type": said["ce_type"],
                    }
                )
    return canonical({"events": events, "subject": subject})


def pack(files: Mapping[str, bytes]) -> bytes:
    packer = Packer()
    names = ["bundle.json", *sorted(name for name in files if name != "bundle.json")]
    return b"".join(packer.add(name, files[name]) for name in names if name in files) + packer.end()


SMALL, LARGE, POINTED = (MadeLog(f"guichet.{name}") for name in ("decisions", "requests", "workspaces"))


def _fill() -> None:
    for number in range(599):
        value = bytes(70_000 + number) if number in (10, 300) else b'{"n":%d}' % number
        LARGE.records.append(
            record(LARGE.topic, 0, number * 2, f"request-{number % 7}", SOURCES[0], number // 7 + 1, value)
        )
    for number in range(699):
        SMALL.records.append(record(SMALL.topic, 0, number, f"other-{number % 5}", SOURCES[1], number // 5 + 1))
    for number in range(99):
        POINTED.records.append(record(POINTED.topic, 0, number, f"permit-{number}", "guichet/provisioning", None))


_fill()

MANIFEST = Manifest(
    "2026-11-25T08:00:00Z",
    "made for tests",
    Scope(SUBJECT, "request-1", True),
    AsOf(),
    (
        LogPart(LARGE.origin, 600, 0, 600, None, (2, 256, 300)),
        LogPart(SMALL.origin, 700, 256, 700, None, (500,)),
        LogPart(POINTED.origin, 100, 0, 0, (0, 5, 64, 99), ()),
    ),
    (Subject("request-1", {SOURCES[0]: 86}), Subject("permit-4", {"guichet/provisioning": None})),
    (),
)
LOGS = (LARGE, SMALL, POINTED)


def files_of(manifest: Manifest, logs: Sequence[MadeLog]) -> dict[str, bytes]:
    """All files of a bundle."""
    files = {"bundle.json": manifest.write()}
    for number, (log, part) in enumerate(zip(logs, manifest.logs, strict=True)):
        files |= part_files(number, log, part)
        within = range(part.start, part.end) if part.indexes is None else part.indexes
        for index, each in enumerate(log.records, 1):
            encoded = leaf_of(each)
            if index not in within or encoded.blob is None or encoded.digest is None:
                continue
            if encoded.digest.hex() not in manifest.absent:
                files[f"blobs/{encoded.digest.hex()}"] = encoded.blob
    for number, subject in enumerate(manifest.subjects):
        files[f"state/{number}.json"] = story(subject.name, logs, manifest.logs)
    return files


def whole(*logs: MadeLog) -> Manifest:
    """A bundle of everything."""
    parts = tuple(LogPart(log.origin, len(log.records) + 1, 0, len(log.records) + 1, None, ()) for log in logs)
    return Manifest("now", "made for tests", Scope(ALL, None, True), AsOf(), parts, (), ())


def write(folder: Path, files: Mapping[str, bytes] | bytes) -> Path:
    path = folder / "made.auditbundle"
    path.write_bytes(files if isinstance(files, bytes) else pack(files))
    return path
