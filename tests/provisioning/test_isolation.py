"""What a researcher's login can reach: its own tables, and nothing else however it is tried."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from tests.provisioning.conftest import SNDS, SOON, Place, bare_permit

from provisioning.environments import Cohort, Order, Refused, Superseded, Trouble, names
from provisioning.environments.extraction import pseudonym
from provisioning.environments.manifest import manifest
from provisioning.project import Grant, Table


async def test_a_researcher_can_pass_nothing_on(place: Place) -> None:
    session = await place.enter(place.first)
    await session.execute("SET default_transaction_read_only = off")
    # PostgreSQL only warns that nothing was granted.
    await session.execute("GRANT SELECT ON snds_main_persons TO PUBLIC")
    assert not await session.fetchval("SELECT has_table_privilege('public', 'snds_main_persons', 'SELECT')")
    await session.close()


async def test_a_researcher_cannot_enter_any_other_database(place: Place) -> None:
    url = await place.environment.connect(place.first, "p-1", datetime.now(UTC) + SOON)
    others = [urlsplit(url).path.lstrip("/") for url in (place.holder_url, place.workspaces_url)]
    for database in ("postgres", "template1", names.schema(place.second), *others):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(urlunsplit(urlsplit(url)._replace(path=f"/{database}")))


async def test_a_researcher_sees_no_other_workspace_in_the_catalogue_nor_in_the_statistics(place: Place) -> None:
    session = await place.enter(place.first)
    schemas = await session.fetch("SELECT DISTINCT schemaname FROM pg_stats WHERE schemaname LIKE 'ws%'")
    assert {row["schemaname"] for row in schemas} <= {names.schema(place.first)}
    known = await session.fetch("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'ws%'")
    assert [row["nspname"] for row in known] == [names.schema(place.first)]
    await session.close()


async def test_a_login_has_limits(place: Place) -> None:
    sessions = [await place.enter(place.first, "p-2")]
    try:
        assert await sessions[0].fetchval("SHOW statement_timeout") == "5min"
        assert await sessions[0].fetchval("SHOW work_mem") == "32MB"
        assert await sessions[0].fetchval("SHOW temp_file_limit") == "10GB"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await sessions[0].execute("SET temp_file_limit = '1TB'")
        url = await place.environment.connect(place.first, "p-2", datetime.now(UTC) + SOON)
        sessions += [await asyncpg.connect(url) for _ in range(3)]
        with pytest.raises(asyncpg.TooManyConnectionsError):
            await asyncpg.connect(url)
    finally:
        for session in sessions:
            await session.close()


async def test_a_new_password_ends_the_earlier_one(place: Place) -> None:
    until = datetime.now(UTC) + SOON
    earlier = await place.environment.connect(place.first, "p-1", until)
    later = await place.environment.connect(place.first, "p-1", until)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(earlier)
    await (await asyncpg.connect(later)).close()


async def test_a_login_ends_with_the_permit(place: Place) -> None:
    url = await place.environment.connect(place.first, "p-1", datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url)


async def test_nobody_enters_for_somebody_the_workspace_does_not_know(place: Place) -> None:
    with pytest.raises(Refused, match="LOGIN_NOT_OPEN"):
        await place.environment.connect(place.first, "p-9", datetime.now(UTC) + SOON)


async def test_only_permitted_columns_and_years_leave_the_holder(place: Place) -> None:
    session = await place.enter(place.first)
    columns = await session.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = $1",
        names.schema(place.first),
    )
    assert {(row["table_name"], row["column_name"]) for row in columns} == {
        ("snds_main_persons", "person_id"),
        ("snds_main_persons", "sex"),
        ("snds_main_persons", "birth_year"),
        ("snds_main_persons", "department"),
        ("snds_main_stays", "person_id"),
        ("snds_main_stays", "year"),
        ("snds_main_stays", "start_month"),
        ("snds_main_stays", "days"),
        ("snds_main_stays", "diagnosis"),
        ("snds_main_stays", "hospital"),
        ("snds_main_claims", "person_id"),
        ("snds_main_claims", "year"),
        ("snds_main_claims", "care_month"),
        ("snds_main_claims", "act"),
        ("snds_main_claims", "amount_cents"),
        ("snds_main_records", "person_id"),
        ("snds_main_records", "year"),
        ("snds_main_records", "recorded_month"),
        ("snds_main_records", "code"),
        ("snds_main_records", "result"),
    }
    for table in ("stays", "claims", "records"):
        years = await session.fetchrow(f"SELECT min(year), max(year) FROM snds_main_{table}")
        assert (years[0], years[1]) == (2014, 2024)
    await session.close()


async def test_full_dates_and_communes_leave_only_where_the_permit_says_so(place: Place) -> None:
    workspace_id = str(uuid4())
    order = Order(workspace_id, 1)
    await place.environment.prepare(order)
    generous = bare_permit(full_birth_date=True, crosses_potential_identifiers=True)
    only_claims = Grant("snds-main", "1", "snds", "cnam", ("e",), 2014, 2014)
    await place.environment.fill(order, generous, [only_claims], Cohort(frozenset(), secrets.token_bytes(32)))
    admin = await asyncpg.connect(place.admin_url(workspace_id))
    rows = await admin.fetch(
        "SELECT column_name, table_name FROM information_schema.columns WHERE table_schema = $1",
        names.schema(workspace_id),
    )
    await admin.close()
    assert {"birth_date", "commune", "care_date"} <= {row["column_name"] for row in rows}
    # Category (e) alone: of this dataset, the claims.
    assert {row["table_name"] for row in rows} == {"snds_main_persons", "snds_main_claims"}
    await place.environment.destroy(order)


async def test_opted_out_persons_are_in_no_table(place: Place) -> None:
    session = await place.enter(place.first)
    for ref in ("person-3", "person-5"):
        name = pseudonym(place.keys[place.first], ref.encode()).decode()
        for table in place.tables[place.first]:
            assert await session.fetchval(f"SELECT count(*) FROM {table.table} WHERE person_id = $1", name) == 0
    there = pseudonym(place.keys[place.first], b"person-4").decode()
    assert await session.fetchval("SELECT count(*) FROM snds_main_persons WHERE person_id = $1", there) == 1
    await session.close()


async def test_two_projects_cannot_be_joined_by_pseudonym_nor_by_place(place: Place) -> None:
    names_of, order = {}, {}
    for workspace_id in (place.first, place.second):
        key = place.keys[workspace_id]
        named = {pseudonym(key, f"person-{n}".encode()).decode(): n for n in range(1, 301)}
        admin = await asyncpg.connect(place.admin_url(workspace_id))
        rows = await admin.fetch(
            "SELECT person_id FROM " + names.schema(workspace_id) + ".snds_main_persons ORDER BY ctid"
        )
        await admin.close()
        names_of[workspace_id] = {row["person_id"] for row in rows}
        order[workspace_id] = [named[row["person_id"]] for row in rows]
    assert not names_of[place.first] & names_of[place.second]
    assert sorted(order[place.first]) == sorted(order[place.second])
    same_place = sum(a == b for a, b in zip(order[place.first], order[place.second], strict=True))
    assert same_place < 10
    assert order[place.first] != sorted(order[place.first])


async def test_a_manifest_does_not_depend_on_order_and_notices_every_change(place: Place) -> None:
    admin = await asyncpg.connect(place.workspaces_url)
    await admin.execute("CREATE TABLE public.one AS SELECT n, 'v' || n AS v FROM generate_series(1, 500) AS n")
    await admin.execute("CREATE TABLE public.two AS SELECT * FROM public.one ORDER BY md5(n::text)")
    assert await manifest(admin, "public.one") == await manifest(admin, "public.two")
    await admin.execute("UPDATE public.two SET v = 'w' WHERE n = 7")
    assert await manifest(admin, "public.one") != await manifest(admin, "public.two")
    await admin.execute("TRUNCATE public.two")
    empty = await manifest(admin, "public.two")
    await admin.execute("INSERT INTO public.two VALUES (1, 'x'), (1, 'x')")
    # Two equal rows do not cancel each other out.
    assert (await manifest(admin, "public.two"))[1] != empty[1]
    await admin.execute("DROP TABLE public.one, public.two")
    await admin.close()


async def test_a_freeze_ends_an_open_session_and_the_passwords_work_again_afterwards(place: Place) -> None:
    url = await place.environment.connect(place.second, "p-1", datetime.now(UTC) + SOON)
    session = await asyncpg.connect(url)
    await place.environment.freeze(Order(place.second, 2))
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await session.fetchval("SELECT 1")
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(url)
    await place.environment.open(Order(place.second, 3), place.tables[place.second])
    await (await asyncpg.connect(url)).close()


async def test_a_worker_that_comes_back_late_changes_nothing(place: Place) -> None:
    await place.environment.freeze(Order(place.second, 5))
    for late in (
        place.environment.open(Order(place.second, 4), place.tables[place.second]),
        place.environment.admit(Order(place.second, 4), ["p-9"], datetime.now(UTC) + SOON, True),
        place.environment.prepare(Order(place.second, 4)),
    ):
        with pytest.raises(Superseded):
            await late
    await place.environment.open(Order(place.second, 6), place.tables[place.second])


async def test_a_workspace_that_misses_rows_is_not_opened(place: Place) -> None:
    order = Order(place.second, 6)
    short = [Table(t.dataset_id, t.table, t.rows + 1, t.sha256) for t in place.tables[place.second]]
    with pytest.raises(Trouble, match="PROBE_COUNTED_OTHERWISE"):
        await place.environment.open(order, short)
    with pytest.raises(Refused, match="LOGIN_NOT_OPEN"):
        await place.environment.connect(place.second, "p-1", datetime.now(UTC) + SOON)
    await place.environment.open(order, place.tables[place.second])


async def test_nobody_is_let_in_while_a_login_could_reach_another_schema(place: Place) -> None:
    order = Order(place.second, 7)
    await place.environment.freeze(order)
    admin = await asyncpg.connect(place.admin_url(place.first))
    one, two = names.schema(place.first), names.schema(place.second)
    await admin.execute(f"GRANT USAGE ON SCHEMA {one} TO {two}")
    try:
        with pytest.raises(Trouble, match="ISOLATION_NOT_MET"):
            await place.environment.open(order, place.tables[place.second])
    finally:
        await admin.execute(f"REVOKE USAGE ON SCHEMA {one} FROM {two}")
        await admin.close()
    await place.environment.open(order, place.tables[place.second])


async def test_closing_shuts_every_login_and_destruction_leaves_nothing(place: Place) -> None:
    workspace_id = str(uuid4())
    order = Order(workspace_id, 1)
    await place.environment.prepare(order)
    extraction = await place.environment.fill(
        order, bare_permit(), [SNDS], Cohort(frozenset(), secrets.token_bytes(32))
    )
    await place.environment.admit(order, ["p-1", "p-2"], datetime.now(UTC) + SOON, False)
    await place.environment.open(order, extraction.tables[SNDS])
    url = await place.environment.connect(workspace_id, "p-1", datetime.now(UTC) + SOON)
    session = await asyncpg.connect(url)
    await place.environment.close(order)
    await place.environment.close(order)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await session.fetchval("SELECT 1")
    # Closing tried each login with a password of its own: the earlier one is gone as well.
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(url)
    assert (await place.environment.destroy(order)).objects_left == 0
    assert (await place.environment.destroy(order)).objects_left == 0
    admin = await asyncpg.connect(place.workspaces_url)
    schema = names.schema(workspace_id)
    assert await admin.fetchval("SELECT count(*) FROM pg_roles WHERE starts_with(rolname, $1)", schema) == 0
    assert await admin.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", schema) == 0
    await admin.close()
