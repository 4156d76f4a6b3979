"""Results that leave a workspace: provisioning gives or keeps what compliance has judged."""

from __future__ import annotations

from typing import Any

import pytest
from tests.provisioning.conftest import ENVIRONMENT, Bench, permit, running

from contracts.compliance import OutputAssessed, PermitClosed
from contracts.hosts import EnvironmentQualificationLost
from contracts.identity import permit_id
from guichet.stack.postgres import Postgres


def assessed(bench: Bench, ref: str, verdict: str, code: str | None = None, cells: tuple[str, ...] = ()) -> Any:
    return OutputAssessed.model_validate(
        {
            "request_id": bench.request_id,
            "on": permit(bench.request_id).on,
            "ref": ref,
            "verdict": verdict,
            "code": code,
            "citation": "SNDS-REF:4.5",
            "threshold": 11,
            "cells": cells,
        }
    )


async def test_an_output_is_released_returned_or_rejected_as_it_was_judged_and_said_so(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id))
    await bench.until("workspace.opened")
    await bench.tell(assessed(bench, "o-1", "in-review"))
    await bench.tell(assessed(bench, "o-1", "released"))
    await bench.tell(assessed(bench, "o-2", "returned", "CELL_BELOW_THRESHOLD", ("age-80.dep-48",)))
    await bench.tell(assessed(bench, "o-3", "rejected", "OUTPUT_PERSONAL"))
    said = [(name, data) for name, data in await bench.said() if name.startswith("output.")]
    assert [(name, data["ref"], data["code"], data["cells"]) for name, data in said] == [
        ("output.released", "o-1", None, []),
        ("output.returned", "o-2", "CELL_BELOW_THRESHOLD", ["age-80.dep-48"]),
        ("output.rejected", "o-3", "OUTPUT_PERSONAL", []),
    ]
    assert {data["citation"] for _, data in said} == {"SNDS-REF:4.5"}
    async with bench.desk() as desk:
        shown = await desk.show(bench.workspace_id)
    assert [(o["ref"], o["verdict"]) for o in shown["outputs"]] == [
        ("o-1", "released"),
        ("o-2", "returned"),
        ("o-3", "rejected"),
    ]


async def test_nothing_leaves_a_workspace_that_is_not_there(bench: Bench) -> None:
    await bench.tell(assessed(bench, "o-1", "released"))
    assert await bench.said() == []
    await bench.tell(permit(bench.request_id))
    await bench.until("workspace.opened")
    about = {"request_id": bench.request_id, "on": permit(bench.request_id).on}
    await bench.tell(PermitClosed(**about, permit_id=permit_id(bench.request_id)))
    await bench.until("workspace.destroyed")
    await bench.tell(assessed(bench, "o-2", "released"))
    assert "output.released" not in [name for name, _ in await bench.said()]


async def test_a_host_that_registers_again_does_not_get_its_workspaces_back(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id))
    await bench.until("workspace.opened")
    lost = EnvironmentQualificationLost(environment_id=ENVIRONMENT, evidence="HDS")
    await bench.tell(lost, key=ENVIRONMENT, source=f"/hosts/{ENVIRONMENT}")
    await bench.until("workspace.frozen")
    await bench.register()
    await bench.quiet()
    async with bench.desk() as desk:
        (environment,) = await desk.list_environments()
    assert [proof["type"] for proof in environment["evidence"] if proof["lost_on"]] == ["HDS"]
    assert [name for name, _ in await bench.said()].count("workspace.opened") == 1


@pytest.mark.parametrize("backups", [(), ("daily-30",)])
async def test_a_certificate_says_which_backups_hold_the_data_on(
    postgres: Postgres, holder_url: str, backups: tuple[str, ...]
) -> None:
    async with running(postgres, holder_url, workspaces_backups=backups) as bench:
        await bench.tell(permit(bench.request_id))
        tables = (await bench.until("workspace.provisioned"))["tables"]
        about = {"request_id": bench.request_id, "on": permit(bench.request_id).on}
        await bench.tell(PermitClosed(**about, permit_id=permit_id(bench.request_id)))
        certificate = (await bench.until("workspace.destroyed"))["certificate"]
        assert (certificate["covers_backups"], certificate["backups"]) == (not backups, list(backups))
        assert certificate["tables"] == tables
        async with bench.runtime.database.connection() as connection:
            kept = await connection.fetchrow("SELECT certificate, sha256 FROM certificates")
        assert (certificate["sha256"], certificate["pseudonym_key_destroyed"]) == (kept["sha256"], True)
