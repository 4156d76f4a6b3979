"""An epoch whose retention is over is dropped: said first, then destroyed. Its tree stays; nothing else looks lost."""

import base64
import json
from datetime import timedelta

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.audit.conftest import NAME
from tests.audit.test_attacks import write_table
from tests.audit.test_refilling import rebuilt

from audit.alarms import Alarms, say_never_sent
from audit.anchors import SIGNER, Anchor, differences
from audit.announcements import read_announced
from audit.breaking import break_log
from audit.dropped import dropped_until, read_dropped
from audit.dropping import NotDropped, check_due, drop_records, read_due, say_dropped, unsigned
from audit.epochs import open_epoch
from audit.exporting import NotExported, Wanted
from audit.proving import prove_consistency
from audit.restoring import drop_again
from audit.retention import Retention, read_ended
from audit.signed import read_signed
from audit.signing.signer import Signer
from audit.signing.state import RECOVERING, SIGNING, SignerState
from audit.watching import NEVER_SENT, SUBJECT_SEQUENCE, Gap, subject_gaps
from contracts.envelope import Envelope, encode
from contracts.topics import ACCESS
from guichet.replay.instants import sizes_now
from guichet.replay.recorded import dropped_among, records_until
from guichet_verify.checkpoints import open_checkpoint
from guichet_verify.manifest import ALL, LOG
from guichet_verify.notes import SigningKey, read_note
from guichet_verify.report import Level
from guichet_verify.verification import Asked, verify_bundle
from signed_trails import KEY, POLICY, REQUEST, export, say, sign

SHORT = Retention(trail_retention_days=365)
PERSONS = ("operator-1", "auditor-2")
KEYS = POLICY.logs


async def relay(trail, partition=1):
    """What the service has to say, brought to the broker and recorded, as its relay does it."""
    for row in await trail.fetch("DELETE FROM chassis.facts RETURNING *"):
        envelope = Envelope(
            id=str(row["event_id"]),
            type=row["type"],
            source=row["source"],
            subject=row["subject"],
            time=row["time"],
            partition_key=row["key"],
            sequence=row["sequence"],
        )
        await trail.send(row["body"], encode(envelope), row["key"].encode(), partition)
    await trail.record()


async def superuser(trail, action, *arguments):
    """What the command does, over the superuser's connection."""
    connection = await asyncpg.connect(trail.url)
    try:
        return await action(connection, *arguments)
    finally:
        await connection.close()


async def turn(trail, *parts):
    """These partitions go on in their next epoch; the origins that ended."""
    await trail.record()
    ended = []
    for origin, signed in sorted((await sign(trail)).items()):
        if int(origin.split("/")[-2]) in parts:
            await superuser(trail, open_epoch, NAME, signed)
            ended.append(origin)
    await relay(trail)
    return ended


async def later(trail, days):
    """The clock of the trail goes on."""
    connection = await asyncpg.connect(trail.url)
    try:
        await connection.execute(
            "INSERT INTO chassis.clock AS kept (instant, wall) VALUES (now() + $1::interval, now()) "
            'ON CONFLICT ("only") DO UPDATE SET instant = kept.instant + $1::interval',
            timedelta(days=days),
        )
    finally:
        await connection.close()


async def said(trail, *origins):
    """It is said, recorded and signed that these epochs are dropped."""
    await superuser(trail, say_dropped, origins, PERSONS, SHORT, KEYS)
    await relay(trail)
    await sign(trail)


@pytest.fixture
async def own(trail, monkeypatch):
    """The test's topic taken for one of ours, whose producers promise gapless numbers."""
    monkeypatch.setattr("audit.stories.OWN_TOPICS", (trail.topic,))
    monkeypatch.setattr("audit.bundled.CHECKPOINTS", trail.topic)
    return trail


@pytest.fixture
async def over(own):
    """Two partitions whose first epochs ended a year ago and more.

    A subject goes on in the second epochs: its number 3 was read before 4, and 5 after 4, as partitions are read at
    their own pace. Another one is over. Large records are in both epochs.
    """
    trail = own
    large, twice = bytes(80_000), bytes(90_000)
    await say(trail, REQUEST, 1, large)
    await trail.record()
    trail.early = (await sign(trail))[f"{NAME}/trail/{trail.topic}/0/1"]
    await say(trail, REQUEST, 2, twice)
    await say(trail, REQUEST, 4, partition=1)
    await say(trail, "over", 1)
    trail.ended = await turn(trail, 0, 1)
    await say(trail, REQUEST, 3, twice)
    await say(trail, REQUEST, 5, partition=1)
    await trail.record()
    await sign(trail)
    await later(trail, 366)
    return trail


