"""Checkpoints are three lines, and only the log's own key makes one."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guichet_verify.checkpoints import Checkpoint, open_checkpoint, read_checkpoint, speaks_for
from guichet_verify.notes import NotANote, SigningKey, read_vkey, sign_note
from guichet_verify.tree import leaf_hash

VECTORS = Path(__file__).parent / "vectors"
NOTES = json.loads((VECTORS / "notes.json").read_text())
EXAMPLE = json.loads((VECTORS / "worked_example.json").read_text())


def test_the_published_checkpoint_is_read_and_written() -> None:
    case = NOTES["checkpoint_text"]
    root = leaf_hash(case["root_is_leaf_hash_of"].encode())
    checkpoint = read_checkpoint(case["text"].encode())
    assert checkpoint == Checkpoint(case["origin"], case["size"], root)
    assert checkpoint.text().decode() == case["text"]


@pytest.mark.parametrize("case", NOTES["bad_checkpoint_texts"], ids=lambda case: case["id"])
def test_other_text_is_no_checkpoint(case: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_checkpoint(case["text"].encode())


@pytest.mark.parametrize(
    ("name", "origin", "speaks"), json.loads((VECTORS / "policy.json").read_text())["key_and_origin"]
)
def test_a_key_speaks_for_its_name_and_what_is_below_it(name: str, origin: str, speaks: bool) -> None:
    assert speaks_for(name, origin) == speaks


def test_all_checkpoints_of_a_published_log_open() -> None:
    vectors = json.loads((VECTORS / "tessera_log.json").read_text())
    key = read_vkey(vectors["vkey"], allow_published=True)
    for size, note in enumerate(vectors["checkpoints"]):
        opened = open_checkpoint(note.encode(), [key])
        assert (opened.checkpoint.origin, opened.checkpoint.size) == (vectors["origin"], size)


def test_the_worked_example_opens_under_its_keys() -> None:
    vkeys = [EXAMPLE["keys"]["log_vkey"], *EXAMPLE["keys"]["witness_vkeys"].values()]
    known = [read_vkey(vkey, allow_published=True) for vkey in vkeys]
    opened = open_checkpoint(EXAMPLE["cosigned_note"].encode(), known)
    assert opened.checkpoint == Checkpoint(EXAMPLE["origin"], 4, bytes.fromhex(EXAMPLE["roots"][3]))
    assert [(each.key.name, each.time) for each in opened.verified] == [
        ("guichet.example/audit", None),
        ("witness.example/one", 1795600000),
        ("witness.example/two", 1795600001),
    ]


def test_a_checkpoint_signed_by_a_neighbour_or_by_witnesses_alone_is_refused() -> None:
    text = Checkpoint("a.example/log/t/0/1", 1, hashlib.sha256(b"").digest()).text()
    own, other = (SigningKey(name, Ed25519PrivateKey.generate()) for name in ("a.example/log", "a.example/lo"))
    assert open_checkpoint(sign_note(text, [own.sign(text)]), [own.log_key])
    with pytest.raises(NotANote, match="speaks"):
        open_checkpoint(sign_note(text, [other.sign(text)]), [own.log_key, other.log_key])
    with pytest.raises(NotANote, match="speaks"):
        open_checkpoint(sign_note(text, [own.cosign(text, 1)]), [own.log_key, own.cosigner_key])
