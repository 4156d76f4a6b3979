"""Which reports of a host are news, and that one look answers however many of them."""

from __future__ import annotations

import asyncio
import time
from datetime import date

import pytest

from provisioning.domain import Closed, Destroyed, Frozen, Open, PersonNeeded, Ready, State, Unheard
from provisioning.events import Step
from provisioning.looks import Looks, contradicts
from provisioning.project import Permit, Project

PROJECT = Project(Permit("p", 1, "declaration", "FR", date(2031, 9, 1), (), (), "env"), "env")
AGREES: list[tuple[State, set[str]]] = [
    (Open(PROJECT), {"open"}),
    (Ready(PROJECT), {"ready", "frozen"}),
    (Frozen(PROJECT, "PERMIT_SUSPENDED"), {"ready", "frozen"}),
    (Closed(PROJECT, "PERMIT_REVOKED"), {"closed"}),
    (Destroyed(PROJECT, "0" * 64), {"destroyed"}),
    (PersonNeeded(Open(PROJECT), Step.REPAIR, "TABLE_MISSING"), {"open"}),
]


@pytest.mark.parametrize(("state", "agrees"), AGREES)
def test_a_report_contradicts_unless_it_says_what_we_had_the_host_do(state: State, agrees: set[str]) -> None:
    for reported in ("ready", "open", "frozen", "closed", "destroyed"):
        assert contradicts(state, reported) == (reported not in agrees)


def test_nothing_contradicts_what_was_never_asked_for() -> None:
    assert not contradicts(Unheard(), "open")


async def test_what_is_asked_twice_is_looked_at_once_and_stopping_ends_the_wait() -> None:
    looks, stopping = Looks(), asyncio.Event()
    waiting = asyncio.create_task(looks.wait(stopping, 600))
    for name in ("a", "b", "a"):
        looks.ask(name)
    assert await waiting == {"a", "b"}
    assert await looks.wait(stopping, 0) == frozenset()
    stopping.set()
    began = time.monotonic()
    assert await looks.wait(stopping, 600) == frozenset()
    assert time.monotonic() - began < 60
