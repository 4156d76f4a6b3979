"""Workspaces move to another environment without losing a row, a right or a word of the trail."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from tests.provisioning.conftest import ENVIRONMENT, Bench, dataset, permit, running
from tests.provisioning.workers import KILLED, answering, ended, worker

from contracts.hosts import EnvironmentQualificationLost, EnvironmentQualified, EvidenceItem
from contracts.identity import workspace_id
from guichet.stack.postgres import Postgres
from provisioning.environments import Refused
from provisioning.environments.names import schema
from provisioning.environments.postgres import PostgresEnvironment
from provisioning.places import place_of

pytestmark = pytest.mark.long

OTHER = "env-clinique"
MOVES = int(os.environ.get("GUICHET_TEST_MOVES", "6"))
"""How many workspaces move while their workers are killed; 50 for the proof."""
LIMIT = 300 + 20 * MOVES
COVERED = (ENVIRONMENT, OTHER)


@asynccontextmanager
async def two_environments(postgres: Postgres, holder_url: str, **settings: Any) -> AsyncIterator[tuple[Bench, str]]:
    """A service that drives two environments, each a database of its own; with the second one's address."""
    other_url = await postgres.create_database()
    both = (ENVIRONMENT, f"{OTHER}={urlsplit(other_url).path[1:]}")
    async with running(postgres, holder_url, postgres_environments=both, **settings) as bench:
        await bench.register(OTHER)
        yield bench, other_url


async def lose(bench: Bench, environment_id: str = ENVIRONMENT, evidence: str = "HDS") -> None:
    lost = EnvironmentQualificationLost.model_validate({"environment_id": environment_id, "evidence": evidence})
    await bench.tell(lost, key=environment_id, source=f"/hosts/{environment_id}")


async def rows_of(url: str, place: str, table: str) -> int:
    connection = await asyncpg.connect(url, database=schema(place))
    try:
        return int(await connection.fetchval(f"SELECT count(*) FROM {schema(place)}.{table}"))
    finally:
        await connection.close()


async def traces_of(url: str, place: str) -> int:
    """Databases and roles that a server still has of a place."""
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetchval(
            "SELECT (SELECT count(*) FROM pg_database WHERE datname = $1) "
            "+ (SELECT count(*) FROM pg_roles WHERE starts_with(rolname, $1))",
            schema(place),
        )
        return int(found)
    finally:
        await connection.close()


