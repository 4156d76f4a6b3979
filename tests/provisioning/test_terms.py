"""Nobody enters before accepting the terms of use, where a version of them is required."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest
from pydantic import ValidationError
from tests.provisioning.conftest import Bench, permit, person, running

from contracts.identity import workspace_id
from contracts.intake import RequestNoticeRecorded
from guichet.stack.postgres import Postgres
from provisioning.environments import Refused
from provisioning.environments.postgres import PostgresEnvironment
from provisioning.progress import Progress
from provisioning.settings import ProvisioningSettings
from provisioning.sweep import Sweep
from provisioning.terms import Terms, counting, is_text_of, read_terms

TEXT = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
FIRST, SECOND = Terms("cgu-1", date(2026, 1, 1)), Terms("cgu-2", date(2026, 10, 1))


def test_the_version_in_force_counts_and_every_later_one() -> None:
    assert counting((SECOND, FIRST), date(2025, 12, 31)) == ()
    assert counting((SECOND, FIRST), date(2026, 1, 1)) == ("cgu-1", "cgu-2")
    assert counting((SECOND, FIRST), date(2026, 9, 30)) == ("cgu-1", "cgu-2")
    assert counting((SECOND, FIRST), date(2026, 10, 1)) == ("cgu-2",)
    assert counting((), date(2026, 10, 1)) == ()


def test_the_setting_may_say_which_text_a_version_is() -> None:
    (third,) = read_terms(f"cgu-3=2027-01-01:{TEXT}")
    assert third == Terms("cgu-3", date(2027, 1, 1), TEXT)
    assert is_text_of((FIRST, third), "cgu-3", TEXT) and not is_text_of((FIRST, third), "cgu-3", "0" * 64)
    assert is_text_of((FIRST, third), "cgu-1", "0" * 64), "nothing is known of its text"


def test_the_setting_names_versions_and_days() -> None:
    assert read_terms(" cgu-1=2026-01-01, cgu-2=2026-10-01,") == (FIRST, SECOND)
    assert read_terms("") == ()


@pytest.mark.parametrize(
    "text", ["cgu-1", "cgu-1=soon", "=2026-01-01", "a=2026-01-01,a=2027-01-01", "a b=2026-01-01", "a=2026-01-01:0"]
)
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


def noticed(
    request_id: str, ref: str, sha256: str = TEXT, notice: str = "permit.terms-accepted.v1"
) -> RequestNoticeRecorded:
    """What intake passes on when a portal says that a person has accepted."""
    data = {"person": ref, "terms": "cgu-1", "sha256": sha256}
    said_at = datetime(2026, 8, 30, 22, 30, tzinfo=UTC)
    return RequestNoticeRecorded(request_id=request_id, notice=notice, data=data, said_at=said_at)


async def test_a_researcher_accepts_at_the_portal_before_the_permit_or_after_and_only_the_text_that_counts(
    postgres: Postgres, holder_url: str
) -> None:
    async with running(postgres, holder_url, terms_required=(Terms("cgu-1", date(2026, 1, 1), TEXT),)) as bench:
        await bench.tell(noticed(bench.request_id, "p-pi"))
        await bench.tell(permit(bench.request_id, persons=(person("p-pi"), person("p-an1"), person("p-an2"))))
        assert (await bench.until("workspace.opened"))["persons"] == ["p-pi"]
        said = await bench.until("terms.accepted")
        assert (said["person"], said["terms"], said["on"], said["sha256"]) == ("p-pi", "cgu-1", "2026-08-31", TEXT)
        assert said["workspace_id"] == bench.workspace_id

        await bench.tell(noticed(bench.request_id, "p-an2", "0" * 64))
        await bench.tell(noticed(bench.request_id, "p-an1"))
        await bench.tell(noticed(bench.request_id, "p-an1"))
        assert (await bench.until("workspace.opened", times=2))["persons"] == ["p-an1", "p-pi"]
        assert await missing(bench) == ("open", ["p-an2"])
        assert [name for name, _ in await bench.said()].count("terms.accepted") == 2


async def test_other_notices_of_portals_concern_no_workspace(bench: Bench) -> None:
    other = str(uuid4())
    await bench.tell(noticed(other, "p-pi", notice="permit.results-published.v1"))
    async with bench.runtime.database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM workspaces") == 0
    assert workspace_id(other) != bench.workspace_id
