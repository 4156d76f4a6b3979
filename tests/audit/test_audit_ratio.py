"""The benchmark of the trail passes every record both ways, and reports the middle of its rounds."""

import shutil

import pytest

from guichet.bench.ratio import steady_rate
from guichet.bench.trail import audit_ratio, summary
from guichet.stack.state import new_home


@pytest.fixture
def home():
    folder = new_home("bench-test")
    yield folder
    shutil.rmtree(folder)


async def test_the_trail_and_the_bare_copy_take_every_record(home):
    found = await audit_ratio(home, count=2_000, rounds=1)
    assert found["audit_per_second"] > 0
    assert found["copy_indexed_per_second"] > 0
    assert found["copy_plain_per_second"] > 0


def test_the_ratios_are_the_middle_of_the_rounds():
    found = summary([(6.0, 10.0, 12.0), (9.0, 10.0, 10.0), (7.0, 10.0, 14.0)])
    assert (found["audit_ratio"], found["audit_ratio_plain"]) == (0.7, 0.5)


def test_a_rate_is_taken_between_the_ends_of_batches_and_never_from_the_start():
    marks = [(0.0, 0), (5.0, 0), (6.0, 50), (6.5, 50), (8.0, 100)]
    assert steady_rate(marks, 100) == 25.0
