"""A table goes from one environment to another and is the same there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.provisioning.conftest import Bench, permit

from guichet.stack.postgres import Postgres
from provisioning.environments import Order, Refused, names
from provisioning.environments.postgres import PostgresEnvironment


async def test_a_copy_has_the_manifest_of_its_original(bench: Bench, postgres: Postgres) -> None:
    await bench.tell(permit(bench.request_id))
    made = await bench.until("workspace.provisioned")
    await bench.until("workspace.opened")
    source = PostgresEnvironment("", bench.workspaces_url)
    target = PostgresEnvironment("", await postgres.create_database())
    # Roles belong to the whole server: in this test the copy has another workspace's name.
    order = Order("0199b7c4-0000-4000-8000-00000000c0b1", 1)
    await target.prepare(order)
    originals = await source.manifests(bench.workspace_id)
    for table in originals:
        async with source.read(bench.workspace_id, table.table) as rows:
            assert await target.load(order, table.dataset_id, table.table, rows) == table
    assert await target.manifests(order.workspace_id) == originals
    assert sorted((t.table, t.rows, t.sha256) for t in originals) == sorted(
        (t["table"], t["rows"], t["sha256"]) for t in made["tables"]
    )
    assert sum(t.rows for t in originals) > 1000
    await target.destroy(order)
    with pytest.raises(Refused, match="WORKSPACE_NOT_THERE"):
        async with target.read(order.workspace_id, originals[0].table):
            pass


async def test_an_environment_says_what_is_really_there(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id))
    await bench.until("workspace.opened")
    session = await bench.as_person("p-pi")
    there = PostgresEnvironment("", bench.workspaces_url)
    actual = await there.inspect(bench.workspace_id)
    assert actual.there
    assert actual.sessions == 1
    assert set(actual.tables.values()) == {"snds-main"}
    assert {login.name for login in actual.logins} == {
        names.login(bench.workspace_id, ref) for ref in ("p-pi", "p-an1")
    }
    assert all(login.enters and login.until for login in actual.logins)
    await session.close()
    nothing = await there.inspect("0199b7c4-0000-4000-8000-0000000000ff")
    assert (nothing.there, nothing.tables, nothing.logins, nothing.sessions) == (False, {}, (), 0)


async def test_an_older_lease_loads_nothing(bench: Bench) -> None:
    from provisioning.environments import Superseded

    await bench.tell(permit(bench.request_id))
    await bench.until("workspace.opened")
    there = PostgresEnvironment("", bench.workspaces_url)
    before = await there.manifests(bench.workspace_id)
    async with there.read(bench.workspace_id, before[0].table) as rows:
        with pytest.raises(Superseded):
            await there.load(Order(bench.workspace_id, 0), "other", before[0].table, rows)
    with pytest.raises(Superseded):
        await there.admit(Order(bench.workspace_id, 0), ["p"], datetime.now(UTC) + timedelta(days=1), True)
    assert await there.manifests(bench.workspace_id) == before
