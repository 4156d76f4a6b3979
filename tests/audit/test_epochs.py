"""A log that ends as planned goes on in its next epoch, which begins with what was signed of it."""

import json
from datetime import timedelta

import asyncpg
import pytest
from pydantic import ValidationError
from tests.audit.conftest import NAME
from tests.audit.test_verification import event

from audit.epochs import NotOpened, open_epoch
from audit.exporting import Wanted
from audit.retention import Retention, read_ended
from contracts.topics import ACCESS, REQUESTS
from guichet_verify.leaves import PLANNED, FirstLeaf, parse
from guichet_verify.manifest import ALL
from guichet_verify.verification import Asked, verify_bundle
from signed_trails import POLICY, REQUEST, export, say, sign


async def test_a_log_that_ends_as_planned_goes_on_in_an_epoch_that_names_what_was_signed(trail, tmp_path):
    await say(trail, REQUEST, 1)
    await trail.record()
    origin = f"{NAME}/trail/{trail.topic}/0/1"
    early = (await sign(trail))[origin]
    await say(trail, REQUEST, 2)
    await trail.record()
    signed = (await sign(trail))[origin]
    connection = await asyncpg.connect(trail.url)
    try:
        with pytest.raises(NotOpened, match="at size 3, and signed at 2"):
            await open_epoch(connection, NAME, early)
        opened = await open_epoch(connection, NAME, signed)
        assert (opened.origin, opened.next_offset) == (f"{NAME}/trail/{trail.topic}/0/2", 2)
        with pytest.raises(NotOpened, match="a later epoch took over"):
            await open_epoch(connection, NAME, signed)
        said = json.loads(await connection.fetchval("SELECT body FROM chassis.facts WHERE subject = $1", opened.origin))
        assert (said["reason"], said["previous_size"], said["previous_origin"]) == (PLANNED, 3, origin)
    finally:
        await connection.close()
    await announced(trail, opened.origin)
    await say(trail, REQUEST, 3)
    await trail.record()
    async with trail.database.connection() as reading:
        (over,) = await read_ended(reading, Retention())
    assert (over.origin, over.size, (over.keep_until - over.ended_at).days) == (origin, 3, 3650)
    rows = await trail.fetch(
        "SELECT epoch, state, leaf FROM audit.entry JOIN audit.log USING (log_id) WHERE part = 0 "
        "ORDER BY epoch, leaf_index"
    )
    assert [(row["epoch"], row["state"]) for row in rows] == [(1, "frozen")] * 3 + [(2, "active")] * 2
    first, last = (parse(row["leaf"]) for row in rows[3:])
    assert first == FirstLeaf(opened.origin, 2, PLANNED, origin, 3, signed.root)
    assert last.offset == 2
    assert (await trail.verify()).holds
    await sign(trail)
    await export(trail, tmp_path / "all", Wanted(ALL))
    report = verify_bundle(tmp_path / "all", Asked(POLICY, held=[early, signed]))
    assert (report.failures, len(report.logs)) == ([], 3)


async def test_a_producer_numbers_a_partition_whatever_epoch_it_is_read_into(trail):
    for number in (1, 2):
        await trail.send(b"{}", event(number))
    await trail.record()
    signed = (await sign(trail))[f"{NAME}/trail/{trail.topic}/0/1"]
    connection = await asyncpg.connect(trail.url)
    try:
        await open_epoch(connection, NAME, signed)
    finally:
        await connection.close()
    await trail.send(b"{}", event(3))
    async with trail.writing() as writer:
        await trail.caught_up(writer)
        assert list(writer.watch.missing(0.0, 1e9)) == [], "no alarm about numbers of the epoch before"
    report = await trail.verify()
    assert (report.failures, report.producers) == ([], 1)
    await trail.send(b"{}", event(5))
    await trail.record()
    assert [each.reason for each in (await trail.verify()).failures if "producer" in each.reason] == [
        "producer-numbers-missing: 1/4 to 4"
    ]


async def announced(trail, origin):
    """The announcement of an epoch, as the relay brings it to the broker."""
    (row,) = await trail.fetch("SELECT * FROM chassis.facts WHERE subject = $1", origin)
    said = {"id": row["event_id"], "type": row["type"], "source": row["source"], "subject": origin}
    headers = [(f"ce_{name}", str(value).encode()) for name, value in said.items()]
    headers.append(("ce_time", b"2026-11-24T10:00:01Z"))
    await trail.send(row["body"], headers, partition=1)


def test_each_stream_is_kept_for_its_own_time(monkeypatch):
    assert Retention().of(ACCESS) == timedelta(days=365), "at least one year"
    monkeypatch.setenv("GUICHET_AUDIT_ACCESS_RETENTION_DAYS", "730")
    assert (Retention().of(ACCESS).days, Retention().of(REQUESTS).days) == (730, 3650)
    for days in ("364", "1097"):
        monkeypatch.setenv("GUICHET_AUDIT_ACCESS_RETENTION_DAYS", days)
        with pytest.raises(ValidationError):
            Retention()
