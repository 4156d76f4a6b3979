"""A deployment opens a log for each partition, and waits for a broker that cannot say yet which there are."""

import asyncio
import secrets

import asyncpg
import pytest
from aiokafka.errors import KafkaError
from tests.audit.conftest import NAME

from audit import deployment
from guichet.stack.kafka import create_topics


async def test_a_deployment_asks_again_until_the_broker_speaks_of_every_topic(trail):
    late = f"late.{secrets.token_hex(4)}"
    said: list[str] = []
    asked_in_vain = asyncio.Event()

    def tell(text: str) -> None:
        said.append(text)
        asked_in_vain.set()

    connection = await asyncpg.connect(trail.url)
    try:
        topics = (trail.topic, late)
        opening = asyncio.create_task(deployment.ensure_logs(connection, [trail.kafka], NAME, topics, tell=tell))
        async with asyncio.timeout(60):
            await asked_in_vain.wait()
        await create_topics(trail.kafka, {late: 3})
        assert await opening == 5
    finally:
        await connection.close()
    assert said[0] == f"waiting: the broker says nothing of {late}"


async def test_a_deployment_gives_up_on_a_topic_that_never_comes_and_names_it(trail, monkeypatch):
    monkeypatch.setattr(deployment, "WAIT_SECONDS", 0)
    connection = await asyncpg.connect(trail.url)
    try:
        with pytest.raises(KafkaError, match=r"says nothing of never\.made"):
            await deployment.ensure_logs(connection, [trail.kafka], NAME, (trail.topic, "never.made"))
        assert await connection.fetchval("SELECT count(*) FROM audit.log") == 0
    finally:
        await connection.close()
