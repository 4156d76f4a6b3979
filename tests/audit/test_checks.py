"""When the trail was last checked stands in the trail itself, and a check that is overdue is an alarm."""

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from audit.accesses import CLI
from audit.checks import DRILLED, KEYS_COMPARED, RECONCILED, VERIFIED, WITHIN, Check, Overdue, read_checks, say_checked
from chassis.metrics import Metrics
from chassis.transaction import Transaction
from contracts.topics import ACCESS

NOW = datetime(2026, 11, 27, 6, 0, tzinfo=UTC)


def hours(count):
    return NOW - timedelta(hours=count)


async def recorded(trail, *said):
    """These checks, said by the audit service and recorded: name, when, failures."""
    async with trail.database.transaction() as connection:
        for name, at, failures in said:
            transaction = Transaction(connection, at, "audit")
            say_checked(transaction, name, "operator", CLI, failures)
            await transaction.flush()
    await trail.make_topics(ACCESS)
    rows = await trail.fetch("SELECT *, row_number() OVER (PARTITION BY subject ORDER BY event_id) FROM chassis.facts")
    for row in sorted(rows, key=lambda row: row["event_id"]):
        headers = {
            "id": row["event_id"],
            "type": row["type"],
            "source": row["source"],
            "subject": row["subject"],
            "time": row["time"].isoformat(),
            "sequence": row["row_number"],
        }
        encoded = [(f"ce_{name}", str(value).encode()) for name, value in headers.items()]
        await trail.producer.send_and_wait(ACCESS, row["body"], headers=encoded, partition=0)
    # What somebody else says on the topic is no check of ours.
    forged = [("ce_type", b"guichet.trail.checked.v1"), ("ce_source", b"/x"), ("ce_subject", b"check/drilled")]
    body = json.dumps({"holds": True, "failures": 0}).encode()
    await trail.producer.send_and_wait(ACCESS, body, headers=[*forged, ("ce_sequence", b"1")], partition=0)
    trail.topics = (*trail.topics, ACCESS)
    await trail.record()


async def test_the_last_run_of_each_check_is_known_and_what_is_overdue_is_said_once(trail, capsys):
    await recorded(
        trail,
        (VERIFIED, hours(2), 0),
        (RECONCILED, hours(30), 0),
        (RECONCILED, hours(6), 0),
        (KEYS_COMPARED, hours(50), 0),
        (KEYS_COMPARED, hours(26), 2),
        (KEYS_COMPARED, hours(2), 1),
    )
    async with trail.database.connection() as connection:
        found = await read_checks(connection)
    assert found == [
        Check(VERIFIED, hours(2), 0, hours(2)),
        Check(RECONCILED, hours(6), 0, hours(6)),
        Check(KEYS_COMPARED, hours(2), 1, hours(50)),
        Check(DRILLED),
    ]
    assert {check.name for check in found if check.overdue(NOW)} == {KEYS_COMPARED, DRILLED}

    @asynccontextmanager
    async def transaction():
        async with trail.database.transaction() as connection:
            yield Transaction(connection, NOW, "audit")

    metrics = Metrics()
    alarm = Overdue(transaction, metrics)
    await alarm.look()
    await alarm.look()
    said = capsys.readouterr()
    assert (said.out + said.err).count("check_overdue") == 2, "once for each that is overdue"
    shown = metrics.text().decode()
    assert 'guichet_age_seconds{what="trail_verified"} 7200.0' in shown
    assert f'guichet_age_seconds{{what="trail_keys_compared"}} {50 * 3600:.1f}' in shown
    assert 'guichet_age_seconds{what="trail_drilled"} +Inf' in shown


def test_a_check_that_failed_is_overdue_at_once_and_one_that_held_once_its_time_is_over():
    late = WITHIN[VERIFIED] + timedelta(minutes=1)
    assert Check(VERIFIED, NOW, 1, NOW - timedelta(hours=1)).overdue(NOW)
    assert Check(VERIFIED, NOW - late, 0, NOW - late).overdue(NOW)
    assert not Check(VERIFIED, NOW, 0, NOW).overdue(NOW)
