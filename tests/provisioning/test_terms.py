"""Nobody enters before accepting the terms of use, where a version of them is required."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError
from tests.provisioning.conftest import Bench, permit, person, running

from guichet.stack.postgres import Postgres
from provisioning.environments import Refused
from provisioning.environments.postgres import PostgresEnvironment
from provisioning.progress import Progress
from provisioning.settings import ProvisioningSettings
from provisioning.sweep import Sweep
from provisioning.terms import Terms, counting, read_terms

FIRST, SECOND = Terms("cgu-1", date(2026, 1, 1)), Terms("cgu-2", date(2026, 10, 1))


def test_the_version_in_force_counts_and_every_later_one() -> None:
    assert counting((SECOND, FIRST), date(2025, 12, 31)) == ()
    assert counting((SECOND, FIRST), date(2026, 1, 1)) == ("cgu-1", "cgu-2")
    assert counting((SECOND, FIRST), date(2026, 9, 30)) == ("cgu-1", "cgu-2")
    assert counting((SECOND, FIRST), date(2026, 10, 1)) == ("cgu-2",)
    assert counting((), date(2026, 10, 1)) == ()


def test_the_setting_names_versions_and_days() -> None:
    assert read_terms(" cgu-1=2026-01-01, cgu-2=2026-10-01,") == (FIRST, SECOND)
    assert read_terms("") == ()


@pytest.mark.parametrize("text", ["cgu-1", "cgu-1=soon", "=2026-01-01", "a=2026-01-01,a=2027-01-01", "a b=2026-01-01"])
def test_a_setting_that_says_no_version_or_no_day_keeps_the_service_from_starting(text: str) -> None:
    with pytest.raises(ValidationError):
        ProvisioningSettings.model_validate(
            {
                "kafka": ("127.0.0.1:1",),
                "database_url": "postgresql://a@localhost/a",
                "holder_url": "postgresql://a@localhost/b",
                "workspaces_url": "postgresql://a@localhost/c",
                "terms_required": text,
            }
        )


async def missing(bench: Bench) -> tuple[str, list[str]]:
    async with bench.desk() as desk:
        (line,) = await desk.list_workspaces()
    return line["state"], line["terms_missing"]


async def accept(bench: Bench, ref: str, version: str | None = None) -> None:
    async with bench.desk() as desk:
        await desk.accept_terms(bench.workspace_id, ref, version)


async def test_a_workspace_opens_for_those_who_accepted_the_terms_and_names_the_others(
    postgres: Postgres, holder_url: str
) -> None:
    async with running(postgres, holder_url, terms_required=(FIRST,)) as bench:
        persons = (person("p-pi"), person("p-an1"), person("p-guest", habilitated=False))
        await bench.tell(permit(bench.request_id, persons=persons))
        await bench.until("workspace.provisioned")
        await bench.quiet()
        assert await missing(bench) == ("ready", ["p-an1", "p-pi"])

        await accept(bench, "p-an1")
        assert (await bench.until("workspace.opened"))["persons"] == ["p-an1"]
        assert await missing(bench) == ("open", ["p-pi"])
        assert (await bench.until("terms.accepted"))["terms"] == "cgu-1"
        async with bench.desk() as desk:
            with pytest.raises(Refused, match="PERSON_NOT_ADMITTED"):
                await desk.connect(bench.workspace_id, "p-pi")

        # Accepted or not, nobody enters without a named access right.
        await accept(bench, "p-guest")
        await accept(bench, "p-pi")
        await accept(bench, "p-pi")
        assert (await bench.until("workspace.opened", times=2))["persons"] == ["p-an1", "p-pi"]
        session = await bench.as_person("p-pi")
        assert await session.fetchval("SELECT count(*) FROM snds_main_persons") > 0
        await session.close()
        assert [name for name, _ in await bench.said()].count("terms.accepted") == 3


async def test_whoever_has_not_accepted_new_terms_is_out_on_the_day_they_are_required(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id))
    assert (await bench.until("workspace.opened"))["persons"] == ["p-an1", "p-pi"]
    await bench.quiet()
    await accept(bench, "p-pi", "cgu-2")
    environment = PostgresEnvironment(bench.holder_url, bench.workspaces_url)
    progress = Progress(frozenset(), 0, terms=(FIRST, SECOND))
    sweep = Sweep(lambda: bench.runtime.transaction("sweep"), progress, lambda _: environment, sandbox=False)
    await sweep.once()
    # The service's own step follows; who had accepted in time is not disturbed.
    assert (await bench.until("workspace.opened", times=2))["persons"] == ["p-pi"]
    await bench.quiet()
    assert await missing(bench) == ("open", ["p-an1"])
    assert await sweep.once() == {}


async def test_an_acceptance_is_recorded_only_for_a_person_of_the_permit_and_a_version(bench: Bench) -> None:
    await bench.tell(permit(bench.request_id))
    with pytest.raises(Refused, match="PERSON_NOT_IN_PERMIT"):
        await accept(bench, "p-nobody")
    with pytest.raises(Refused, match="NO_TERMS_REQUIRED"):
        await accept(bench, "p-pi")
    with pytest.raises(Refused, match="NOT_A_VERSION"):
        await accept(bench, "p-pi", "version nine")
    await accept(bench, "p-pi", "cgu-9")
    assert (await bench.until("terms.accepted")) == {
        "workspace_id": bench.workspace_id,
        "request_id": bench.request_id,
        "person": "p-pi",
        "terms": "cgu-9",
        "on": (await bench.until("terms.accepted"))["on"],
    }
