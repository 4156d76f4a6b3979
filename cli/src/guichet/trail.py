"""The database of a trail as the commands read it: that of the stack, or a copy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from typing import TYPE_CHECKING

from guichet import console
from guichet.stack.errors import StackError
from guichet.stack.state import home_folder, load

if TYPE_CHECKING:
    from asyncpg import Connection

    from chassis.transaction import Transaction

OPERATOR = "operator"
"""As whom the commands read: whoever may use the stack's own database."""


@asynccontextmanager
async def connected(database: str | None) -> AsyncIterator[Connection]:
    """A direct connection without time limits to a database URL, that of the stack by default.

    Raises StackError when it does not answer, or holds no trail.
    """
    import asyncpg

    url = database or load(home_folder()).service("audit").database_url
    try:
        connection = await asyncpg.connect(url, timeout=10, server_settings={"jit": "off", "lock_timeout": "5s"})
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError("the database of the trail does not answer", "guichet status, or --database URL") from error
    try:
        yield connection
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
        raise StackError("that database holds no trail", "name the audit service's database") from error
    except asyncpg.DataCorruptedError as error:
        raise StackError(
            f"a page of the database is damaged: {error}", "see docs/restore.md: a backup, or rebuild"
        ) from error
    finally:
        await connection.close()


@asynccontextmanager
async def at_one_moment(database: str | None) -> AsyncIterator[Connection]:
    """The same, seeing the trail as it stood at one moment; nothing is written."""
    async with connected(database) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        yield connection


async def record_access(database: str | None, act: str, about: str | None = None, bundle: str | None = None) -> None:
    """Has the audit service say who reads, before anything is read; a copy of a trail is no part of it, and says
    nothing."""
    if database is not None:
        return
    from audit.accesses import CLI, say_read

    async with saying() as transaction:
        say_read(transaction, act, OPERATOR, CLI, about, bundle)


async def record_check(check: str, failures: int) -> None:
    """Has the audit service say what came out of a check of the stack's trail, before it is shown.

    A trail that takes nothing can still be checked, or whoever stops it would stop the check: then that is shown.
    """
    import asyncpg

    from audit.accesses import CLI
    from audit.checks import say_checked

    try:
        async with saying() as transaction:
            say_checked(transaction, check, OPERATOR, CLI, failures)
    except (StackError, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        console.fail(f"that this was checked is not on record: {type(error).__name__}", "guichet status")


@asynccontextmanager
async def saying() -> AsyncIterator[Transaction]:
    """The audit service's own transaction, which is where everything on its topics comes from."""
    from chassis.clock import SandboxClock
    from chassis.transaction import Transaction

    async with connected(None) as connection, connection.transaction():
        now = await SandboxClock().read(connection)
        transaction = Transaction(connection, now.astimezone(UTC), "audit")
        yield transaction
        await transaction.flush()
