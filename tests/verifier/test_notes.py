"""Notes are signed, read and believed as published; keys that anyone could sign with are not believed."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guichet_verify.notes import (
    COSIGNATURE,
    Key,
    NotAKey,
    NotANote,
    Signature,
    SigningKey,
    read_note,
    read_vkey,
    sign_note,
    verify,
)

VECTORS = Path(__file__).parent / "vectors"
NOTES = json.loads((VECTORS / "notes.json").read_text())
EXAMPLE = json.loads((VECTORS / "worked_example.json").read_text())


def keys(vkeys: list[str]) -> list[Key]:
    return [read_vkey(vkey, allow_published=True) for vkey in vkeys]


def signing_key(name: str, seed: str) -> SigningKey:
    return SigningKey(name, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)), allow_published=True)


def test_signing_gives_the_published_note() -> None:
    case = NOTES["sign"]
    key = signing_key(case["name"], case["signer_seed_hex"])
    text = case["text"].encode()
    assert key.log_key.vkey() == case["vkey"]
    assert sign_note(text, [key.sign(text)]).decode() == case["note"]


@pytest.mark.parametrize("case", NOTES["good"], ids=lambda case: case["id"])
def test_a_good_note_is_believed_for_exactly_the_keys_that_signed_it(case: dict[str, Any]) -> None:
    note = read_note(case["note"].encode())
    found = verify(note, keys(case["vkeys"]))
    assert [verified.key.name for verified in found] == case["verified"]
    if "time" in case:
        assert [verified.time for verified in found] == [case["time"]]
    assert note.write().decode() == case["note"]


@pytest.mark.parametrize("case", NOTES["bad"] + NOTES["bad_bytes_hex"], ids=lambda case: case["id"])
def test_a_bad_note_is_refused(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["note_hex"]) if "note_hex" in case else case["note"].encode()
    with pytest.raises(NotANote):
        verify(read_note(data), keys(case["vkeys"]))


def test_a_bad_signature_behind_a_good_one_of_the_same_key_refuses_the_note() -> None:
    case = NOTES["good"][0]
    note, known = read_note(case["note"].encode()), keys(case["vkeys"])
    good = note.signatures[0]
    assert len(verify(note._replace(signatures=(good, good)), known)) == 1
    with pytest.raises(NotANote, match="bad"):
        verify(note._replace(signatures=(good, good._replace(value=bytes(64)))), known)


@pytest.mark.parametrize("vkey", NOTES["good_vkeys"])
def test_a_key_is_read_and_written_as_published(vkey: str) -> None:
    assert read_vkey(vkey, allow_published=True).vkey() == vkey


@pytest.mark.parametrize("vkey", NOTES["bad_vkeys"])
def test_other_text_is_no_key(vkey: str) -> None:
    with pytest.raises(NotAKey):
        read_vkey(vkey, allow_published=True)


def test_published_examples_have_the_published_key_ids_and_time() -> None:
    shapes = NOTES["c2sp_shape_examples"]
    note = read_note(
        (shapes["checkpoint"] + "\n" + "".join(f"{line}\n" for line in shapes["signature_lines"])).encode()
    )
    assert [signature.key_id.hex() for signature in note.signatures] == shapes["key_ids"]
    assert [len(signature.value) for signature in note.signatures] == shapes["signature_bytes"]
    assert int.from_bytes(note.signatures[1].value[:8], "big") == shapes["cosignature_time"]


def test_the_worked_example_is_signed_and_cosigned_byte_for_byte() -> None:
    text = EXAMPLE["checkpoint_text"].encode()
    log = signing_key("guichet.example/audit", EXAMPLE["keys"]["log_seed_hex"])
    assert log.log_key.vkey() == EXAMPLE["keys"]["log_vkey"]
    signatures = [log.sign(text)]
    assert sign_note(text, signatures).decode() == EXAMPLE["signed_note"]
    for name, seed in EXAMPLE["keys"]["witness_seeds_hex"].items():
        witness = signing_key(name, seed)
        assert witness.cosigner_key.vkey() == EXAMPLE["keys"]["witness_vkeys"][name]
        if name in EXAMPLE["cosignature_times"]:
            signatures.append(witness.cosign(text, EXAMPLE["cosignature_times"][name]))
    assert sign_note(text, signatures).decode() == EXAMPLE["cosigned_note"]


def test_signatures_of_types_nobody_here_knows_are_passed_over() -> None:
    case = NOTES["good"][0]
    note = read_note(case["note"].encode())
    post_quantum = Signature("PeterNeumann", b"\x00\x00\x00\x06", bytes(2428))
    with_it = note._replace(signatures=(post_quantum, *note.signatures))
    assert len(verify(read_note(with_it.write()), keys(case["vkeys"]))) == 1


@pytest.mark.parametrize(
    "vkey",
    [
        *NOTES["good_vkeys"],
        EXAMPLE["keys"]["log_vkey"],
        *EXAMPLE["keys"]["witness_vkeys"].values(),
        json.loads((VECTORS / "witness.json").read_text())["log_vkey"],
        json.loads((VECTORS / "tessera_log.json").read_text())["vkey"],
    ],
)
def test_a_key_whose_secret_is_published_is_refused_outside_tests(vkey: str) -> None:
    with pytest.raises(NotAKey, match="published"):
        read_vkey(vkey)


def test_a_published_secret_signs_nothing_outside_tests() -> None:
    for seed in (EXAMPLE["keys"]["log_seed_hex"], NOTES["sign"]["signer_seed_hex"], "00" * 32):
        with pytest.raises(NotAKey, match="published"):
            SigningKey("guichet.example/audit", Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)))


def test_the_same_key_under_another_name_or_type_has_another_id() -> None:
    key = SigningKey("a.example", Ed25519PrivateKey.generate()).log_key
    assert len({key.id, key._replace(name="b.example").id, key._replace(kind=COSIGNATURE).id}) == 3
    assert not key.verifies(b"text", base64.b64decode("AAAA"))
