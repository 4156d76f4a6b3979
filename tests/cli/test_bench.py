"""The benchmark measures what it says: every event comes through the hop exactly once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from compliance.assessment import assess
from guichet.bench.assessments import assessments, cases, cost_of_one, reference
from guichet.bench.ratio import hop_ratio, summary
from guichet.demo.scenario import load_scenario
from guichet.stack.state import new_home

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]


@pytest.fixture
def home() -> Iterator[Path]:
    folder = new_home("bench-test")
    yield folder
    shutil.rmtree(folder)


async def test_a_hop_and_the_bare_loop_pass_every_record(home: Path) -> None:
    found = await hop_ratio(home, count=2_000, rounds=1)
    assert found["hop_ratio"] > 0 and found["bare_per_second"] > 0


def test_the_ratio_is_the_middle_of_the_rounds() -> None:
    assert summary([(5.0, 10.0), (9.0, 10.0), (6.0, 10.0)])["hop_ratio"] == 0.6


def test_the_cases_of_the_demo_are_assessed_as_its_story_says() -> None:
    known, found = reference(), {}
    for case, day in cases():
        found[case.id] = assess(case, day, known)

    assert found.keys() == load_scenario().dossiers.keys()
    assert {name: shown.outcome for name, shown in found.items() if name in ("epilepsy", "fracture", "lung")} == {
        "epilepsy": "GRANTED",
        "fracture": "DEEMED_GRANTED",
        "lung": "LAPSED",
    }
    assert cost_of_one(1) > 0 and assessments(0.01, 1)["assessments_per_second"] > 0
