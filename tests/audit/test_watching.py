"""What is missing from the trail is said with its exact range, and again when it is there."""

import json

import pytest

from audit.alarms import Alarms, say_never_sent
from audit.ingest import Halt
from audit.watching import (
    NEVER_SENT,
    PRODUCER_SEQUENCE,
    REPORTED_TAIL,
    SILENT_PRODUCER,
    Gap,
    Watch,
    subject_gaps,
)
from contracts.topics import CHECKPOINTS, REQUESTS
from guichet_verify.leaves import Record

PLACE = (REQUESTS, 2)


def record(number, *, epoch=3, producer="intake", topic=REQUESTS, type_="t", value=b"{}", sequence=None):
    said = {
        "ce_type": type_,
        "ce_source": f"/guichet/{producer}",
        "ce_subject": "s",
        "ce_sequence": str(sequence or number),
        "ce_producer": producer,
        "ce_producerepoch": str(epoch),
        "ce_producersequence": str(number),
    }
    return Record(topic, PLACE[1], number, 0, 0, b"k", [(name, text.encode()) for name, text in said.items()], value)


def report(number, sequence, epoch=3):
    value = {
        "producer": "intake",
        "epoch": epoch,
        "published": [{"topic": PLACE[0], "partition": PLACE[1], "sequence": sequence}],
        "facts_appended": 0,
        "outbox_pending": 0,
    }
    said = json.dumps(value).encode()
    return record(number, topic=CHECKPOINTS, type_="guichet.producer.reported.v1", value=said, sequence=number)


@pytest.mark.threat(17)
def test_a_hole_in_a_producers_numbers_is_named_after_it_had_time_to_come():
    watch = Watch()
    watch.add(PLACE, [record(1), record(2), record(5)], now=0)
    gap = Gap(PRODUCER_SEQUENCE, "intake/3", "", *PLACE, 3, 4)
    assert watch.lasting(watch.missing(1, 60), 1, 60) == set()
    assert watch.lasting(watch.missing(62, 60), 62, 60) == {gap}
    watch.add(PLACE, [record(3), record(4)], now=63)
    assert watch.lasting(watch.missing(64, 60), 64, 60) == set()


def test_a_tail_that_was_reported_and_never_came_is_named():
    watch = Watch()
    watch.begin(PLACE, [], whole=True, now=0)
    watch.add(PLACE, [record(1), record(2)], now=0)
    watch.add((CHECKPOINTS, 0), [report(1, 6)], now=0)
    assert set(watch.missing(1, 60)) == {Gap(REPORTED_TAIL, "intake/3", "", *PLACE, 3, 6)}
    watch.add(PLACE, [record(n) for n in range(3, 7)], now=2)
    assert set(watch.missing(3, 60)) == set()


def test_a_producer_that_falls_silent_is_named_with_the_report_that_did_not_come():
    watch = Watch()
    watch.add((CHECKPOINTS, 0), [report(1, 0), report(2, 0)], now=0)
    assert set(watch.missing(30, 60)) == set()
    assert set(watch.missing(61, 60)) == {Gap(SILENT_PRODUCER, "/guichet/intake", "intake", "", -1, 3, 3)}
    watch.add((CHECKPOINTS, 0), [report(3, 0)], now=62)
    assert set(watch.missing(63, 60)) == set()


def test_what_was_not_looked_at_after_a_restart_is_not_missed_and_what_was_missed_before_still_is():
    watch = Watch()
    watch.begin(PLACE, [record(7), record(9)], whole=False, now=0)
    watch.add((CHECKPOINTS, 0), [report(1, 9)], now=0)
    assert set(watch.missing(1, 60)) == set()
    gap = Gap(PRODUCER_SEQUENCE, "intake/3", "", *PLACE, 8, 8)
    watch.expect(gap)
    assert set(watch.missing(2, 60)) == {gap}


def test_numbers_of_a_subject_are_gapless_up_to_the_highest():
    assert subject_gaps("/s", "x", [1, 2, 5, 5, 7]) == [
        Gap("subject_sequence", "/s", "x", "", -1, 3, 4),
        Gap("subject_sequence", "/s", "x", "", -1, 6, 6),
    ]
    assert subject_gaps("/s", "x", [1, 2]) == [] == subject_gaps("/s", "x", [])


