"""A workspace from its permit to its certificate, on a real server."""

from __future__ import annotations

from datetime import date

import asyncpg
import pytest
from chassis.service import Timer
from contracts.compliance import PermitExpired, PermitIssued, PermitResumed, PermitRevoked, PermitSuspended
from contracts.identity import permit_id

from tests.provisioning.conftest import Bench, permit


async def test_a_permit_opens_a_workspace_that_closes_and_is_destroyed(bench: Bench) -> None:
    request = bench.request_id
    await bench.tell(permit(request))
    opened = await bench.until("workspace.opened")
    assert opened["persons"] == ["p-an1", "p-pi"]
    said = [name for name, _ in await bench.said()]
    assert said == [
        "workspace.requested",
        "environment.cleared",
        "optout-filter.applied",
        "workspace.provisioned",
        "workspace.opened",
        "workspace.reported",
    ]
