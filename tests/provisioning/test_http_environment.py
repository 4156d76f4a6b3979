"""A workspace at somebody else's provisioner, from its permit to its certificate; and what the host reports of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.provisioning.conftest import ENVIRONMENT, Bench, dataset, permit, person, running
from tests.provisioning.test_life_of_a_workspace import about, amended, due

from chassis.server import build_app
from contracts.compliance import PermitResumed, PermitRevoked, PermitSuspended
from contracts.hosts import EnvironmentQualificationLost
from contracts.persons import ObjectionReceived, OptoutRecorded
from guichet.stack.postgres import Postgres
from provisioning.conformance.visits import enter
from provisioning.desk import Desk
from provisioning.environments import Refused
from provisioning.places import place_of
from provisioning.progress import DELETION
from reference_provisioner import Provisioner, serving

EXTERNAL = "env-external"
KEY_ID, SECRET = "key-1", bytes(range(32))


@dataclass
class House:
    """The service, a provisioner that it drives, and the service's own HTTP door."""

    bench: Bench
    provisioner: Provisioner
    file: Path
    door: httpx.AsyncClient

    async def permit(self, **changes: Any) -> None:
        given = {"environment_id": EXTERNAL, "datasets": (dataset("eds-chu-nord", ("a",)),)} | changes
        await self.bench.tell(permit(self.bench.request_id, **given))

    def desk(self) -> Desk:
        settings = self.bench.runtime.settings
        return Desk(settings.database_url, self.bench.workspaces_url, sandbox=False, environments_file=self.file)

    async def connect(self, ref: str) -> Any:
        async with self.desk() as desk:
            return await enter(await desk.connect(self.bench.workspace_id, ref))

    async def report(self, state: str, environment: str = EXTERNAL, **more: Any) -> httpx.Response:
        _, body, headers = self.provisioner.report(environment, self.bench.workspace_id, state, **more)
        return await self.send(environment, body, headers)

    async def send(self, environment: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        return await self.door.post(f"/environments/{environment}/reports", content=body, headers=headers)

    async def reported(self) -> list[str]:
        """The states that hosts reported, in the order in which they came; our own words as the driver among them."""
        return [data["state"] for name, data in await self.bench.said() if name == "workspace.reported"]


@pytest.fixture
async def house(postgres: Postgres, holder_url: str, tmp_path: Path) -> AsyncIterator[House]:
    provisioner = Provisioner(KEY_ID, SECRET)
    (tmp_path / "key").write_text(SECRET.hex())
    file = tmp_path / "environments.json"
    async with serving(provisioner) as url:
        entry = {"kind": "http", "url": url, "key_id": KEY_ID, "keys": {KEY_ID: "key"}}
        file.write_text(json.dumps({EXTERNAL: entry, "env-other": entry | {"key_id": "k2", "keys": {"k2": "key"}}}))
        async with running(postgres, holder_url, environments_file=file) as bench:
            await bench.register(EXTERNAL)
            routes = bench.runtime.service.routes
            assert routes is not None
            app = build_app(list(routes(bench.runtime)), is_open=lambda: True)
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://provisioning") as door:
                yield House(bench, provisioner, file, door)


async def test_a_permit_opens_a_workspace_at_a_provisioner_until_its_certificate(house: House) -> None:
    bench = house.bench
    await bench.tell(OptoutRecorded(ref="person-3", list_version=7), key="person-3")
    await house.permit(datasets=(dataset("snds-main", years=(2012, 2029)),))
    made = await bench.until("workspace.provisioned")
    opened = await bench.until("workspace.opened")
    assert (opened["environment_id"], opened["persons"]) == (EXTERNAL, ["p-an1", "p-pi"])
    assert (await bench.until("optout-filter.applied"))["excluded"] == 1
    persons = next(t["rows"] for t in made["tables"] if t["table"] == "snds_main_persons")
    assert persons == 299
    visit = await house.connect("p-pi")
    assert await visit.count("snds_main_persons") == persons

    await bench.tell(PermitSuspended(**about(bench, reasons=())))
    assert (await bench.until("workspace.frozen"))["code"] == "PERMIT_SUSPENDED"
    assert await visit.count("snds_main_persons") is None
    with pytest.raises(Refused, match="WORKSPACE_NOT_OPEN"):
        await house.connect("p-pi")

    await bench.tell(PermitResumed(**about(bench, reasons=())))
    await bench.until("workspace.opened", times=2)
    visit = await house.connect("p-an1")

    await bench.tell(PermitRevoked(**about(bench, reasons=())))
    assert (await bench.until("workspace.closed"))["code"] == "PERMIT_REVOKED"
    assert await visit.count("snds_main_persons") is None
    await due(bench, bench.workspace_id, DELETION)
    certificate = (await bench.until("workspace.destroyed"))["certificate"]
    assert (certificate["environment_id"], certificate["objects_left"]) == (EXTERNAL, 0)
    assert {t["table"]: t["rows"] for t in certificate["tables"]} == {t["table"]: t["rows"] for t in made["tables"]}
    assert house.provisioner.workspaces[bench.workspace_id].state == "destroyed"


async def test_every_kind_of_trouble_on_the_way_is_got_over(house: House) -> None:
    bench = house.bench
    house.provisioner.misbehave |= {
        "slow": 3,
        "broken": 5,
        "forgetful": 3,
        "forged": 4,
        "loses-rows": 1,
        "wrong-state": 1,
        "half-destroyed": 1,
        "lies": 1,
    }
    await house.permit()
    await bench.until("workspace.opened")
    await bench.tell(PermitRevoked(**about(bench, reasons=())))
    await bench.until("workspace.closed")
    await due(bench, bench.workspace_id, DELETION)
    await bench.until("workspace.destroyed")
    assert not any(house.provisioner.misbehave.values())
    assert [name for name, _ in await bench.said()].count("workspace.person-needed") == 0


async def test_a_provisioner_that_always_lies_about_deletion_needs_a_person(
    postgres: Postgres, holder_url: str, tmp_path: Path
) -> None:
    provisioner = Provisioner(KEY_ID, SECRET)
    (tmp_path / "key").write_text(SECRET.hex())
    file = tmp_path / "environments.json"
    async with serving(provisioner) as url:
        file.write_text(json.dumps({EXTERNAL: {"kind": "http", "url": url, "key_id": KEY_ID, "keys": {KEY_ID: "key"}}}))
        async with running(postgres, holder_url, environments_file=file, step_attempts=2) as bench:
            await bench.register(EXTERNAL)
            await bench.tell(permit(bench.request_id, environment_id=EXTERNAL))
            await bench.until("workspace.opened")
            provisioner.misbehave["lies"] = 99
            await bench.tell(PermitRevoked(**about(bench, reasons=())))
            await bench.until("workspace.closed")
            await due(bench, bench.workspace_id, DELETION)
            needed = await bench.until("workspace.person-needed")
            assert (needed["step"], needed["code"]) == ("destroy", "OBJECTS_LEFT")
            assert [name for name, _ in await bench.said()].count("deletion.certified") == 0


async def test_an_amendment_and_an_objection_reach_the_provisioner(house: House) -> None:
    bench = house.bench
    await house.permit(datasets=(dataset("snds-main", years=(2012, 2029)), dataset("eds-chu-nord", ("a",))))
    before = await bench.until("workspace.provisioned")
    await bench.until("workspace.opened")
    leaver, stayer = await house.connect("p-an1"), await house.connect("p-pi")
    await bench.tell(
        amended(
            bench,
            2,
            (person("p-pi"), person("p-new")),
            (dataset("snds-main", years=(2012, 2029)), dataset("eds-chu-sud", ("a",))),
        )
    )
    after = await bench.until("workspace.provisioned", times=2)
    await bench.quiet()
    assert await leaver.count("snds_main_persons") is None
    assert await stayer.count("eds_chu_nord_records") is None
    assert (await stayer.count("eds_chu_sud_records") or 0) > 0
    kept = [t for t in before["tables"] if t["dataset_id"] == "snds-main"]
    assert [t for t in after["tables"] if t["dataset_id"] == "snds-main"] == kept
    await bench.tell(ObjectionReceived(ref="person-7"))
    await bench.until("workspace.provisioned", times=3)
    assert await stayer.count("snds_main_persons") == 299


async def test_two_projects_at_a_provisioner_cannot_be_joined(house: House) -> None:
    other = Bench(house.bench.runtime, house.bench.holder_url, house.bench.workspaces_url)
    found = []
    for bench in (house.bench, other):
        await bench.tell(permit(bench.request_id, environment_id=EXTERNAL))
        await bench.until("workspace.opened")
        found.append(house.provisioner.workspaces[bench.workspace_id].tables["snds_main_claims"].rows)
    first, second = found
    assert len(first) == len(second) > 100
    assert not {line[:32] for line in first} & {line[:32] for line in second}
    # Nor does the order of rows say who is who.
    assert sum(a[32:] == b[32:] for a, b in zip(first, second, strict=True)) < len(first) / 10


async def test_the_same_permit_gives_the_same_rows_in_every_environment(house: House) -> None:
    bench = house.bench
    await house.permit()
    there = {t["table"]: t["rows"] for t in (await bench.until("workspace.provisioned"))["tables"]}
    other = Bench(bench.runtime, bench.holder_url, bench.workspaces_url)
    await other.tell(permit(other.request_id, datasets=(dataset("eds-chu-nord", ("a",)),)))
    here = {t["table"]: t["rows"] for t in (await other.until("workspace.provisioned"))["tables"]}
    assert here == there


async def test_a_workspace_moves_from_the_database_to_a_provisioner_row_by_row(house: House) -> None:
    bench = house.bench
    await bench.tell(
        permit(
            bench.request_id, datasets=(dataset("eds-chu-nord", ("a",)),), covers_environments=(ENVIRONMENT, EXTERNAL)
        )
    )
    made = (await bench.until("workspace.provisioned"))["tables"]
    await bench.until("workspace.opened")
    lost = EnvironmentQualificationLost(environment_id=ENVIRONMENT, evidence="HDS")
    await bench.tell(lost, key=ENVIRONMENT, source=f"/hosts/{ENVIRONMENT}")
    completed = await bench.until("rehosting.completed")
    assert completed["target_environment_id"] == EXTERNAL
    said = dict(await bench.said())
    assert said["rehosting.cut-over"]["tables"] == made
    rows = {t["table"]: t["rows"] for t in made}
    visit = await house.connect("p-pi")
    assert await visit.count("eds_chu_nord_records") == rows["eds_chu_nord_records"]
    # The host knows it by the id of the place to which it moved, and reports under this id.
    place = place_of(bench.workspace_id, 1)
    _, body, headers = house.provisioner.report(EXTERNAL, place, "open")
    assert (await house.send(EXTERNAL, body, headers)).status_code == 202
    assert (await house.report("open")).status_code == 404


# Reports


async def test_a_report_is_put_on_the_record_once(house: House) -> None:
    await house.permit()
    await house.bench.until("workspace.opened")
    await house.bench.quiet()
    before = await house.reported()
    _, body, headers = house.provisioner.report(EXTERNAL, house.bench.workspace_id, "open")
    taken = await house.send(EXTERNAL, body, headers)
    assert (taken.status_code, taken.json()) == (202, {"outcome": "taken"})
    for _ in range(2):
        known = await house.send(EXTERNAL, body, headers)
        assert (known.status_code, known.json()) == (200, {"outcome": "known"})
    assert await house.reported() == [*before, "open"]
    async with house.bench.runtime.database.connection() as connection:
        source = await connection.fetchval("SELECT source FROM chassis.facts ORDER BY event_id DESC LIMIT 1")
    assert source == f"/hosts/{EXTERNAL}"


async def test_another_report_under_the_same_id_is_a_conflict(house: House) -> None:
    await house.permit()
    await house.bench.until("workspace.opened")
    first = await house.report("open", report_id="0199b7c4-0000-4000-8000-000000000001")
    second = await house.report("frozen", report_id="0199b7c4-0000-4000-8000-000000000001")
    assert (first.status_code, second.status_code) == (202, 409)
    assert second.json()["code"] == "report-conflict"


async def test_a_report_opens_nothing_and_ends_nothing_by_itself(house: House) -> None:
    bench = house.bench
    await house.permit()
    await bench.until("workspace.opened")
    await bench.tell(PermitSuspended(**about(bench, reasons=())))
    await bench.until("workspace.frozen")
    await bench.quiet()
    # Late, and of a state that was: neither a way in nor a certificate comes of it.
    late = datetime.now(UTC) - timedelta(days=2)
    for state in ("open", "destroyed", "closed", "frozen"):
        assert (await house.report(state, at=late)).status_code == 202
    await bench.quiet()
    with pytest.raises(Refused, match="WORKSPACE_NOT_OPEN"):
        await house.connect("p-pi")
    async with house.desk() as desk:
        assert (await desk.show(bench.workspace_id))["state"] == "frozen"
    async with bench.runtime.database.connection() as connection:
        said = await connection.fetch("SELECT time FROM chassis.facts WHERE source = $1", f"/hosts/{EXTERNAL}")
    assert sum(abs(row["time"] - late) < timedelta(minutes=5) for row in said) == 4


async def until_asked(house: House, before: int) -> None:
    """Until somebody looked at the provisioner. No sweep is due for minutes: only a report can have prompted it."""
    async with asyncio.timeout(60):
        while house.provisioner.asked == before:  # noqa: ASYNC110 - the provisioner tells nobody
            await asyncio.sleep(0.02)


async def test_a_report_that_contradicts_what_we_know_prompts_a_look_that_puts_it_right(house: House) -> None:
    bench = house.bench
    await house.permit()
    await bench.until("workspace.opened")
    await bench.quiet()
    # The host shuts the doors on its own, and says so.
    found = house.provisioner.workspaces[bench.workspace_id]
    found.state, found.enters = "frozen", False
    assert (await house.report("frozen")).status_code == 202
    assert (await bench.until("drift.found"))["code"] == "LOGIN_SHUT"
    await bench.until("drift.repaired")
    await bench.quiet()
    visit = await house.connect("p-pi")
    assert await visit.count("eds_chu_nord_records")


async def test_a_report_that_lies_prompts_a_look_and_changes_nothing(house: House) -> None:
    bench = house.bench
    await house.permit()
    await bench.until("workspace.opened")
    await bench.quiet()
    before, said = house.provisioner.asked, len(await bench.said())
    assert (await house.report("open")).status_code == 202
    assert house.provisioner.asked == before
    assert (await house.report("destroyed")).status_code == 202
    await until_asked(house, before)
    await bench.quiet()
    visit = await house.connect("p-pi")
    assert await visit.count("eds_chu_nord_records")
    # Both words of the host are on the record, and nothing else.
    assert [name for name, _ in await bench.said()][said:] == ["workspace.reported", "deletion.certified"]


@pytest.mark.parametrize(
    ("changes", "environment"),
    [
        ({"secret": b"x" * 32}, EXTERNAL),
        ({"key_id": "key-9"}, EXTERNAL),
        ({"created": 1_700_000_000}, EXTERNAL),
        ({}, "env-other"),
        ({}, "env-of-nobody"),
    ],
)
async def test_whoever_is_not_the_host_is_not_heard(house: House, changes: dict[str, Any], environment: str) -> None:
    await house.permit()
    await house.bench.until("workspace.opened")
    before = await house.bench.said()
    answer = await house.report("frozen", environment, **changes)
    assert (answer.status_code, answer.json()["code"]) == (401, "not-authentic")
    assert answer.headers["content-type"] == "application/problem+json"
    await house.bench.quiet()
    assert await house.bench.said() == before


async def test_a_host_says_nothing_about_the_workspaces_of_another(house: House) -> None:
    await house.bench.tell(permit(house.bench.request_id))
    await house.bench.until("workspace.opened")
    answer = await house.report("frozen")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-workspace")


async def test_everything_wrong_with_a_report_is_said_at_once_and_no_value_is_repeated(house: House) -> None:
    answer = await house.report("half-open-marker-7c1", report_id="marker-7c1", at=datetime(1999, 1, 1, tzinfo=UTC))
    assert answer.status_code == 422
    problem = answer.json()
    assert {each["pointer"] for each in problem["problems"]} == {"/report_id", "/state", "/at"}
    assert "7c1" not in answer.text
    ahead = await house.report("open", at=datetime.now(UTC) + timedelta(hours=1))
    assert [each["code"] for each in ahead.json()["problems"]] == ["clock-skew"]


async def test_a_report_of_a_body_without_end_is_cut_off(house: House) -> None:
    answer = await house.send(EXTERNAL, b"x" * 100_000, {})
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
