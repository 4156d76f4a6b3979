"""What a topic said stands in the trail byte for byte, once and in order, whatever happens to the writer."""

import asyncio
import secrets
from dataclasses import astuple, replace

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.record.util import calc_crc32c

from audit import growth, storage
from audit.fitness import unfit_topics
from audit.growth import growth_of
from audit.resume import Inconsistent, check_last_leaves, read_edge
from chassis.database import Database
from guichet.stack.kafka import create_topics
from guichet_verify.leaves import Claim, FirstLeaf, Record, parse, parse_blob
from guichet_verify.tree import leaf_hash, root_of

NAME = "guichet.example/audit"


async def heads(trail):
    """(part, size, root, next offset) of every log, and the root that its leaves have by the definition."""
    rows = await trail.fetch(
        "SELECT part, tree_size, root, next_offset FROM audit.log JOIN audit.head USING (log_id) "
        "JOIN audit.source USING (log_id, topic, part) ORDER BY part"
    )
    for row in rows:
        leaves = await trail.leaves(row["part"])
        assert (row["tree_size"], row["root"]) == (len(leaves), root_of([leaf_hash(leaf) for leaf in leaves]))
    return [tuple(row) for row in rows]


ODD = [
    (b"value", [("a", None), ("a", b""), ("b", b"1"), ("a", b"2")], b"key"),
    (None, [], b"key"),
    (b"", [("", b"x"), ("cl\u00e9", b"\xff\xfe")], None),
    (b"\xff\xfe\x00", [("ce_id", b"\xff"), ("ce_sequence", b"7"), ("ce_sequence", b"8")], b""),
    (
        b'{"a": 1, "a": 2}',
        [("ce_id", b"x" * 4000), ("ce_subject", b"a\x00b"), ("ce_time", b"0001-01-01T00:00:00+14:00")],
        b"k",
    ),
]


async def test_records_are_kept_byte_for_byte(trail):
    for value, headers, key in ODD:
        await trail.send(value, headers, key)
    await trail.record()
    first, *leaves = [parse(leaf) for leaf in await trail.leaves()]
    assert first == FirstLeaf(f"{NAME}/trail/{trail.topic}/0/1", 0)
    assert [(leaf.offset, leaf.value, list(leaf.headers), leaf.key) for leaf in leaves] == [
        (offset, value, headers, key) for offset, (value, headers, key) in enumerate(ODD)
    ]
    assert (await trail.verify()).holds


async def test_columns_hold_what_an_event_says_of_itself(trail):
    said = [("ce_id", b"1"), ("ce_type", b"t"), ("ce_source", b"/s"), ("ce_subject", b"x"), ("ce_sequence", b"3")]
    await trail.send(b"{}", [*said, ("ce_time", b"2026-11-24T11:00:01+01:00")])
    await trail.record()
    (row,) = await trail.fetch("SELECT * FROM audit.entry WHERE leaf_index = 1")
    assert [row[name] for name in ("event_id", "event_type", "source", "subject", "sequence")] == [
        "1",
        "t",
        "/s",
        "x",
        3,
    ]
    assert row["event_time"].isoformat() == "2026-11-24T10:00:01+00:00"
    assert row["leaf_hash"] == leaf_hash(row["leaf"])


async def test_a_large_record_becomes_a_claim_with_its_bytes_beside(trail):
    topic = f"large.{secrets.token_hex(4)}"
    await create_topics(trail.kafka, {topic: 1}, settings={topic: {"max.message.bytes": "4000000"}})
    trail.topics = (topic,)
    value = secrets.token_bytes(300_000)
    await trail.send(value, [("a", None)])
    await trail.send(b"small")
    await trail.record()
    claim = parse((await trail.leaves())[1])
    assert isinstance(claim, Claim)
    (blob,) = await trail.fetch("SELECT digest, data FROM audit.blob")
    assert blob["digest"] == claim.digest
    assert parse_blob(claim, blob["data"]).value == value
    report = await trail.verify()
    assert (report.holds, report.blobs) == (True, 1)


async def test_a_restarted_writer_goes_on_to_the_root_that_the_records_have(trail):
    for number in range(300):
        await trail.producer.send(trail.topic, b"%d" % number, partition=number % 2)
    await trail.producer.flush()
    await trail.record()
    before = await heads(trail)
    for number in range(700):
        await trail.producer.send(trail.topic, b"%d" % number, partition=number % 2)
    await trail.producer.flush()
    await trail.record()
    after = await heads(trail)
    assert [(part, size, offset) for part, size, _, offset in before] == [(0, 151, 150), (1, 151, 150)]
    assert [(part, size, offset) for part, size, _, offset in after] == [(0, 501, 500), (1, 501, 500)]
    report = await trail.verify()
    assert (report.holds, report.leaves, report.tiles) == (True, 1002, 6)


