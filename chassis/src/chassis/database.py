"""The pool: every wait has a bound, a lost or read-only server is left behind, nothing waits for ever on closing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

from chassis.schema import Migrations, bring_up_to_date, check_up_to_date

Connection: TypeAlias = "asyncpg.Connection"
"""A connection of asyncpg, from the pool or direct. Ids come back as pgproto's UUID, a subclass of `uuid.UUID` in C."""

CHASSIS = Migrations(schema="chassis", package="chassis.migrations")
ACQUIRE_SECONDS = 3
TRANSACTION_SECONDS = 20
CLOSE_SECONDS = 5


class Database:
    """One service's database, its schema first on the search path and the chassis's second."""

    def __init__(self, url: str, *, service: str, max_size: int = 8) -> None:
        self._url = url
        self._service = service
        self._max_size = max_size
        self._pool: asyncpg.Pool | None = None

    @property
    def service(self) -> str:
        """The service whose database this is."""
        return self._service

    async def open(self) -> None:
        """Makes the pool; connects to nothing yet, so it succeeds while the server is down."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._max_size,
            max_inactive_connection_lifetime=60,
            command_timeout=10,
            timeout=5,
            target_session_attrs="read-write",
            server_settings=self._server_settings(),
        )

    async def close(self) -> None:
        """Gives running statements five seconds, then cuts them off."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A pooled connection outside any transaction, had within three seconds or `TimeoutError`."""
        pool = self._pool
        if pool is None:
            raise asyncpg.InterfaceError("the pool is closed")
        try:
            async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                yield connection
        except (asyncpg.ReadOnlySQLTransactionError, asyncpg.TargetServerAttributeNotMatched):
            # After a fail-over pooled connections stay on the old, read-only server for days.
            await pool.expire_connections()
            raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A pooled connection inside one transaction of at most twenty seconds, committed on leaving."""
        async with asyncio.timeout(TRANSACTION_SECONDS), self.connection() as connection, connection.transaction():
            yield connection

    async def connect(self, *, command_seconds: float | None = 10, **server_settings: str) -> Connection:
        """A direct connection that the caller closes (`close_connection`): for session locks, LISTEN, long work.

        `command_seconds` bounds each statement, None leaves that to the server.
        """
        return await asyncpg.connect(
            self._url,
            command_timeout=command_seconds,
            timeout=5,
            target_session_attrs="read-write",
            server_settings=self._server_settings() | server_settings,
        )

    async def migrate(self, package: str | None) -> None:
        """The chassis's tables, then the service's from the numbered files of `package`."""
        connection = await self.connect(
            lock_timeout="60s", statement_timeout="0", idle_in_transaction_session_timeout="60s"
        )
        try:
            await bring_up_to_date(connection, self._sources(package))
        finally:
            await close_connection(connection)

    async def check(self, package: str | None) -> None:
        """Returns when all these tables are there; raises `Behind` until a deployment has made them."""
        async with self.connection() as connection:
            await check_up_to_date(connection, self._sources(package))

    def _sources(self, package: str | None) -> list[Migrations]:
        return [CHASSIS, *([Migrations(schema=self._service, package=package)] if package else [])]

    def _server_settings(self) -> dict[str, str]:
        return {
            "application_name": f"guichet-{self._service}",
            "search_path": f'"{self._service}", chassis',
            "jit": "off",
            "timezone": "UTC",
            "lock_timeout": "5s",
            "statement_timeout": "10s",
            "idle_in_transaction_session_timeout": "5s",
        }


async def close_connection(connection: Connection) -> None:
    """Closes a direct connection, politely for at most five seconds."""
    try:
        await connection.close(timeout=CLOSE_SECONDS)
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError):
        connection.terminate()
