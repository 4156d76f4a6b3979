"""Proof texts are read and written as published."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guichet_verify.checkpoints import read_checkpoint
from guichet_verify.notes import read_note
from guichet_verify.proofs import TlogProof, read_proof
from guichet_verify.tree import inclusion_spans, leaf_hash, root_of, verify_inclusion

VECTORS = Path(__file__).parent / "vectors"
PROOFS = json.loads((VECTORS / "tlog_proof.json").read_text())
EXAMPLE = json.loads((VECTORS / "worked_example.json").read_text())


@pytest.mark.parametrize("case", PROOFS["good"])
def test_a_published_proof_is_read_and_written(case: dict[str, Any]) -> None:
    proof = read_proof(case["text"].encode())
    extra = None if case["extra"] is None else bytes.fromhex(case["extra"])
    hashes = tuple(bytes.fromhex(each) for each in case["hashes"])
    assert proof == TlogProof(case["index"], hashes, case["checkpoint"].encode(), extra)
    assert proof.write().decode() == case["text"]


@pytest.mark.parametrize("case", PROOFS["bad"], ids=lambda case: case["id"])
def test_other_text_is_no_proof(case: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_proof(case["text"].encode())


def test_more_hashes_than_any_tree_has_are_no_proof() -> None:
    proof = TlogProof(0, (bytes(32),) * 63, b"checkpoint\n")
    assert read_proof(proof.write()) == proof
    with pytest.raises(ValueError, match="63"):
        read_proof(replace(proof, hashes=(bytes(32),) * 64).write())


def test_the_proof_of_the_worked_example_has_its_bytes_and_leads_to_its_root() -> None:
    leaves = [EXAMPLE["genesis"]["leaf_hex"], *(record["leaf_hex"] for record in EXAMPLE["records"])]
    hashes = [leaf_hash(bytes.fromhex(leaf)) for leaf in leaves]
    path = tuple(root_of(hashes[start:end]) for start, end in inclusion_spans(2, 4))
    proof = TlogProof(2, path, EXAMPLE["cosigned_note"].encode())
    assert proof.write().decode() == EXAMPLE["tlog_proof_of_leaf_2"]
    checkpoint = read_checkpoint(read_note(read_proof(proof.write()).checkpoint).text)
    assert verify_inclusion(2, checkpoint.size, hashes[2], proof.hashes, checkpoint.root)