async def test_the_records_of_an_epoch_go_and_its_tree_stays(over, tmp_path):
    trail = over
    assert [each.origin for each in await superuser(trail, read_due, SHORT)] == trail.ended
    held = {log.origin: log for log in await superuser(trail, read_signed)}
    blobs = "SELECT length(data) FROM audit.blob ORDER BY 1"
    before = await trail.fetch(blobs)
    await said(trail, *trail.ended)
    leaves = await superuser(trail, drop_records, trail.ended)
    assert leaves == {origin: held[origin].size for origin in trail.ended}
    report = await trail.verify()
    assert (report.failures, report.dropped, report.logs) == ([], 2, 4)
    assert (len(before), len(await trail.fetch(blobs))) == (3, 1), "large records go with those that claim them"
    assert await superuser(trail, differences, [Anchor(SIGNER, open_note(log)) for log in held.values()]) == []
    async with trail.database.connection() as connection:
        first = await connection.fetch("SELECT * FROM audit.entry JOIN audit.log USING (log_id) WHERE epoch = 1")
        assert first == []
        (log,) = await read_signed(connection, trail.ended[0])
        assert log.dropped and log.note == held[log.origin].note
        assert await prove_consistency(connection, log, 1), "who held it before can still be shown that it is the same"
        until = dropped_until(await read_dropped(connection))
        assert set(until) == {trail.topic}
    assert await superuser(trail, read_due, SHORT) == []
    # What goes on is followed as if nothing had happened, and told to whoever takes a copy.
    await say(trail, REQUEST, 6)
    await trail.record()
    await sign(trail)
    assert (await trail.verify()).holds
    since = {trail.ended[0]: trail.early.size}
    plan = await export(trail, tmp_path / "all", Wanted(ALL, since=since))
    assert (plan.dropped, plan.manifest.scope.complete) == (trail.ended, False)
    for wanted in (Wanted(ALL, since=since), Wanted(LOG, trail.ended[0], since=since)):
        await export(trail, tmp_path / "all", wanted)
        held_before = [trail.early, open_note(held[trail.ended[0]])]
        report = verify_bundle(tmp_path / "all", Asked(POLICY, held=held_before, required=[Level.L3]))
        assert report.failures == [], "who holds a checkpoint of it is shown that it was not changed since"
        forged = trail.early._replace(root=bytes(32))
        assert verify_bundle(tmp_path / "all", Asked(POLICY, held=[forged])).exit_code == 13
    with pytest.raises(NotExported, match="were dropped"):
        await export(trail, tmp_path / "one", Wanted(LOG, trail.ended[0], (0, 1)))
    async with trail.database.connection() as connection, connection.transaction():
        now = await sizes_now(connection)
        assert await dropped_among(connection, now) == trail.ended
        assert {record.offset async for record in records_until(connection, now, [trail.topic])}


def open_note(log):
    return open_checkpoint(log.note, KEYS).checkpoint


async def test_a_number_that_was_dropped_is_not_missed_and_one_that_never_came_still_is(over):
    trail = over
    await said(trail, *trail.ended)
    await superuser(trail, drop_records, trail.ended)
    dropped = await superuser(trail, read_dropped)
    numbers = [int(row["sequence"]) for row in await trail.fetch(NUMBERS, REQUEST)]
    assert numbers == [3, 5], "1 and 2 went before them, and 4 lay in a partition that was read faster"
    assert subject_gaps("guichet/intake", REQUEST, numbers, trail.topic, dropped) == []
    await say(trail, REQUEST, 8)
    await trail.record()
    assert [each.reason for each in (await trail.verify()).failures] == [
        f"sequence-missing: guichet/intake {REQUEST} 6 to 7"
    ]
    assert subject_gaps("guichet/intake", REQUEST, [3], ACCESS, dropped)[0].last == 2, "another stream is whole"
    (gap,) = subject_gaps("guichet/intake", REQUEST, [*numbers, 8], trail.topic, dropped)
    assert (gap.first, gap.last) == (6, 7)


NUMBERS = "SELECT sequence FROM audit.entry WHERE subject = $1 ORDER BY 1"


