"""An amended permit changes what it amends: everybody and everything else does not notice."""

from __future__ import annotations

from typing import Any

import asyncpg
from tests.provisioning.conftest import Bench, dataset, permit, person
from tests.provisioning.test_life_of_a_workspace import amended

from provisioning.environments.names import login, schema
from provisioning.environments.postgres import PostgresEnvironment


async def standing(bench: Bench) -> dict[str, Any]:
    """Every table by its storage and manifest, every login with its end and the verifier of its password."""
    name = schema(bench.workspace_id)
    admin = await asyncpg.connect(bench.workspaces_url, database=name)
    files = await admin.fetch(
        "SELECT relname, relfilenode FROM pg_class WHERE relkind = 'r' AND relnamespace = $1::regnamespace", name
    )
    roles = await admin.fetch(
        "SELECT rolname, oid, rolcanlogin, rolvaliduntil, rolpassword FROM pg_authid "
        "WHERE starts_with(rolname, $1) ORDER BY 1",
        f"{name}_",
    )
    await admin.close()
    return {
        "files": {row["relname"]: row["relfilenode"] for row in files},
        "tables": await PostgresEnvironment("", bench.workspaces_url).manifests(bench.workspace_id),
        "logins": {row["rolname"]: tuple(row) for row in roles},
    }


async def test_an_amendment_there_and_back_leaves_no_trace_and_nobody_notices(bench: Bench) -> None:
    persons, datasets = (person("p-pi"), person("p-an1")), (dataset("snds-main"),)
    await bench.tell(permit(bench.request_id, persons=persons, datasets=datasets))
    await bench.until("workspace.opened")
    session = await bench.as_person("p-pi")
    await bench.quiet()
    before = await standing(bench)

    more = (*persons, person("p-new"))
    await bench.tell(amended(bench, 2, more, (*datasets, dataset("eds-chu-sud", ("a",)))))
    await bench.until("workspace.provisioned", times=2)
    await bench.quiet()
    between = await standing(bench)
    newcomer = login(bench.workspace_id, "p-new")
    assert between["logins"].keys() - before["logins"].keys() == {newcomer}
    # Not only equal: the same files and the same roles, with the same passwords.
    for what in ("files", "logins"):
        assert {name: between[what][name] for name in before[what]} == before[what]
    assert set(before["tables"]) < set(between["tables"])
    assert {table.dataset_id for table in set(between["tables"]) - set(before["tables"])} == {"eds-chu-sud"}

    await bench.tell(amended(bench, 3, persons, datasets))
    await bench.until("workspace.provisioned", times=3)
    await bench.quiet()
    assert await standing(bench) == before
    assert await session.fetchval("SELECT count(*) FROM snds_main_persons") > 0
    await session.close()
