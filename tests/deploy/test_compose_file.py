"""What can be said of the compose file without Docker: versions, health, order, ports, settings that services know."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from audit.deployment import ROLES, DeploymentSettings
from audit.settings import AuditSettings
from audit.signing.settings import SignerSettings
from chassis.settings import Settings
from chassis.topology import TopologySettings
from compliance.settings import ComplianceSettings
from guichet.stack.state import WATCHERS, load
from guichet_witness.__main__ import parser as witness_parser
from intake.settings import IntakeSettings
from programs import run_guichet
from provisioning.settings import ProvisioningSettings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOTS = {"topology", "trail", "holder", "keys"}
SETTINGS: dict[str, type[Settings]] = {
    "intake": IntakeSettings,
    "compliance": ComplianceSettings,
    "provisioning": ProvisioningSettings,
    "audit": AuditSettings,
}


def images() -> list[str]:
    recipe = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    return [str(s.get("image")) for s in SERVICES.values()] + re.findall(r"^FROM (\S+)", recipe, re.MULTILINE)


def test_every_image_names_its_version() -> None:
    for image in images():
        assert re.search(r":[0-9]", image), image


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_runs_on_says_whether_it_is_healthy_and_what_ends_is_waited_for(name: str) -> None:
    assert ("healthcheck" in SERVICES[name]) != (name in ONE_SHOTS)
    for other, how in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if other in ONE_SHOTS else "service_healthy"
        assert how["condition"] == expected


def test_nothing_listens_beyond_this_machine() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_variable_is_a_setting_and_every_required_setting_is_there(name: str) -> None:
    given = {key for key in SERVICES[name]["environment"] if key.startswith("GUICHET_")}
    fields = SETTINGS[name].model_fields
    assert given <= {f"GUICHET_{field.upper()}" for field in fields}
    assert {f"GUICHET_{field.upper()}" for field, info in fields.items() if info.is_required()} <= given


def test_the_one_shot_is_told_what_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in SERVICES["topology"]["environment"].items():
        monkeypatch.setenv(key, str(value))
    settings = TopologySettings()
    assert {*SETTINGS, "holder", "workspaces"} - {"audit"} == set(settings.databases)
    assert settings.role_makers == ("workspaces",)


def test_signer_and_witness_are_told_what_they_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in (SERVICES["signer"]["environment"] | SERVICES["witness"]["environment"]).items():
        monkeypatch.setenv(key, str(value))
    assert SignerSettings().signer_policy == Path(witness_parser().parse_args([]).log)
    assert SERVICES["keys"]["command"].split()[-1] == "http://witness:8080"


def test_the_one_shot_of_the_trail_is_told_what_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in SERVICES["trail"]["environment"].items():
        monkeypatch.setenv(key, str(value))
    settings = DeploymentSettings()
    assert set(settings.audit_passwords) == set(ROLES)


def test_the_state_file_leads_to_what_the_compose_file_publishes() -> None:
    state = load(ROOT / "deploy" / "compose")
    published = {port.rsplit(":", 1)[0] for service in SERVICES.values() for port in service.get("ports", [])}
    for name in SETTINGS:
        service = state.services[name]
        assert service.url.removeprefix("http://") in published
        inside = SERVICES[name]["environment"]["GUICHET_DATABASE_URL"]
        assert service.database_url == inside.replace("postgres:5432", "127.0.0.1:25432")
    assert {state.kafka, f"{state.postgres.host}:{state.postgres.port}"} <= published
    for name in WATCHERS:
        assert state.watchers[name].url.removeprefix("http://") in published
    tokens = json.loads((ROOT / "deploy" / "portals.json").read_text("utf-8"))
    assert set(state.portals) == set(tokens)


def test_what_the_image_copies_is_let_through_to_the_build() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "deploy" / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").split() if line.startswith("!")}
    assert copied
    assert {name for line in copied for name in line.split()} <= let_through


def test_whatever_reads_the_broker_can_unpack_what_is_published() -> None:
    """Each image has what its own package asks for and nothing else; producers compress with LZ4."""
    reading = []
    for file in (*ROOT.glob("*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")):
        asked = tomllib.loads(file.read_text("utf-8")).get("project", {}).get("dependencies", [])
        names = {re.split(r"[<>=~! \[]", each)[0] for each in asked}
        if "aiokafka" in names:
            reading.append(file.parent.name)
            assert "cramjam" in names, file
    assert {"chassis", "witness"} <= set(reading)


async def test_a_composed_trail_is_verified_under_the_policy_that_was_taken_out_of_it(tmp_path: Path) -> None:
    """No key of signer or witness is in the checkout: who verifies is told where the public ones are."""
    (tmp_path / "stack.json").write_bytes((ROOT / "deploy" / "compose" / "stack.json").read_bytes())
    ran = await run_guichet("audit", "verify", GUICHET_HOME=str(tmp_path))

    assert ran.code == 1
    assert "whom this trail's verifiers trust is not known" in ran.err
    (taken,) = re.findall(r"docker compose cp (\S+) (\S+)", ran.err.replace("\n", " "))
    assert taken == ("witness:/var/lib/guichet/policy/policy", str(tmp_path / "signing-keys" / "policy"))
    mounted = [volume for volume in SERVICES["witness"]["volumes"] if volume.startswith("policy:")]
    assert mounted == ["policy:/var/lib/guichet/policy:ro"]
    assert f"cp {taken[0]} " in (ROOT / "deploy" / "journey").read_text("utf-8")
