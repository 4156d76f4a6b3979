"""A witness follows a log into its next epoch when that goes on from what it read, and waits while it cannot tell."""

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass, field

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from tests.audit.test_ingest import send_raw

from audit.openings import announcement
from guichet.stack.kafka import create_topics
from guichet_verify.checkpoints import Checkpoint
from guichet_verify.keyfiles import make_key_file
from guichet_verify.leaves import BREAK, PLANNED, FirstLeaf, Record, encode_first, encode_record
from guichet_verify.notes import sign_note
from guichet_verify.tree import leaf_hash, root_of
from guichet_witness.follow import Follower
from guichet_witness.protocol import Refused
from guichet_witness.state import State
from guichet_witness.witness import Witness

NAME = "guichet.example/audit"
TIME = 1_795_514_401_000


@dataclass
class Watched:
    """A topic of one partition, what was announced of it, and a witness with its state."""

    kafka: str
    topic: str
    announcements: str
    producer: AIOKafkaProducer
    state: State
    sent: list[Record] = field(default_factory=list)

    def origin(self, epoch: int) -> str:
        return f"{NAME}/trail/{self.topic}/0/{epoch}"

    async def send(self, count: int) -> None:
        for _ in range(count):
            value = b"%d" % len(self.sent)
            sent = await self.producer.send_and_wait(self.topic, value, partition=0, timestamp_ms=TIME)
            self.sent.append(Record(self.topic, 0, sent.offset, 0, TIME, None, (), value))

    async def announce(self, first: FirstLeaf) -> None:
        """As the trail says it."""
        said = announcement(first, self.topic, 0)
        headers = [("ce_id", secrets.token_hex(8).encode()), ("ce_type", said.event_type.encode())]
        await self.producer.send_and_wait(self.announcements, said.wire(), partition=0, headers=headers)

    def root(self, first: FirstLeaf, end: int) -> bytes:
        """The root over a first leaf and the records before offset `end`."""
        records = [each for each in self.sent if first.first_offset <= each.offset < end]
        return root_of([leaf_hash(leaf) for leaf in (encode_first(first), *map(encode_record, records))])

    def read(self, epoch: int) -> int:
        """How many leaves of an epoch the witness has read; 0 before it begins."""
        reading = self.state.reading(self.origin(epoch))
        return reading.size if reading else 0

    async def delete_before(self, offset: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            await admin.delete_records({TopicPartition(self.topic, 0): RecordsToDelete(before_offset=offset)})
        finally:
            await admin.close()

    @contextlib.asynccontextmanager
    async def following(self):
        """The witness at work."""
        follower = Follower([self.kafka], self.state)
        task = asyncio.create_task(follower.run())
        try:
            yield follower
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def watched(kafka, tmp_path, monkeypatch):
    topic, announcements = f"read.{secrets.token_hex(4)}", f"announced.{secrets.token_hex(4)}"
    monkeypatch.setattr("guichet_witness.follow.TOPIC", announcements)
    await create_topics(kafka, {topic: 1, announcements: 1})
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all")
    await producer.start()
    state = State(tmp_path / "witness.db")
    yield Watched(kafka, topic, announcements, producer, state)
    state.close()
    await producer.stop()


async def until(fact, seconds=120):
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.05)


async def test_a_witness_that_has_not_read_so_far_reads_on_and_follows_the_next_epoch_then(watched):
    first = FirstLeaf(watched.origin(1), 0)
    await watched.announce(first)
    await watched.send(3)
    async with watched.following():
        await until(lambda: watched.read(1) == 4)
    # Two epochs open before the last records can be read: of the second it knows only that it goes on from the first.
    second = FirstLeaf(watched.origin(2), 5, BREAK, first.origin, 6, b"")
    await watched.send(2)
    second = second._replace(previous_root=watched.root(first, 5))
    third = FirstLeaf(watched.origin(3), 6, PLANNED, second.origin, 2, b"")
    await watched.send(1)
    third = third._replace(previous_root=watched.root(second, 6))
    await watched.announce(third)
    await watched.announce(second)
    await watched.send(1)
    async with watched.following():
        await until(lambda: watched.read(3) == 2)
    assert watched.read(1) >= 6
    assert watched.read(2) >= 2
    reading = watched.state.reading(third.origin)
    assert watched.state.root_at(reading, 2) == watched.root(third, 7)


