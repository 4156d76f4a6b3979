"""Audit ratio: the trail's whole ingest, guards on, against a bare COPY of the same bytes, in turns in one run."""

import asyncio
import json
import os
import secrets
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

from audit import deployment
from contracts import topics
from guichet.bench.ratio import Base, base, events, steady_rate
from guichet.publishing import publish
from guichet.stack import processes
from guichet.stack.errors import StackError
from guichet.stack.ports import free_ports

NAME = "bench.example/audit"
SECONDS = 600


async def audit_ratio(home: Path, count: int = 30_000, rounds: int = 3) -> dict[str, Any]:
    """Records a second of each, and the middle of the ratios of the rounds; every round on new records.

    Who goes first takes turns: the broker is still busy with what was published.

    `audit_ratio` is held against COPY into a table with the columns and indexes of the trail's, `audit_ratio_plain`
    against one without any index.
    """
    async with base(home) as found:
        passwords = {role: secrets.token_hex(8) for role in deployment.ROLES}
        await deployment.deploy(found.postgres.superuser_url, passwords, [found.kafka.bootstrap], NAME)
        trail = found.postgres.url_of(deployment.INGEST, passwords[deployment.INGEST], deployment.DATABASE)
        bare = {name: await found.postgres.create_database(name) for name in ("indexed", "plain")}
        turns = ["ingest", *bare]
        rates: list[tuple[float, float, float]] = []
        for _ in range(rounds):
            await publish(found.state(), events(count), 120)
            rate: dict[str, float] = {}
            for name in turns:
                rate[name] = await (
                    _copy(found, bare[name], name, count) if name in bare else _ingest(found, trail, count)
                )
            rates.append((rate["ingest"], rate["indexed"], rate["plain"]))
            turns.append(turns.pop(0))
        return summary(rates)


def summary(rates: list[tuple[float, float, float]]) -> dict[str, Any]:
    """What is reported of the rounds, each (ingest, COPY with indexes, COPY without) in records a second."""
    return {
        "audit_ratio": round(median(ingest / indexed for ingest, indexed, _ in rates), 3),
        "audit_ratio_plain": round(median(ingest / plain for ingest, _, plain in rates), 3),
        "audit_per_second": round(median(ingest for ingest, _, _ in rates)),
        "copy_indexed_per_second": round(median(indexed for _, indexed, _ in rates)),
        "copy_plain_per_second": round(median(plain for _, _, plain in rates)),
        "audit_ratio_rounds": [round(ingest / indexed, 3) for ingest, indexed, _ in rates],
    }


async def _ingest(found: Base, database: str, count: int) -> float:
    """The audit service, started beside `count` unread records, until all of them are leaves."""
    environment = _environment(found, database) | {
        "GUICHET_HTTP_PORT": str(free_ports(1)[0]),
        "GUICHET_AUDIT_NAME": NAME,
        "GUICHET_LOG_LEVEL": "warning",
    }
    connection = await asyncpg.connect(database)
    log = found.home / "logs" / "audit.log"
    before = await _leaves(connection)
    process = processes.spawn(
        "audit", [sys.executable, "-m", "audit"], home=found.home, log=log, environment=environment
    )
    marks, deadline = [(time.monotonic(), 0)], time.monotonic() + SECONDS
    try:
        while marks[-1][1] < count:
            if time.monotonic() > deadline or not process.alive():
                raise StackError(f"{marks[-1][1]} of {count} records are in the trail", f"read {log}")
            await asyncio.sleep(0.02)
            marks.append((time.monotonic(), await _leaves(connection) - before))
    finally:
        await asyncio.to_thread(process.stop)
        await connection.close()
    return steady_rate(marks, count)


async def _leaves(connection: asyncpg.Connection) -> int:
    sql = "SELECT sum(tree_size)::bigint FROM audit.head JOIN audit.log USING (log_id) WHERE topic = $1"
    return int(await connection.fetchval(sql, topics.PORTAL))


async def _copy(found: Base, database: str, kind: str, count: int) -> float:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "guichet.bench.copying", str(count), kind),
        env=_environment(found, database),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise StackError("the bare loop of the benchmark failed", "run it again")
    return float(json.loads(out)["rate"])


def _environment(found: Base, database: str) -> dict[str, str]:
    given = {key: value for key, value in os.environ.items() if not key.startswith("GUICHET_")}
    return given | {"GUICHET_KAFKA": found.kafka.bootstrap, "GUICHET_DATABASE_URL": database}
