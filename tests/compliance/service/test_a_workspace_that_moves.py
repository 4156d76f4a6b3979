"""What compliance makes of a move that provisioning tells it of: the permit is judged where its data stand."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

FIRST, SECOND = "env-souverain", "env-pmsi"
ENVIRONMENTS = Path(__file__).parents[2] / "cases" / "environments.json"


def named(environment_id: str) -> dict[str, Any]:
    hosts = json.loads(ENVIRONMENTS.read_text("utf-8"))["environments"]
    return copy.deepcopy(next(host for host in hosts if host["environment_id"] == environment_id))


async def permitted(desk: Any) -> None:
    await desk.on("2026-09-01")
    await desk.accept("F05a")
    await desk.on("2026-09-08")
    await desk.tell("file.received", {"body": "CESREES"}, source="/authorities/HDH")
    await desk.on("2026-10-01")
    await desk.tell(
        "opinion.issued", {"body": "CESREES", "verdict": "favourable", "by": ["m-1"]}, source="/authorities/HDH"
    )
    assert "permit.issued" in await desk.names()


async def tell_moved(desk: Any, to: str) -> None:
    data = {
        "workspace_id": str(uuid4()),
        "request_id": desk.request_id,
        "source_environment_id": FIRST,
        "target_environment_id": to,
        "tables": [],
    }
    await desk.tell("rehosting.cut-over", data, source="/guichet/provisioning")


async def stands(desk: Any) -> tuple[str, bool]:
    """Where compliance last judged the permit, and whether work may go on there."""
    async with desk.database.connection() as connection:
        text = await connection.fetchval("SELECT assessment FROM cases WHERE request_id = $1", desk.request_id)
    kept = json.loads(text)
    return kept["environment"]["environment_id"], kept["start_allowed"]


async def test_a_permit_is_judged_by_the_host_it_moved_to_and_its_decisions_can_be_made_again(desk: Any) -> None:
    await permitted(desk)
    await desk.on("2026-11-02")
    lost = {"environment_id": FIRST, "evidence": "SNDS_HOMOLOGATION"}
    await desk.tell("environment.qualification-lost", lost, key=FIRST)
    await desk.on("2026-11-02", "10:01")
    assert await stands(desk) == (FIRST, False)

    await tell_moved(desk, SECOND)
    assert await stands(desk) == (SECOND, True)
    await desk.on("2026-12-01")
    await desk.tell("environment.qualification-lost", {"environment_id": SECOND, "evidence": "HDS"}, key=SECOND)
    await desk.on("2026-12-01", "10:01")
    assert await stands(desk) == (SECOND, False), "news of the new host finds the permit"
    await desk.tell("revocation.ordered", {"by": ["a-9"]}, source="/authorities/CNIL")
    assert "permit.revoked" in await desk.names()
    assert all(again.same for again in await desk.decisions())


async def test_a_move_to_a_host_that_is_not_known_yet_counts_as_soon_as_it_is(desk: Any) -> None:
    """Two topics have no order between them."""
    await permitted(desk)
    await desk.on("2026-11-02")
    await tell_moved(desk, "env-new")
    assert await stands(desk) == (FIRST, True)
    await desk.tell("workspace.reported", {"state": "open"}, source="/hosts/env-new")
    assert await stands(desk) == (FIRST, True)

    await desk.tell("environment.registered", named(SECOND) | {"environment_id": "env-new"}, key="env-new")
    await desk.on("2026-11-02", "10:01")
    assert await stands(desk) == ("env-new", True)
