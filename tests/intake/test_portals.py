"""Portals are known by their token and held to their pace."""

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.portals import Buckets, Portals, PortalsRefused, read_portals


def write(path: Path, **tokens: str) -> Path:
    path.write_text(json.dumps({name: sha256(token.encode()).hexdigest() for name, token in tokens.items()}))
    return path


def test_a_portal_is_named_by_its_token_alone(tmp_path: Path) -> None:
    portals = Portals(write(tmp_path / "portals.json", one="first", two="second"))
    assert portals.named_by("Bearer first") == "one"
    assert portals.named_by("bearer second") == "two"
    for stranger in (None, "", "Bearer", "Bearer third", "Basic first", "first", "Bearer \udcff"):
        assert portals.named_by(stranger) is None


def test_a_new_token_is_known_without_a_restart(tmp_path: Path) -> None:
    path = write(tmp_path / "portals.json", one="first")
    portals = Portals(path)
    write(path, one="renewed")
    os.utime(path, ns=(1, 1))
    assert (portals.named_by("Bearer first"), portals.named_by("Bearer renewed")) == (None, "one")


def test_a_bad_file_later_on_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "portals.json", one="first")
    portals = Portals(path)
    path.write_text("{")
    os.utime(path, ns=(1, 1))
    assert portals.named_by("Bearer first") == "one"
    path.unlink()
    assert portals.named_by("Bearer first") == "one"


@pytest.mark.parametrize("text", ["", "[]", '{"a b": "' + "0" * 64 + '"}', '{"a": "secret-token"}', '{"a": 1}'])
def test_a_bad_file_at_the_start_is_refused_without_its_contents(tmp_path: Path, text: str) -> None:
    path = tmp_path / "portals.json"
    path.write_text(text)
    with pytest.raises(PortalsRefused) as refused:
        read_portals(path)
    assert "secret" not in str(refused.value)
    with pytest.raises(PortalsRefused):
        read_portals(tmp_path / "nowhere.json")


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(1, 50)), max_size=50))
def test_no_portal_gets_more_than_its_burst_and_its_pace(visits: list[tuple[float, int]]) -> None:
    now, taken = 0.0, 0
    buckets = Buckets(2.0, 20, clock=lambda: now)
    for pause, events in visits:
        now += pause
        wait = buckets.take("one", events)
        assert wait >= 0
        if wait == 0:
            taken += min(events, 20)
        assert taken <= 20 + now * 2 + 1e-6


def test_one_portal_does_not_slow_another_down() -> None:
    buckets = Buckets(1.0, 2, clock=lambda: 0.0)
    assert [buckets.take("one", 1) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert buckets.take("two", 1) == 0.0
