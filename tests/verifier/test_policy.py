"""A policy says whom to trust, in one reading."""

import json
from pathlib import Path
from typing import Any

import pytest

from guichet_verify.policy import NotAPolicy, read_policy

VECTORS = json.loads((Path(__file__).parent / "vectors" / "policy.json").read_text())


@pytest.mark.parametrize("case", VECTORS["good"], ids=lambda case: case["id"])
def test_a_quorum_is_met_by_those_it_names(case: dict[str, Any]) -> None:
    policy = read_policy(case["policy"].encode(), allow_published=True)
    for cosigners, met in case["cosigned_by_and_met"]:
        assert policy.met_by([policy.witnesses[name] for name in cosigners]) == met


@pytest.mark.parametrize("case", VECTORS["bad"], ids=lambda case: case["id"])
def test_a_policy_that_can_be_read_in_two_ways_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(NotAPolicy):
        read_policy(case["policy"].encode(), allow_published=True)


def test_a_policy_that_trusts_everyone_is_refused() -> None:
    with pytest.raises(NotAPolicy, match=r"line 1: .*published"):
        read_policy(VECTORS["good"][0]["policy"].encode())


@pytest.mark.parametrize("control", [b"\x00", b"\r", b"\x0b", b"\x7f"])
def test_a_policy_has_no_control_characters(control: bytes) -> None:
    with pytest.raises(NotAPolicy, match="control"):
        read_policy(b"# comment" + control + b"\nquorum none\n")


def test_names_that_are_not_utf_8_are_names_like_others() -> None:
    witness = VECTORS["good"][1]["policy"].encode().replace(b"W2", b"W\xff")
    policy = read_policy(witness, allow_published=True)
    assert not policy.met_by([])
    assert policy.met_by(policy.witnesses.values())