async def test_what_stands_in_the_way_is_named_all_at_once_and_nothing_is_said(own):
    trail = own
    await say(trail, REQUEST, 1)
    first, other = await turn(trail, 0, 1)
    await later(trail, 100)
    second = await turn(trail, 0)
    await later(trail, 300)
    with pytest.raises(NotDropped) as refused:
        await superuser(trail, say_dropped, [first, *second, other, "x/0/1"], ["one"], SHORT, KEYS)
    assert [problem.partition(": 20")[0] for problem in refused.value.problems] == [
        "two different persons have to say so",
        f"{second[0]}: kept until {kept(trail, await ends(trail), second[0])}",
        "x/0/1: there is no such epoch, or it is not over, or dropped already",
    ]
    await later(trail, 300)
    with pytest.raises(NotDropped, match=f"{second[0]}: {first} goes before it, and stays"):
        await superuser(trail, check_due, second, PERSONS, SHORT, KEYS)
    with pytest.raises(NotDropped, match="no known key has signed size"):
        await superuser(trail, check_due, [first], PERSONS, SHORT, [])
    with pytest.raises(NotDropped, match=r"Op\(1\)|letters, digits"):
        await superuser(trail, check_due, [first], ["a b", "c"], SHORT, KEYS)
    assert await superuser(trail, check_due, [first, other], PERSONS, SHORT, KEYS) == [first, other]
    await trail.tamper("UPDATE audit.entry SET subject = 'another' WHERE leaf_index = 1 AND log_id = 1")
    with pytest.raises(NotDropped, match="columns-differ-from-leaf: what does not hold is evidence"):
        await superuser(trail, say_dropped, [first, other], PERSONS, SHORT, KEYS)
    await trail.tamper("UPDATE audit.entry SET leaf = 'none' WHERE leaf_index = 0 AND log_id = 3")
    with pytest.raises(NotDropped, match="the first leaf of its next epoch cannot be read"):
        await superuser(trail, say_dropped, [first, other], PERSONS, SHORT, KEYS)
    assert await trail.fetch("SELECT 1 FROM chassis.facts") == []


async def ends(trail):
    return {each.origin: each.keep_until for each in await superuser(trail, read_ended, SHORT)}


def kept(trail, ended, origin):
    return f"{ended[origin]:%Y-%m-%d}"


async def test_nothing_is_destroyed_before_that_is_recorded_and_signed_and_a_second_time_is_the_same(over):
    trail = over
    await superuser(trail, say_dropped, trail.ended, PERSONS, SHORT, KEYS)
    assert await superuser(trail, unsigned, trail.ended) == trail.ended, "it is not even recorded"
    await relay(trail)
    with pytest.raises(NotDropped, match="not recorded and signed yet"):
        await superuser(trail, drop_records, trail.ended)
    assert (await trail.verify()).dropped == 0
    assert (await trail.verify()).holds, "said, and still there: that is no failure"
    await sign(trail)
    assert await superuser(trail, say_dropped, trail.ended, PERSONS, SHORT, KEYS) == [], "it is said once"
    assert len(await superuser(trail, drop_records, trail.ended[:1])) == 1
    assert list(await superuser(trail, drop_records, trail.ended)) == trail.ended[1:], "killed between two of them"
    assert await superuser(trail, drop_records, trail.ended) == {}
    assert (await trail.verify()).holds


async def test_a_broken_epoch_is_dropped_and_what_its_next_one_read_again_stays(own):
    trail = own
    await say(trail, REQUEST, 1)
    await trail.record()
    signed = (await sign(trail))[f"{NAME}/trail/{trail.topic}/0/1"]
    await say(trail, REQUEST, 2, bytes(80_000))
    await trail.record()
    await superuser(trail, break_log, NAME, signed.origin, (0, 2), PERSONS, signed, KEYS)
    await trail.record()
    await relay(trail)
    await sign(trail)
    await later(trail, 366)
    await said(trail, signed.origin)
    assert await superuser(trail, drop_records, [signed.origin]) == {signed.origin: 3}
    assert len(await trail.fetch("SELECT 1 FROM audit.blob")) == 1, "the next epoch claims it too"
    report = await trail.verify()
    assert (report.failures, report.dropped) == ([], 1)


