"""What was done to a trail behind the writer's back is found, with the log and the index; a whole trail holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.audit.conftest import tamper, verify

from audit.producers import Numbering, runs
from audit.report import Report
from guichet_verify.leaves import Record

ORIGIN = "guichet.example/audit/trail/{topic}/0/1"


def event(number, *, source=b"/guichet/intake", subject=b"s", sequence=None, epoch=b"1"):
    return [
        ("ce_id", b"id-%d" % number),
        ("ce_type", b"t"),
        ("ce_source", source),
        ("ce_subject", subject),
        ("ce_sequence", b"%d" % (sequence or number)),
        ("ce_producer", b"p"),
        ("ce_producerepoch", epoch),
        ("ce_producersequence", b"%d" % number),
    ]


@pytest.fixture
async def recorded(trail):
    """A trail with 300 numbered events, a large record among them, on one partition."""
    for number in range(1, 301):
        value = bytes(100_000) if number == 50 else b"%d" % number
        await trail.producer.send(trail.topic, value, key=b"k", headers=event(number), partition=0)
    await trail.producer.flush()
    await trail.record()
    return trail


def found(report, trail):
    return {
        (failure.level, failure.log == ORIGIN.format(topic=trail.topic), failure.index, failure.reason)
        for failure in report.failures
    }


async def test_a_trail_that_nobody_touched_holds(recorded):
    report = await recorded.verify()
    assert (report.holds, report.exit_code, report.failures) == (True, 0, [])
    assert (report.logs, report.leaves, report.blobs, report.tiles) == (2, 302, 1, 4)
    assert report.producers == 1


CHANGE = "UPDATE audit.entry SET leaf = overlay(leaf PLACING '\\x21' FROM length(leaf)) WHERE leaf_index = 123"


async def test_one_changed_byte_in_a_copy_is_found_with_log_and_index(recorded):
    copy = await recorded.postgres.create_database()
    name = copy.rpartition("/")[2]
    original = recorded.url.rpartition("/")[2]
    await recorded.database.close()
    await recorded.postgres.execute(f'DROP DATABASE "{name}"')
    await recorded.postgres.execute(f'CREATE DATABASE "{name}" TEMPLATE "{original}"')
    await tamper(copy, CHANGE)
    report = await verify(copy)
    assert (report.holds, report.exit_code) == (False, 12)
    assert found(report, recorded) == {
        ("L2", True, 123, "leaf-differs-from-its-tile"),
        ("L2", True, None, "head-differs"),
    }
    await recorded.database.open()
    assert (await recorded.verify()).holds


ATTACKS = {
    "a leaf removed": (
        ["DELETE FROM audit.entry WHERE leaf_index = 10"],
        {(10, "leaves-missing: 10 to 10"), (None, "size-differs")},
    ),
    "the tail cut": (
        ["DELETE FROM audit.entry WHERE leaf_index = 300"],
        {(300, "batch-without-leaves"), (None, "size-differs")},
    ),
    "two leaves exchanged": (
        [
            "UPDATE audit.entry SET leaf_index = 900 WHERE leaf_index = 7",
            "UPDATE audit.entry SET leaf_index = 7 WHERE leaf_index = 8",
            "UPDATE audit.entry SET leaf_index = 8 WHERE leaf_index = 900",
        ],
        {
            (8, "offset-does-not-rise"),
            (None, "head-differs"),
            (7, "leaf-differs-from-its-tile"),
            (8, "leaf-differs-from-its-tile"),
        },
    ),
    "a column changed": (
        ["UPDATE audit.entry SET subject = 'other' WHERE leaf_index = 20"],
        {(20, "columns-differ-from-leaf")},
    ),
    "an offset changed": (
        ["UPDATE audit.entry SET kafka_offset = 12 WHERE leaf_index = 20"],
        {(20, "columns-differ-from-leaf")},
    ),
    "a hash tile changed": (
        [
            "UPDATE audit.tile SET hashes = set_byte(hashes, 32, get_byte(hashes, 32) # 255)"
            " WHERE level = 0 AND width = 256"
        ],
        {(1, "leaf-differs-from-its-tile")},
    ),
    "a tile above changed": (
        ["UPDATE audit.tile SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 255) WHERE level = 1"],
        {(0, "tile-differs")},
    ),
    "a tile shortened": (
        ["UPDATE audit.tile SET hashes = substr(hashes, 1, 32), width = 1 WHERE idx = 1"],
        {(257, "leaf-differs-from-its-tile"), (None, "tiles-of-another-size")},
    ),
    "a tile too many": (
        ["INSERT INTO audit.tile SELECT log_id, 0, 9, 1, substr(hashes, 1, 32) FROM audit.tile WHERE level = 1"],
        {(None, "tiles-of-another-size")},
    ),
    "the head changed": (
        ["UPDATE audit.head SET root = sha256('x') WHERE tree_size > 1"],
        {(None, "head-differs")},
    ),
    "the head gone": (["DELETE FROM audit.head WHERE tree_size > 1"], {(None, "size-differs")}),
    "a leaf of another format": (
        ["UPDATE audit.entry SET leaf = 'abc' WHERE leaf_index = 30"],
        {(30, "not-a-leaf: not a leaf of this format")},
    ),
    "the first leaf of another log": (
        ["UPDATE audit.entry SET leaf = overlay(leaf PLACING '\\x78' FROM 8) WHERE leaf_index = 0 AND log_id = 1"],
        {(0, "first-leaf-of-another-log")},
    ),
    "the blob gone": (["DELETE FROM audit.blob"], {(50, "blob-missing")}),
    "the blob exchanged": (
        [
            "ALTER TABLE audit.blob DROP CONSTRAINT blob_check",
            "UPDATE audit.blob SET data = overlay(data PLACING '\\x21' FROM 9000)",
        ],
        {(50, "not-a-leaf: blob differs from its claim")},
    ),
    "a batch gone": (["DELETE FROM audit.batch WHERE first_index = 1 AND n > 1"], {(1, "leaf-of-no-batch")}),
    "a batch moved": (
        ["UPDATE audit.batch SET offset_from = offset_from + 5 WHERE first_index = 1"],
        {(1, "batches-do-not-join"), (1, "offset-outside-its-batch")},
    ),
    "the position moved": (
        ["UPDATE audit.source SET next_offset = 7 WHERE part = 0"],
        {(None, "source-differs-from-last-batch")},
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_was_done_is_found(recorded, attack):
    statements, expected = ATTACKS[attack]
    await recorded.tamper(*statements)
    report = await recorded.verify()
    assert not report.holds
    assert found(report, recorded) >= {("L2", True, index, reason) for index, reason in expected}
    assert report.exit_code == 12


async def test_leaves_that_belong_to_no_log_are_found(recorded):
    await recorded.tamper(
        "CREATE TABLE audit.entry_9 PARTITION OF audit.entry FOR VALUES IN (9)",
        "INSERT INTO audit.entry (log_id, leaf_index, kafka_offset, leaf) VALUES (9, 0, 0, 'x')",
    )
    report = await recorded.verify()
    assert [str(failure) for failure in report.failures] == ["L2 the trail: leaves-of-no-log"]


async def test_an_empty_trail_does_not_pass_for_a_verified_one(trail):
    report = await trail.verify()
    assert [failure.reason for failure in report.failures] == ["no-log-recorded"]


async def test_numbers_that_a_producer_left_out_are_named(trail):
    for number in (1, 2, 5, 6, 9):
        await trail.send(b"x", event(number))
    await trail.record()
    assert {(each.level, each.reason) for each in (await trail.verify()).failures} == {
        ("L6", "producer-numbers-missing: 1/3 to 4"),
        ("L6", "producer-numbers-missing: 1/7 to 8"),
    }


@pytest.fixture
def own_topic(trail, monkeypatch):
    """The test's topic taken for one of ours, whose producers promise gapless numbers."""
    monkeypatch.setattr("audit.stories.OWN_TOPICS", (trail.topic,))
    return trail


