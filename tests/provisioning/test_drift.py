"""What somebody changed behind the system's back is found by a sweep, said, and put right where that is safe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from tests.provisioning.conftest import Bench, permit
from tests.provisioning.test_life_of_a_workspace import about

from contracts.compliance import PermitSuspended
from guichet.stack.postgres import Postgres
from provisioning.drift import Desired, compare
from provisioning.environments import Actual, Login
from provisioning.environments.names import login, schema
from provisioning.project import MENDABLE, Drift

PLACE = "0199b7c4-0000-4000-8000-00000000d21f"
UNTIL = datetime(2031, 9, 1, 22, tzinfo=UTC)
GROUP, PI = schema(PLACE), login(PLACE, "p-pi")


def wanted(**changes: Any) -> Desired:
    given: dict[str, Any] = {
        "place": PLACE,
        "there": True,
        "enters": True,
        "tables": {"t": "d"},
        "logins": frozenset({PI}),
        "until": UNTIL,
    }
    return Desired(**(given | changes))


def actual(**changes: Any) -> Actual:
    given: dict[str, Any] = {"there": True, "tables": {"t": "d"}, "logins": (Login(PI, True, UNTIL),), "sessions": 0}
    return Actual(**(given | changes))


GONE = wanted(there=False, enters=False, tables={}, logins=frozenset(), until=None)
NOTHING = Actual(False, {}, (), 0)
SHUT = (Login(PI, False, UNTIL),)

DIFFERENCES: dict[str, tuple[Desired, Actual, bool, list[tuple[str, str]]]] = {
    "nothing": (wanted(), actual(sessions=2), True, []),
    "the place is gone": (wanted(), NOTHING, True, [("PLACE_MISSING", GROUP)]),
    "what was destroyed is there": (GONE, actual(), False, [("PLACE_LEFT", GROUP)]),
    "a role should be gone": (GONE, actual(tables={}), False, [("PLACE_LEFT", GROUP)]),
    "a key outlived its workspace": (GONE, NOTHING, True, [("KEY_LEFT", GROUP)]),
    "the key is missing": (wanted(), actual(), False, [("KEY_MISSING", GROUP)]),
    "a table is missing": (wanted(), actual(tables={}), True, [("TABLE_MISSING", "t")]),
    "a table nobody asked for": (wanted(), actual(tables={"t": "d", "u": ""}), True, [("TABLE_UNKNOWN", "u")]),
    "a login is missing": (wanted(), actual(logins=()), True, [("LOGIN_MISSING", PI)]),
    "a person who is not in the permit": (
        wanted(logins=frozenset()),
        actual(),
        True,
        [("LOGIN_UNKNOWN", PI)],
    ),
    "a login that is shut": (wanted(), actual(logins=SHUT), True, [("LOGIN_SHUT", PI)]),
    "a login that is open in a frozen workspace": (wanted(enters=False), actual(), True, [("LOGIN_OPEN", PI)]),
    "a session in a frozen workspace": (
        wanted(enters=False),
        actual(logins=SHUT, sessions=1),
        True,
        [("SESSIONS_LEFT", GROUP)],
    ),
    "a login that never ends": (wanted(), actual(logins=(Login(PI, True, None),)), True, [("LOGIN_END_WRONG", PI)]),
    "a login that ends later": (
        wanted(),
        actual(logins=(Login(PI, True, UNTIL + timedelta(days=1)),)),
        True,
        [("LOGIN_END_WRONG", PI)],
    ),
    "a right that is missing": (wanted(), actual(unread=("t",)), True, [("RIGHT_MISSING", "t")]),
    "a right too many": (wanted(), actual(beyond=("schema:x",)), True, [("RIGHT_BEYOND", "schema:x")]),
}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_a_difference_has_its_name(difference: str) -> None:
    should, has, key_there, found = DIFFERENCES[difference]
    assert [(drift.code, drift.object) for drift in compare(should, has, key_there=key_there)] == found


def test_only_access_is_put_right_and_data_never_touched() -> None:
    assert {"PLACE_MISSING", "TABLE_MISSING", "TABLE_UNKNOWN", "KEY_MISSING"}.isdisjoint(MENDABLE)


async def drifts(bench: Bench) -> list[dict[str, Any]]:
    async with bench.desk() as desk:
        return await desk.drift()


async def opened(bench: Bench) -> str:
    await bench.tell(permit(bench.request_id))
    await bench.until("workspace.opened")
    await bench.quiet()
    assert await drifts(bench) == []
    return schema(bench.workspace_id)


async def facts(bench: Bench, kind: str) -> list[tuple[str, str]]:
    return [(data["code"], data["object"]) for name, data in await bench.said() if name == kind]


async def test_a_grant_taken_and_one_given_behind_our_back_are_found_in_one_sweep(
    bench: Bench, postgres: Postgres
) -> None:
    workspace = await opened(bench)
    stranger = login(bench.workspace_id, "p-pi")
    other = await asyncpg.connect(await postgres.create_database())
    await other.execute(f"CREATE TABLE secrets (a integer); GRANT SELECT ON secrets TO {stranger}")
    database = await other.fetchval("SELECT current_database()")
    inside = await asyncpg.connect(bench.workspaces_url, database=workspace)
    await inside.execute(f"REVOKE SELECT ON {workspace}.snds_main_claims FROM {workspace}")
    await inside.execute(f"GRANT pg_read_all_data TO {stranger}")

    found = await drifts(bench)
    expected = {
        ("RIGHT_MISSING", "snds_main_claims"),
        ("RIGHT_BEYOND", f"{stranger}:pg_read_all_data"),
        ("RIGHT_BEYOND", f"{stranger}:{database}:pg_class"),
    }
    assert {(line["code"], line["object"]) for line in found} >= expected
    assert {line["repaired_by"] for line in found} == {"service"}
    await bench.until("drift.repaired")
    await bench.quiet()
    assert set(await facts(bench, "drift.found")) >= expected
    assert sorted(await facts(bench, "drift.found")) == sorted(await facts(bench, "drift.repaired"))

    before = await bench.said()
    assert await drifts(bench) == []
    assert await bench.said() == before
    session = await bench.as_person("p-pi")
    assert await session.fetchval("SELECT count(*) FROM snds_main_claims") > 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await session.fetchval("SELECT count(*) FROM pg_authid")
    assert not await other.fetchval("SELECT has_table_privilege($1, 'secrets', 'SELECT')", stranger)
    for connection in (session, inside, other):
        await connection.close()


async def test_logins_are_again_those_of_the_permit(bench: Bench) -> None:
    workspace = await opened(bench)
    admin = await asyncpg.connect(bench.workspaces_url)
    pi, an = (login(bench.workspace_id, ref) for ref in ("p-pi", "p-an1"))
    await admin.execute(f"CREATE ROLE {workspace}_intruder LOGIN; GRANT {workspace} TO {workspace}_intruder")
    await admin.execute(f"ALTER ROLE {pi} VALID UNTIL 'infinity'")
    await admin.execute(f"DROP OWNED BY {an}")
    await admin.execute(f"DROP ROLE {an}")
    found = {(line["code"], line["object"]) for line in await drifts(bench)}
    assert found >= {
        ("LOGIN_UNKNOWN", f"{workspace}_intruder"),
        ("LOGIN_END_WRONG", pi),
        ("LOGIN_MISSING", an),
    }
    await bench.quiet()
    assert await drifts(bench) == []
    assert not await admin.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", f"{workspace}_intruder")
    await (await bench.as_person("p-an1")).close()

    await bench.tell(PermitSuspended(**about(bench), reasons=()))
    await bench.until("workspace.frozen")
    await bench.quiet()
    await admin.execute(f"ALTER ROLE {pi} LOGIN")
    assert [(line["code"], line["object"]) for line in await drifts(bench)] == [("LOGIN_OPEN", pi)]
    await bench.quiet()
    assert await drifts(bench) == []
    assert not await admin.fetchval("SELECT rolcanlogin FROM pg_roles WHERE rolname = $1", pi)
    await admin.close()


async def test_a_table_that_is_gone_needs_a_person_and_is_said_once(bench: Bench) -> None:
    workspace = await opened(bench)
    inside = await asyncpg.connect(bench.workspaces_url, database=workspace)
    await inside.execute(f"DROP TABLE {workspace}.snds_main_claims")
    await inside.close()
    found = await drifts(bench)
    assert [(line["code"], line["object"], line["repaired_by"]) for line in found] == [
        ("TABLE_MISSING", "snds_main_claims", "person")
    ]
    needed = await bench.until("workspace.person-needed")
    assert (needed["step"], needed["code"]) == ("repair", "TABLE_MISSING")
    before = await bench.said()
    assert await drifts(bench) == found
    assert await bench.said() == before


async def test_a_missing_key_is_not_made_anew(bench: Bench) -> None:
    await opened(bench)
    async with bench.runtime.database.connection() as connection:
        await connection.execute("DELETE FROM pseudonym_keys")
    assert [line["code"] for line in await drifts(bench)] == ["KEY_MISSING"]
    assert (await bench.until("workspace.person-needed"))["code"] == "KEY_MISSING"
    async with bench.runtime.database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM pseudonym_keys") == 0


def test_a_drift_knows_whether_it_is_safe_to_put_right() -> None:
    assert Drift("LOGIN_OPEN", "x").mendable
    assert not Drift("TABLE_MISSING", "x").mendable
