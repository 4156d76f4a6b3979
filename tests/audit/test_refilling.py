"""A lost database is filled from exported bundles to the same roots, or the bundles are refused by name."""

import asyncpg
import pytest
from tests.audit.conftest import NAME
from tests.audit.test_ingest import delete_before
from tests.audit.test_restoring import HEADS, heads, own

from audit.anchors import SIGNER, WITNESS, Anchor, differences
from audit.breaking import break_log
from audit.bundled import NotCovered, join, open_bundles
from audit.deployment import ensure_database, ensure_logs, ensure_tables
from audit.dropped import NOTHING
from audit.epochs import open_epoch
from audit.exporting import Wanted
from audit.refilling import refill
from audit.restoring import NotCaughtUp, begin_as_announced, catch_up, take_up_numbers
from audit.succession import read_beginnings
from audit.verification import verify_live
from chassis.database import Database
from chassis.ends import Ends
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.manifest import ALL, LOG, SUBJECT
from signed_trails import KEY, POLICY, REQUEST, export, say, sign


async def spans(trail):
    ends = Ends([trail.kafka], trail.topics)
    try:
        asked = await ends.ask()
    finally:
        await ends.close()
    return {(trail.topic, part): span for part, span in (asked[trail.topic] or {}).items()}


async def rebuilt(trail, bundles, announced=None, dropped=NOTHING) -> int:
    """The database lost, and a new one filled from bundles, then from what the broker still has."""
    with open_bundles(bundles, POLICY, lambda leaves: None) as pieces:
        wholes = join(NAME, pieces, await spans(trail)) if pieces else []
        await trail.database.close()
        trail.url = await trail.postgres.create_database()
        written = []
        connection = await asyncpg.connect(trail.url)
        try:
            await ensure_database(connection, trail.url.rpartition("/")[2])
            await ensure_tables(connection)
            await refill(connection, NAME, wholes, written.append)
            await begin_as_announced(connection, NAME, announced or {}, dropped)
            await ensure_logs(connection, [trail.kafka], NAME, trail.topics, announce=False)
            await catch_up(connection, trail.url_of("audit_ingest"), [trail.kafka], NAME, announced or {}, trail.topics)
            await take_up_numbers(connection)
            assert await connection.fetchval("SELECT count(*) FROM chassis.facts") == 0, "announced once, not again"
        finally:
            await connection.close()
    trail.database = Database(trail.url_of("audit_ingest"), service="audit")
    await trail.database.open()
    return sum(written)


@pytest.mark.threat(14)
async def test_a_lost_database_is_filled_from_bundles_and_read_on_from_the_topics_to_the_same_roots(trail, tmp_path):
    for number in range(1, 601):
        value = bytes(80_000) if number == 9 else b"%d" % number
        await trail.producer.send(trail.topic, value, headers=own(number, number, 4), partition=number % 2)
    await trail.producer.flush()
    await trail.record()
    await sign(trail)
    await export(trail, tmp_path / "early", Wanted(ALL))
    for number in range(601, 641):
        await trail.send(b"later", own(number, number, 4), partition=number % 2)
    await trail.record()
    before = await heads(trail)
    await delete_before(trail, 250)
    assert await rebuilt(trail, [tmp_path / "early"]) == 600
    assert await heads(trail) == before
    assert (await trail.verify()).holds
    rows = await trail.fetch("SELECT last FROM chassis.sequences")
    assert [row["last"] for row in rows] == [640], "numbered on from what the trail has"


async def test_ranges_of_several_bundles_join_into_a_log(trail, tmp_path):
    for number in range(1, 600):
        await trail.producer.send(trail.topic, b"%d" % number, partition=0)
    await trail.producer.flush()
    await trail.record()
    await sign(trail)
    origin, other = (f"{NAME}/trail/{trail.topic}/{part}/1" for part in (0, 1))
    await export(trail, tmp_path / "first", Wanted(LOG, origin, (0, 300)))
    await say(trail, REQUEST, 1)
    await trail.record()
    await sign(trail)
    await export(trail, tmp_path / "second", Wanted(LOG, origin, (256, 600)))
    await export(trail, tmp_path / "other", Wanted(LOG, other))
    before = await heads(trail)
    await delete_before(trail, 600)
    assert await rebuilt(trail, [tmp_path / name for name in ("second", "other", "first")]) == 600
    assert await heads(trail) == before
    assert (await trail.verify()).holds


