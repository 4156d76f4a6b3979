"""Leaves have the published bytes, say what they were made from, and refuse everything else."""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guichet_verify import leaves
from guichet_verify.tree import leaf_hash, root_of

VECTORS = json.loads((Path(__file__).parent / "vectors" / "leaf_encoding.json").read_text())
EXAMPLE = json.loads((Path(__file__).parent / "vectors" / "worked_example.json").read_text())


def pattern(length: int) -> bytes:
    return bytes(number % 251 for number in range(length))


def record_of(case: dict[str, Any]) -> leaves.Record:
    if "value_pattern" in case:
        value = pattern(case["value_pattern"]["length"])
    else:
        value = None if case["value_hex"] is None else bytes.fromhex(case["value_hex"])
    if "header_pattern" in case:
        headers = ((case["header_pattern"]["name"], pattern(case["header_pattern"]["length"])),)
    else:
        headers = tuple((name, None if hexed is None else bytes.fromhex(hexed)) for name, hexed in case["headers"])
    return leaves.Record(
        case["topic"],
        case["partition"],
        case["offset"],
        case["timestamp_type"],
        case["timestamp_ms"],
        None if case["key_hex"] is None else bytes.fromhex(case["key_hex"]),
        headers,
        value,
    )


@pytest.mark.parametrize("case", VECTORS["records"], ids=lambda case: case["id"])
def test_a_record_becomes_the_published_leaf_and_is_read_back(case: dict[str, Any]) -> None:
    record = record_of(case)
    encoded = leaves.leaf_of(record)
    assert len(encoded.leaf) == case["leaf_length"]
    assert encoded.leaf[4] == case["kind"]
    assert leaf_hash(encoded.leaf).hex() == case["leaf_hash"]
    if "leaf_hex" in case:
        assert encoded.leaf.hex() == case["leaf_hex"]
    read = leaves.parse(encoded.leaf)
    if isinstance(read, leaves.Claim):
        assert encoded.blob is not None
        assert (len(encoded.blob), encoded.digest) == (case["record_length"], bytes.fromhex(case["record_sha256"]))
        assert leaves.parse_blob(read, encoded.blob) == record
    else:
        assert read == record


@pytest.mark.parametrize("case", VECTORS["genesis"], ids=lambda case: case["id"])
def test_a_first_leaf_has_the_published_bytes(case: dict[str, Any]) -> None:
    previous = case["previous"]
    first = leaves.FirstLeaf(
        case["origin"],
        case["first_offset"],
        case["reason"],
        *((previous[0], previous[1], bytes.fromhex(previous[2])) if previous else ("", 0, bytes(32))),
        lost=tuple((start, end) for start, end in case["missing"]),
    )
    assert leaves.encode_first(first).hex() == case["leaf_hex"]
    assert leaf_hash(leaves.encode_first(first)).hex() == case["leaf_hash"]
    assert leaves.parse(bytes.fromhex(case["leaf_hex"])) == first


@pytest.mark.parametrize("case", VECTORS["must_not_parse"], ids=lambda case: case["id"])
def test_other_bytes_are_not_a_leaf(case: dict[str, Any]) -> None:
    with pytest.raises(leaves.NotALeaf):
        leaves.parse(bytes.fromhex(case["leaf_hex"]))


def test_the_worked_example_has_its_leaves_and_roots() -> None:
    first = leaves.encode_first(leaves.FirstLeaf(EXAMPLE["origin"], EXAMPLE["genesis"]["first_offset"]))
    found = [first]
    for case in EXAMPLE["records"]:
        headers = tuple((name, None if text is None else text.encode()) for name, text in case["headers"])
        record = leaves.Record(
            case["topic"],
            case["partition"],
            case["offset"],
            case["timestamp_type"],
            case["timestamp_ms"],
            case["key"].encode(),
            headers,
            case["value"].encode(),
        )
        found.append(leaves.leaf_of(record).leaf)
        assert found[-1].hex() == case["leaf_hex"]
    hashes = [leaf_hash(leaf) for leaf in found]
    assert [root_of(hashes[:size]).hex() for size in range(1, 5)] == EXAMPLE["roots"]


small = st.binary(max_size=40)
records = st.builds(
    leaves.Record,
    st.from_regex(r"\A[A-Za-z0-9._-]{1,40}\Z"),
    st.integers(0, (1 << 31) - 1),
    st.integers(0, (1 << 63) - 1),
    st.sampled_from([0, 1]),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.none() | small,
    st.lists(st.tuples(st.text(max_size=8), st.none() | small), max_size=5).map(tuple),
    st.none() | small,
)


@given(records)
def test_any_record_is_read_back_as_it_was(record: leaves.Record) -> None:
    assert leaves.parse(leaves.leaf_of(record).leaf) == record


@given(records)
def test_the_bytes_of_a_record_are_the_fields_one_after_the_other(record: leaves.Record) -> None:
    def opt(value: bytes | None) -> bytes:
        return struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value

    place = record.partition, record.offset, record.timestamp_type, record.timestamp_ms
    expected = b"AE1\0\1" + struct.pack(">H", len(record.topic)) + record.topic.encode() + struct.pack(">IQBq", *place)
    expected += opt(record.key) + struct.pack(">I", len(record.headers))
    for name, value in record.headers:
        expected += struct.pack(">I", len(name.encode())) + name.encode() + opt(value)
    assert leaves.encode_record(record) == expected + opt(record.value)


@given(records, st.data())
def test_a_shorter_or_longer_leaf_is_refused(record: leaves.Record, data: st.DataObject) -> None:
    leaf = leaves.leaf_of(record).leaf
    with pytest.raises(leaves.NotALeaf):
        leaves.parse(leaf[: data.draw(st.integers(0, len(leaf) - 1))])
    with pytest.raises(leaves.NotALeaf):
        leaves.parse(leaf + b"\x00")


@given(records, st.binary(max_size=200))
def test_hostile_bytes_are_refused_or_are_read_to_the_same_bytes(record: leaves.Record, noise: bytes) -> None:
    leaf = leaves.leaf_of(record).leaf
    hostile = leaf[: len(leaf) - len(noise)] + noise
    try:
        read = leaves.parse(hostile)
    except leaves.NotALeaf:
        return
    assert isinstance(read, leaves.Record)
    assert leaves.encode_record(read) == hostile


def test_a_blob_of_another_record_does_not_fit_the_claim() -> None:
    record = leaves.Record("t", 0, 7, 0, 0, None, (), bytes(70_000))
    encoded = leaves.leaf_of(record)
    claim = leaves.parse(encoded.leaf)
    assert isinstance(claim, leaves.Claim)
    moved = leaves.encode_record(record._replace(offset=8))
    forged = claim._replace(digest=hashlib.sha256(moved).digest())
    with pytest.raises(leaves.NotALeaf, match="another place"):
        leaves.parse_blob(forged, moved)
    with pytest.raises(leaves.NotALeaf, match="differs"):
        leaves.parse_blob(claim, moved)


@pytest.mark.parametrize(
    "change",
    [{"topic": "a b"}, {"topic": "é"}, {"topic": ""}, {"partition": 1 << 31}, {"offset": -1}, {"timestamp_type": 2}],
)
def test_a_place_that_kafka_cannot_have_makes_no_leaf(change: dict[str, Any]) -> None:
    with pytest.raises(leaves.NotALeaf):
        leaves.leaf_of(leaves.Record("t", 0, 0, 0, 0, None, (), b"")._replace(**change))