async def test_a_log_starts_at_the_oldest_record_that_is_left(trail):
    for number in range(5):
        await trail.send(b"%d" % number)
    await delete_before(trail, 3)
    await trail.record()
    first, *leaves = [parse(leaf) for leaf in await trail.leaves()]
    assert first.first_offset == 3
    assert [leaf.offset for leaf in leaves] == [3, 4]
    assert (await trail.verify()).holds


async def delete_before(trail, offset):
    admin = AIOKafkaAdminClient(bootstrap_servers=trail.kafka)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(trail.topic, 0): RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


@pytest.mark.threat(17)
async def test_records_lost_before_they_were_read_halt_their_partition_and_no_other(trail):
    await trail.send(b"read")
    await trail.record()
    for _ in range(4):
        await trail.send(b"lost")
    await delete_before(trail, 3)
    await trail.send(b"elsewhere", partition=1)
    async with trail.writing() as writer:

        async def elsewhere_recorded():
            return len(await trail.leaves(1)) == 2

        await trail.until(elsewhere_recorded)
        halt = writer.halted[TopicPartition(trail.topic, 0)]
    assert (halt.code, halt.since, halt.until) == ("records-lost", 1, 3)
    assert len(await trail.leaves(0)) == 2


async def test_topics_made_later_are_followed_once_their_logs_are_opened(trail):
    later = f"later.{secrets.token_hex(4)}"
    trail.topics = (trail.topic, later)
    await trail.send(b"1")
    topics, trail.topics = trail.topics, trail.topics[:1]
    await trail.open_logs()
    trail.topics = topics
    writer = trail.writer()
    async with trail.running(writer):

        async def first_recorded():
            return len(await trail.leaves()) == 2

        await trail.until(first_recorded)
        await create_topics(trail.kafka, {later: 1})
        await trail.open_logs()
        await trail.producer.send_and_wait(later, b"2")
        await trail.caught_up(writer)
    (row,) = await trail.fetch("SELECT tree_size FROM audit.head JOIN audit.log USING (log_id) WHERE topic = $1", later)
    assert row["tree_size"] == 2


async def test_transaction_markers_and_aborted_records_leave_holes_and_no_leaf(trail):
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=trail.kafka, transactional_id=secrets.token_hex(4))
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(trail.topic, b"kept", partition=0)
        await producer.begin_transaction()
        await producer.send_and_wait(trail.topic, b"given up", partition=0)
        await producer.abort_transaction()
    finally:
        await producer.stop()
    await trail.send(b"after")
    async with trail.writing():

        async def recorded():
            return len(await trail.leaves()) == 3

        await trail.until(recorded)
    leaves = [parse(leaf) for leaf in (await trail.leaves())[1:]]
    assert [(leaf.offset, leaf.value) for leaf in leaves] == [(0, b"kept"), (4, b"after")]
    assert (await trail.verify()).holds


async def batch_of(trail, values):
    """The next batch of partition 0, as a writer that has read the database would make it."""
    async with trail.database.connection() as connection:
        log = (await storage.read_logs(connection))[0]
        edge = await read_edge(connection, log)
    records = [
        Record(trail.topic, 0, log.next_offset + number, 0, 1795514401000, None, (), value)
        for number, value in enumerate(values)
    ]
    return growth_of(log, edge, records, 100, 0)


async def append(trail, *growths):
    async with trail.database.transaction() as connection:
        await storage.append(connection, growths)


@pytest.mark.threat(2)
async def test_the_same_batch_again_is_refused(trail):
    await trail.record()
    batch = await batch_of(trail, [b"1", b"2"])
    await append(trail, batch)
    with pytest.raises(storage.Fenced, match="offset"):
        await append(trail, batch)
    assert len(await trail.leaves()) == 3


@pytest.mark.threat(2)
async def test_a_batch_that_skips_records_is_refused(trail):
    await trail.record()
    batch = await batch_of(trail, [b"1"])
    skipping = replace(batch, log=batch.log._replace(next_offset=batch.log.next_offset + 1))
    with pytest.raises(storage.Fenced, match="offset"):
        await append(trail, skipping)
    assert len(await trail.leaves()) == 1


async def test_a_writer_whose_tree_is_another_is_refused_and_leaves_nothing(trail):
    await trail.record()
    batch = await batch_of(trail, [b"1"])
    with pytest.raises(storage.Fenced, match="tree"):
        await append(trail, replace(batch, log=batch.log._replace(root=bytes(32))))
    assert await heads(trail) == [(0, 1, batch.log.root, 0), (1, 1, (await heads(trail))[1][2], 0)]


