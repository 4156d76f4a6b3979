"""The files of a bundle in the order of their names, however many there are."""

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.packing import Packer
from guichet_verify.bundle import Section
from guichet_verify.container import Container
from guichet_verify.manifest import ALL, POINTS, AsOf, LogPart, Manifest, Scope
from guichet_verify.members import expected_members, in_path_order, tile_path
from guichet_verify.tiles import WIDTH


@given(st.integers(0, 3_000_000), st.integers(0, 300))
def test_tiles_come_in_the_order_of_their_paths(first: int, count: int) -> None:
    indexes = range(first, first + count)
    assert list(in_path_order(first, first + count)) == sorted(indexes, key=lambda each: tile_path(each, WIDTH))


def test_beyond_a_million_the_order_of_paths_is_another_than_that_of_numbers() -> None:
    order = list(in_path_order(999_000, 1_003_000))
    assert order != sorted(order)
    assert order == sorted(order, key=lambda each: tile_path(each, WIDTH))
    section = Section()
    for place, index in enumerate(order):
        section.add(index, place)
    section.settle()
    assert [order[section.place(index)] for index in sorted(order)] == sorted(order)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65_536, 70_000])
def test_expected_files_are_sorted_by_name(size: int) -> None:
    parts = [LogPart(f"o{number}", size, 0, size, None, ()) for number in range(11)]
    parts.append(LogPart("points", size, 0, 0, tuple(range(0, size, 1 + size // 40)), ()))
    manifest = Manifest("", "", Scope(POINTS, None, False), AsOf(), tuple(parts), (), ())
    names = [each.name for each in expected_members(manifest)]
    assert names == sorted(names)
    assert len(set(names)) == len(names)


def test_whatever_size_is_claimed_costs_nothing_before_files_are_there() -> None:
    size = (1 << 53) - 1
    part = LogPart("o", size, 0, size, None, ())
    walk = expected_members(Manifest("", "", Scope(ALL, None, True), AsOf(), (part,), (), ()))
    assert [next(walk).name for _ in range(3)] == ["logs/0/checkpoint", "logs/0/checkpoint.tsr", "logs/0/tile/0/000"]


@pytest.mark.parametrize("count", [65_535, 65_536])
def test_a_container_has_as_many_members_as_were_written(count: int, tmp_path: Path) -> None:
    packer = Packer()
    written = [packer.add(f"blobs/{number:06}", b"x") for number in range(count)]
    (tmp_path / "many").write_bytes(b"".join(written) + packer.end())
    with Container(tmp_path / "many") as container:
        last = None
        for number, (place, member) in enumerate(container.walk()):
            last = place, member, number
        assert last is not None
        assert (last[1].name, last[2] + 1) == (f"blobs/{count - 1:06}", count)
        assert container.read(container.at(last[0])[0]) == b"x"
    with zipfile.ZipFile(tmp_path / "many") as usual:
        assert len(usual.infolist()) == count
