"""Every environment keeps every promise: one suite, run against each adapter."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from guichet.stack.postgres import Postgres
from programs import run_guichet
from provisioning.conformance import CHECKS, Check, certify, enter, protocol_checks, run
from provisioning.environments import Environment
from provisioning.environments.http import HttpEnvironment
from provisioning.environments.http_client import Host
from provisioning.environments.http_signing import Keys
from provisioning.environments.postgres import PostgresEnvironment
from reference_provisioner import Provisioner, serving

pytestmark = pytest.mark.long

KEY_ID, SECRET = "key-1", bytes(range(32))


@pytest.fixture(scope="module")
async def host() -> AsyncIterator[Host]:
    """A provisioner that keeps its promises."""
    async with serving(Provisioner(KEY_ID, SECRET)) as url:
        yield Host(url, Keys(KEY_ID, {KEY_ID: SECRET}))


@pytest.fixture(scope="module", params=["postgres", "http"])
async def environment(request: pytest.FixtureRequest, postgres: Postgres, host: Host) -> Environment:
    """Each adapter over a place of its own."""
    if request.param == "postgres":
        return PostgresEnvironment("", await postgres.create_database())
    return HttpEnvironment(host, "")


@pytest.mark.parametrize("check", CHECKS, ids=[check.name for check in CHECKS])
async def test_every_environment_keeps(check: Check, environment: Environment) -> None:
    outcome = await run(check, environment, enter)
    assert outcome.passed, outcome.found


async def test_a_provisioner_believes_only_who_holds_the_key(host: Host) -> None:
    outcomes = await certify(protocol_checks(host), HttpEnvironment(host, ""), enter)
    assert [(each.name, each.found) for each in outcomes if not each.passed] == []
    assert len(outcomes) == 6


MISBEHAVIOUR = {
    "stays-open": "freezing-ends-sessions-and-keeps-everything",
    "keeps-sessions": "freezing-ends-sessions-and-keeps-everything",
    "loses-rows": "a-table-has-the-manifest-of-what-was-sent",
    "counts-wrong": "a-table-has-the-manifest-of-what-was-sent",
    "keeps-persons": "persons-are-taken-out-of-the-data",
    "lies": "destruction-leaves-nothing",
    "half-destroyed": "destruction-leaves-nothing",
    "wrong-state": "a-frozen-workspace-opens-again",
    "forged": "a-new-workspace-is-empty-and-closed",
}


@pytest.mark.parametrize("kind", MISBEHAVIOUR)
async def test_a_broken_promise_is_found(kind: str) -> None:
    provisioner = Provisioner(KEY_ID, SECRET)
    async with serving(provisioner) as url:
        provisioner.misbehave[kind] = 99
        host = Host(url, Keys(KEY_ID, {KEY_ID: SECRET}), tries=1)
        check = next(check for check in CHECKS if check.name == MISBEHAVIOUR[kind])
        outcome = await run(check, HttpEnvironment(host, ""), enter)
        assert not outcome.passed
        assert outcome.found


async def command(*words: str, **variables: str) -> tuple[int, str, str]:
    """The guichet command as a process of its own: exit code, output, errors."""
    ran = await run_guichet(*words, **variables)
    return ran.code, ran.out, ran.err


async def test_whoever_builds_a_provisioner_can_certify_it(host: Host, tmp_path: Path) -> None:
    key = tmp_path / "key.hex"
    key.write_text(SECRET.hex() + "\n")
    few = ("--only", "made-again", "--only", "fresh-password", "--only", "replayed")
    certifying = ("environments", "certify", host.url, "--key-id", KEY_ID, *few)
    code, out, _ = await command(*certifying, "--key-file", str(key), "--json")
    told = json.loads(out)
    assert (code, told["passed"], told["kept"]) == (0, True, 3)
    code, out, _ = await command(*certifying, GUICHET_PROVISIONER_KEY=SECRET.hex())
    assert code == 0
    assert "3 of 3 promises kept" in out


async def test_a_provisioner_with_another_key_is_not_certified(host: Host) -> None:
    code, out, err = await command(
        *("environments", "certify", host.url, "--key-id", KEY_ID, "--only", "made-again"),
        GUICHET_PROVISIONER_KEY="ab" * 32,
    )
    assert code == 1
    assert "BROKEN" in out
    assert "ANSWER_NOT_AUTHENTIC" in out
    assert "ab" * 32 not in out + err


async def test_an_address_where_nobody_listens_is_one_answer_and_no_list_of_broken_promises() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/guichet/v1"
        for each in (url, "http://127.0.0.1:no-port/"):
            code, out, err = await command("environments", "certify", each, GUICHET_PROVISIONER_KEY="ab" * 32)
            assert (code, out.count("BROKEN")) == (1, 0)
            assert f"nobody listens at {each.rstrip('/')}" in err


async def test_a_key_that_is_too_short_is_refused_before_anything_is_sent() -> None:
    code, _, err = await command("environments", "certify", "https://nobody.invalid", GUICHET_PROVISIONER_KEY="abcd")
    assert code == 1
    assert "at least 64 hexadecimal digits" in err
