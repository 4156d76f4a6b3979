"""On a running stack a log goes on in its next epoch, and a trail built from bundles is the one that was signed."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from pathlib import Path

import asyncpg
import httpx
import pytest
from tests.audit.test_signing import recompute

from dossiers import dossier
from guichet.publishing import clock_now
from guichet.stack.databases import AUDIT_NAME
from guichet.stack.postgres import binaries
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import StackState
from guichet_verify.attributes import attributes_of
from guichet_verify.leaves import Record, parse
from programs import run_guichet
from stacks import insist, submission

PERSONS = ("--by", "operator-1", "--by", "auditor-2")


async def guichet(home: Path, *arguments: str) -> str:
    ran = await run_guichet(*arguments, GUICHET_HOME=str(home))
    assert ran.code == 0, ran.err
    return ran.out


async def submitted(state: StackState, reference: str) -> None:
    """A request on its way, and everything that followed from it recorded."""
    async with httpx.AsyncClient(timeout=60) as client:
        event = submission(dossier("F02a", reference), await clock_now(state))
        assert (await insist(client, state, event)).status_code == 202
    await wait_quiet(state)


async def cosigned(state: StackState, origin: str) -> str:
    """The newest published checkpoint of a log, as soon as it is one that the witness signed beside the log's own key.

    What is signed is published a moment later, and only what is published is exported.
    """
    deadline = time.monotonic() + 120
    async with httpx.AsyncClient(base_url=state.service("audit").url, timeout=30) as published:
        while True:
            answer = await published.get(f"/{origin}/checkpoint")
            if answer.status_code == httpx.codes.OK and answer.text.count("\n— ") > 1:
                return answer.text
            assert time.monotonic() < deadline, "nobody cosigned it"
            await asyncio.sleep(0.5)


async def test_a_log_goes_on_in_its_next_epoch_and_from_bundles_the_same_trail_is_built(
    standing_at_home: tuple[Path, StackState], tmp_path: Path
) -> None:
    home, state = standing_at_home
    await submitted(state, "EPOCHS-1")
    old = f"{AUDIT_NAME}/trail/guichet.requests/0/1"
    new = f"{AUDIT_NAME}/trail/guichet.requests/0/2"
    assert f"{new} goes on at" in await guichet(home, "audit", "epoch", "open", old)
    held = []
    for origin in (old, new):
        held.append(tmp_path / origin.replace("/", "-"))
        held[-1].write_text(await cosigned(state, origin), "utf-8")

    bundle, after = tmp_path / "whole.auditbundle", tmp_path / "after.auditbundle"
    await guichet(home, "audit", "export", "--all", "-o", str(bundle))
    await guichet(home, "audit", "rebuild", "--bundle", str(bundle), *PERSONS)
    await submitted(state, "EPOCHS-2")
    await guichet(home, "audit", "verify")
    since = [argument for file in held for argument in ("--since", str(file))]
    await guichet(home, "audit", "export", "--all", *since, "-o", str(after))
    known = [argument for file in held for argument in ("--held", str(file))]
    # L3 holds only when each held log is in the bundle, and extended by it; L4 when the witness went along.
    await guichet(home, "audit", "verify", str(after), *known, "--require", "L3", "--require", "L4")


async def test_what_is_brought_back_is_held_against_the_signer_and_a_log_that_breaks_goes_on(
    standing_at_home: tuple[Path, StackState], tmp_path: Path
) -> None:
    home, state = standing_at_home
    await submitted(state, "BROUGHT-BACK-1")
    dump = tmp_path / "early.dump"
    await guichet(home, "audit", "backup", str(dump))
    broken = f"{AUDIT_NAME}/trail/guichet.requests/1/1"
    assert "lost offsets: none" in await guichet(home, "audit", "break", broken, *PERSONS)
    await submitted(state, "BROUGHT-BACK-2")
    # The backup knows nothing of the next epoch; the broker does.
    assert "what is there, and what signer and witness hold" in await guichet(
        home, "audit", "drill", "--backup", str(dump)
    )
    signer = state.watchers["signer"].running
    assert signer is not None
    process = signer.process("signer")
    process.send(signal.SIGSTOP)
    try:
        refused = await run_guichet("audit", "rebuild", *PERSONS, GUICHET_HOME=str(home))
        assert refused.code == 1
        assert "what was signed last is not known" in refused.err
        unheld = await run_guichet("audit", "verify", GUICHET_HOME=str(home))
        assert (unheld.code, "not-held: the signer does not answer" in unheld.out) == (13, True)
    finally:
        process.send(signal.SIGCONT)
    await guichet(home, "audit", "verify")
    async with httpx.AsyncClient(base_url=state.service("audit").url, timeout=30) as published:
        logs = (await published.get("/logs")).json()["logs"]
    (accesses,) = (each for each in logs if each["origin"] == f"{AUDIT_NAME}/access/guichet.access/0/1")
    assert accesses["size"] > 1, "that somebody took a copy is on record"
    await checked(home, {"verified": (True, True), "drilled": (True, True), "reconciled": (False, False)})
    await guichet(home, "audit", "reconcile")
    await checked(home, {"reconciled": (True, True)})


@pytest.mark.threat(9)
async def test_a_backup_in_which_one_event_was_rewritten_with_care_is_not_put_in_place(
    standing_at_home: tuple[Path, StackState], tmp_path: Path
) -> None:
    home, state = standing_at_home
    await submitted(state, "REWRITTEN-1")
    clean, rewritten = tmp_path / "clean.dump", tmp_path / "rewritten.dump"
    await guichet(home, "audit", "backup", str(clean))
    server = await asyncpg.connect(state.postgres.url("postgres"))
    try:
        await server.execute("CREATE DATABASE rewritten")
        url = state.postgres.url("rewritten")
        await ran("pg_restore", "--exit-on-error", "--dbname", url, str(clean))
        origin = await rewrite_an_acceptance(url)
        await ran("pg_dump", "--format=custom", "--dbname", url, "--file", str(rewritten))
        code = (await run_guichet("audit", "verify", "--database", url, GUICHET_HOME=str(home))).code
        assert code == 0, "nothing inside it shows it"
        await server.execute("DROP DATABASE rewritten")
    finally:
        await server.close()
    refused = await run_guichet("audit", "restore", str(rewritten), *PERSONS, GUICHET_HOME=str(home))
    assert (refused.code, "nothing was replaced" in refused.err) == (1, True)
    for who in ("signer", "witness", "published checkpoint"):
        assert re.search(rf"{origin}: fork: another root at size [0-9]+ than the {who} holds", refused.err), who
    await guichet(home, "audit", "verify")


async def ran(program: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(str(binaries() / program), *arguments)
    assert await process.wait() == 0


async def rewrite_an_acceptance(url: str) -> str:
    """One byte of what a portal is answered, and then every hash above it; the log it is in."""
    connection = await asyncpg.connect(url)
    try:
        for table in ("entry", "tile", "head"):
            await connection.execute(f"ALTER TABLE audit.{table} DISABLE TRIGGER USER")
        row = await connection.fetchrow(
            """
            UPDATE audit.entry SET leaf = overlay(leaf PLACING '\\x30' FROM length(leaf) - 3)
            WHERE (log_id, leaf_index) = (
                SELECT log_id, leaf_index FROM audit.entry JOIN audit.log USING (log_id)
                WHERE event_type = 'guichet.request.accepted.v1' AND state = 'active' LIMIT 1)
            RETURNING log_id, (SELECT origin FROM audit.log WHERE log.log_id = entry.log_id) AS origin
            """
        )
        await recompute(url, row["log_id"])
        for table in ("entry", "tile", "head"):
            await connection.execute(f"ALTER TABLE audit.{table} ENABLE TRIGGER USER")
        return str(row["origin"])
    finally:
        await connection.close()


async def test_a_fact_that_a_service_committed_and_never_sent_is_an_alarm_with_its_numbers(
    standing_at_home: tuple[Path, StackState],
) -> None:
    home, state = standing_at_home
    intake = await asyncpg.connect(state.service("intake").database_url)
    never = ("/guichet/intake", "never-sent")
    try:
        # As after an outbox that somebody emptied: the numbers are given out, and nothing bears them.
        await intake.execute("INSERT INTO chassis.sequences (source, subject, last) VALUES ($1, $2, 2)", *never)
        found = await run_guichet("audit", "reconcile", GUICHET_HOME=str(home))
        assert (found.code, f"{' '.join(never)}: 1 to 2 were said and never recorded" in found.out) == (1, True)
        assert (await alarmed(state, never[1]))[-1] == ("guichet.gap.found.v1", 1, 2)
    finally:
        await intake.execute("DELETE FROM chassis.sequences WHERE source = $1 AND subject = $2", *never)
        await intake.close()
    await guichet(home, "audit", "reconcile")
    assert [kind for kind, *_ in await alarmed(state, never[1])] == ["guichet.gap.found.v1", "guichet.gap.closed.v1"]


async def alarmed(state: StackState, subject: str) -> list[tuple[str, int, int]]:
    """What the trail has of the alarms about a subject, in order."""
    await wait_quiet(state)
    connection = await asyncpg.connect(state.service("audit").database_url)
    try:
        rows = await connection.fetch(
            "SELECT leaf FROM audit.entry WHERE subject = $1 ORDER BY sequence", f"gap/never_sent/{subject}"
        )
    finally:
        await connection.close()
    found = []
    for row in rows:
        record = parse(row["leaf"])
        assert isinstance(record, Record)
        said = json.loads(record.value or b"")
        assert (said["source"], said["subject"]) == ("/guichet/intake", subject)
        found.append((attributes_of(record).type or "", said["first_missing"], said["last_missing"]))
    return found


async def checked(home: Path, wanted: dict[str, tuple[bool, bool]]) -> None:
    """Waits until the trail has it that these checks were made, and held lately."""
    deadline = time.monotonic() + 60
    while True:
        answer = await run_guichet("audit", "checks", "--json", GUICHET_HOME=str(home))
        found = {each["check"]: each for each in json.loads(answer.out)["checks"]}
        seen = {name: (found[name]["made_at"] is not None, not found[name]["overdue"]) for name in wanted}
        if seen == wanted:
            assert answer.code == int(any(each["overdue"] for each in found.values()))
            return
        assert time.monotonic() < deadline, seen
        await asyncio.sleep(0.5)
