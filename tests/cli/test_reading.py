"""What the command line reads and how it counts time."""

import itertools
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from guichet.clock_command import forwards, read_length
from guichet.reading import objects
from guichet.stack.errors import StackError
from guichet.stack.ports import free_ports, is_free
from guichet.stack.supervisor import Pauses


def test_json_ndjson_and_lists_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text('{\n "a": 1\n}', "utf-8")
    (tmp_path / "lines.ndjson").write_text('{"a": 2}\n\n{"a": 3}\n', "utf-8")
    (tmp_path / "list.json").write_text('[{"a": 4}, {"a": 5}]', "utf-8")
    found = objects([str(tmp_path / name) for name in ("one.json", "lines.ndjson", "list.json")])
    assert [item["a"] for _, item in found] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("content", [b"", b"nonsense", b'{"a": 1}\n{', b"[1]", b'"text"', b"\xff\xfe", b"[]"])
def test_anything_but_objects_is_refused_by_name_and_without_its_content(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bad.json"
    file.write_bytes(content)
    with pytest.raises(StackError) as caught:
        objects([str(file)])
    assert "nonsense" not in str(caught.value)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(StackError, match="no-such-file"):
        objects(["no-such-file"])


def test_whole_days_keep_the_hour_in_paris_across_the_change_of_time() -> None:
    before = datetime(2026, 3, 28, 9, 0, tzinfo=UTC)  # 10:00 in Paris, the day before summer time
    assert forwards(before, timedelta(days=1)) == datetime(2026, 3, 29, 8, 0, tzinfo=UTC)
    assert forwards(before, timedelta(hours=24, minutes=1)) == before + timedelta(hours=24, minutes=1)


@pytest.mark.parametrize(
    ("text", "length"), [("45d", timedelta(days=45)), ("2w", timedelta(days=14)), ("90m", timedelta(minutes=90))]
)
def test_lengths_are_a_number_and_a_unit(text: str, length: timedelta) -> None:
    assert read_length(text) == length


@pytest.mark.parametrize("text", ["", "45", "d", "-1d", "1.5d", "45 d", "9999999d"])
def test_other_lengths_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_length(text)


def test_ports_are_free_different_and_below_the_ephemeral_range() -> None:
    ports = free_ports(20)
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    assert len(set(ports)) == 20 and all(is_free(port) and port < low for port in ports)


def test_a_port_that_was_given_out_is_given_to_nobody_else_before_it_is_listened_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / f"guichet-ports-{os.getuid()}").write_text("nonsense\n20001 x 3\n", "ascii")
    (given,) = free_ports(1)
    monkeypatch.setattr("random.randint", lambda low, high: given)
    with pytest.raises(StackError, match="fewer than 1 free ports"):
        free_ports(1)
    later = time.time() + 301
    monkeypatch.setattr("time.time", lambda: later)
    assert free_ports(1) == [given]


def test_what_keeps_dying_is_started_less_and_less_often() -> None:
    pauses = Pauses()
    now, starts = 0.0, []
    while now < 300:
        if pauses.over("service", now):
            starts.append(now)
            pauses.started("service", now)
        now += 0.5
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert gaps == sorted(gaps) and gaps[-1] == 30
    assert pauses.over("another", 0.0)
    pauses.started("service", 1000.0)
    assert pauses.over("service", 1001.0)