async def test_what_tells_that_an_epoch_was_dropped_is_told_again_before_it_goes_itself(over):
    trail = over
    await said(trail, *trail.ended)
    await superuser(trail, drop_records, trail.ended)
    ended = await turn(trail, 0, 1)
    await later(trail, 366)
    assert await superuser(trail, unsigned, ended) == sorted([*ended, *trail.ended]), "told only where it goes too"
    assert await superuser(trail, say_dropped, ended, PERSONS, SHORT, KEYS) == [*ended, *trail.ended]
    await relay(trail)
    await sign(trail)
    await superuser(trail, drop_records, ended)
    report = await trail.verify()
    assert (report.failures, report.dropped) == ([], 4)


async def test_an_epoch_that_announces_another_stays_as_long_as_that_one(own):
    trail = own
    await trail.record()
    await relay(trail)
    (announcing,) = await turn(trail, 1)  # The first epochs were announced by the deployment, in it.
    await later(trail, 366)
    ended = await superuser(trail, read_due, SHORT)
    assert [each.origin for each in ended] == [announcing]
    with pytest.raises(NotDropped, match=f"{announcing}: it announces {NAME}/trail/{trail.topic}/0/1, which stays"):
        await superuser(trail, say_dropped, [announcing], PERSONS, SHORT, KEYS)


async def test_a_gap_in_what_was_dropped_is_never_said_to_be_closed(over):
    trail = over
    gap, unsent = (Gap(kind, "guichet/intake", REQUEST, "", -1, 1, 2) for kind in (SUBJECT_SEQUENCE, NEVER_SENT))
    fields = ", ".join(f"${number}" for number in range(1, 8))
    connection = await asyncpg.connect(trail.url)
    try:
        await connection.executemany(f"INSERT INTO audit.gap VALUES ({fields})", [gap, unsent])
    finally:
        await connection.close()
    await said(trail, *trail.ended)
    await superuser(trail, drop_records, trail.ended)

    await Alarms(trail.writer(), trail.transaction).look(0.0)
    async with trail.transaction() as opened:
        await say_never_sent(opened, [])
    assert await trail.fetch("SELECT 1 FROM chassis.facts WHERE type = 'guichet.gap.closed.v1'") == []
    assert len(await trail.fetch("SELECT 1 FROM audit.gap")) == 2


async def test_the_signer_goes_on_beside_an_epoch_that_was_dropped(over, tmp_path):
    trail, state = over, SignerState(tmp_path / "signer.db")
    state.initialise(PERSONS, [open_note(log) for log in await superuser(trail, read_signed)])
    signer = Signer([KEY], state)

    async def look(which=signer):
        connection = await asyncpg.connect(trail.url_of("audit_signer"))
        try:
            await which.round(connection)
        finally:
            await connection.close()

    await look()
    held = state.get(trail.ended[0])
    assert held is not None and held.size == 4
    await said(trail, *trail.ended)
    await superuser(trail, drop_records, trail.ended)
    await say(trail, REQUEST, 6)
    await trail.record()
    await look()
    assert signer.states() == {} and state.get(trail.ended[0]) == held
    state.mark(trail.ended[0], RECOVERING, "smaller-than-signed")
    await look()
    assert state.get(trail.ended[0]).state == SIGNING, "its tiles lead to the root that was signed"
    further = SigningKey(NAME, Ed25519PrivateKey.generate())
    await look(Signer([KEY, further], state))
    notes = [read_note(each.note.encode()) for each in state.all()]
    assert len(notes) == 4 and all(len(note.signatures) == 2 for note in notes), "a further key signs at once"
    fresh = SignerState(tmp_path / "fresh.db")
    await look(Signer([KEY], fresh))
    assert {each.origin.rsplit("/", 1)[1] for each in fresh.all()} == {"2"}


async def test_a_superuser_who_drops_records_without_a_word_or_too_early_is_found(over):
    trail = over
    first, other = trail.ended
    await superuser(trail, execute, "SELECT guard.drop_records(1)")
    report = await trail.verify()
    assert [str(each) for each in report.failures if each.level == "L2"] == [f"L2 {first}: dropped-without-a-word"]
    assert report.exit_code == 12
    await say_it(trail, other, retention_days=3650)
    await superuser(trail, execute, "SELECT guard.drop_records(2)")
    report = await trail.verify()
    assert [str(each) for each in report.failures if each.level == "L2"] == [
        f"L2 {first}: dropped-without-a-word",
        f"L2 {other}: dropped-too-early",
    ]
    rows = [
        ("an epoch dropped of which nothing was said", "superuser, dropping", "detected", "verify: without a word"),
        ("an epoch dropped before its retention was over", "superuser, dropping", "detected", "verify: too early"),
    ]
    write_table(rows, afresh="superuser, dropping")


