"""Every environment keeps every promise: one suite, run against each adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from guichet.stack.postgres import Postgres
from provisioning.conformance import CHECKS, Check, enter, run
from provisioning.environments import Environment
from provisioning.environments.http import HttpEnvironment
from provisioning.environments.http_client import Host
from provisioning.environments.http_signing import Keys
from provisioning.environments.postgres import PostgresEnvironment
from reference_provisioner import Provisioner, serving

KEY_ID, SECRET = "key-1", bytes(range(32))


@pytest.fixture(scope="module", params=["postgres", "http"])
async def environment(request: pytest.FixtureRequest, postgres: Postgres) -> AsyncIterator[Environment]:
    """Each adapter over a place of its own."""
    if request.param == "postgres":
        yield PostgresEnvironment("", await postgres.create_database())
        return
    async with serving(Provisioner(KEY_ID, SECRET)) as url:
        yield HttpEnvironment(Host(url, Keys(KEY_ID, {KEY_ID: SECRET})), "")


@pytest.mark.parametrize("check", CHECKS, ids=[check.name for check in CHECKS])
async def test_every_environment_keeps(check: Check, environment: Environment) -> None:
    outcome = await run(check, environment, enter)
    assert outcome.passed, outcome.found
