"""The PostgreSQL server of a hosting environment: connections with bounds, and transactions under a lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from chassis.errors import Kind, kind_of
from provisioning.environments import Order, Refused, Superseded, Trouble, databases, names

CONNECT_SECONDS = 5
NOT_THERE = "WORKSPACE_NOT_THERE"


class Server:
    """Reached at `url`, the environment's own database, as its owner, who may make roles and databases."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._set_up = False

    def url_to(self, database: str) -> str:
        """Another database of the server, for the owner of ours."""
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{database}"))

    def url_of(self, workspace_id: str, login: str | None = None, password: str = "") -> str:
        """The database of a workspace: for its owner, or for a login."""
        parts = urlsplit(self._url)
        netloc = parts.netloc
        if login is not None:
            netloc = f"{quote(login)}:{quote(password)}@{netloc.rpartition('@')[2]}"
        return urlunsplit(parts._replace(netloc=netloc, path=f"/{names.schema(workspace_id)}"))

    @asynccontextmanager
    async def working(self, order: Order) -> AsyncIterator[asyncpg.Connection]:
        """A transaction that nobody with an older lease can have after us, nor at the same time."""
        async with edge(), connected(self._url) as connection:
            if not self._set_up:
                async with connection.transaction():
                    await databases.set_up(connection)
                self._set_up = True
            async with connection.transaction():
                taken = await connection.fetchval(
                    "INSERT INTO guichet.fences AS held VALUES ($1, $2) ON CONFLICT (schema_name) DO UPDATE "
                    "SET fence = excluded.fence WHERE held.fence <= excluded.fence RETURNING fence",
                    names.schema(order.workspace_id),
                    order.fence,
                )
                if taken is None:
                    raise Superseded
                yield connection

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[asyncpg.Connection]:
        """The environment's own database, without a lease and in no transaction."""
        async with edge(), connected(self._url) as connection:
            yield connection

    @asynccontextmanager
    async def inside(self, order: Order) -> AsyncIterator[asyncpg.Connection]:
        """A transaction in the database of a workspace, under the same lease for as long as it lasts."""
        async with self.working(order), self.visiting(order.workspace_id) as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def visiting(self, workspace_id: str) -> AsyncIterator[asyncpg.Connection]:
        """The database of a workspace, without a lease; raises Refused when there is none."""
        async with edge():
            try:
                async with connected(self.url_of(workspace_id)) as connection:
                    yield connection
            except asyncpg.InvalidCatalogNameError:
                raise Refused(NOT_THERE) from None


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that is had, and let go, within bounded time."""
    connection = await asyncpg.connect(
        url,
        timeout=CONNECT_SECONDS,
        server_settings={
            "application_name": "guichet-workspaces",
            "timezone": "UTC",
            "jit": "off",
            "lock_timeout": "5s",
            "createrole_self_grant": "inherit",
        },
    )
    try:
        yield connection
    finally:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await connection.close()
        except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError):
            connection.terminate()


@asynccontextmanager
async def edge() -> AsyncIterator[None]:
    """What the database says becomes what an environment says; only the kind of an error crosses, never its text."""
    try:
        yield
    except asyncpg.PostgresError as error:
        raise Trouble(
            "ENVIRONMENT_UNAVAILABLE" if kind_of(error) is Kind.UNAVAILABLE else f"SQLSTATE_{error.sqlstate}"
        ) from error
    except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise Trouble("ENVIRONMENT_UNAVAILABLE") from error
