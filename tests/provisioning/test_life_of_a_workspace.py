"""A workspace from its permit to its certificate, on a real server."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from tests.provisioning.conftest import ENVIRONMENT, Bench, dataset, permit, person, running

from chassis.service import Timer
from contracts.compliance import (
    PermitAmended,
    PermitClosed,
    PermitExpired,
    PermitExtended,
    PermitResumed,
    PermitRevoked,
    PermitSuspended,
)
from contracts.holders import DataDelivered, DatasetDescribed
from contracts.hosts import EnvironmentQualificationLost, EnvironmentQualified, EvidenceItem, WorkspaceReported
from contracts.identity import permit_id
from contracts.persons import ObjectionReceived, OptoutRecorded, OptoutReversed
from guichet.stack.postgres import Postgres
from provisioning.desk import Desk
from provisioning.environments import Refused
from provisioning.handlers import EVIDENCE
from provisioning.progress import DELETION

ON = date(2026, 9, 1)


def about(bench: Bench, **more: Any) -> dict[str, Any]:
    return {"request_id": bench.request_id, "on": ON, "permit_id": permit_id(bench.request_id), **more}


async def due(bench: Bench, subject: str, kind: str) -> None:
    """What the chassis does when the instant of a timer has come."""
    act = bench.runtime.service.on_timer
    assert act is not None
    async with bench.runtime.transaction() as transaction:
        await act(transaction, Timer(subject, kind, transaction.now))


async def shown(bench: Bench) -> dict[str, Any]:
    async with Desk(bench.runtime.settings.database_url, bench.workspaces_url, sandbox=False) as desk:
        return await desk.show(bench.workspace_id)


async def test_a_permit_opens_a_workspace_that_closes_and_is_destroyed(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id))
    opened = await bench.until("workspace.opened")
    assert opened["persons"] == ["p-an1", "p-pi"]
    session = await bench.as_person("p-pi")
    assert await session.fetchval("SELECT count(*) FROM snds_main_persons") > 0

    await bench.tell(PermitSuspended(**about(bench, reasons=())))
    assert (await bench.until("workspace.frozen"))["code"] == "PERMIT_SUSPENDED"
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await session.fetchval("SELECT 1")
    with pytest.raises(Refused, match="WORKSPACE_NOT_OPEN"):
        await bench.as_person("p-pi")

    await bench.tell(PermitResumed(**about(bench, reasons=())))
    await bench.until("workspace.opened", times=2)
    session = await bench.as_person("p-an1")

    await bench.tell(PermitRevoked(**about(bench, reasons=())))
    assert (await bench.until("workspace.closed"))["code"] == "PERMIT_REVOKED"
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await session.fetchval("SELECT 1")

    await due(bench, bench.workspace_id, DELETION)
    certificate = (await bench.until("workspace.destroyed"))["certificate"]
    assert certificate["objects_left"] == 0
    assert certificate["logins_removed"] == ["p-an1", "p-pi"]
    assert [name for name, _ in await bench.said()] == [
        "workspace.requested",
        "environment.cleared",
        "optout-filter.applied",
        "workspace.provisioned",
        "workspace.opened",
        "workspace.reported",
        "workspace.frozen",
        "workspace.reported",
        "workspace.opened",
        "workspace.reported",
        "workspace.closed",
        "workspace.reported",
        "workspace.destroyed",
        "deletion.certified",
    ]


async def test_the_certificate_holds_what_was_there_and_its_key_is_gone(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id))
    tables = (await bench.until("workspace.provisioned"))["tables"]
    await bench.tell(PermitClosed(**about(bench)))
    await bench.until("workspace.destroyed")
    certificate = (await shown(bench))["certificate"]
    assert certificate["tables"] == tables
    assert certificate["pseudonym_key_destroyed"] is True
    async with bench.runtime.database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM pseudonym_keys") == 0
        row = await connection.fetchrow("SELECT certificate, sha256 FROM certificates")
        assert hashlib.sha256(row["certificate"].encode()).hexdigest() == row["sha256"]
        assert json.loads(row["certificate"]) == certificate


async def test_a_permit_said_twice_makes_one_workspace(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id))
    await bench.until("workspace.opened")
    before = await bench.said()
    await bench.tell(permit(bench.request_id))
    await bench.quiet()
    assert await bench.said() == before


async def test_only_habilitated_persons_bound_by_confidentiality_get_a_login(bench: Bench) -> None:
    named = (person("p-in"), person("p-unhabilitated", habilitated=False), person("p-unsigned", signed=False))
    await bench.tell(permit(bench.request_id, persons=named))
    assert (await bench.until("workspace.opened"))["persons"] == ["p-in"]
    with pytest.raises(Refused, match="PERSON_NOT_ADMITTED"):
        await bench.as_person("p-unsigned")


async def test_nobody_who_may_enter_needs_a_person_until_the_permit_names_one(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id, persons=(person("p-1", habilitated=False),)))
    needed = await bench.until("workspace.person-needed")
    assert (needed["step"], needed["code"]) == ("open", "NO_PERSON_MAY_ENTER")
    await bench.tell(amended(bench, 2, (person("p-1"),), (dataset("snds-main"),)))
    assert (await bench.until("workspace.opened"))["persons"] == ["p-1"]


def amended(bench: Bench, version: int, persons: tuple[Any, ...], datasets: tuple[Any, ...]) -> PermitAmended:
    return PermitAmended(
        **about(
            bench,
            version=version,
            persons=persons,
            datasets=datasets,
            persons_added=(),
            persons_removed=(),
            datasets_added=(),
            datasets_removed=(),
        )
    )


async def test_an_amended_permit_changes_persons_and_datasets_and_nothing_else(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id, datasets=(dataset("snds-main"), dataset("eds-chu-nord", ("a",)))))
    before = await bench.until("workspace.provisioned")
    await bench.until("workspace.opened")
    leaver = await bench.as_person("p-an1")
    stayer = await bench.as_person("p-pi")
    await bench.tell(
        amended(bench, 2, (person("p-pi"), person("p-new")), (dataset("snds-main"), dataset("eds-chu-sud", ("a",))))
    )
    after = await bench.until("workspace.provisioned", times=2)
    await bench.quiet()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await leaver.fetchval("SELECT 1")
    assert await stayer.fetchval("SELECT count(*) FROM eds_chu_sud_records") > 0
    with pytest.raises(asyncpg.UndefinedTableError):
        await stayer.fetchval("SELECT count(*) FROM eds_chu_nord_records")
    kept = [t for t in before["tables"] if t["dataset_id"] == "snds-main"]
    assert [t for t in after["tables"] if t["dataset_id"] == "snds-main"] == kept
    assert {t["dataset_id"] for t in after["tables"]} == {"snds-main", "eds-chu-sud"}
    newcomer = await bench.as_person("p-new")
    for session in (stayer, newcomer):
        await session.close()
    with pytest.raises(Refused, match="PERSON_NOT_ADMITTED"):
        await bench.as_person("p-an1")


async def test_an_extension_moves_the_end_of_the_logins(bench: Bench, postgres: Postgres) -> None:
    await bench.tell(permit(bench.request_id))
    await bench.until("workspace.opened")
    await bench.tell(PermitExtended(**about(bench, version=2, expires_on=date(2033, 1, 31), months=77)))
    await bench.until("workspace.opened", times=2)
    admin = await asyncpg.connect(bench.workspaces_url)
    ends = await admin.fetch(
        "SELECT DISTINCT rolvaliduntil FROM pg_roles WHERE starts_with(rolname, $1) AND rolvaliduntil IS NOT NULL",
        "ws_" + bench.workspace_id.replace("-", "")[:16] + "_",
    )
    await admin.close()
    # 24:00 in Paris on 31 January is 23:00 UTC.
    assert [row["rolvaliduntil"] for row in ends] == [datetime(2033, 1, 31, 23, tzinfo=UTC)]


async def test_expiry_closes_for_good_and_a_later_amendment_changes_nothing(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id))
    await bench.until("workspace.opened")
    await bench.tell(PermitExpired(**about(bench)))
    assert (await bench.until("workspace.closed"))["code"] == "PERMIT_EXPIRED"
    await bench.tell(amended(bench, 5, (person("p-late"),), (dataset("snds-main"),)))
    await bench.tell(PermitResumed(**about(bench, reasons=())))
    await bench.quiet()
    assert (await shown(bench))["state"] == "closed"


async def test_a_data_permit_waits_until_every_dataset_is_delivered(bench: Bench) -> None:
    data = (dataset("eds-chu-nord", ("a",)), dataset("eds-chu-sud", ("a",)))
    await bench.tell(permit(bench.request_id, kind="data-permit", regime="EU", datasets=data))
    await bench.tell(DataDelivered(dataset_ids=("eds-chu-nord",)))
    await bench.quiet()
    assert (await shown(bench))["waits_for"] == ["eds-chu-sud"]
    await bench.tell(DataDelivered(dataset_ids=("eds-chu-sud",)))
    await bench.until("workspace.opened")


async def test_a_delivery_that_comes_before_its_permit_counts(bench: Bench) -> None:
    await bench.tell(DataDelivered())
    await bench.tell(permit(bench.request_id, kind="data-permit", regime="EU"))
    await bench.until("workspace.opened")


async def test_a_permit_without_environment_needs_a_person_who_names_one(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id, environment_id=None))
    needed = await bench.until("workspace.person-needed")
    assert (needed["step"], needed["code"]) == ("clear", "ENVIRONMENT_TO_BE_CLEARED")
    async with Desk(bench.runtime.settings.database_url, bench.workspaces_url, sandbox=False) as desk:
        with pytest.raises(Refused, match="UNKNOWN_ENVIRONMENT"):
            await desk.retry(bench.workspace_id, "env-nowhere")
        await desk.retry(bench.workspace_id, ENVIRONMENT)
    await bench.until("workspace.opened")


async def test_a_person_names_no_other_environment_than_the_permit_does(bench: Bench) -> None:
    await bench.register("env-poor", [])
    await bench.tell(permit(bench.request_id, environment_id="env-poor"))
    await bench.until("workspace.person-needed")
    async with bench.desk() as desk:
        with pytest.raises(Refused, match="ENVIRONMENT_NAMED_BY_PERMIT"):
            await desk.retry(bench.workspace_id, ENVIRONMENT)
        (line,) = await desk.list_workspaces()
    assert (line["state"], line["environment_id"]) == ("person-needed", "env-poor")


async def test_an_environment_that_was_not_cleared_gets_nothing_until_it_is(bench: Bench) -> None:
    await bench.register("env-poor", [])
    await bench.tell(permit(bench.request_id, environment_id="env-poor"))
    rejected = await bench.until("environment.rejected")
    assert {f["code"] for f in rejected["findings"]} == {"HDS_MISSING", "SNDS_HOMOLOGATION_MISSING"}
    assert {(c["code"], c["met"]) for c in rejected["criteria"]} == {
        ("HDS_MISSING", False),
        ("STORAGE_OUTSIDE_EEA", True),
        ("SNDS_HOMOLOGATION_MISSING", False),
    }
    needed = await bench.until("workspace.person-needed")
    assert needed["code"] == "ENVIRONMENT_NOT_CLEARED"
    for kind in ("HDS", "SNDS_HOMOLOGATION"):
        await bench.tell(qualified("env-poor", kind), key="env-poor", source="/hosts/env-poor")
    await bench.until("environment.cleared")
    # Nobody drives this environment from here: a person, or its host, must.
    needed = await bench.until("workspace.person-needed", times=2)
    assert needed["code"] == "NO_ADAPTER_FOR_ENVIRONMENT"


def qualified(environment_id: str, kind: str, last: date = date(2035, 1, 1)) -> EnvironmentQualified:
    item = EvidenceItem(type=kind, issuer="i", reference="r-2", valid_from=date(2025, 1, 1), valid_to=last)
    return EnvironmentQualified(environment_id=environment_id, evidence=item)


async def test_a_host_that_we_do_not_drive_is_believed_about_its_own_workspace(bench: Bench) -> None:
    await bench.register("env-other")
    await bench.tell(permit(bench.request_id, environment_id="env-other"))
    await bench.until("workspace.person-needed")
    await bench.tell(WorkspaceReported(state="open"), source="/hosts/env-elsewhere")
    await bench.tell(WorkspaceReported(state="open"), source="/hosts/env-other")
    assert (await bench.until("workspace.opened"))["environment_id"] == "env-other"
    assert [name for name, _ in await bench.said()].count("workspace.reported") == 0


async def test_our_own_reports_coming_back_change_nothing(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id))
    await bench.until("workspace.opened")
    await bench.quiet()
    before = await bench.said()
    await bench.tell(WorkspaceReported(state="frozen"), source=f"/hosts/{ENVIRONMENT}")
    assert await bench.said() == before


async def test_a_lost_qualification_freezes_and_a_new_one_opens_again(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id))
    await bench.until("workspace.opened")
    lost = EnvironmentQualificationLost(environment_id=ENVIRONMENT, evidence="HDS")
    await bench.tell(lost, key=ENVIRONMENT, source=f"/hosts/{ENVIRONMENT}")
    assert (await bench.until("workspace.frozen"))["code"] == "ENVIRONMENT_NOT_CLEARED"
    await bench.tell(qualified(ENVIRONMENT, "HDS"), key=ENVIRONMENT, source=f"/hosts/{ENVIRONMENT}")
    await bench.until("workspace.opened", times=2)


async def test_evidence_that_ends_freezes_on_the_day_after_its_last(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id))
    await bench.until("workspace.opened")
    async with bench.runtime.database.transaction() as connection:
        timers = await connection.fetch("SELECT subject, kind, due_at FROM chassis.timers WHERE kind = $1", EVIDENCE)
        # 0:00 in Paris on the day after the last day of all evidence.
        assert [(r["subject"], r["due_at"]) for r in timers] == [(ENVIRONMENT, datetime(2032, 12, 31, 23, tzinfo=UTC))]
        await connection.execute("UPDATE evidence SET valid_to = current_date - 2 WHERE type = 'HDS'")
    await due(bench, ENVIRONMENT, EVIDENCE)
    await bench.until("workspace.frozen")


async def test_a_dataset_reclassified_by_its_holder_is_judged_by_the_stricter_class(bench: Bench) -> None:
    evidence = [{"type": "HDS", "issuer": "i", "reference": "r", "valid_from": "2025-01-01", "valid_to": "2032-12-31"}]
    await bench.register("env-hds", evidence)
    described = DatasetDescribed.model_validate_json(
        '{"dataset_id": "eds-chu-nord", "title": "t", "version": "1", "holder": "h", "trusted_holder": false,'
        '"holder_exempt": false, "country": "FR", "source": "EDS", "categories": ["a"], "class": "snds",'
        '"publicly_funded": true}'
    )
    await bench.tell(described, key="eds-chu-nord", source="/holders/h")
    await bench.tell(permit(bench.request_id, environment_id="env-hds", datasets=(dataset("eds-chu-nord", ("a",)),)))
    rejected = await bench.until("environment.rejected")
    assert [f["code"] for f in rejected["findings"]] == ["SNDS_HOMOLOGATION_MISSING"]


async def test_opted_out_persons_are_left_out_and_the_list_version_is_said(bench: Bench) -> None:
    await bench.tell(OptoutRecorded(ref="person-3", list_version=7), key="person-3")
    await bench.tell(OptoutRecorded(ref="person-4", list_version=8), key="person-4")
    await bench.tell(OptoutReversed(ref="person-4", list_version=9), key="person-4")
    # An older event that arrives late changes nothing.
    await bench.tell(OptoutRecorded(ref="person-4", list_version=8), key="person-4")
    await bench.tell(permit(bench.request_id, datasets=(dataset("snds-main", years=(2012, 2029)),)))
    assert await bench.until("optout-filter.applied") == {
        "workspace_id": bench.workspace_id,
        "request_id": bench.request_id,
        "list_version": 9,
        "excluded": 1,
    }
    assert (await bench.until("workspace.provisioned"))["opt_out_list_version"] == 9


async def test_an_objection_to_a_french_project_takes_the_person_out_of_it(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id, datasets=(dataset("snds-main", years=(2012, 2029)),)))
    before = await bench.until("workspace.provisioned")
    await bench.until("workspace.opened")
    await bench.tell(ObjectionReceived(ref="person-7"))
    after = await bench.until("workspace.provisioned", times=2)
    rows = {t["table"]: t["rows"] for t in before["tables"]}
    left = {t["table"]: t["rows"] for t in after["tables"]}
    assert left["snds_main_persons"] == rows["snds_main_persons"] - 1
    session = await bench.as_person("p-pi")
    assert await session.fetchval("SELECT count(*) FROM snds_main_persons") == left["snds_main_persons"]
    await session.close()


async def test_an_objection_to_a_european_project_leaves_what_was_delivered(bench: Bench) -> None:
    await bench.tell(DataDelivered())
    await bench.tell(permit(bench.request_id, kind="data-permit", regime="EU"))
    await bench.until("workspace.opened")
    await bench.tell(ObjectionReceived(ref="person-7"))
    await bench.quiet()
    assert [name for name, _ in await bench.said()].count("workspace.provisioned") == 1


async def test_a_dataset_that_the_holder_does_not_have_needs_a_person(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id, datasets=(dataset("eds-nowhere", ("a",)),)))
    needed = await bench.until("workspace.person-needed")
    assert (needed["step"], needed["code"]) == ("fill", "DATASET_NOT_AT_HOLDER")
    async with Desk(bench.runtime.settings.database_url, bench.workspaces_url, sandbox=False) as desk:
        assert [line["code"] for line in await desk.list_workspaces("person-needed")] == ["DATASET_NOT_AT_HOLDER"]
        await desk.abandon(bench.workspace_id)
    assert (await bench.until("workspace.closed"))["code"] == "ABANDONED"
    await bench.until("workspace.destroyed")


async def test_attempts_that_fail_end_with_a_person(postgres: Postgres, holder_url: str) -> None:
    async with running(postgres, holder_url, workspaces_url="postgresql://x:x@127.0.0.1:1/x", step_attempts=2) as bench:
        await bench.tell(permit(bench.request_id))
        needed = await bench.until("workspace.person-needed")
        assert (needed["step"], needed["code"]) == ("prepare", "ENVIRONMENT_UNAVAILABLE")


async def test_a_revocation_does_not_wait_for_the_person_who_is_needed(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id))
    await bench.until("workspace.opened")
    await bench.tell(amended(bench, 2, (person("p-pi"),), (dataset("snds-main"), dataset("eds-nowhere", ("a",)))))
    await bench.until("workspace.person-needed")
    await bench.tell(PermitRevoked(**about(bench, reasons=())))
    await bench.until("workspace.closed")


async def test_logins_in_a_sandbox_end_as_far_from_now_as_the_permit_does(postgres: Postgres, holder_url: str) -> None:
    from contracts.system import ClockSet

    async with running(postgres, holder_url, clock="sandbox") as bench:
        now = datetime.now(UTC)
        async with bench.runtime.database.transaction() as connection:
            await bench.runtime.clock.apply(
                connection, ClockSet(instant=datetime(2020, 3, 1, 12, tzinfo=UTC), wall=now)
            )
        # On 1 March 2020 at 13:00 in Paris a permit until the next day ends in 35 hours; really it ended long ago.
        await bench.register(
            "env-souverain",
            [
                {"type": kind, "issuer": "i", "reference": "old", "valid_from": "2019-01-01", "valid_to": "2032-12-31"}
                for kind in ("HDS", "SNDS_HOMOLOGATION")
            ],
        )
        await bench.tell(permit(bench.request_id, expires_on=date(2020, 3, 2)))
        await bench.until("workspace.opened")
        async with Desk(bench.runtime.settings.database_url, bench.workspaces_url, sandbox=True) as desk:
            session = await asyncpg.connect(await desk.connect(bench.workspace_id, "p-pi"))
        login = await session.fetchval("SELECT current_user")
        await session.close()
        admin = await asyncpg.connect(bench.workspaces_url)
        ends = await admin.fetchval("SELECT rolvaliduntil FROM pg_roles WHERE rolname = $1", login)
        await admin.close()
        assert abs(ends - now - timedelta(hours=35)) < timedelta(minutes=5)
