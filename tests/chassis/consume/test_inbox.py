"""The inbox: what was acted upon, by month, so that forgetting is cheap."""

from datetime import UTC, datetime, timedelta

from chassis import inbox
from chassis.ids import new_event_id


async def test_an_event_enters_once(database):
    first, second = (new_event_id(), "/a"), (new_event_id(), "/a")
    async with database.transaction() as connection:
        assert await inbox.enter(connection, [first]) == {0}
        assert await inbox.enter(connection, [second, first]) == {0}
        await inbox.forget(connection, [first])
        assert await inbox.enter(connection, [second, first]) == {1}


async def test_ids_that_are_no_uuid_are_remembered_too(database):
    async with database.transaction() as connection:
        assert await inbox.enter(connection, [("order 1", "/a"), ("order 2", "/a")]) == {0, 1}
        assert await inbox.enter(connection, [("order 2", "/a"), ("order 2", "/b")]) == {1}


async def test_months_are_made_ahead_and_dropped_when_old(database):
    now = datetime.now(UTC)
    async with database.transaction() as connection:
        await inbox.keep_partitions(connection, now)
        await inbox.keep_partitions(connection, now)
        await inbox.enter(connection, [(new_event_id(), "/a")])
        assert await connection.fetchval("SELECT count(*) FROM chassis.inbox_others") == 0
        await inbox.keep_partitions(connection, now + timedelta(days=250), keep_months=12)
        assert await connection.fetchval("SELECT count(*) FROM chassis.inbox") == 1
        await inbox.keep_partitions(connection, now + timedelta(days=250))
        assert await connection.fetchval("SELECT count(*) FROM chassis.inbox") == 0


async def test_a_month_whose_first_events_came_before_its_partition_stays_with_the_others(database):
    async with database.transaction() as connection:
        early = (new_event_id(), "/a")
        await inbox.enter(connection, [early])
        await inbox.keep_partitions(connection, datetime.now(UTC))
        assert await inbox.enter(connection, [early, (new_event_id(), "/a")]) == {1}


def test_ids_rise_strictly_and_are_version_seven():
    ids = [new_event_id() for _ in range(5000)]
    assert ids == sorted(ids) and len(set(ids)) == 5000
    assert {(each[14], each[19] in "89ab") for each in ids} == {("7", True)}
    milliseconds = int(ids[0][:8] + ids[0][9:13], 16)
    assert abs(datetime.fromtimestamp(milliseconds / 1000, UTC) - datetime.now(UTC)) < timedelta(minutes=1)
