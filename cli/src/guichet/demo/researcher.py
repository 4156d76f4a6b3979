"""A researcher with a login to one workspace: what can be seen through it, and whether it still lets in."""

import asyncpg

from guichet.stack.services import desk_of
from guichet.stack.state import StackState
from provisioning.environments import Refused


async def login(state: StackState, request: str, person: str) -> str:
    """A connection string for a person of an open workspace; raises Refused when there is no way in."""
    async with desk_of(state) as desk:
        return await desk.connect(request, person)


async def count_rows(url: str) -> int:
    """Rows of all tables that this login may read; raises Refused when the server lets it in no longer."""
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except asyncpg.InvalidAuthorizationSpecificationError:
        raise Refused("LOGIN_REFUSED") from None
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', relnamespace::regnamespace, relname) AS name FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')"
            " AND has_schema_privilege(relnamespace, 'USAGE') AND has_table_privilege(oid, 'SELECT')"
        )
        counts = [await connection.fetchval(f"SELECT count(*) FROM {table['name']}") for table in tables]  # noqa: S608 - quoted by the server
        return sum(int(each) for each in counts)
    finally:
        await connection.close(timeout=5)
