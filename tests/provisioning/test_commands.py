"""The operator's commands over a service whose steps run: a rehosting, its certificates, the terms of use."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from tests.provisioning.conftest import ENVIRONMENT, Bench, permit, running
from tests.provisioning.test_rehosting import COVERED, OTHER, lose, traces_of, two_environments

from guichet.stack.postgres import Postgres
from guichet.stack.state import FILE, PostgresState, ServiceState, StackState
from guichet.stack.watchers import certificate_key
from programs import Ran, run_guichet
from provisioning.certificate import SIGNER
from provisioning.certificate_keys import periods_file, signing_key
from provisioning.terms import Terms


def at_home(home: Path, bench: Bench) -> None:
    """What a stack's home says of provisioning, as far as the commands need it."""
    state = StackState(
        cluster_id="none",
        sandbox=False,
        postgres=PostgresState(password=""),
        services={"provisioning": ServiceState(database_url=bench.settings.database_url)},
        workspaces_url=bench.workspaces_url,
    )
    (home / FILE).write_text(state.model_dump_json(), "utf-8")


async def guichet(home: Path, *arguments: str) -> Ran:
    return await run_guichet(*arguments, GUICHET_HOME=str(home), COLUMNS="200")


async def test_a_rehosting_is_tried_dry_done_and_its_certificate_verified(
    postgres: Postgres, holder_url: str, tmp_path: Path
) -> None:
    key = certificate_key(tmp_path)
    async with two_environments(postgres, holder_url, certificate_key=key) as (bench, _):
        at_home(tmp_path, bench)
        await bench.tell(permit(bench.request_id, covers_environments=COVERED))
        await bench.until("workspace.opened")
        await bench.quiet()

        move = ("rehost", "--from", ENVIRONMENT, "--to", OTHER)
        dry = await guichet(tmp_path, *move, "--dry-run", "--json")
        assert (dry.code, [line["obstacle"] for line in dry.json]) == (0, [None])
        assert dry.json[0]["rows"] > 0 and all(criterion["met"] for criterion in dry.json[0]["criteria"])
        assert "rehosting.planned" not in [name for name, _ in await bench.said()]

        done = await guichet(tmp_path, *move, "--json")
        assert (done.code, len(done.json)) == (0, 1), done.err
        assert done.json[0]["workspace_id"] == bench.workspace_id
        assert done.json[0]["downtime_seconds"] > 0 and done.json[0]["left_at"]
        assert await traces_of(bench.workspaces_url, bench.workspace_id) == 0
        shown = await guichet(tmp_path, "workspaces", "list", "--json")
        assert [(line["state"], line["environment_id"]) for line in shown.json] == [("open", OTHER)]

        verified = await guichet(tmp_path, "workspaces", "certificate", bench.workspace_id, "--verify", "--json")
        assert (verified.code, verified.json[0]["signed_by"], verified.json[0]["refused"]) == (0, SIGNER, None)
        # Under another key it is not to be believed, and under a list of keys that cannot be read neither.
        signing_key(tmp_path / "another.key")
        words = ("workspaces", "certificate", bench.workspace_id, "--verify")
        strange = await guichet(tmp_path, *words, "--keys", str(periods_file(tmp_path / "another.key")))
        assert strange.code == 1 and "no known key" in strange.out
        periods_file(key).write_text("- guichet.example/certificates+00000000+AAAA\n")
        assert (await guichet(tmp_path, *words)).code == 1

        # Nothing is left to move, and an environment that lost what it needs takes nobody.
        await lose(bench)
        back = await guichet(tmp_path, "rehost", "--from", OTHER, "--to", ENVIRONMENT, "--dry-run", "--json")
        assert (back.code, [line["obstacle"] for line in back.json]) == (1, ["ENVIRONMENT_NOT_CLEARED"])
        assert (await guichet(tmp_path, "rehost", "--from", "env-nowhere", "--to", OTHER, "--dry-run")).code == 1


async def test_terms_are_accepted_at_the_desk(postgres: Postgres, holder_url: str, tmp_path: Path) -> None:
    async with running(postgres, holder_url, terms_required=(Terms("cgu-1", date(2026, 1, 1)),)) as bench:
        at_home(tmp_path, bench)
        await bench.tell(permit(bench.request_id))
        await bench.until("workspace.provisioned")
        await bench.quiet()
        waits = await guichet(tmp_path, "workspaces", "list")
        assert "for p-an1, p-pi to accept the terms" in " ".join(waits.out.split())
        assert (await guichet(tmp_path, "workspaces", "accept-terms", bench.workspace_id, "p-nobody")).code == 1
        accepted = await guichet(tmp_path, "workspaces", "accept-terms", bench.workspace_id, "p-pi", "--json")
        assert (accepted.code, accepted.json["terms_missing"]) == (0, ["p-an1"])
        assert (await bench.until("workspace.opened"))["persons"] == ["p-pi"]
        none = await guichet(tmp_path, "workspaces", "certificate", bench.workspace_id, "--verify")
        assert none.code == 1 and "no certificate" in none.err