async def test_what_waits_is_not_forgotten_over_a_restart_and_the_records_that_decide_come_later(watched):
    first = FirstLeaf(watched.origin(1), 0)
    await watched.announce(first)
    await watched.send(1)
    async with watched.following():
        await until(lambda: watched.read(1) == 2)
    ahead = Record(watched.topic, 0, 1, 0, TIME, None, (), b"1")
    root = root_of([leaf_hash(leaf) for leaf in (encode_first(first), *map(encode_record, [*watched.sent, ahead]))])
    await watched.announce(FirstLeaf(watched.origin(2), 2, PLANNED, first.origin, 3, root))
    async with watched.following() as follower:
        await until(lambda: follower._waiting)
    assert watched.read(2) == 0
    await watched.send(2)
    async with watched.following():
        await until(lambda: watched.read(2) == 2)


async def test_when_the_end_of_a_log_was_removed_before_it_was_read_the_next_is_followed_and_the_end_is_not_cosigned(
    watched, tmp_path
):
    first = FirstLeaf(watched.origin(1), 0)
    await watched.announce(first)
    await watched.send(2)
    async with watched.following():
        await until(lambda: watched.read(1) == 3)
    await watched.send(5)
    second = FirstLeaf(watched.origin(2), 6, BREAK, first.origin, 5, watched.root(first, 4), ((4, 6),))
    await watched.delete_before(6)
    await watched.announce(second)
    log_key = make_key_file(tmp_path / "log", NAME)
    async with watched.following() as follower:
        await until(lambda: watched.read(2) == 2)
        witness = Witness(
            make_key_file(tmp_path / "key", "witness.example"), [log_key.log_key], watched.state, follower
        )

        async def asked(checkpoint: Checkpoint) -> str:
            note = sign_note(checkpoint.text(), [log_key.sign(checkpoint.text())])
            return await witness.add_checkpoint(b"old 0\n\n" + note)

        with pytest.raises(Refused, match="not read so far"):
            await asked(Checkpoint(first.origin, 5, watched.root(first, 4)))
        line = await asked(Checkpoint(second.origin, 2, watched.root(second, 7)))
    assert line.startswith("— witness.example ")


@pytest.mark.parametrize("wrong", ["another root", "less than was cosigned", "a second successor", "a new beginning"])
async def test_an_epoch_that_does_not_go_on_from_what_was_read_is_refused_for_good(watched, wrong, caplog):
    first = FirstLeaf(watched.origin(1), 0)
    await watched.announce(first)
    await watched.send(3)
    async with watched.following():
        await until(lambda: watched.read(1) == 4)
    true = FirstLeaf(watched.origin(2), 3, PLANNED, first.origin, 4, watched.root(first, 3))
    false = true._replace(origin=watched.origin(9))
    if wrong == "another root":
        false = false._replace(previous_root=bytes(32))
    elif wrong == "less than was cosigned":
        held = watched.state.held(first.origin)
        assert watched.state.cosign(first.origin, held, type(held)(4, true.previous_root))
        false = false._replace(previous_size=3, previous_root=watched.root(first, 2))
    elif wrong == "a new beginning":
        false = FirstLeaf(watched.origin(9), 3)
    for each in (true, false) if wrong == "a second successor" else (false, true):
        await watched.announce(each)
    async with watched.following():
        await until(lambda: watched.read(2) == 1 and "epoch refused" in caplog.text)
        await watched.send(1)
        await until(lambda: watched.read(2) == 2)
    assert watched.read(9) == 0
    assert f"epoch refused: what it goes on from is not what was read: {false.origin}" in caplog.text


async def test_a_record_that_no_consumer_can_read_stops_its_log_and_not_the_witness(watched, caplog):
    first = FirstLeaf(watched.origin(1), 0)
    await watched.announce(first)
    await watched.send(2)
    await send_raw(watched, b"\xff\xfe\xfd\xfc")
    await watched.send(1)
    async with watched.following():
        await until(lambda: f"cannot be read: {first.origin} offset 2" in caplog.text)
        assert watched.read(1) == 3, "what can be read before it is"
        lost = FirstLeaf(watched.origin(2), 3, BREAK, first.origin, 3, watched.root(first, 2), ((2, 3),))
        await watched.announce(lost)
        await until(lambda: watched.read(2) == 2)
