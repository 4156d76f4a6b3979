"""Whatever has to be asked for again and again is asked for by a timer, often enough."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer.main

from audit.checks import WITHIN
from guichet.__main__ import build
from guichet.checks_command import COMMANDS

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
EVERY = {"*-*-* ": timedelta(days=1), "*-*-01 ": timedelta(days=31), "hourly": timedelta(hours=1)}
"""How far apart the times of a calendar are at most, by how it begins."""


def calls(unit: Path) -> list[list[str]]:
    return [line.split() for line in re.findall(r"^ExecStart=-?\S+/(guichet .+)$", unit.read_text("utf-8"), re.M)]


@pytest.mark.parametrize("unit", sorted(each.stem for each in UNITS.glob("*.service")))
def test_each_unit_has_its_timer_and_calls_what_there_is(unit: str) -> None:
    assert UNITS.joinpath(f"{unit}.timer").is_file()
    found = calls(UNITS / f"{unit}.service")
    assert len(found) == UNITS.joinpath(f"{unit}.service").read_text("utf-8").count("ExecStart=")
    for words in found:
        command: Any = typer.main.get_command(build(words[1]))
        rest = words[1:]
        while below := getattr(command, "commands", None):
            command = below[rest.pop(0)]
        options = {name for parameter in command.params for name in parameter.opts}
        assert [word for word in rest if word.startswith("-") and word not in options] == []


@pytest.mark.parametrize("check", WITHIN)
def test_each_check_that_can_be_overdue_is_made_in_time(check: str) -> None:
    (unit,) = (
        each
        for each in UNITS.glob("*.service")
        if any(" ".join(c).startswith(COMMANDS[check]) for c in calls(each))
        if each.stem != "guichet-checks"
    )
    timer = unit.with_suffix(".timer").read_text("utf-8")
    calendar = re.search(r"^OnCalendar=(.+)$", timer, re.M)
    assert calendar and "Persistent=true" in timer
    (every,) = (apart for begins, apart in EVERY.items() if calendar[1].startswith(begins))
    assert every < WITHIN[check]
