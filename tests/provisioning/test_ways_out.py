"""The ways out of a workspace that a researcher could think of, each tried with a real login, each refused."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from tests.provisioning.conftest import SOON, Place

from provisioning.environments import Order, names

FORBIDDEN = ("42501", "0A000", "58P01", "42704", "0LP01", "55000")
"""For want of a right, or because the server does not do it: never because the statement made no sense."""
NOT_THERE = ("3F000", "42P01")
"""What belongs to another database has no name in this one."""

WAYS_OUT = {
    "another workspace's table": "SELECT * FROM {other}.snds_main_persons",
    "another workspace's table, by its database's name": "SELECT * FROM {other}.{other}.snds_main_persons",
    "another workspace's table through a view": "CREATE VIEW v AS SELECT * FROM {other}.snds_main_persons",
    "another workspace's table in an anonymous block": "DO $$ BEGIN PERFORM * FROM {other}.snds_main_persons; END $$",
    "the holder's data": "SELECT * FROM snds_main.persons",
    "the leases": "SELECT * FROM guichet.fences",
    "passwords": "SELECT rolpassword FROM pg_authid",
    "shadow passwords": "SELECT * FROM pg_shadow",
    "roles of other workspaces": "SELECT * FROM pg_roles",
    "users of other workspaces": "SELECT * FROM pg_user",
    "memberships of others": "SELECT * FROM pg_auth_members",
    "databases of others": "SELECT * FROM pg_database",
    "remarks on databases and roles": "SELECT * FROM pg_shdescription",
    "settings of other roles": "SELECT * FROM pg_db_role_setting",
    "who is connected, and the name they give themselves": "SELECT * FROM pg_stat_activity",
    "the same through its function": "SELECT * FROM pg_stat_get_activity(NULL)",
    "locks that others hold": "SELECT * FROM pg_locks",
    "locks through their function": "SELECT * FROM pg_lock_status()",
    "statistics with values": "SELECT stavalues1 FROM pg_statistic",
    "large objects": "SELECT * FROM pg_largeobject",
    "a new large object": "SELECT lo_from_bytea(0, 'x')",
    "a large object from a file": "SELECT lo_import('/etc/passwd')",
    "user mappings": "SELECT umoptions FROM pg_user_mapping",
    "a program": "COPY snds_main_persons TO PROGRAM 'cat > /tmp/out'",
    "a program as a source": "COPY snds_main_persons FROM PROGRAM 'id'",
    "a file": "COPY snds_main_persons TO '/tmp/out.csv'",
    "a file of the server": "SELECT pg_read_file('/etc/passwd')",
    "a binary file of the server": "SELECT pg_read_binary_file('/etc/passwd')",
    "a folder of the server": "SELECT pg_ls_dir('.')",
    "the server's log": "SELECT * FROM pg_ls_logdir()",
    "another role": "SET ROLE {owner}",
    "its own group": "SET ROLE {group}",
    "another session's role": "SET SESSION AUTHORIZATION {owner}",
    "a new table": "CREATE TABLE mine (a integer)",
    "a table from a query": "CREATE TABLE mine AS SELECT * FROM snds_main_persons",
    "a temporary table": "CREATE TEMPORARY TABLE mine (a integer)",
    "a table in public": "CREATE TABLE public.mine (a integer)",
    "a new schema": "CREATE SCHEMA mine",
    "a function": "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "a function with its owner's rights": "CREATE FUNCTION {group}.mine() RETURNS text LANGUAGE sql SECURITY DEFINER"
    " AS 'SELECT 1'",
    "a function of the machine": "CREATE FUNCTION mine() RETURNS integer LANGUAGE c AS 'libc', 'system'",
    "an untrusted language": "CREATE LANGUAGE plperlu",
    "an extension": "CREATE EXTENSION dblink",
    "an extension that may be trusted": "CREATE EXTENSION pgcrypto",
    "another server through dblink": "CREATE FOREIGN DATA WRAPPER dblink_fdw",
    "a foreign server": "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw",
    "a foreign table": "IMPORT FOREIGN SCHEMA public FROM SERVER s INTO {group}",
    "a role": "CREATE ROLE mine",
    "a database": "CREATE DATABASE mine",
    "ownership": "ALTER TABLE snds_main_persons OWNER TO CURRENT_USER",
    "membership in another group": "GRANT {other} TO CURRENT_USER",
    "its group for another": "GRANT {group} TO {stranger}",
    "membership in the readers of everything": "GRANT pg_read_all_data TO CURRENT_USER",
    "its own expiry": "ALTER ROLE CURRENT_USER VALID UNTIL 'infinity'",
    "its own connection limit": "ALTER ROLE CURRENT_USER CONNECTION LIMIT -1",
    "another's password": "ALTER ROLE {stranger} PASSWORD 'x'",
    "changed data": "UPDATE snds_main_persons SET sex = 'F'",
    "deleted data": "DELETE FROM snds_main_persons",
    "emptied data": "TRUNCATE snds_main_persons",
    "added data": "INSERT INTO snds_main_persons SELECT * FROM snds_main_persons",
    "locked data": "BEGIN; LOCK TABLE snds_main_persons IN ACCESS EXCLUSIVE MODE",
    "a trigger": "CREATE TRIGGER t BEFORE INSERT ON snds_main_persons EXECUTE FUNCTION tsvector_update_trigger()",
    "an event trigger": "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION pg_notify()",
    "a rule": "CREATE RULE r AS ON SELECT TO snds_main_persons DO INSTEAD SELECT 1",
    "another's sessions": "SELECT pg_terminate_backend({pid})",
    "another's statements": "SELECT pg_cancel_backend({pid})",
    "a server setting": "ALTER SYSTEM SET log_statement = 'all'",
    "a logging setting": "SET log_statement = 'all'",
    "the disk for its sorts": "SET temp_file_limit = -1",
    "a library": "LOAD 'dblink'",
    "the settings of the database": "ALTER DATABASE {group} SET work_mem = '1GB'",
    "a publication": "CREATE PUBLICATION p FOR ALL TABLES",
    "a subscription": "CREATE SUBSCRIPTION s CONNECTION 'host=example.org' PUBLICATION p",
    "a replication slot": "SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
    "a message in the write-ahead log": "SELECT pg_logical_emit_message(false, 'x', 'y')",
    "a prepared transaction": "BEGIN; PREPARE TRANSACTION 'mine'",
    "a copy of the whole server": "SELECT pg_backup_start('mine')",
}


@pytest.fixture(scope="module")
async def session(place: Place) -> AsyncIterator[asyncpg.Connection]:
    """A researcher in the first workspace, who has switched off what can be switched off."""
    session = await place.enter(place.first)
    await session.execute("SET default_transaction_read_only = off")
    yield session
    await session.close()


@pytest.fixture(scope="module")
async def stranger(place: Place) -> AsyncIterator[asyncpg.Connection]:
    """A session of the environment's owner."""
    session = await asyncpg.connect(place.workspaces_url)
    yield session
    await session.close()


