"""Processes that are copies of one: each a process of its own, that ends as it would have by itself."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from guichet.stack.errors import StackError
from guichet.stack.launching import Launcher, Start
from guichet.stack.processes import Process, members

SAYS = """
import json, os, sys, time
if __name__ == "__main__":
    print(json.dumps([sys.argv, os.environ["GIVEN"], os.getsid(0) == os.getpid(), os.stat(0).st_rdev]), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__main__.py").write_text(SAYS)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "__main__.py").write_text("import nothing_of_this_name")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def start(home: Path, name: str, given: str) -> Start:
    return Start(name, name, str(home / f"{name}.log"), {**os.environ, "GIVEN": given})


def said(process: Process, home: Path) -> list[object]:
    while not (text := (home / f"{process.name}.log").read_text()).endswith("\n"):
        assert process.alive()
    return list(json.loads(text))


def test_each_copy_is_a_process_of_its_own_known_by_its_name_and_by_the_mark_of_its_stack(home: Path) -> None:
    with Launcher(home, ["first", "second"]) as launcher:
        started = launcher.launch([start(home, "first", "one"), start(home, "second", "two")])
    try:
        nothing = Path(os.devnull).stat().st_rdev
        assert said(started["first"], home) == [[str(home / "first" / "__main__.py")], "one", True, nothing]
        assert said(started["second"], home) == [[str(home / "second" / "__main__.py")], "two", True, nothing]
        assert psutil.Process(started["first"].pid).cmdline()[0] == "guichet first"
        assert {each.pid for each in members(home)} == {each.pid for each in started.values()}
    finally:
        for each in started.values():
            each.send(signal.SIGKILL)
    assert all(each.ended_within(60) for each in started.values())


def test_a_launcher_that_starts_nothing_leaves_nothing(home: Path) -> None:
    with Launcher(home, ["first"]):
        pass
    assert list(members(home)) == []


def test_what_cannot_be_imported_is_said_with_where_to_read_it(home: Path) -> None:
    with Launcher(home, ["broken"]) as launcher, pytest.raises(StackError, match="nothing_of_this_name"):
        launcher.launch([start(home, "broken", "")])
