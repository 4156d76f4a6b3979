"""Verifying a large bundle beside a bare SHA-256 pass over the same bytes."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.exporting import write_entries
from audit.packing import Packer
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.leaves import FirstLeaf, Record, encode_first, leaf_of
from guichet_verify.manifest import ALL, AsOf, LogPart, Manifest, Scope
from guichet_verify.members import in_path_order, tile_name, tile_path, tile_width
from guichet_verify.notes import SigningKey, sign_note
from guichet_verify.policy import Policy
from guichet_verify.tiles import WIDTH, Edge
from guichet_verify.tree import leaf_hash
from guichet_verify.verification import Asked, verify_bundle

NAME = "bench.example/audit"
TOPIC = "guichet.requests"


def verification(home: Path, events: int) -> dict[str, Any]:
    """Events a second of processor time that are verified, beside those that SHA-256 alone passes over."""
    key = SigningKey(NAME, Ed25519PrivateKey.generate())
    path = home / "bench.auditbundle"
    _write(path, key, events)
    began = time.process_time()
    report = verify_bundle(path, Asked(Policy([key.log_key], quorum="none")))
    verified = time.process_time() - began
    if not report.holds or report.leaves != events + 1:
        raise RuntimeError("the bundle of the benchmark does not hold")
    bare = _bare(events)
    return {
        "bundle_events": events,
        "bundle_mib": round(path.stat().st_size / (1 << 20), 1),
        "verified_events_per_second": round(events / verified),
        "bare_sha256_events_per_second": round(events / bare),
        "verify_ratio": round(bare / verified, 3),
    }


def _leaf(number: int) -> bytes:
    """A leaf as the services make them: fourteen headers and 250 bytes of data."""
    headers = {
        "ce_id": f"0199f0c0-0000-7000-8000-{number:012}",
        "ce_specversion": "1.0",
        "ce_type": "guichet.request.accepted.v1",
        "ce_source": "guichet/intake",
        "ce_subject": f"5f0c7f4e-6c1e-5a44-9d7e-{number // 9:012}",
        "ce_time": "2026-11-24T10:00:01.123456Z",
        "ce_sequence": str(number % 9 + 1),
        "ce_correlationid": f"0199f0c0-0000-7000-8000-{number // 9:012}",
        "ce_causationid": f"0199f0c0-0000-7000-8000-{number // 9:012}",
        "ce_producer": "intake",
        "ce_producerepoch": "1",
        "ce_producersequence": str(number + 1),
        "content-type": "application/json",
        "traceparent": f"00-{number:032x}-{number:016x}-01",
    }
    value = b'{"portal":"hdh","reference":"%d","note":"%s"}' % (number, b"x" * 200)
    key = headers["ce_subject"].encode()
    said = [(name, text.encode()) for name, text in headers.items()]
    return leaf_of(Record(TOPIC, 0, number, 0, 1_795_514_401_000 + number, key, said, value)).leaf


def _leaves(first: int, count: int, origin: str) -> list[bytes]:
    return [
        _leaf(number - 1) if number else encode_first(FirstLeaf(origin, 0)) for number in range(first, first + count)
    ]


def _write(path: Path, key: SigningKey, events: int) -> None:
    """A whole log of so many events, its entries packed as they are made; only hash tiles are held in memory."""
    origin, size = f"{NAME}/trail/{TOPIC}/0/1", events + 1
    edge = Edge()
    tiles: dict[tuple[int, int], bytes] = {}
    for first in range(0, size, WIDTH):
        leaves = _leaves(first, min(WIDTH, size - first), origin)
        edge, touched = edge.extend([leaf_hash(leaf) for leaf in leaves])
        tiles |= {(tile.level, tile.number): tile.hashes for tile in touched}
    text = Checkpoint(origin, size, edge.root()).text()
    part = LogPart(origin, size, 0, size, None, ())
    manifest = Manifest("", "guichet bench", Scope(ALL, None, True), AsOf(), (part,), (), ())
    packer = Packer()
    with path.open("wb") as file:
        file.write(packer.add("bundle.json", manifest.write()))
        file.write(packer.add("logs/0/checkpoint", sign_note(text, [key.sign(text)])))
        for level in range(max(level for level, _ in tiles) + 1):
            for index in in_path_order(0, sum(each == level for each, _ in tiles)):
                name = tile_name(level, index, tile_width(level, index, size))
                file.write(packer.add(f"logs/0/tile/{name}", tiles[level, index]))
        for index in in_path_order(0, -(-size // WIDTH)):
            width = tile_width(0, index, size)
            entries = write_entries(_leaves(index * WIDTH, width, origin))
            file.write(packer.add(f"logs/0/tile/entries/{tile_path(index, width)}", entries))
        file.write(packer.end())


def _bare(events: int) -> float:
    """Seconds that `hashlib` needs to hash as many leaves of this size, one by one, and nothing else."""
    some = [_leaf(number) for number in range(10_000)]
    rounds = max(1, events // len(some))
    began = time.process_time()
    for _ in range(rounds):
        for leaf in some:
            hashlib.sha256(leaf).digest()
    return (time.process_time() - began) * events / (rounds * len(some))
