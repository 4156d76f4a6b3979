"""The verbs as a person runs them, on one real stack."""

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from contracts import topics
from contracts.identity import request_id
from guichet.demo.scenario import load_scenario
from guichet.stack.quiet import wait_quiet
from guichet.stack.stack import Stack
from guichet.stack.state import load, new_home
from programs import Ran, run_guichet

pytestmark = pytest.mark.journey


Guichet = Callable[..., Awaitable[Ran]]


@pytest.fixture(scope="module")
async def home() -> AsyncIterator[Path]:
    folder = new_home("commands")
    await Stack.start(folder, supervised=False, sandbox_start=load_scenario().start, throwaway=True)
    yield folder
    left = await Stack(folder).down()
    shutil.rmtree(folder, ignore_errors=True)
    assert left == []


@pytest.fixture(scope="module")
def guichet(home: Path) -> Guichet:
    async def run(*words: str, given: str = "", at: Path = home) -> Ran:
        return await run_guichet(*words, given=given, GUICHET_HOME=str(at))

    return run


def dossier(name: str, **changes: object) -> dict[str, Any]:
    return {**load_scenario().dossiers["asthma"], "portal_reference": name, **changes}


async def test_submitting_twice_gives_one_request_and_another_body_a_conflict(guichet: Guichet) -> None:
    sent = json.dumps(dossier("twice"))
    first = await guichet("submit", "-", "--wait", "workspace:open", "--json", given=sent)
    assert first.code == 0, first.err
    assert first.json[0]["request_id"] == request_id("portal-hdh", "twice")
    assert first.json[0]["state"]["outcome"] == "START_ALLOWED"
    again = await guichet("submit", "-", "--json", given=sent)
    assert again.code == 0 and again.json[0]["verdict"] == "accepted"
    other = await guichet("submit", "-", "--json", given=json.dumps(dossier("twice", title="Another title")))
    assert other.code == 1 and other.json[0]["verdict"] == "conflict"


async def test_a_wrong_dossier_is_refused_with_every_problem_and_the_others_go_through(guichet: Guichet) -> None:
    wrong = dossier("wrong", kind="wish", requested_months="long")
    ran = await guichet("submit", "-", "--json", given="\n".join(map(json.dumps, (wrong, dossier("right")))))
    assert ran.code == 1
    assert [each["verdict"] for each in ran.json] == ["refused", "accepted"]
    pointers = {problem["pointer"] for problem in ran.json[0]["problems"]}
    assert {"/dossier/kind", "/dossier/requested_months"} <= pointers
    told = await guichet("submit", "-", given=json.dumps(wrong))
    assert told.code == 1 and "/dossier/kind" in told.out


async def test_waiting_for_what_does_not_come_fails_with_a_remedy(guichet: Guichet) -> None:
    given = json.dumps(dossier("waits"))
    ran = await guichet("submit", "-", "--wait", "REFUSED", "--timeout", "3", given=given)
    assert ran.code == 1 and "guichet trace" in ran.err


async def test_events_are_published_with_what_they_lack_or_not_at_all(guichet: Guichet) -> None:
    event = {"type": "optout.recorded.v1", "source": "/persons/opt-out", "subject": "s-1"}
    good = {**event, "data": {"ref": "person-000001", "list_version": 1}}
    ran = await guichet("emit", "-", "--json", given=json.dumps(good))
    assert ran.code == 0, ran.err
    assert ran.json[0]["topic"] == topics.OPTOUTS and ran.json[0]["key"] == "person-000001"
    assert ran.json[0]["time"].startswith("2026-01-05")
    marker = "MARKER-OF-A-VALUE"
    for bad in (
        {**good, "data": {"ref": marker + " ", "list_version": 1}},
        {**good, "source": "/portals/portal-hdh"},
        {**good, "type": "optout.recorded.v9"},
        {**good, "type": "optout.dreamt.v1"},
    ):
        ran = await guichet("emit", "-", given="\n".join(map(json.dumps, (good, bad))))
        assert ran.code == 1 and "nothing was published" in ran.err
        assert marker not in ran.err + ran.out


