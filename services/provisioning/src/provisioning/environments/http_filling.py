"""From the holder's tables to a provisioner: the extraction is ours, and only what may leave goes out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Protocol

import asyncpg

from provisioning.environments import Cohort, Extraction, Order, Trouble, names
from provisioning.environments.extraction import Pseudonyms, selection, shuffled, sources
from provisioning.environments.rows import Rows, copied_out
from provisioning.project import Grant, Permit, Table


class Target(Protocol):
    """Where tables are loaded."""

    async def drop(self, order: Order, dataset_ids: Sequence[str]) -> None:
        """See `Environment.drop`."""
        ...

    async def load(self, order: Order, dataset_id: str, table: str, rows: Rows) -> Table:
        """See `Environment.load`."""
        ...


async def fill(
    target: Target, holder_url: str, order: Order, permit: Permit, grants: Sequence[Grant], cohort: Cohort
) -> Extraction:
    """Extracts datasets anew, shuffled and under pseudonyms, and loads each table. See `Environment.fill`."""
    made: dict[Grant, tuple[Table, ...]] = {}
    met: set[bytes] = set()
    async with _holder(holder_url) as holder:
        for grant in grants:
            covered = await sources(holder, grant)
            await target.drop(order, [grant.dataset_id])
            tables = []
            for source in covered:
                query = await shuffled(holder, selection(source, covered, grant, permit))
                name = f"{names.table_prefix(grant.dataset_id)}_{source.table}"
                rewriting = Pseudonyms(cohort)
                async with copied_out(holder, query) as rows, aclosing(_named(rows.chunks, rewriting)) as chunks:
                    tables.append(await target.load(order, grant.dataset_id, name, Rows(rows.columns, chunks)))
                met |= rewriting.met
            made[grant] = tuple(tables)
    return Extraction(made, len(met))


async def _named(chunks: AsyncIterator[bytes], rewriting: Pseudonyms) -> AsyncGenerator[bytes, None]:
    async for chunk in chunks:
        if lines := rewriting.rewrite(chunk):
            yield b"\n".join(lines) + b"\n"


@asynccontextmanager
async def _holder(url: str) -> AsyncIterator[asyncpg.Connection]:
    try:
        connection = await asyncpg.connect(url, timeout=5, server_settings={"timezone": "UTC", "jit": "off"})
        try:
            yield connection
        finally:
            connection.terminate()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise Trouble("HOLDER_UNAVAILABLE") from error
