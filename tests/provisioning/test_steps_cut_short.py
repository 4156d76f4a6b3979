"""A step was begun and is no longer wished, and nobody says what it did: what it left is put right before all else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import asyncpg
import pytest
from tests.provisioning.conftest import Bench, dataset, permit, person, running
from tests.provisioning.workers import KILLED, answer, ended, worker

from contracts.compliance import PermitAmended, PermitResumed, PermitSuspended
from contracts.facts import Fact
from contracts.identity import permit_id
from guichet.stack.postgres import Postgres

pytestmark = pytest.mark.long


def about(bench: Bench) -> dict[str, Any]:
    return {"request_id": bench.request_id, "on": date(2026, 9, 1), "permit_id": permit_id(bench.request_id)}


def amended(bench: Bench, version: int, *, refs: tuple[str, ...], datasets: tuple[str, ...]) -> Fact:
    return PermitAmended(
        **about(bench),
        version=version,
        persons=tuple(map(person, refs)),
        datasets=tuple(map(dataset, datasets)),
        persons_added=(),
        persons_removed=(),
        datasets_added=(),
        datasets_removed=(),
    )


@asynccontextmanager
async def opened(postgres: Postgres, holder_url: str, **settings: int) -> AsyncIterator[Bench]:
    """An open workspace of two persons over one dataset, and no worker."""
    async with running(postgres, holder_url, steps=False, **settings) as bench:
        first = await worker(bench)
        await bench.tell(permit(bench.request_id))
        await bench.until("workspace.opened")
        first.terminate()
        await ended(first)
        yield bench


async def settle(bench: Bench) -> None:
    """Another worker does what is left to do."""
    survivor = await worker(bench)
    await bench.quiet()
    survivor.terminate()
    await ended(survivor)


async def there(bench: Bench, sql: str) -> list[str]:
    """Names in the environment."""
    prefix = "ws_" + bench.workspace_id.replace("-", "")[:16]
    url = bench.workspaces_url
    connection = await asyncpg.connect(url if "pg_roles" in sql else url.rpartition("/")[0] + "/" + prefix)
    try:
        return [str(row[0]) for row in await connection.fetch(sql, prefix)]
    finally:
        await connection.close()


MAY_ENTER = (
    "SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1 || '_') AND rolname <> $1 || '_probe' AND rolcanlogin "
    "ORDER BY 1"
)
TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text = $1 ORDER BY 1"

Said = Callable[[Bench], Fact]


def suspended(bench: Bench) -> Fact:
    return PermitSuspended(**about(bench), reasons=())


def resumed(bench: Bench) -> Fact:
    return PermitResumed(**about(bench), reasons=())


def one_person_more(bench: Bench) -> Fact:
    return amended(bench, 2, refs=("p-pi", "p-an1", "p-new"), datasets=("snds-main",))


def one_dataset_more(bench: Bench) -> Fact:
    return amended(bench, 2, refs=("p-pi", "p-an1"), datasets=("snds-main", "eds-chu-nord"))


def as_before(bench: Bench) -> Fact:
    return amended(bench, 3, refs=("p-pi", "p-an1"), datasets=("snds-main",))


CUT_SHORT = pytest.mark.parametrize(
    ("wished", "begun", "then"),
    [
        pytest.param(suspended, "freeze", resumed, id="a freeze, and the permit holds again"),
        pytest.param(one_person_more, "admit", as_before, id="a login, and the person is out again"),
        pytest.param(one_dataset_more, "fill", as_before, id="an extraction, and the dataset is out again"),
    ],
)


@CUT_SHORT
async def test_what_a_dead_worker_did_and_nobody_wants_any_more_is_undone(
    postgres: Postgres, holder_url: str, wished: Said, begun: str, then: Said
) -> None:
    async with opened(postgres, holder_url) as bench:
        before = (await there(bench, MAY_ENTER), await there(bench, TABLES))
        await bench.tell(wished(bench))
        assert await ended(await worker(bench, f"step_{begun}_done")) == KILLED
        assert (await there(bench, MAY_ENTER), await there(bench, TABLES)) != before
        await bench.tell(then(bench))
        await settle(bench)
        assert (await there(bench, MAY_ENTER), await there(bench, TABLES)) == before
        async with bench.desk() as desk:
            assert [line["state"] for line in await desk.list_workspaces()] == ["open"]


async def test_a_person_let_in_by_a_dead_worker_is_out_before_a_frozen_workspace_opens_again(
    postgres: Postgres, holder_url: str
) -> None:
    async with opened(postgres, holder_url) as bench:
        before = await there(bench, MAY_ENTER)
        await bench.tell(one_person_more(bench))
        assert await ended(await worker(bench, "step_admit_done")) == KILLED
        await bench.tell(suspended(bench))
        await bench.tell(as_before(bench))
        await settle(bench)
        assert await there(bench, MAY_ENTER) == []
        await bench.tell(resumed(bench))
        # From before the doors open: at the moment of the opening nobody else may have a login.
        assert await ended(await worker(bench, "step_open_done")) == KILLED
        assert await there(bench, MAY_ENTER) == before


@CUT_SHORT
async def test_what_a_step_did_that_was_given_up_to_a_person_is_undone_when_nobody_wants_it_any_more(
    postgres: Postgres, holder_url: str, wished: Said, begun: str, then: Said
) -> None:
    async with opened(postgres, holder_url, step_attempts=1) as bench:
        before = (await there(bench, MAY_ENTER), await there(bench, TABLES))
        await bench.tell(wished(bench))
        assert await ended(await worker(bench, f"step_{begun}_done")) == KILLED
        await settle(bench)
        assert (await there(bench, MAY_ENTER), await there(bench, TABLES)) != before
        async with bench.desk() as desk:
            (line,) = await desk.list_workspaces()
            assert (line["state"], line["step"], line["code"]) == ("person-needed", begun, "ATTEMPTS_EXHAUSTED")
        await bench.tell(then(bench))
        await answer(bench)
        await settle(bench)
        assert (await there(bench, MAY_ENTER), await there(bench, TABLES)) == before
        async with bench.desk() as desk:
            assert [line["state"] for line in await desk.list_workspaces()] == ["open"]


async def test_a_person_let_in_by_a_step_that_was_given_up_is_out_before_a_frozen_workspace_opens_again(
    postgres: Postgres, holder_url: str
) -> None:
    async with opened(postgres, holder_url, step_attempts=1) as bench:
        before = await there(bench, MAY_ENTER)
        await bench.tell(one_person_more(bench))
        assert await ended(await worker(bench, "step_admit_done")) == KILLED
        await settle(bench)
        await bench.tell(suspended(bench))
        await bench.tell(as_before(bench))
        await answer(bench)
        await settle(bench)
        assert await there(bench, MAY_ENTER) == []
        await bench.tell(resumed(bench))
        assert await ended(await worker(bench, "step_open_done")) == KILLED
        assert await there(bench, MAY_ENTER) == before