@pytest.mark.threat(2)
async def test_of_two_writers_one_goes_on_and_the_other_stops(trail):
    await trail.open_logs()
    other = Database(trail.url, service="audit")
    await other.open()
    stopping = asyncio.Event()
    try:
        writers = [asyncio.create_task(trail.writer(base).run(stopping)) for base in (trail.database, other)]
        sent = 0
        while not any(writer.done() for writer in writers) and sent < 2_000:
            await trail.send(b"%d" % sent)
            sent += 1
        assert sent < 2_000, "both writers wrote"
        stopping.set()
        outcomes = await asyncio.gather(*writers, return_exceptions=True)
    finally:
        await other.close()
    errors = [outcome for outcome in outcomes if outcome is not None]
    assert all(isinstance(error, storage.Fenced | asyncpg.PostgresError) for error in errors)
    await trail.record()
    assert (await heads(trail))[0][1] == sent + 1
    assert (await trail.verify()).holds


@pytest.mark.threat(3)
async def test_a_writer_cut_off_from_its_database_raises_and_the_next_life_skips_nothing(trail):
    await trail.open_logs()
    writer, stopping = trail.writer(), asyncio.Event()
    task = asyncio.create_task(writer.run(stopping))
    connection = await asyncpg.connect(trail.url)
    try:
        sent = 0
        while not task.done() and sent < 3_000:
            await trail.producer.send(trail.topic, b"%d" % sent, partition=0)
            sent += 1
            if sent % 100 == 0:
                await trail.producer.flush()
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
                )
        await trail.producer.flush()
    finally:
        await connection.close()
    stopping.set()
    await asyncio.gather(task, return_exceptions=True)
    await trail.record()
    values = [parse(leaf).value for leaf in (await trail.leaves())[1:]]
    assert values == [b"%d" % number for number in range(sent)]
    assert (await trail.verify()).holds


async def test_a_log_whose_last_leaf_was_changed_is_not_continued(trail):
    await trail.send(b"1")
    await trail.record()
    await trail.tamper(
        "UPDATE audit.entry SET leaf = overlay(leaf PLACING '\\x32' FROM length(leaf)) WHERE leaf_index = 1"
    )
    await trail.send(b"2")
    await trail.send(b"other", partition=1)
    async with trail.writing() as writer:

        async def elsewhere_recorded():
            return len(await trail.leaves(1)) == 2

        await trail.until(elsewhere_recorded)
        assert writer.halted[TopicPartition(trail.topic, 0)].code == "leaf-differs-from-its-hash"
    assert len(await trail.leaves(0)) == 2


async def test_a_log_whose_tiles_lead_elsewhere_is_not_continued(trail):
    await trail.send(b"1")
    await trail.record()
    async with trail.database.connection() as connection:
        log = (await storage.read_logs(connection))[0]
        await check_last_leaves(connection, log)
        with pytest.raises(Inconsistent, match="head"):
            await read_edge(connection, log._replace(root=bytes(32)))
        with pytest.raises(Inconsistent, match="width"):
            await read_edge(connection, log._replace(size=3))
        with pytest.raises(Inconsistent, match="missing"):
            await check_last_leaves(connection, log._replace(size=3))


def test_attributes_that_no_column_takes_are_left_out():
    said = [("ce_id", b"x" * 256), ("ce_subject", b"a\x00"), ("ce_source", b"y" * 255), ("ce_time", b"2026-01-01")]
    columns = growth.columns_of(Record("t", 0, 0, 0, 0, None, said, b""))
    assert columns == growth.Columns(source="y" * 255)


async def test_a_topic_that_compacts_is_named(trail):
    compacted = f"compacted.{secrets.token_hex(4)}"
    await create_topics(trail.kafka, {compacted: 1}, settings={compacted: {"cleanup.policy": "compact"}})
    assert await unfit_topics([trail.kafka], [trail.topic, compacted]) == [f"{compacted} cleanup.policy"]


async def test_a_header_name_that_is_not_utf8_halts_its_partition_and_no_other(trail):
    await trail.send(b"read")
    await send_raw(trail, b"\xff\xfe\xfd\xfc")
    await trail.send(b"elsewhere", partition=1)
    async with trail.writing() as writer:

        async def halted():
            return bool(writer.halted) and len(await trail.leaves(1)) == 2

        await trail.until(halted)
        assert {(partition.partition, *astuple(halt)) for partition, halt in writer.halted.items()} == {
            (0, "header-name-not-utf8", 1, 2)
        }, "what can be read before it is recorded, and its offset is named"
        assert len(await trail.leaves(0)) == 2
        await trail.send(b"and on", partition=1)

        async def went_on():
            return len(await trail.leaves(1)) == 3

        await trail.until(went_on)


async def send_raw(trail, name):
    """A record whose header name is any four bytes, as a client that checks nothing may send it."""
    builder = trail.producer.create_batch()
    builder.append(key=None, value=b"odd", timestamp=None, headers=[("NAME", b"x")])
    builder.close()
    data = bytearray(bytes(builder._build()).replace(b"NAME", name))
    data[17:21] = calc_crc32c(bytes(data[21:])).to_bytes(4, "big")
    builder._buffer = data
    await (await trail.producer.send_batch(builder, trail.topic, partition=0))