@pytest.mark.parametrize("way", WAYS_OUT)
async def test_a_researcher_finds_no_way_out_through(
    place: Place, session: asyncpg.Connection, stranger: asyncpg.Connection, way: str
) -> None:
    statement = WAYS_OUT[way].format(
        other=names.schema(place.second),
        group=names.schema(place.first),
        stranger=names.login(place.second, "p-1"),
        owner=urlsplit(place.workspaces_url).username,
        pid=stranger.get_server_pid(),
    )
    try:
        with pytest.raises(asyncpg.PostgresError) as refusal:
            await session.execute(statement)
    finally:
        await session.execute("ROLLBACK")
    elsewhere = way.startswith(("another workspace's", "the holder's", "the leases"))
    assert refusal.value.sqlstate in FORBIDDEN + (NOT_THERE if elsewhere else ()), refusal.value


async def test_nothing_is_heard_across_workspaces(place: Place) -> None:
    listening, speaking = await place.enter(place.first), await place.enter(place.second)
    heard: asyncio.Queue[str] = asyncio.Queue()
    await listening.add_listener("channel", lambda *said: heard.put_nowait(said[3]))
    await speaking.execute("NOTIFY channel, 'from the other workspace'")
    await listening.execute("NOTIFY channel, 'from this one'")
    assert await asyncio.wait_for(heard.get(), 60) == "from this one"
    assert heard.empty()
    # An advisory lock says nothing either: each workspace has its own.
    assert await speaking.fetchval("SELECT pg_try_advisory_lock(7)")
    assert await listening.fetchval("SELECT pg_try_advisory_lock(7)")
    for session in (listening, speaking):
        await session.close()


async def test_a_password_of_ones_own_does_not_outlive_the_end(place: Place) -> None:
    session = await place.enter(place.first, "p-2")
    await session.execute("SET default_transaction_read_only = off")
    mine = secrets.token_urlsafe(12)
    # PostgreSQL lets everybody change their own password; what ends is the login.
    await session.execute(f"ALTER ROLE CURRENT_USER PASSWORD '{mine}'")
    login = await session.fetchval("SELECT current_user")
    await session.close()
    url = urlsplit(place.admin_url(place.first))
    own = urlunsplit(url._replace(netloc=f"{login}:{mine}@{url.netloc.rpartition('@')[2]}"))
    await (await asyncpg.connect(own)).close()
    await place.environment.connect(place.first, "p-2", datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(own)


async def test_no_login_replicates(place: Place) -> None:
    url = await place.environment.connect(place.first, "p-1", datetime.now(UTC) + SOON)
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await asyncpg.connect(url, server_settings={"replication": "database"})
    assert refusal.value.sqlstate in ("42501", "28000")


async def test_a_session_that_is_open_at_the_freeze_ends_in_the_middle_of_its_statement(place: Place) -> None:
    session = await place.enter(place.second)
    reading = asyncio.ensure_future(session.fetchval("SELECT count(*) FROM pg_sleep(600)"))
    observer = await asyncpg.connect(place.workspaces_url)
    running = (
        "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND query LIKE '%pg_sleep%' AND state = 'active'"
    )
    deadline = time.monotonic() + 60
    while not await observer.fetchval(running, names.login(place.second, "p-1")):
        assert time.monotonic() < deadline, "the statement never began"
        await asyncio.sleep(0.01)
    await observer.close()
    await place.environment.freeze(Order(place.second, 2))
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await reading
    await place.environment.open(Order(place.second, 3), place.tables[place.second])