class Writer:
    """What the alarms look at."""

    def __init__(self):
        self.watch, self.halted, self.following = Watch(), {}, True
        self.behind = {}

    def unread(self):
        return self.behind


@pytest.fixture
def said(trail):
    """The alarms over a trail's database, and what they said."""
    writer = Writer()

    async def facts():
        rows = await trail.fetch(
            "SELECT type, body FROM chassis.facts WHERE type LIKE 'guichet.gap.%' ORDER BY event_id"
        )
        return [(row["type"].split(".")[2], json.loads(row["body"])) for row in rows]

    return writer, Alarms(writer, trail.transaction), facts, trail.transaction


async def test_an_alarm_is_said_once_also_by_the_next_life_and_ends_when_the_records_come(trail, said):
    writer, alarms, facts, transaction = said
    writer.watch.add(PLACE, [record(1), record(4)], now=0)
    partition = type("Partition", (), {"topic": "t", "partition": 5})()
    writer.halted = {partition: Halt("records-lost", 10, 20)}
    writer.behind = {("slow", 1): (0, 100, 100_000)}
    await alarms.look(0.0)
    await alarms.look(61.0)
    await alarms.look(66.0)
    found = {
        (what, gap["kind"], gap["gap_topic"], gap["first_missing"], gap["last_missing"]) for what, gap in await facts()
    }
    assert found == {
        ("found", "producer_sequence", REQUESTS, 2, 3),
        ("found", "offsets_lost", "t", 10, 19),
        ("found", "retention", "slow", 0, 0),
    }
    assert len(await facts()) == 3
    again = Writer()
    again.halted, again.behind = writer.halted, writer.behind
    again.watch.begin(PLACE, [record(1), record(4)], whole=True, now=100)
    next_life = Alarms(again, transaction)
    await next_life.look(100.0)
    await next_life.look(161.0)
    assert len(await facts()) == 3
    again.watch.add(PLACE, [record(2), record(3)], now=162)
    again.halted = {}
    await next_life.look(163.0)
    ended = [(what, gap["kind"]) for what, gap in (await facts())[3:]]
    assert sorted(ended) == [("closed", "offsets_lost"), ("closed", "producer_sequence")]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("records-lost", "offsets_lost"),
        ("header-name-not-utf8", "record_unreadable"),
        ("log-shorter", "broker_shorter"),
    ],
)
async def test_a_partition_that_is_not_read_on_is_an_alarm_with_the_offsets_that_are_missing(said, code, kind):
    writer, alarms, facts, _ = said
    partition = type("Partition", (), {"topic": "t", "partition": 5})()
    writer.halted = {partition: Halt(code, 7, 8)}
    await alarms.look(0.0)
    ((what, gap),) = await facts()
    assert (what, gap["kind"], gap["gap_topic"], gap["partition"]) == ("found", kind, "t", 5)
    assert (gap["first_missing"], gap["last_missing"]) == (7, 7)
    writer.halted = {}
    await alarms.look(1.0)
    assert [what for what, _ in await facts()] == ["found", "closed"]


async def test_what_a_reconciliation_found_is_an_alarm_until_a_later_one_finds_it_and_no_look_ends_it(trail, said):
    _, alarms, facts, transaction = said
    tail, hole = (Gap(NEVER_SENT, "/guichet/intake", subject, "", -1, 3, 4) for subject in ("a", "b"))

    async def reconciled(*gaps):
        async with transaction() as opened:
            await say_never_sent(opened, gaps)

    await reconciled(tail, hole)
    await reconciled(tail, hole)
    await alarms.look(0.0)
    await alarms.look(100.0)
    told = [
        (what, gap["source"], gap["subject"], gap["first_missing"], gap["last_missing"]) for what, gap in await facts()
    ]
    assert told == [("found", "/guichet/intake", each, 3, 4) for each in ("a", "b")]
    await reconciled(hole)
    assert [(what, gap["subject"]) for what, gap in await facts()][2:] == [("closed", "a")]
