"""The story of a request: its events once each, causes before effects, whichever of its ids is asked for."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.reading import Entry
from audit.stories import event_body, in_order, read_events, read_recorded, read_story
from contracts.envelope import Envelope, encode
from contracts.identity import permit_id, request_id, workspace_id
from guichet_verify.leaves import Record, leaf_of
from guichet_verify.tree import leaf_hash

REQUEST = request_id("portal-hdh", "2026-0042")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def event_id(number):
    return str(UUID(int=0x0199F0C0_0000_7000_8000_000000000000 + number))


def headers_of(number, subject=REQUEST, cause=None, minutes=0, type_="guichet.request.accepted.v1"):
    return encode(
        Envelope(
            event_id(number),
            type_,
            "/guichet/intake",
            subject,
            NOON + timedelta(minutes=minutes),
            causation_id=None if cause is None else event_id(cause),
            correlation_id=REQUEST,
        )
    )


def entry(index, headers, value=b"{}", origin="o"):
    leaf = leaf_of(Record("t", 0, index, 0, 0, REQUEST.encode(), headers, value)).leaf
    return Entry(origin, index, leaf, leaf_hash(leaf), None)


def ids(events):
    return [event.envelope.id for event in events]


def test_causes_stand_before_effects_whatever_their_times_say():
    entries = [
        entry(1, headers_of(1, minutes=9), origin="a"),
        entry(1, headers_of(2, cause=1, minutes=0), origin="b"),
        entry(2, headers_of(3, minutes=1), origin="b"),
    ]
    assert ids(in_order(read_events(entries))) == [event_id(1), event_id(2), event_id(3)]


def test_without_a_cause_time_decides():
    entries = [entry(1, headers_of(1, minutes=9), origin="a"), entry(1, headers_of(2, minutes=1), origin="b")]
    assert ids(in_order(read_events(entries))) == [event_id(2), event_id(1)]


def test_causes_in_a_circle_end_no_story():
    entries = [entry(1, headers_of(1, cause=2), origin="a"), entry(1, headers_of(2, cause=1), origin="b")]
    assert sorted(ids(in_order(read_events(entries)))) == [event_id(1), event_id(2)]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 20)), max_size=10))
def test_any_set_of_events_is_told_whole_and_once(drawn):
    entries = [
        entry(number, headers_of(number, cause=cause, minutes=minutes), origin=str(log))
        for number, (cause, log, minutes) in enumerate(drawn)
    ]
    assert sorted(ids(in_order(read_events(entries)))) == sorted(event_id(number) for number in range(len(drawn)))


def test_a_repeated_event_is_told_once_with_both_places_and_another_body_apart():
    headers = headers_of(1)
    first, again, other = entry(1, headers), entry(2, headers), entry(3, headers, b'{"a":1}')
    events = read_events([first, again, other])
    assert [[place.leaf_index for place in event.places] for event in events] == [[1, 2], [3]]


def test_an_unreadable_record_is_told_with_its_reason():
    (event,) = read_events([entry(1, [("ce_id", b"x"), ("ce_subject", REQUEST.encode())], b"\xff")])
    body = event_body(event)
    assert (body["unreadable"], body["id"], body["data"]) == ("missing-header", "x", None)


@pytest.fixture
async def told(trail):
    """A request, its permit and its workspace, and another request beside."""
    subjects = [REQUEST, permit_id(REQUEST), workspace_id(REQUEST)]
    for number, subject in enumerate(subjects):
        headers = headers_of(number, subject, cause=number - 1 if number else None)
        await trail.send(b'{"n":%d}' % number, headers, REQUEST.encode())
    other = request_id("portal-hdh", "other")
    await trail.send(b"{}", headers_of(7, other), other.encode(), partition=1)
    await trail.send(b"{}", headers_of(8, "SNDS-DCIR", type_="guichet.dataset.described.v1"), b"SNDS-DCIR", partition=1)
    await trail.record()
    return trail


@pytest.mark.parametrize("asked", [REQUEST, REQUEST.upper(), permit_id(REQUEST), workspace_id(REQUEST), event_id(1)])
async def test_a_story_is_found_by_any_of_its_ids(told, asked):
    async with told.database.connection() as connection:
        story = await read_story(connection, asked)
    assert story.request_id == REQUEST
    assert ids(story.events) == [event_id(0), event_id(1), event_id(2)]
    assert [event_body(event)["data"] for event in story.events] == [{"n": 0}, {"n": 1}, {"n": 2}]


async def test_a_story_of_something_else_than_a_request_is_that_of_its_subject(told):
    async with told.database.connection() as connection:
        story = await read_story(connection, event_id(8))
        unknown = await read_story(connection, "nobody")
    assert (story.request_id, story.subjects, ids(story.events)) == (None, ("SNDS-DCIR",), [event_id(8)])
    assert unknown.events == ()


async def test_an_event_is_found_by_its_id_with_its_place(told):
    async with told.database.connection() as connection:
        (event,) = await read_recorded(connection, event_id(1).upper())
        assert await read_recorded(connection, event_id(99)) == []
    body = event_body(event)
    assert body["recorded"][0]["origin"] == f"guichet.example/audit/trail/{told.topic}/0/1"
    assert (body["recorded"][0]["index"], body["causation_id"]) == (2, event_id(0))
