"""A key is made once, is readable by its owner alone, and is gone for good when two persons have destroyed it."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from guichet.sealing.keystore import KeyStore, NoSuchKey

NOW = datetime(2027, 3, 1, tzinfo=UTC)
REQUEST = "cf8e0752-8f1e-5123-bd3c-1b40b5dec40c"
EVENT = "01930000-0000-7000-8000-000000000001"
TWO = ("dpo-1", "archivist-2")


def test_a_request_keeps_its_key(tmp_path: Path) -> None:
    key_id, key = KeyStore(tmp_path).key_for(REQUEST, NOW)
    assert KeyStore(tmp_path).key_for(REQUEST, NOW) == (key_id, key)
    assert KeyStore(tmp_path).key(key_id) == key


def test_two_at_once_make_one_key(tmp_path: Path) -> None:
    KeyStore(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: KeyStore(tmp_path).key_for(REQUEST, NOW), range(16)))
    assert len(made) == 1


def test_files_are_their_owners_alone_and_hold_no_key_in_clear(tmp_path: Path) -> None:
    _, key = KeyStore(tmp_path / "keys").key_for(REQUEST, NOW)
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    for file in (tmp_path / "keys").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
        assert key not in file.read_bytes()


def test_a_destroyed_key_leaves_no_byte_and_no_way_back(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    key_id, _ = store.key_for(REQUEST, NOW)
    before = (tmp_path / "request-keys.sqlite").read_bytes()
    store.destroy(key_id, TWO, EVENT, NOW)
    after = (tmp_path / "request-keys.sqlite").read_bytes()
    with pytest.raises(NoSuchKey):
        store.key(key_id)
    wrapped = next(before[at : at + 40] for at in range(len(before) - 40) if _is_gone(before[at : at + 40], after))
    assert wrapped not in after
    assert [path.name for path in tmp_path.glob("*-journal")] == []


def _is_gone(part: bytes, after: bytes) -> bool:
    return len(set(part)) > 20 and part not in after


def test_a_request_gets_a_new_key_after_the_old_one(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    first, key = store.key_for(REQUEST, NOW)
    store.destroy(first, TWO, EVENT, NOW)
    second, other = store.key_for(REQUEST, NOW)
    assert (first != second, key != other) == (True, True)


@pytest.mark.parametrize("by", [(), ("dpo-1",), ("dpo-1", "dpo-1")])
def test_one_person_is_not_enough(tmp_path: Path, by: tuple[str, ...]) -> None:
    store = KeyStore(tmp_path)
    key_id, key = store.key_for(REQUEST, NOW)
    with pytest.raises(ValueError, match="two different persons"):
        store.destroy(key_id, by, EVENT, NOW)
    assert store.key(key_id) == key


def test_a_second_destruction_changes_nothing(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    key_id, _ = store.key_for(REQUEST, NOW)
    first = store.destroy(key_id, TWO, EVENT, NOW)
    assert store.destroy(key_id, ("x-1", "x-2"), "01930000-0000-7000-8000-000000000002", NOW) == first
    assert not first.said
    store.mark_said(key_id)
    assert store.destructions()[0].said


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoSuchKey, match="none"):
        KeyStore(tmp_path).destroy("none", TWO, EVENT, NOW)


def test_a_store_with_another_wrapping_key_reads_nothing(tmp_path: Path) -> None:
    key_id, _ = KeyStore(tmp_path / "one").key_for(REQUEST, NOW)
    KeyStore(tmp_path / "other")
    shutil.copy(tmp_path / "one" / "request-keys.sqlite", tmp_path / "other" / "request-keys.sqlite")
    with pytest.raises(NoSuchKey):
        KeyStore(tmp_path / "other").key(key_id)
