"""The demo's dossiers are dossiers, and what is said about them can be said."""

from datetime import UTC, datetime

import pytest

from contracts.dossier import Dossier
from guichet.demo.scenario import Scenario, load_scenario
from guichet.demo.story import Story


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario()


def test_every_dossier_satisfies_the_closed_contract(scenario: Scenario) -> None:
    assert len(scenario.dossiers) >= 12
    for dossier in scenario.dossiers.values():
        Dossier.model_validate(dossier, strict=False, extra="forbid")


def test_the_clock_of_the_story_only_goes_forwards(scenario: Scenario) -> None:
    days = [scenario.start, *(step.at for step in scenario.steps if step.at)]
    assert days == sorted(days)


def test_everything_that_is_said_satisfies_its_contract(scenario: Scenario) -> None:
    story = Story(scenario)
    for step in scenario.steps:
        for event in story._events(step, datetime(2026, 1, 5, tzinfo=UTC)):
            assert event.key == event.envelope.subject


def test_the_story_has_every_ending_that_matters(scenario: Scenario) -> None:
    endings = {str(wanted.get("outcome")) for step in scenario.steps for wanted in step.expect.values()}
    assert endings >= {
        *("START_ALLOWED", "GRANTED", "DEEMED_GRANTED", "NOT_AUTHORISED", "REFUSED", "REFUSAL_PROPOSED"),
        *("WITHDRAWN", "LAPSED", "BLOCKED", "PARTIALLY_GRANTED"),
    }
    permits = {str(wanted.get("permit")) for step in scenario.steps for wanted in step.expect.values()}
    assert permits >= {"active", "suspended", "revoked", "expired"}
    assert [step.query.answers for step in scenario.steps if step.query] == [True, False, True]
