"""Records said again keep their bytes and their order, twice the same, where no service hears them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from hypothesis import given
from hypothesis import strategies as st

import compliance.app
import intake.app
import provisioning.app
from compliance.settings import ComplianceSettings
from contracts.topics import REPLAY_PREFIX
from guichet.replay.emission import emit, headers_of, merged, topic_of
from guichet.stack.errors import StackError
from guichet_verify.leaves import Record
from intake.settings import IntakeSettings
from provisioning.settings import ProvisioningSettings


async def streamed(records: Iterable[Record]) -> AsyncIterator[Record]:
    for record in records:
        yield record


async def read_back(kafka: str, topic: str) -> list[tuple[object, ...]]:
    """Every committed record of a topic, partition by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest")
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()
        found: list[tuple[object, ...]] = []
        for number in sorted(consumer.partitions_for_topic(topic) or ()):
            place = TopicPartition(topic, number)
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            end = (await consumer.end_offsets([place]))[place]
            while await consumer.position(place) < end:
                for record in (await consumer.getmany(place, timeout_ms=500)).get(place, ()):
                    found.append((number, record.timestamp, record.key, record.value, tuple(record.headers)))
        return found
    finally:
        await consumer.stop()


async def delete(kafka: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        while topic in await admin.list_topics():
            pass
    finally:
        await admin.close()


@pytest.mark.kafka
async def test_a_job_emitted_twice_gives_the_same_records(kafka: str, records: list[Record]) -> None:
    job = f"test-{secrets.token_hex(4)}"
    few = records[:700]
    assert await emit(kafka, job, streamed(few)) == len(few)
    first = await read_back(kafka, topic_of(job))
    expected = [(r.partition, r.timestamp_ms, r.key, r.value, tuple(headers_of(r, job))) for r in merged(logs_of(few))]
    assert first == sorted(expected, key=lambda each: each[0])

    with pytest.raises(StackError, match="emitted before"):
        await emit(kafka, job, streamed(few))
    await delete(kafka, topic_of(job))
    await emit(kafka, job, streamed(few))
    assert await read_back(kafka, topic_of(job)) == first


def logs_of(records: Iterable[Record]) -> list[list[Record]]:
    logs: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        logs.setdefault((record.topic, record.partition), []).append(record)
    return [logs[place] for place in sorted(logs)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50)), max_size=40))
def test_each_log_keeps_its_own_order_whatever_its_timestamps(said: list[tuple[int, int]]) -> None:
    made = [Record("t", partition, offset, 0, stamp, None, (), None) for offset, (partition, stamp) in enumerate(said)]
    again = merged(logs_of(made))
    assert logs_of(again) == logs_of(made)


@pytest.mark.parametrize("job", ["", "May", "a b", "x" * 65, "../x", "a.b"])
def test_a_name_that_no_topic_should_have_is_refused(job: str) -> None:
    with pytest.raises(StackError):
        topic_of(job)


def test_a_service_with_side_effects_hears_no_replay(tmp_path: Path) -> None:
    common: dict[str, Any] = {"kafka": ("127.0.0.1:9",), "database_url": "postgresql://127.0.0.1:9/none"}
    portals = tmp_path / "portals.json"
    portals.write_text("{}")
    services = [
        intake.app.build(IntakeSettings(**common, portals_file=portals)),
        compliance.app.build(ComplianceSettings(**common)),
        provisioning.app.build(
            ProvisioningSettings(**common, holder_url=common["database_url"], workspaces_url=common["database_url"])
        ),
    ]
    for service in services:
        assert service.topics
        assert not any(topic.startswith(REPLAY_PREFIX) for topic in service.topics)