async def test_a_record_set_aside_is_listed_and_given_up(guichet: Guichet, home: Path) -> None:
    state = load(home)
    producer = AIOKafkaProducer(bootstrap_servers=state.kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(topics.AUTHORITIES, b"{ this is not", key=b"nobody")
    finally:
        await producer.stop()
    await wait_quiet(state)
    listed = await guichet("dead-letters", "list", "--json")
    letters = [each for each in listed.json if each["topic"] == topics.AUTHORITIES]
    assert {each["service"] for each in letters} == {"compliance"}
    letter = letters[0]["letter_id"]
    shown = await guichet("dead-letters", "show", letter, "--json")
    assert shown.json["code"] == letters[0]["code"] and "value" not in shown.json
    redriven = await guichet("dead-letters", "redrive", letter, "--by", "o-1")
    assert redriven.code == 1 and "still cannot" in redriven.err
    discarded = await guichet("dead-letters", "discard", letter, "--reason", "not-an-event", "--by", "o-1", "--json")
    assert discarded.code == 0, discarded.err
    assert discarded.json["state"] == "discarded"
    again = await guichet("dead-letters", "discard", letter, "--reason", "not-an-event")
    assert again.code == 1


async def test_status_says_where_everything_is(guichet: Guichet, home: Path) -> None:
    ran = await guichet("status", "--json")
    assert ran.code == 0, ran.err
    found = ran.json
    assert found["kafka"] == load(home).kafka and found["ready"] is True
    assert {"urls", "pids", "ready", "lag_total", "outbox", "outbox_age_seconds"} <= set(found["services"]["audit"])
    assert all(each["rss"] > 0 for each in found["processes"])
    people = await guichet("status")
    assert people.code == 0 and "provisioning" in people.out


async def test_the_clock_advances_and_never_goes_back(guichet: Guichet) -> None:
    before = (await guichet("clock", "now", "--json")).json["now"]
    moved = await guichet("clock", "advance", "2d", "--json")
    assert moved.code == 0, moved.err
    assert moved.json["now"] > before
    back = await guichet("clock", "set", "2026-01-01")
    assert back.code == 1 and "forwards" in back.err
    assert (await guichet("clock", "advance", "soon")).code == 2


async def test_a_host_states_what_it_holds_and_loses(guichet: Guichet) -> None:
    ran = await guichet("environments", "qualify", "env-clinique", "SECNUMCLOUD", "--to", "2030-12-31", "--json")
    assert ran.code == 0, ran.err
    lost = await guichet("environments", "disqualify", "env-clinique", "SECNUMCLOUD")
    assert lost.code == 0, lost.err
    assert (await guichet("environments", "disqualify", "env-clinique", "SOMETHING")).code == 1


async def test_logs_and_doctor_answer(guichet: Guichet) -> None:
    logs = await guichet("logs", "intake", "--lines", "5")
    assert logs.code == 0 and len(logs.out.splitlines()) <= 5
    assert (await guichet("logs", "nobody")).code == 1
    doctor = await guichet("doctor", "--json")
    names = {each["check"] for each in doctor.json}
    assert {"Python", "Java", "PostgreSQL", "Kafka's jars", "disk", "memory", "ports", "processes"} <= names


async def test_without_a_stack_every_verb_says_how_to_start_one(guichet: Guichet, tmp_path: Path) -> None:
    for words in (["status"], ["submit", "-"], ["emit", "-"], ["clock", "now"], ["dead-letters", "list"]):
        ran = await guichet(*words, given="{}", at=tmp_path)
        assert ran.code == 1 and "guichet up" in ran.err, words
    assert (await guichet("down", at=tmp_path)).code == 0
