"""Kafka's jars are verified before every use and fetched again when they are not what they should be."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from guichet.stack import jars


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own with all the jars in it."""
    jars.classpath()
    shared = jars.cache_folder() / "jars"
    (tmp_path / "jars").mkdir()
    for name in jars.expected():
        os.link(shared / name, tmp_path / "jars" / name) if _same_disk(shared, tmp_path) else shutil.copy(
            shared / name, tmp_path / "jars" / name
        )
    monkeypatch.setenv("GUICHET_CACHE", str(tmp_path))
    return tmp_path


def _same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def test_every_jar_on_the_class_path_has_the_digest_that_is_checked_in(cache: Path) -> None:
    wanted = jars.expected()
    paths = [Path(path) for path in jars.classpath().split(os.pathsep)]
    assert {path.name for path in paths} == set(wanted)
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == wanted[path.name] for path in paths)


def test_kafka_logs_because_a_binding_is_among_the_jars() -> None:
    assert any(name.startswith("slf4j-simple") for name in jars.expected())


def test_a_damaged_and_a_missing_jar_are_noticed(cache: Path) -> None:
    first, second, *_ = sorted(jars.expected())
    (cache / "jars" / first).unlink()
    (cache / "jars" / first).write_bytes(b"not a jar")
    (cache / "jars" / second).unlink()
    assert jars.condition(cache / "jars") == (1, 1)


def test_a_download_that_was_cut_off_is_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {name: digest for name, digest in jars.expected().items() if name.startswith("slf4j")}
    monkeypatch.setattr(jars, "ENDPOINT", jars.ENDPOINT.rpartition("+")[2])
    monkeypatch.setattr(jars, "expected", lambda: wanted)
    monkeypatch.setenv("GUICHET_CACHE", str(tmp_path))
    name = max(wanted)
    partial = tmp_path / "jgo" / "repository" / "org" / "slf4j" / "slf4j-simple" / "1.7.36" / name
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"PK half of a jar")
    said: list[str] = []
    jars.classpath(said.append)
    assert said and jars.condition(tmp_path / "jars") == (0, 0)