def names(said: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    return [name for name, _ in said]


async def test_a_lost_qualification_moves_the_workspace_to_an_environment_that_is_cleared(
    postgres: Postgres, holder_url: str
) -> None:
    async with two_environments(postgres, holder_url) as (bench, _):
        await bench.tell(permit(bench.request_id, covers_environments=COVERED))
        made = (await bench.until("workspace.provisioned"))["tables"]
        await bench.until("workspace.opened")
        session = await bench.as_person("p-pi")
        seen = await session.fetch("SELECT person_id FROM snds_main_persons ORDER BY 1")

        await lose(bench)
        completed = await bench.until("rehosting.completed")
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
            await session.fetchval("SELECT 1")
        said = await bench.said()
        assert names(said)[6:] == [
            "environment.rejected",
            "workspace.frozen",
            "workspace.reported",
            "environment.cleared",
            "rehosting.planned",
            "rehosting.cut-over",
            "workspace.opened",
            "workspace.reported",
            "rehosting.completed",
        ]
        cut_over = dict(said)["rehosting.cut-over"]
        assert cut_over["tables"] == made
        assert (cut_over["source_environment_id"], cut_over["target_environment_id"]) == (ENVIRONMENT, OTHER)
        assert dict(said)["workspace.opened"] == {
            "workspace_id": bench.workspace_id,
            "request_id": bench.request_id,
            "environment_id": OTHER,
            "persons": ["p-an1", "p-pi"],
        }
        certificate = completed["certificate"]
        assert (certificate["environment_id"], certificate["objects_left"]) == (ENVIRONMENT, 0)
        assert certificate["pseudonym_key_destroyed"] is False
        assert [t["sha256"] for t in certificate["tables"]] == [t["sha256"] for t in made]
        assert completed["downtime_seconds"] >= 0
        assert await traces_of(bench.workspaces_url, bench.workspace_id) == 0

        # The same pseudonyms for the same persons, at the other place.
        session = await bench.as_person("p-pi")
        assert await session.fetchval("SELECT current_database()") == schema(place_of(bench.workspace_id, 1))
        assert await session.fetch("SELECT person_id FROM snds_main_persons ORDER BY 1") == seen
        await session.close()
        async with bench.desk() as desk:
            shown = await desk.show(bench.workspace_id)
        assert (shown["state"], shown["environment_id"], shown["permit"]) == ("open", OTHER, "active")
        assert [c["environment_id"] for c in shown["certificates_of_moves"]] == [ENVIRONMENT]


async def test_a_workspace_that_no_environment_may_take_waits_frozen_until_one_may(
    postgres: Postgres, holder_url: str
) -> None:
    async with two_environments(postgres, holder_url) as (bench, _):
        await lose(bench, OTHER, "SNDS_HOMOLOGATION")
        await bench.tell(permit(bench.request_id, covers_environments=COVERED))
        await bench.until("workspace.opened")
        await lose(bench)
        needed = await bench.until("workspace.person-needed")
        assert (needed["step"], needed["code"]) == ("plan-move", "NO_CLEARED_ENVIRONMENT")
        assert "rehosting.planned" not in names(await bench.said())
        item = EvidenceItem.model_validate_json(
            '{"type": "SNDS_HOMOLOGATION", "issuer": "a", "reference": "new", "valid_from": "2026-01-01",'
            '"valid_to": "2032-12-31"}'
        )
        qualified = EnvironmentQualified(environment_id=OTHER, evidence=item)
        await bench.tell(qualified, key=OTHER, source=f"/hosts/{OTHER}")
        await bench.until("rehosting.completed")


async def test_nothing_moves_where_the_impact_assessment_does_not_reach(postgres: Postgres, holder_url: str) -> None:
    async with two_environments(postgres, holder_url) as (bench, _):
        await bench.tell(permit(bench.request_id, covers_environments=(ENVIRONMENT,)))
        await bench.until("workspace.opened")
        async with bench.desk() as desk:
            (line,) = await desk.rehost(ENVIRONMENT, OTHER, dry_run=True)
            assert line["obstacle"] == "NOT_IN_IMPACT_ASSESSMENT"
            (line,) = await desk.rehost(ENVIRONMENT, OTHER)
            assert line["obstacle"] == "NOT_IN_IMPACT_ASSESSMENT"
        await lose(bench)
        assert (await bench.until("workspace.person-needed"))["code"] == "NO_CLEARED_ENVIRONMENT"


async def test_a_move_that_is_tried_dry_changes_nothing_and_one_called_off_leaves_no_copy(
    postgres: Postgres, holder_url: str
) -> None:
    async with two_environments(postgres, holder_url, steps=False) as (bench, other_url):
        first = await worker(bench)
        await bench.tell(permit(bench.request_id, covers_environments=COVERED))
        await bench.until("workspace.opened")
        await bench.quiet()
        first.terminate()
        await ended(first)
        before = await bench.said()
        async with bench.desk() as desk:
            (line,) = await desk.rehost(ENVIRONMENT, OTHER, dry_run=True)
            assert (line["obstacle"], line["moves_to"], line["rows"] > 0) == (None, OTHER, True)
            assert await bench.said() == before
            await desk.rehost(ENVIRONMENT, OTHER)
            # The worker dies when the copy stands and nobody has said so.
            assert await ended(await worker(bench, "step_copy_done")) == KILLED
            assert await traces_of(other_url, place_of(bench.workspace_id, 1)) > 0
            await desk.call_off(ENVIRONMENT, OTHER)
        last = await worker(bench)
        rolled_back = await bench.until("rehosting.rolled-back")
        assert rolled_back["code"] == "ORDERED_BY_OPERATOR"
        assert (await bench.until("workspace.opened", times=2))["environment_id"] == ENVIRONMENT
        last.terminate()
        await ended(last)
        assert await traces_of(other_url, place_of(bench.workspace_id, 1)) == 0
        with pytest.raises(Refused, match="UNKNOWN_ENVIRONMENT"):
            async with bench.desk() as desk:
                await desk.rehost(ENVIRONMENT, "env-nowhere")


async def test_a_copy_that_does_not_equal_its_source_is_never_opened(postgres: Postgres, holder_url: str) -> None:
    async with two_environments(postgres, holder_url, step_attempts=1) as (bench, _):
        await bench.tell(permit(bench.request_id, covers_environments=COVERED))
        await bench.until("workspace.opened")
        await bench.quiet()
        admin = await asyncpg.connect(bench.workspaces_url, database=schema(bench.workspace_id))
        await admin.execute(f"UPDATE {schema(bench.workspace_id)}.snds_main_persons SET person_id = person_id || 'x'")
        await admin.close()
        await lose(bench)
        needed = await bench.until("workspace.person-needed")
        assert (needed["step"], needed["code"]) == ("copy", "MANIFESTS_DIFFER")
        assert "rehosting.cut-over" not in names(await bench.said())


CRASHES = [
    None,
    "step_freeze_done",
    "step_plan-move_leased",
    "step_plan-move_recorded:2",
    "table_copied",
    "table_copied:3",
    "step_copy_done",
    "step_copy_recorded:2",
    "step_switch_leased",
    "step_switch_done:2",
    "step_open_done:2",
    "step_leave_done",
    "step_leave_recorded",
]


@pytest.mark.timeout(3 * LIMIT)
async def test_many_workspaces_move_while_their_workers_are_killed(
    postgres: Postgres, holder_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dice = random.Random(20261126)
    async with two_environments(postgres, holder_url, steps=False) as (bench, other_url):
        requests = [str(uuid4()) for _ in range(MOVES)]
        first = await worker(bench)
        for request_id in requests:
            data = (dataset("snds-main"), dataset("eds-chu-nord", ("a",)))
            await bench.tell(permit(request_id, covers_environments=COVERED, datasets=data))
        made = {
            r: (await bench.until("workspace.provisioned", request_id=r, seconds=LIMIT))["tables"] for r in requests
        }
        for request_id in requests:
            await bench.until("workspace.opened", request_id=request_id, seconds=LIMIT)
        await bench.quiet()
        first.terminate()
        await ended(first)

        await lose(bench)
        for number in range(max(MOVES, 4)):
            crash = dice.choice(CRASHES)
            process = await worker(bench, crash)
            try:
                async with asyncio.timeout(dice.uniform(2, 5)):
                    await process.wait()
            except TimeoutError:
                process.send_signal(signal.SIGKILL)
            assert await ended(process) in (KILLED, -signal.SIGKILL), number
        survivor, over = await worker(bench), asyncio.Event()
        person = asyncio.create_task(answering(bench, over))
        for request_id in requests:
            await bench.until("rehosting.completed", request_id=request_id, seconds=LIMIT)
        over.set()
        await person
        await bench.quiet(LIMIT)
        survivor.terminate()
        await ended(survivor)

        elsewhere = PostgresEnvironment("", other_url)
        certificates = set()
        for request_id in requests:
            said = await bench.said(request_id)
            for once in ("rehosting.planned", "rehosting.cut-over", "rehosting.completed", "workspace.frozen"):
                assert names(said).count(once) == 1, (once, names(said))
            assert names(said).count("workspace.opened") == 2
            cut_over, completed = dict(said)["rehosting.cut-over"], dict(said)["rehosting.completed"]
            certificates.add(completed["certificate"]["certificate_id"])
            place = place_of(workspace_id(request_id), 1)
            there = sorted(
                (
                    {"dataset_id": t.dataset_id, "table": t.table, "rows": t.rows, "sha256": t.sha256}
                    for t in await elsewhere.manifests(place)
                ),
                key=lambda table: table["table"],
            )
            for tables in (made[request_id], cut_over["tables"]):
                assert sorted(tables, key=lambda table: table["table"]) == there
            assert await traces_of(bench.workspaces_url, workspace_id(request_id)) == 0
        assert len(certificates) == MOVES
        assert not await gaps_in_the_trail(bench)
        async with bench.desk() as desk:
            moves = await desk.list_moves()
        assert len(moves) == MOVES
        with capsys.disabled():
            print(f"\ndowntime of {MOVES} workspaces: " + ", ".join(f"{m['downtime_seconds']:.1f} s" for m in moves))
        assert all(move["downtime_seconds"] > 0 for move in moves)


async def gaps_in_the_trail(bench: Bench) -> list[str]:
    """Subjects about which some source did not say 1, 2, 3, …: none may be missing, none said twice."""
    async with bench.runtime.database.connection() as connection:
        rows = await connection.fetch(
            "SELECT subject, array_agg(sequence ORDER BY sequence) AS found FROM chassis.facts GROUP BY source, subject"
        )
    return [row["subject"] for row in rows if list(row["found"]) != list(range(1, len(row["found"]) + 1))]
