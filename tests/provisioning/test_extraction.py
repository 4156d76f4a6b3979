"""An extraction at any size: who opted out is not in it, nobody joins two projects, memory does not grow."""

from __future__ import annotations

import os
import secrets
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from guichet.bench.extraction import extract, make_holder
from guichet.stack.postgres import Postgres
from provisioning.environments import Order
from provisioning.environments.extraction import pseudonym
from provisioning.environments.names import schema
from provisioning.environments.postgres import PostgresEnvironment

ROWS = int(os.environ.get("GUICHET_TEST_ROWS", "50000"))
BUFFERS = 4 << 20
"""What an extraction may hold in memory, however many rows there are."""


@dataclass
class Register:
    """A holder's register, the persons who opted out of it, and an environment to extract it to."""

    url: str
    opted_out: frozenset[str]
    workspaces_url: str
    environment: PostgresEnvironment

    async def pseudonyms(self, workspace_id: str) -> set[str]:
        """Everybody who stands in a workspace."""
        inside = await asyncpg.connect(self.workspaces_url, database=schema(workspace_id))
        rows = await inside.fetch(f"SELECT DISTINCT person_id FROM {schema(workspace_id)}.bench_claims")
        await inside.close()
        return {row["person_id"] for row in rows}


@pytest.fixture(scope="module")
async def register(postgres: Postgres) -> AsyncIterator[Register]:
    url, workspaces_url = await postgres.create_database(), await postgres.create_database()
    opted_out = await make_holder(url, ROWS)
    yield Register(url, opted_out, workspaces_url, PostgresEnvironment(url, workspaces_url))


async def test_opted_out_persons_are_absent_and_two_projects_have_nobody_in_common(register: Register) -> None:
    holder = await asyncpg.connect(register.url)
    everybody = {row[0] for row in await holder.fetch("SELECT DISTINCT person_ref FROM bench.claims")}
    of_others = "SELECT count(*) FROM bench.claims WHERE person_ref <> ALL($1::text[])"
    expected = await holder.fetchval(of_others, list(register.opted_out))
    await holder.close()
    assert register.opted_out < everybody
    seen = []
    for key in (secrets.token_bytes(32), secrets.token_bytes(32)):
        workspace_id, rows = await extract(register.environment, register.opted_out, key)
        assert rows == expected
        there = await register.pseudonyms(workspace_id)
        # Exactly those who did not opt out, each under one name.
        assert there == {pseudonym(key, ref.encode()).decode() for ref in everybody - register.opted_out}
        (table,) = await register.environment.manifests(workspace_id)
        assert table.rows == expected
        seen.append(there)
        await register.environment.destroy(Order(workspace_id, 2))
    assert not seen[0] & seen[1]


async def test_memory_does_not_grow_with_the_table(register: Register) -> None:
    holder = await asyncpg.connect(register.url)
    size = await holder.fetchval("SELECT sum(length(c::text)) FROM bench.claims AS c")
    await holder.close()
    assert size > BUFFERS
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        workspace_id, _ = await extract(register.environment, register.opted_out, secrets.token_bytes(32))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < BUFFERS
    await register.environment.destroy(Order(workspace_id, 2))
