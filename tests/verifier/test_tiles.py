"""Tiles are named, sized and filled as tlog-tiles says, however the tree grew."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guichet_verify import tiles
from guichet_verify.tree import Frontier, leaf_hash, root_of

VECTORS = json.loads((Path(__file__).parent / "vectors" / "tiles.json").read_text())
MANY = [leaf_hash(number.to_bytes(3, "big")) for number in range(70_000)]


def test_paths_are_those_published() -> None:
    for index, path in VECTORS["paths"]:
        assert tiles.index_path(index) == path
        assert tiles.parse_index_path(path) == index


@pytest.mark.parametrize("path", [*VECTORS["bad_paths"], "", "x001/", "٠٠١", "001\n"])
def test_another_spelling_of_a_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="tile path"):
        tiles.parse_index_path(path)


def test_widths_and_counts_follow_from_the_size() -> None:
    for case in VECTORS["sizes"]:
        size = case["size"]
        assert [tiles.full_tiles(level, size) for level in range(len(case["full"]))] == case["full"]
        assert [tiles.partial_width(level, size) for level in range(len(case["partial"]))] == case["partial"]
    for case in VECTORS["all_tiles"]:
        assert [list(tile) for tile in tiles.all_tiles(case["size"])] == case["tiles_level_index_width"]


def test_a_published_tree_of_300_leaves_has_its_tiles() -> None:
    case = VECTORS["sunlight_300_leaf_mirror"]
    full, part = bytes.fromhex(case["level0_000"]), bytes.fromhex(case["level0_001_p44"])
    hashes = [(full + part)[at : at + 32] for at in range(0, 300 * 32, 32)]
    edge, touched = tiles.Edge().extend(hashes)
    assert base64.b64encode(edge.root()).decode() == case["root_base64"]
    assert touched == [(0, 0, full), (0, 1, part), (1, 0, bytes.fromhex(case["level1_000"]))]


@given(st.lists(st.integers(1, 800), min_size=1, max_size=6), st.data())
def test_tiles_that_grew_in_steps_are_those_of_the_whole(steps: list[int], data: st.DataObject) -> None:
    edge, stored = tiles.Edge(), {}
    for step in steps:
        edge, touched = edge.extend(MANY[edge.size : edge.size + step])
        for tile in touched:
            assert tile.hashes.startswith(stored.get((tile.level, tile.number), b""))
            stored[tile.level, tile.number] = tile.hashes
    size = sum(steps)
    assert sorted((level, index, len(content) // 32) for (level, index), content in stored.items()) == list(
        tiles.all_tiles(size)
    )
    assert edge == tiles.edge_from_tiles(size, lambda level, index: stored[level, index])
    height = data.draw(st.integers(0, size.bit_length() - 1))
    index = data.draw(st.integers(0, (size >> height) - 1))
    found = tiles.node_from_tile(height, index, lambda level, number: stored[level, number])
    assert found == root_of(MANY[index << height : (index + 1) << height])


@settings(max_examples=5)
@given(st.integers(65_000, 70_000))
def test_three_levels_lead_to_the_root(size: int) -> None:
    edge, touched = tiles.Edge().extend(MANY[:size])
    assert [(tile.level, tile.number, tile.width) for tile in touched] == list(tiles.all_tiles(size))
    assert edge.root() == Frontier().extend(MANY[:size])[0].root()


def test_a_tile_of_another_width_than_the_size_asks_for_is_refused() -> None:
    with pytest.raises(ValueError, match="3 hashes wide"):
        tiles.edge_from_tiles(3, lambda _level, _index: bytes(64))
    with pytest.raises(ValueError, match="2 hashes wide"):
        tiles.node_from_tile(1, 0, lambda _level, _index: bytes(32))
