"""Every way to change what was recorded, by each role that might try: refused, and by what, or found out."""

from __future__ import annotations

import re

import asyncpg
import pytest
from tests.audit import attacks

from audit.deployment import INGEST, OWNER, READ, SIGNER
from threats import write_table

ATTACKS = {
    INGEST: [*attacks.everybody()],
    READ: [*attacks.everybody(), *attacks.readers()],
    SIGNER: [*attacks.everybody(), *attacks.readers()],
    OWNER: [*attacks.everybody(), *attacks.owner()],
}


@pytest.fixture
async def attacked(trail):
    """A trail with leaves, a blob and a checkpoint, a second log that is broken, and an owner who may log in."""
    for number in range(4):
        await trail.send(bytes(100_000) if number == 1 else b"%d" % number)
    await trail.record()
    connection = await asyncpg.connect(trail.url)
    try:
        await connection.execute(
            "INSERT INTO audit.checkpoint SELECT log_id, tree_size, E'o\\n1\\nr\\n\\n— a b=\\n' FROM audit.head"
        )
        await connection.execute("UPDATE audit.log SET state = 'broken' WHERE log_id = 2")
        await connection.execute(f"ALTER ROLE {OWNER} LOGIN PASSWORD '{OWNER}'")
        await connection.execute(f'GRANT CONNECT ON DATABASE "{trail.url.rpartition("/")[2]}" TO {OWNER}')
        yield trail
        await connection.execute(f"ALTER ROLE {OWNER} NOLOGIN PASSWORD NULL")
    finally:
        await connection.close()


async def attempt(connection: asyncpg.Connection, statement: str) -> str | None:
    """What refused the statement, inside a transaction that is rolled back; None when nothing did."""
    outside = re.match(r"(ALTER SYSTEM|DROP DATABASE|CREATE SUBSCRIPTION)", statement)
    transaction = None if outside else connection.transaction()
    if transaction:
        await transaction.start()
    try:
        await connection.execute(statement)
    except asyncpg.PostgresError as error:
        return reason(error)
    finally:
        if transaction:
            await transaction.rollback()
    return None


def reason(error: asyncpg.PostgresError) -> str:
    """The rule, where a guard spoke; otherwise what PostgreSQL itself says."""
    if rule := re.match(r"(H\d+): ", str(error)):
        return rule[1]
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return "H1 grants" if "permission denied for" in str(error) else "privilege"
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return "constraint"
    if isinstance(error, asyncpg.GeneratedAlwaysError):
        return "H12"
    return "foreign key" if error.sqlstate == "0A000" else f"SQLSTATE {error.sqlstate}"


@pytest.mark.threat(1)
@pytest.mark.threat(7)
@pytest.mark.parametrize("role", ATTACKS)
async def test_every_attack_statement_is_refused(attacked, role):
    other = READ if role == INGEST else INGEST
    names = {"role": role, "other": other, "database": attacked.url.rpartition("/")[2]}
    connection = await asyncpg.connect(attacked.url_of(role))
    succeeded, rows = [], []
    try:
        for template in ATTACKS[role]:
            statement = re.sub(r"\{(\w+)\}", lambda found: names[found[1]], template)
            by = await attempt(connection, statement)
            if by is None:
                succeeded.append(statement)
            rows.append((template, role, "refused" if by else "DONE", by or "nothing"))
    finally:
        await connection.close()
    write_table(rows, afresh=role)
    assert succeeded == []
    assert [row for row in rows if row[3].startswith("SQLSTATE")] == []
    report = await attacked.verify()
    assert report.holds, report.failures
