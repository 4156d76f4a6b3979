"""What a researcher's login can reach: its own tables, and nothing else however it is tried."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from guichet.stack.postgres import Postgres
from provisioning.environments import Cohort, Order, Refused, Superseded, Trouble, names
from provisioning.environments.extraction import pseudonym
from provisioning.environments.manifest import manifest
from provisioning.environments.postgres import PostgresEnvironment
from provisioning.project import Grant, Permit, Table

SNDS = Grant("snds-main", "1", "snds", "cnam", ("a", "e"), 2014, 2024)
SOON = timedelta(days=30)


@dataclass
class Place:
    """The workspaces database of an owner who is no superuser, with two open workspaces in it."""

    environment: PostgresEnvironment
    holder_url: str
    admin_url: str
    first: str
    second: str
    keys: dict[str, bytes]
    tables: dict[str, tuple[Table, ...]]

    async def enter(self, workspace_id: str, ref: str = "p-1") -> asyncpg.Connection:
        return await asyncpg.connect(await self.environment.connect(workspace_id, ref, datetime.now(UTC) + SOON))


def permit(**changes: bool) -> Permit:
    return Permit("permit", 1, "declaration", "FR", date(2030, 1, 1), (), (SNDS,), "env", **changes)


@pytest.fixture(scope="module")
async def place(postgres: Postgres, holder_url: str) -> AsyncIterator[Place]:
    name, secret = f"ws{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    await postgres.execute(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD '{secret}'")
    await postgres.execute(f"CREATE DATABASE {name} OWNER {name}")
    # As `guichet up` does for every database of a stack; only a superuser can.
    admin = await asyncpg.connect(postgres.superuser_url)
    for row in await admin.fetch("SELECT datname FROM pg_database WHERE datallowconn AND datname <> $1", name):
        await admin.execute(f'REVOKE CONNECT, TEMPORARY ON DATABASE "{row["datname"]}" FROM PUBLIC')
    await admin.close()
    environment = PostgresEnvironment(holder_url, postgres.url_of(name, secret, name))
    made = Place(
        environment,
        holder_url,
        postgres.url_of(postgres.superuser, postgres.password, name),
        str(uuid4()),
        str(uuid4()),
        {},
        {},
    )
    for workspace_id in (made.first, made.second):
        order = Order(workspace_id, 1)
        key = made.keys[workspace_id] = secrets.token_bytes(32)
        await environment.prepare(order)
        cohort = Cohort(frozenset({"person-3", "person-5"}), key)
        extraction = await environment.fill(order, permit(), [SNDS], cohort)
        made.tables[workspace_id] = extraction.tables[SNDS]
        await environment.admit(order, ["p-1", "p-2"], datetime.now(UTC) + SOON, False)
        await environment.open(order, made.tables[workspace_id])
    yield made
    for workspace_id in (made.first, made.second):
        await environment.destroy(Order(workspace_id, 9))


WAYS_OUT = {
    "another workspace's table": "SELECT * FROM {other}.snds_main_persons",
    "another workspace's table through a view": "CREATE VIEW v AS SELECT * FROM {other}.snds_main_persons",
    "the fences": "SELECT * FROM guichet.fences",
    "passwords": "SELECT rolpassword FROM pg_authid",
    "shadow passwords": "SELECT * FROM pg_shadow",
    "statistics with values": "SELECT stavalues1 FROM pg_statistic",
    "large objects": "SELECT * FROM pg_largeobject",
    "user mappings": "SELECT umoptions FROM pg_user_mapping",
    "a program": "COPY snds_main_persons TO PROGRAM 'cat > /tmp/out'",
    "a file": "COPY snds_main_persons TO '/tmp/out.csv'",
    "a file of the server": "SELECT pg_read_file('/etc/passwd')",
    "a folder of the server": "SELECT pg_ls_dir('.')",
    "another role": "SET ROLE {owner}",
    "its own group": "SET ROLE {group}",
    "another session's role": "SET SESSION AUTHORIZATION {owner}",
    "a new table": "CREATE TABLE mine (a integer)",
    "a temporary table": "CREATE TEMPORARY TABLE mine (a integer)",
    "a table in public": "CREATE TABLE public.mine (a integer)",
    "a new schema": "CREATE SCHEMA mine",
    "a function": "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "an extension": "CREATE EXTENSION dblink",
    "a foreign server": "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw",
    "a role": "CREATE ROLE mine",
    "ownership": "ALTER TABLE snds_main_persons OWNER TO CURRENT_USER",
    "membership in another group": "GRANT {other} TO CURRENT_USER",
    "its own expiry": "ALTER ROLE CURRENT_USER VALID UNTIL 'infinity'",
    "its own connection limit": "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1",
    "changed data": "UPDATE snds_main_persons SET sex = 'F'",
    "deleted data": "DELETE FROM snds_main_persons",
    "added data": "INSERT INTO snds_main_persons SELECT * FROM snds_main_persons",
    "a trigger": "CREATE TRIGGER t BEFORE INSERT ON snds_main_persons EXECUTE FUNCTION tsvector_update_trigger()",
    "an anonymous block": "DO $$ BEGIN PERFORM * FROM {other}.snds_main_persons; END $$",
    "another's sessions": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{owner}'",
    "a server setting": "ALTER SYSTEM SET log_statement = 'all'",
    "a logging setting": "SET log_statement = 'all'",
    "a publication": "CREATE PUBLICATION p FOR ALL TABLES",
}


@pytest.mark.parametrize("way", WAYS_OUT)
async def test_a_researcher_finds_no_way_out_through(place: Place, way: str) -> None:
    session = await place.enter(place.first)
    holding = await asyncpg.connect(place.environment._workspaces_url)
    try:
        await session.execute("SET default_transaction_read_only = off")
        statement = WAYS_OUT[way].format(
            other=names.schema(place.second),
            group=names.schema(place.first),
            owner=urlsplit(place.admin_url).path.lstrip("/"),
        )
        with pytest.raises(asyncpg.PostgresError) as refusal:
            await session.execute(statement)
        # Refused for want of a right, or because the thing is not there: never because the statement made no sense.
        assert refusal.value.sqlstate in ("42501", "0A000", "58P01", "42704", "0LP01"), refusal.value
    finally:
        await holding.close()
        await session.close()


async def test_a_researcher_can_pass_nothing_on(place: Place) -> None:
    session = await place.enter(place.first)
    await session.execute("SET default_transaction_read_only = off")
    # PostgreSQL only warns that nothing was granted.
    await session.execute("GRANT SELECT ON snds_main_persons TO PUBLIC")
    assert not await session.fetchval("SELECT has_table_privilege('public', 'snds_main_persons', 'SELECT')")
    await session.close()


async def test_a_researcher_cannot_enter_any_other_database(place: Place, postgres: Postgres) -> None:
    url = await place.environment.connect(place.first, "p-1", datetime.now(UTC) + SOON)
    for database in ("postgres", "template1", urlsplit(place.holder_url).path.lstrip("/")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(urlunsplit(urlsplit(url)._replace(path=f"/{database}")))


async def test_a_researcher_sees_the_rows_of_no_other_workspace_in_the_statistics(place: Place) -> None:
    session = await place.enter(place.first)
    assert (
        await session.fetchval("SELECT count(*) FROM pg_stats WHERE schemaname = $1", names.schema(place.second)) == 0
    )
    texts = await session.fetch("SELECT query FROM pg_stat_activity WHERE usename <> current_user")
    assert {row["query"] for row in texts} <= {"<insufficient privilege>", ""}
    await session.close()


async def test_a_login_has_limits(place: Place) -> None:
    sessions = [await place.enter(place.first, "p-2")]
    try:
        assert await sessions[0].fetchval("SHOW statement_timeout") == "5min"
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
    generous = permit(full_birth_date=True, crosses_potential_identifiers=True)
    only_claims = Grant("snds-main", "1", "snds", "cnam", ("e",), 2014, 2014)
    await place.environment.fill(order, generous, [only_claims], Cohort(frozenset(), secrets.token_bytes(32)))
    admin = await asyncpg.connect(place.admin_url)
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
    admin = await asyncpg.connect(place.admin_url)
    one, two = (names.schema(i) for i in (place.first, place.second))
    assert (
        await admin.fetchval(
            f"SELECT count(*) FROM {one}.snds_main_persons JOIN {two}.snds_main_persons USING (person_id)"
        )
        == 0
    )
    order = {}
    for workspace_id, schema in ((place.first, one), (place.second, two)):
        key = place.keys[workspace_id]
        named = {pseudonym(key, f"person-{n}".encode()).decode(): n for n in range(1, 301)}
        rows = await admin.fetch(f"SELECT person_id FROM {schema}.snds_main_persons ORDER BY ctid")
        order[workspace_id] = [named[row["person_id"]] for row in rows]
    await admin.close()
    assert sorted(order[place.first]) == sorted(order[place.second])
    same_place = sum(a == b for a, b in zip(order[place.first], order[place.second], strict=True))
    assert same_place < 10
    assert order[place.first] != sorted(order[place.first])


async def test_a_manifest_does_not_depend_on_order_and_notices_every_change(place: Place) -> None:
    admin = await asyncpg.connect(place.admin_url)
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
    admin = await asyncpg.connect(place.admin_url)
    await admin.execute(f"GRANT USAGE ON SCHEMA {names.schema(place.first)} TO {names.schema(place.second)}")
    try:
        with pytest.raises(Trouble, match="ISOLATION_NOT_MET"):
            await place.environment.open(order, place.tables[place.second])
    finally:
        await admin.execute(f"REVOKE USAGE ON SCHEMA {names.schema(place.first)} FROM {names.schema(place.second)}")
        await admin.close()
    await place.environment.open(order, place.tables[place.second])


async def test_closing_shuts_every_login_and_destruction_leaves_nothing(place: Place) -> None:
    workspace_id = str(uuid4())
    order = Order(workspace_id, 1)
    await place.environment.prepare(order)
    extraction = await place.environment.fill(order, permit(), [SNDS], Cohort(frozenset(), secrets.token_bytes(32)))
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
    admin = await asyncpg.connect(place.admin_url)
    schema = names.schema(workspace_id)
    assert await admin.fetchval("SELECT count(*) FROM pg_roles WHERE starts_with(rolname, $1)", schema) == 0
    assert await admin.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = $1", schema) == 0
    await admin.close()
