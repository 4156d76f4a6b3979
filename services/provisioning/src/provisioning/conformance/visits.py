"""Coming into a workspace as a person does, with the connection string that the person was given."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

import asyncpg
import httpx

SECONDS = 10


class Shut(Exception):
    """The door is shut to this person."""


class Visit(Protocol):
    """A session in a workspace."""

    async def count(self, table: str) -> int | None:
        """The rows that the session sees in a table; None when it sees no such table, or has ended."""
        ...

    async def leave(self) -> None:
        """Ends the session from our side."""
        ...


async def enter(url: str) -> Visit:
    """A session behind a connection string. Raises Shut when the door says no."""
    return await (_Door.enter(url) if url.startswith(("http://", "https://")) else _Database.enter(url))


class _Database:
    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    @classmethod
    async def enter(cls, url: str) -> _Database:
        try:
            return cls(await asyncpg.connect(url, timeout=SECONDS))
        except asyncpg.InvalidAuthorizationSpecificationError:
            raise Shut from None

    async def count(self, table: str) -> int | None:
        try:
            return int(await self._connection.fetchval(f'SELECT count(*) FROM "{table}"'))  # noqa: S608 - our own name
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return None

    async def leave(self) -> None:
        self._connection.terminate()


class _Door:
    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token

    @classmethod
    async def enter(cls, url: str) -> _Door:
        parts = urlsplit(url)
        given = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        basic = f"Basic {base64.b64encode(given.encode()).decode()}"
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=False, verify=url.startswith("https")) as client:
            answer = await client.post(plain, headers={"authorization": basic})
        if answer.status_code != HTTPStatus.CREATED:
            raise Shut
        return cls(plain, answer.json()["token"])

    async def count(self, table: str) -> int | None:
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=False, verify=self._url.startswith("https")) as client:
            answer = await client.get(f"{self._url}/current", headers={"authorization": f"Bearer {self._token}"})
        if answer.status_code != HTTPStatus.OK:
            return None
        seen = {each["table"]: each["rows"] for each in answer.json()["tables"]}
        return seen.get(table)

    async def leave(self) -> None:
        pass