async def test_a_log_that_broke_and_its_next_epoch_are_filled_again(trail, tmp_path):
    await trail.send(b"read")
    await trail.record()
    await sign(trail)
    for _ in range(4):
        await trail.send(b"lost")
    await delete_before(trail, 3)
    connection = await asyncpg.connect(trail.url)
    try:
        await break_log(connection, NAME, f"{NAME}/trail/{trail.topic}/0/1", (3, 5), ["one", "two"], None, POLICY.logs)
    finally:
        await connection.close()
    await trail.record()
    await sign(trail)
    await export(trail, tmp_path / "all", Wanted(ALL))
    before = await heads(trail)
    await rebuilt(trail, [tmp_path / "all"])
    assert await heads(trail) == before
    rows = await trail.fetch("SELECT state FROM audit.log WHERE part = 0 ORDER BY epoch")
    assert [row["state"] for row in rows] == ["broken", "active"]


async def test_bundles_that_do_not_verify_or_do_not_cover_are_refused_by_name(trail, tmp_path):
    for number in range(1, 400):
        await trail.producer.send(trail.topic, b"%d" % number, partition=0)
    await trail.producer.flush()
    await say(trail, REQUEST, 1, partition=1)
    await trail.record()
    await sign(trail)
    origin, other = (f"{NAME}/trail/{trail.topic}/{part}/1" for part in (0, 1))
    for name, wanted in {
        "all": Wanted(ALL),
        "start": Wanted(LOG, origin, (0, 256)),
        "end": Wanted(LOG, origin, (256, 400)),
        "story": Wanted(SUBJECT, REQUEST),
    }.items():
        await export(trail, tmp_path / name, wanted)
    damaged = bytearray((tmp_path / "all").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    there = await spans(trail)

    def refused(*bundles: str, name: str = NAME, there=there) -> tuple[str, ...]:
        with (
            pytest.raises(NotCovered) as caught,
            open_bundles([tmp_path / each for each in bundles], POLICY, lambda leaves: None) as pieces,
        ):
            join(name, pieces, there)
        return caught.value.problems

    assert all("damaged does not verify: L" in each for each in refused("damaged", "all"))
    assert refused("story") == ("story holds single leaves, no range of any log",)
    assert refused("start") == (f"{origin}: leaf 256 of 400 is in no bundle",)
    assert refused("end") == (f"{origin}: leaf 0 of 400 is in no bundle",)
    assert refused("all", name="elsewhere") == (
        f"{origin}: a log of another installation",
        f"{other}: a log of another installation",
    )
    gone = {(trail.topic, 0): (500, 600), (trail.topic, 1): (1, 1)}
    assert refused("start", "end", there=gone) == (
        f"{origin}: offsets 399 to 499 are in no bundle, nor on the broker",
        f"{NAME}/trail/{trail.topic}/1: in no bundle, and the broker has nothing before offset 1",
    )


async def beginnings(trail):
    """What was announced: the first leaf of every log."""
    connection = await asyncpg.connect(trail.url)
    try:
        return {first.origin: first for first in await read_beginnings(connection)}
    finally:
        await connection.close()


async def held(trail, signed):
    """Where the trail differs from what the signer holds of it."""
    connection = await asyncpg.connect(trail.url)
    try:
        return await differences(connection, [Anchor(SIGNER, each) for each in signed.values()])
    finally:
        await connection.close()


@pytest.fixture
async def three_epochs(trail, tmp_path):
    """A log that ended as planned, then one that broke with a record that was never signed; a bundle of the first."""
    origin = f"{NAME}/trail/{trail.topic}/0"
    for number in range(3):
        await trail.send(b"%d" % number)
    await trail.record()
    signed = await sign(trail)
    await export(trail, tmp_path / "early", Wanted(ALL))
    for number in range(3, 5):
        await trail.send(b"%d" % number)
    await trail.record()
    connection = await asyncpg.connect(trail.url)
    try:
        signed |= await sign(trail)
        await open_epoch(connection, NAME, signed[f"{origin}/1"])
        for number in range(5, 9):
            await trail.send(b"%d" % number)
        await trail.record()
        signed |= await sign(trail)
        await trail.send(b"never signed")
        await trail.record()
        await break_log(connection, NAME, f"{origin}/2", (0, 10), ["one", "two"], None, POLICY.logs)
    finally:
        await connection.close()
    await trail.send(b"last")
    await trail.record()
    signed |= await sign(trail)
    assert signed[f"{origin}/3"].size == 3, "the record that was never signed, and the last"
    return signed


@pytest.mark.parametrize("bundles", [["early"], []])
async def test_a_bundle_that_lacks_later_epochs_and_the_topics_alone_lead_to_the_same_roots(
    trail, three_epochs, tmp_path, bundles
):
    announced, before = await beginnings(trail), await heads(trail)
    await rebuilt(trail, [tmp_path / each for each in bundles], announced)
    assert await held(trail, three_epochs) == []
    after = await heads(trail)
    assert [each for each in after if not each[0].endswith("/2")] == [
        each for each in before if not each[0].endswith("/2")
    ]
    (second,) = (each for each in after if each[0].endswith("/2"))
    assert second[1] == three_epochs[second[0]].size, "what lay in no tree lies in the next one alone"
    assert [each.reason for each in (await trail.verify()).failures] == []


async def test_a_trail_that_is_not_the_one_that_was_signed_is_named_with_both_sizes(trail, three_epochs, tmp_path):
    origin = f"{NAME}/trail/{trail.topic}/0"
    await rebuilt(trail, [tmp_path / "early"])
    assert (await trail.verify()).holds, "whole in itself"
    found = {each.anchor.checkpoint.origin: each.reason() for each in await held(trail, three_epochs)}
    assert found == {
        f"{origin}/2": "rollback: size 5 is held by the signer, and 0 leaves are there",
        f"{origin}/3": "rollback: size 3 is held by the signer, and 0 leaves are there",
    }
    connection = await asyncpg.connect(trail.url)
    try:
        anchors = [Anchor(SIGNER, each) for each in three_epochs.values()]
        anchors.append(Anchor(WITNESS, three_epochs[f"{origin}/1"]._replace(root=bytes(32))))
        report = await verify_live(connection, anchors=anchors)
    finally:
        await connection.close()
    assert (report.exit_code, len(report.failures)) == (13, 3)
    assert report.failures[-1].reason == "fork: another root at size 6 than the witness holds"


async def test_a_trail_from_before_a_break_is_read_on_past_what_the_break_names_as_lost(trail, tmp_path):
    """The signer was as far as size 8 when the database and the broker lost records 3 to 6; then a copy from before the
    break is all that there is."""
    for number in range(3):
        await trail.send(b"%d" % number)
    await trail.record()
    await sign(trail)
    await trail.database.close()
    name = trail.url.rpartition("/")[2]
    copy = f"{trail.url}_copy"
    await trail.postgres.execute(f'CREATE DATABASE "{name}_copy" TEMPLATE "{name}"')
    trail.database = Database(trail.url_of("audit_ingest"), service="audit")
    await trail.database.open()
    for number in range(3, 7):
        await trail.send(b"%d" % number)
    await delete_before(trail, 7)
    signed = Checkpoint(f"{NAME}/trail/{trail.topic}/0/1", 8, bytes(32))
    connection = await asyncpg.connect(trail.url)
    try:
        _, lost = await break_log(connection, NAME, signed.origin, (7, 7), ("one", "two"), signed, KEYS)
        assert lost == [(3, 7)]
        announced = {first.origin: first for first in await read_beginnings(connection)}
    finally:
        await connection.close()
    await trail.send(b"7")
    await trail.record()
    await sign(trail)
    before = await heads(trail)
    await export(trail, tmp_path / "after", Wanted(ALL))
    await rebuilt(trail, [tmp_path / "after"], announced)
    assert await heads(trail) == before, "a bundle from after the break has all that there is"

    trail.url = copy
    connection = await asyncpg.connect(trail.url)
    try:
        unnamed = {
            origin: first._replace(lost=((3, 5),)) if first.lost else first for origin, first in announced.items()
        }
        url = trail.url_of("audit_ingest")
        with pytest.raises(NotCaughtUp, match="records-lost: offsets 3 to 6"):
            await catch_up(connection, url, [trail.kafka], NAME, unnamed, trail.topics)
        await catch_up(connection, url, [trail.kafka], NAME, announced, trail.topics)
        assert [tuple(row) for row in await connection.fetch(HEADS)] == before
        assert await differences(connection, [Anchor(SIGNER, signed)]) == []
        assert [each for each in (await verify_live(connection)).failures if each.level == "L2"] == []
    finally:
        await connection.close()


KEYS = (KEY.log_key,)
