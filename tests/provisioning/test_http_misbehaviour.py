"""A provisioner that is slow, wrong or dishonest: the adapter survives, and believes nothing for being said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from provisioning.conformance import enter
from provisioning.conformance.suite import Failed, Trial
from provisioning.environments import Refused, Superseded, Trouble
from provisioning.environments.http import HttpEnvironment
from provisioning.environments.http_client import Host
from provisioning.environments.http_signing import Keys
from reference_provisioner import Provisioner, serving

KEY_ID, SECRET = "key-1", bytes(range(32))


class Stage:
    """A provisioner, the adapter for it, and a workspace to try things with."""

    def __init__(self, provisioner: Provisioner, url: str) -> None:
        self.provisioner = provisioner
        self.host = Host(url, Keys(KEY_ID, {KEY_ID: SECRET}), request_seconds=20)
        self.trial = Trial(HttpEnvironment(self.host, ""), enter)

    def with_host(self, **changes: Any) -> Trial:
        """The same workspace, by an adapter that is set up otherwise."""
        return replace(self.trial, environment=HttpEnvironment(replace(self.host, **changes), ""))

    def will(self, kind: str, times: int = 1) -> None:
        self.provisioner.misbehave[kind] = times


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    provisioner = Provisioner(KEY_ID, SECRET)
    async with serving(provisioner) as url:
        yield Stage(provisioner, url)


async def test_a_slow_provisioner_is_waited_for(stage: Stage) -> None:
    stage.will("slow")
    await stage.trial.environment.prepare(stage.trial.order())
    tables = await stage.trial.made()
    stage.will("slow")
    await stage.trial.environment.open(stage.trial.order(), tables)
    visit = await stage.trial.visit("person-a")
    stage.will("slow")
    await stage.trial.environment.freeze(stage.trial.order())
    assert await visit.count("set_one_records") is None
    stage.will("slow", 2)
    assert (await stage.trial.environment.destroy(stage.trial.order())).objects_left == 0


@pytest.mark.parametrize("trouble", ["broken", "forgetful", "forged", "garbled"])
async def test_trouble_that_passes_is_not_noticed(stage: Stage, trouble: str) -> None:
    tables = await stage.trial.made()
    stage.will(trouble)
    if trouble == "garbled":
        # A well-signed answer that is nonsense is no passing trouble: the step as a whole is tried again.
        with pytest.raises(Trouble, match="ANSWER_NOT_UNDERSTOOD"):
            await stage.trial.environment.open(stage.trial.order(), tables)
    await stage.trial.environment.open(stage.trial.order(), tables)
    visit = await stage.trial.visit("person-a")
    assert await visit.count("set_one_records") == 20


@pytest.mark.parametrize(
    ("trouble", "code"), [("broken", "PROVISIONER_ANSWERED_500"), ("forged", "ANSWER_NOT_AUTHENTIC")]
)
async def test_trouble_that_stays_puts_the_step_off(stage: Stage, trouble: str, code: str) -> None:
    stage.will(trouble, 99)
    with pytest.raises(Trouble, match=code):
        await stage.trial.environment.prepare(stage.trial.order())


async def test_an_answer_that_never_comes_puts_the_step_off(stage: Stage) -> None:
    stage.will("silent", 9)
    with pytest.raises(Trouble, match="PROVISIONER_SILENT"):
        await stage.with_host(request_seconds=0.2, tries=2).environment.prepare(stage.trial.order())
    assert stage.provisioner.misbehave["silent"] == 7


async def test_nobody_there_puts_the_step_off(stage: Stage) -> None:
    with pytest.raises(Trouble, match="ENVIRONMENT_UNAVAILABLE"):
        await stage.with_host(url="http://127.0.0.1:1", tries=1).environment.prepare(stage.trial.order())


async def test_every_attempt_at_one_order_has_one_key_and_another_order_another(stage: Stage) -> None:
    order = stage.trial.order()
    stage.will("forgetful")
    await stage.trial.environment.prepare(order)
    await stage.trial.environment.prepare(replace(order, fence=order.fence + 5))
    await stage.trial.environment.freeze(replace(order, fence=order.fence + 6, occasion=order.occasion + 1))
    keys = [key for _, _, key in stage.provisioner.orders]
    assert keys[:3] == [f"{order.workspace_id}:prepare:{order.occasion}"] * 3
    assert keys[3] == f"{order.workspace_id}:frozen:{order.occasion + 1}"


async def test_a_key_that_is_not_ours_is_refused_and_nothing_is_made(stage: Stage) -> None:
    with pytest.raises(Trouble, match="ANSWER_NOT_AUTHENTIC"):
        await stage.with_host(keys=Keys(KEY_ID, {KEY_ID: b"x" * 32})).environment.prepare(stage.trial.order())
    assert stage.provisioner.workspaces == {}


async def test_an_opening_that_led_elsewhere_is_shut_again(stage: Stage) -> None:
    tables = await stage.trial.made()
    stage.will("wrong-state")
    with pytest.raises(Trouble, match="WRONG_STATE"):
        await stage.trial.environment.open(stage.trial.order(), tables)
    await stage.trial.kept_out("person-a")


async def test_a_freezing_that_led_elsewhere_is_not_taken_for_one(stage: Stage) -> None:
    await stage.trial.made(opened=True)
    stage.will("wrong-state")
    with pytest.raises(Trouble, match="WRONG_STATE"):
        await stage.trial.environment.freeze(stage.trial.order())


async def test_a_door_that_is_said_to_be_shut_is_tried(stage: Stage) -> None:
    await stage.trial.made(opened=True)
    stage.will("stays-open")
    with pytest.raises(Trouble, match="PROBE_NOT_REFUSED"):
        await stage.trial.environment.freeze(stage.trial.order())
    stage.will("stays-open")
    with pytest.raises(Trouble, match="PROBE_NOT_REFUSED"):
        await stage.trial.environment.close(stage.trial.order())


async def test_a_session_that_goes_on_is_no_freezing(stage: Stage) -> None:
    await stage.trial.made(opened=True)
    await stage.trial.visit("person-a")
    stage.will("keeps-sessions")
    with pytest.raises(Trouble, match="SESSIONS_LEFT"):
        await stage.trial.environment.freeze(stage.trial.order())


async def test_a_table_that_arrived_otherwise_is_found_by_its_manifest(stage: Stage) -> None:
    await stage.trial.environment.prepare(stage.trial.order())
    stage.will("loses-rows")
    with pytest.raises(Trouble, match="MANIFEST_DIFFERS"):
        await stage.trial.load("set-one", "set_one_records", stage.trial.rows(20))


async def test_a_table_that_is_not_what_was_told_never_opens(stage: Stage) -> None:
    await stage.trial.environment.prepare(stage.trial.order())
    stage.will("counts-wrong")
    table = await stage.trial.load("set-one", "set_one_records", stage.trial.rows(20))
    await stage.trial.environment.admit(stage.trial.order(), ["person-a"], stage.trial.until, False)
    with pytest.raises(Trouble, match="PROBE_COUNTED_OTHERWISE"):
        await stage.trial.environment.open(stage.trial.order(), (table,))
    await stage.trial.kept_out("person-a")


async def test_persons_who_were_not_taken_out_are_found(stage: Stage) -> None:
    tables = await stage.trial.made()
    stage.will("keeps-persons")
    with pytest.raises(Trouble, match="PERSONS_LEFT"):
        await stage.trial.environment.remove(stage.trial.order(), frozenset({"subject-3"}), tables, stage.trial.key)


@pytest.mark.parametrize("lie", ["lies", "half-destroyed"])
async def test_a_lie_about_deletion_is_found_out(stage: Stage, lie: str) -> None:
    await stage.trial.made()
    stage.will(lie)
    with pytest.raises(Trouble, match="OBJECTS_LEFT"):
        await stage.trial.environment.destroy(stage.trial.order())
    assert (await stage.trial.environment.destroy(stage.trial.order())).objects_left == 0


async def test_an_order_that_was_overtaken_stops(stage: Stage) -> None:
    old = stage.trial.order()
    tables = await stage.trial.made()
    with pytest.raises(Superseded):
        await stage.trial.environment.open(old, tables)


async def test_two_steps_at_once_change_one_workspace_only(stage: Stage) -> None:
    other = Trial(stage.trial.environment, enter)
    await asyncio.gather(stage.trial.made(opened=True), other.made(opened=True))
    await stage.trial.environment.destroy(stage.trial.order())
    assert await (await other.visit("person-a")).count("set_one_records") == 20
    with pytest.raises((Refused, Failed)):
        await stage.trial.visit("person-a")


async def test_a_provisioner_learns_no_reference_of_a_person(stage: Stage) -> None:
    await stage.trial.made(opened=True)
    await stage.trial.visit("person-a")
    known = repr(stage.provisioner.workspaces)
    assert "ws_" in known
    assert "person-a" not in known
    assert "subject-" not in known
