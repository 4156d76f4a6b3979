"""Trees agree with the published vectors, and obey the laws of RFC 6962 on trees of any size."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guichet_verify import tree

VECTORS = Path(__file__).parent / "vectors"


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def unhex(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


def proof(hashes: list[bytes], spans: list[tuple[int, int]]) -> list[bytes]:
    return [tree.root_of(hashes[start:end]) for start, end in spans]


LEAVES = [tree.leaf_hash(bytes([number])) for number in range(130)]


def test_hashes_are_those_of_rfc_6962() -> None:
    vectors = load("rfc6962.json")
    for case in vectors["hasher"]:
        match case["kind"]:
            case "empty":
                found = tree.EMPTY_ROOT
            case "leaf":
                found = tree.leaf_hash(bytes.fromhex(case["data"]))
            case "node":
                found = tree.node_hash(bytes.fromhex(case["left"]), bytes.fromhex(case["right"]))
        assert found.hex() == case["hash"], case


def test_roots_and_nodes_of_eight_leaves() -> None:
    vectors = load("rfc6962.json")
    hashes = [tree.leaf_hash(leaf) for leaf in unhex(vectors["leaves"])]
    assert hashes == unhex(vectors["leaf_hashes"])
    assert [tree.root_of(hashes[:size]) for size in range(9)] == unhex(vectors["roots"])
    rows = tree.Frontier().extend(hashes)[1]
    assert [list(row.hashes) for row in rows[1:3]] == [unhex(row) for row in vectors["nodes"]]


def test_a_proof_from_a_log_of_three_million_certificates_holds() -> None:
    case = load("rfc6962.json")["real_certificate_log"]
    leaf, root = bytes.fromhex(case["leaf_hash"]), bytes.fromhex(case["root"])
    assert tree.verify_inclusion(case["leaf_index"], case["tree_size"], leaf, unhex(case["proof"]), root)


def test_inclusion_proofs_hold_or_are_refused_as_published() -> None:
    vectors = load("inclusion.json")
    for case in vectors["cases"] + vectors["accepted_though_size_is_wrong"]["cases"]:
        held = tree.verify_inclusion(
            case["index"],
            case["size"],
            bytes.fromhex(case["leaf_hash"]),
            unhex(case["proof"]),
            bytes.fromhex(case["root"]),
        )
        assert held == case.get("valid", True), case["id"]


def test_consistency_proofs_hold_or_are_refused_as_published() -> None:
    for case in load("consistency.json")["cases"]:
        held = tree.verify_consistency(
            case["old"],
            case["new"],
            bytes.fromhex(case["old_root"]),
            bytes.fromhex(case["new_root"]),
            unhex(case["proof"]),
        )
        assert held == case["valid"], case["id"]


def test_every_proof_of_every_small_tree_has_the_published_digest() -> None:
    vectors = load("rolling.json")
    roll = {name: hashlib.sha256() for name in ("subtree", "inclusion", "consistency", "range", "roots")}
    for end in range(vectors["max"] + 1):
        for start in range(end + 1):
            if start != end and start % (1 << (end - start - 1).bit_length()):
                continue
            roll["subtree"].update(f"[{start}, {end}) {tree.root_of(LEAVES[start:end]).hex()}\n".encode())
            part = LEAVES[start:end]
            for index in range(end - start):
                path = " ".join(h.hex() for h in proof(part, tree.inclusion_spans(index, end - start)))
                roll["inclusion"].update(f"{start + index} [{start}, {end}) {path}".rstrip(" ").encode() + b"\n")
    for new in range(1, 131):
        roll["roots"].update(f"{new} {tree.root_of(LEAVES[:new]).hex()}\n".encode())
        for old in range(1, new + 1):
            path = "".join(" " + h.hex() for h in proof(LEAVES, tree.consistency_spans(old, new)))
            roll["consistency"].update(f"{old} {new}{path}\n".encode())
    for size in range(1, 41):
        for start in range(size):
            for end in range(start + 1, size + 1):
                path = "".join(" " + h.hex() for h in proof(LEAVES, tree.range_spans(start, end, size)))
                roll["range"].update(f"{start} {end} {size}{path}\n".encode())
    assert roll["subtree"].hexdigest() == vectors["sha256_of_all_lines"]["subtree_hash"]
    assert roll["inclusion"].hexdigest() == vectors["sha256_of_all_lines"]["inclusion"]
    assert roll["consistency"].hexdigest() == vectors["own"]["consistency"]
    assert roll["range"].hexdigest() == vectors["own"]["range"]


def test_a_published_log_grows_through_its_published_roots() -> None:
    vectors = load("tessera_log.json")
    hashes = [tree.leaf_hash(entry.encode()) for entry in vectors["entries"]]
    roots = [base64.b64decode(root) for root in vectors["roots_base64"]]
    assert b"".join(hashes).hex() == vectors["tile_0_15"]
    assert [tree.root_of(hashes[:size]) for size in range(16)] == roots
    for new in range(1, 16):
        for old in range(1, new + 1):
            path = proof(hashes, tree.consistency_spans(old, new))
            assert tree.verify_consistency(old, new, roots[old], roots[new], path)


sizes = st.integers(1, 700)
MANY = [tree.leaf_hash(number.to_bytes(2, "big")) for number in range(700)]


def slow_root(hashes: list[bytes]) -> bytes:
    """The definition, word for word."""
    if len(hashes) <= 1:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return hashlib.sha256(b"\x01" + slow_root(hashes[:half]) + slow_root(hashes[half:])).digest()


@given(sizes, st.lists(st.integers(0, 300), max_size=8))
def test_growing_in_steps_gives_the_root_of_the_definition(size: int, steps: list[int]) -> None:
    frontier, rest = tree.Frontier(), MANY[:size]
    for step in steps:
        frontier, _ = frontier.extend(rest[:step])
        rest = rest[step:]
    frontier, _ = frontier.extend(rest)
    assert (frontier.size, frontier.root()) == (size, slow_root(MANY[:size]))


@given(sizes, st.data())
def test_inclusion_is_proved_and_only_for_its_own_leaf(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path, root = proof(MANY[:size], tree.inclusion_spans(index, size)), slow_root(MANY[:size])
    assert tree.verify_inclusion(index, size, MANY[index], path, root)
    assert not tree.verify_inclusion(index, size, bytes(32), path, root)
    other = data.draw(st.integers(0, size - 1))
    assert tree.verify_inclusion(other, size, MANY[index], path, root) == (other == index)


@given(sizes, sizes)
def test_consistency_is_proved_and_forks_are_refused(one: int, other: int) -> None:
    old, new = sorted((one, other))
    path = proof(MANY, tree.consistency_spans(old, new))
    roots = slow_root(MANY[:old]), slow_root(MANY[:new])
    assert tree.verify_consistency(old, new, *roots, path)
    forked = [bytes(32), *MANY[1:new]]
    assert not tree.verify_consistency(old, new, slow_root(forked[:old]), roots[1], path)
    if new > old:
        assert not tree.verify_consistency(old, new, roots[0], slow_root(forked), path)


@given(sizes, st.data())
def test_a_range_and_its_proof_lead_to_the_root(size: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start + 1, size))
    path, root = proof(MANY, tree.range_spans(start, end, size)), slow_root(MANY[:size])
    assert tree.root_of_range(start, size, MANY[start:end], path) == root
    assert tree.root_of_range(start, size, MANY[start:end], [*path, bytes(32)]) is None
    changed = [bytes(32), *MANY[start + 1 : end]]
    assert tree.root_of_range(start, size, changed, path) != root


@given(sizes, st.data())
def test_a_span_is_hashed_from_complete_subtrees(size: int, data: st.DataObject) -> None:
    span = data.draw(st.sampled_from([(0, size), *tree.inclusion_spans(data.draw(st.integers(0, size - 1)), size)]))

    def node(height: int, index: int) -> bytes:
        return slow_root(MANY[index << height : (index + 1) << height])

    assert tree.span_hash(span, node) == slow_root(MANY[slice(*span)])


@pytest.mark.parametrize("sizes", [(0, 0), (5, 5), (-1, 5), (1 << 53, 1 << 54)])
def test_no_proof_is_made_for_a_leaf_outside_the_tree(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="index and size"):
        tree.inclusion_spans(*sizes)
