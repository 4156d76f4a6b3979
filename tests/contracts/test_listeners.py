"""The published document names as listeners exactly the services that listen."""

import json
from pathlib import Path

import pytest

from chassis.service import Service
from compliance.app import build as compliance
from compliance.settings import ComplianceSettings
from contracts.topics import CLOCK, TOPICS
from intake.app import build as intake
from intake.settings import IntakeSettings
from provisioning.app import build as provisioning
from provisioning.settings import ProvisioningSettings

DATABASE = "postgresql://nobody@127.0.0.1:1/nothing"


def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Service]:
    portals = tmp_path / "portals.json"
    portals.write_text(json.dumps({"portal-hdh": "0" * 64}))
    told = {
        "KAFKA": "127.0.0.1:1",
        "DATABASE_URL": DATABASE,
        "PORTALS_FILE": str(portals),
        "HOLDER_URL": DATABASE,
        "WORKSPACES_URL": DATABASE,
    }
    for name, value in told.items():
        monkeypatch.setenv(f"GUICHET_{name}", value)
    return [
        intake(IntakeSettings()),  # type: ignore[call-arg]  # from the environment
        compliance(ComplianceSettings()),  # type: ignore[call-arg]  # the same
        provisioning(ProvisioningSettings()),  # type: ignore[call-arg]  # the same
    ]


def test_the_table_of_topics_names_exactly_those_who_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for service in services(tmp_path, monkeypatch):
        named = {topic.name for topic in TOPICS.values() if service.name in topic.readers} - {CLOCK}
        assert set(service.topics) == named, service.name


def test_audit_is_named_everywhere_since_it_records_every_topic() -> None:
    assert all("audit" in topic.readers for topic in TOPICS.values())


def test_no_service_acts_on_a_fact_from_a_topic_it_does_not_hear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for service in services(tmp_path, monkeypatch):
        assert {fact.topic for fact in service.facts.values()} <= set(service.topics), service.name
