"""The pool: bounded waits, sound settings, and a read-only server left behind."""

import asyncio

import asyncpg
import pytest

from chassis import database as module
from chassis.database import Database


async def test_connections_have_the_service_s_schema_first_and_safe_limits(database: Database) -> None:
    async with database.connection() as connection:
        shown = {name: await connection.fetchval(f"SHOW {name}") for name in ("search_path", "jit", "timezone")}
        limits = {
            name: await connection.fetchval(f"SHOW {name}")
            for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        }
    assert shown == {"search_path": '"tiny", chassis', "jit": "off", "timezone": "UTC"}
    assert limits == {"lock_timeout": "5s", "statement_timeout": "10s", "idle_in_transaction_session_timeout": "5s"}


async def test_waiting_for_a_connection_has_a_bound(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ACQUIRE_SECONDS", 0.2)
    database = Database(database_url, service="tiny", max_size=1)
    await database.open()
    async with database.connection():
        with pytest.raises(TimeoutError):
            async with database.connection():
                raise AssertionError("there is only one")
    await database.close()


async def test_closing_cuts_off_what_does_not_end(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_SECONDS", 0.2)
    database = Database(database_url, service="tiny")
    await database.open()
    began = asyncio.Event()

    async def linger() -> None:
        async with database.connection() as connection:
            began.set()
            await connection.fetch("SELECT pg_sleep(9)")

    lingering = asyncio.create_task(linger())
    await began.wait()
    async with asyncio.timeout(5):
        await database.close()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await lingering


async def test_a_server_that_became_read_only_is_left_behind(database: Database) -> None:
    async with database.connection() as connection:
        before = await connection.fetchval("SELECT pg_backend_pid()")
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with database.transaction() as connection:
            await connection.execute("SET TRANSACTION READ ONLY")
            await connection.execute("CREATE TABLE chassis.late ()")
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT pg_backend_pid()") != before


async def test_connections_that_were_cut_are_replaced(database: Database, database_url: str) -> None:
    async with database.connection() as connection:
        pid = await connection.fetchval("SELECT pg_backend_pid()")
    other = await asyncpg.connect(database_url)
    await other.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
    await other.close()
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1