async def test_a_drop_that_was_said_of_an_earlier_size_is_found(over):
    trail = over
    early = base64.b64encode(trail.early.root).decode()
    await say_it(trail, trail.ended[0], size=trail.early.size, root=early)
    with pytest.raises(NotDropped, match="another size or root was said than its next epoch names"):
        await superuser(trail, drop_records, trail.ended[:1])
    await superuser(trail, execute, "SELECT guard.drop_records(1)")
    found = [str(each) for each in (await trail.verify()).failures if each.level == "L2"]
    assert found == [f"L2 {trail.ended[0]}: dropped-otherwise-than-said"]


async def test_a_tree_that_was_changed_after_its_records_were_dropped_is_found(over):
    trail = over
    await said(trail, *trail.ended)
    await superuser(trail, drop_records, trail.ended)
    await trail.tamper("UPDATE audit.tile SET hashes = sha256('x') || substr(hashes, 33) WHERE log_id = 1")
    assert f"L2 {trail.ended[0]}: head-differs" in [str(each) for each in (await trail.verify()).failures]
    await trail.tamper("UPDATE audit.head SET root = (SELECT root FROM audit.head WHERE log_id = 2) WHERE log_id = 1")
    reasons = {each.reason for each in (await trail.verify()).failures if each.log == trail.ended[0]}
    assert {"dropped-otherwise-than-said", "differs-from-its-end"} <= reasons


async def test_no_role_of_a_service_can_drop_anything(over):
    trail = over
    for role in ("audit_ingest", "audit_read", "audit_signer"):
        connection = await asyncpg.connect(trail.url_of(role))
        try:
            for statement in ("SELECT guard.drop_records(1)", "UPDATE audit.log SET state = 'dropped'"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        finally:
            await connection.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="H8"):
        await superuser(trail, execute, "UPDATE audit.log SET state = 'dropped' WHERE state = 'frozen'")
    with pytest.raises(asyncpg.UndefinedTableError):
        await superuser(trail, execute, "SELECT guard.drop_records(99)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="H8"):
        await superuser(trail, execute, "SELECT guard.drop_records(3)")


async def test_a_trail_that_is_built_again_brings_back_nothing_that_was_dropped(over, tmp_path):
    trail = over
    early, late = tmp_path / "early", tmp_path / "late"
    await export(trail, early, Wanted(ALL))
    held = [Anchor(SIGNER, open_note(log)) for log in await superuser(trail, read_signed)]
    await said(trail, *trail.ended)
    await superuser(trail, drop_records, trail.ended)
    await export(trail, late, Wanted(ALL))
    announced = await superuser(trail, read_announced, [trail.kafka], NAME, trail.topic)
    assert sorted(announced.dropped.by_origin) == trail.ended
    newest = [Anchor(SIGNER, open_note(log)) for log in await superuser(trail, read_signed)]
    for bundles in ([early], [late], []):
        await rebuilt(trail, bundles, announced.opened, announced.dropped)
        assert await superuser(trail, drop_again, held) == {}, "that it was said is in none of these"
        again = await superuser(trail, drop_again, newest)
        assert sorted(again) == (trail.ended if bundles == [early] else [])
        assert (await trail.fetch("SELECT 1 FROM audit.entry JOIN audit.log USING (log_id) WHERE epoch = 1")) == []
        assert await superuser(trail, differences, held) == []
        report = await trail.verify()
        assert (report.failures, report.dropped) == ([], len(again))


async def execute(connection, statement):
    await connection.execute(statement)


async def say_it(trail, origin, **otherwise):
    """Somebody says of a log that it is dropped, as the audit service would, and some of it otherwise."""
    await superuser(trail, say_dropped, [origin], PERSONS, SHORT, KEYS)
    connection = await asyncpg.connect(trail.url)
    try:
        body = json.loads(await connection.fetchval("SELECT body FROM chassis.facts"))
        await connection.execute("UPDATE chassis.facts SET body = $1", json.dumps(body | otherwise).encode())
    finally:
        await connection.close()
    await relay(trail)
    await sign(trail)