@pytest.mark.threat(5)
async def test_a_story_with_a_hole_is_named_by_source_subject_and_range(own_topic):
    trail = own_topic
    for place, sequence in enumerate((1, 2, 4, 7), 1):
        await trail.send(b"x", event(place, sequence=sequence))
    await trail.send(b"x", event(5, subject=b"whole", sequence=1))
    await trail.record()
    report = await trail.verify()
    assert [(each.level, each.reason) for each in report.failures] == [
        ("L6", "sequence-missing: /guichet/intake s 3 to 3"),
        ("L6", "sequence-missing: /guichet/intake s 5 to 6"),
    ]
    assert report.exit_code == 16


@pytest.mark.threat(5)
async def test_an_event_sent_twice_is_a_repetition_and_a_number_given_twice_a_failure(own_topic):
    trail = own_topic
    first = event(1)
    await trail.send(b"x", first)
    await trail.send(b"x", first)
    await trail.record()
    report = await trail.verify()
    assert (report.holds, report.repeats) == (True, 1)
    await trail.send(b"another", first)
    await trail.record()
    report = await trail.verify()
    assert [(each.level, each.index, each.reason) for each in report.failures] == [("L6", 3, "sequence-given-twice")]


def numbered(number, epoch=1):
    said = [("ce_producer", b"p"), ("ce_producerepoch", b"%d" % epoch), ("ce_producersequence", b"%d" % number)]
    return Record("t", 0, 0, 0, 0, None, said, b"")


@given(st.lists(st.integers(1, 40), max_size=60))
def test_missing_numbers_are_those_below_the_highest_that_never_came(numbers):
    numbering = Numbering()
    for number in numbers:
        numbering.add(numbered(number))
    missing = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
    assert [n for _, first, last in numbering.missing() for n in range(first, last + 1)] == missing
    assert list(runs(missing)) == [(first, last) for _, first, last in numbering.missing()]


def test_a_report_counts_all_failures_and_names_a_thousand():
    report = Report()
    for index in range(1500):
        report.fail("L6", "o", index, "r")
    report.fail("L2", "o", 1, "r")
    assert (report.failure_count, len(report.failures), report.exit_code) == (1501, 1000, 12)
    assert report.body()["failures"][0] == {"level": "L6", "log": "o", "index": 0, "reason": "r"}
