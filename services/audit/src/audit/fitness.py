"""Whether the audited topics are kept as the trail needs them: deleted by age only, times given by producers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

NEEDED = {"cleanup.policy": "delete", "message.timestamp.type": "CreateTime"}
"""Compaction would remove records that leaves stand for; append times would make leaves depend on the broker."""


async def unfit_topics(kafka: Sequence[str], topics: Iterable[str]) -> list[str]:
    """What is not as needed, such as `guichet.portal cleanup.policy`; raises what the broker's absence raises."""
    admin = AIOKafkaAdminClient(bootstrap_servers=list(kafka), request_timeout_ms=10_000)
    async with asyncio.timeout(15):
        await admin.start()
        try:
            resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
            answers = await admin.describe_configs(resources)
        finally:
            await admin.close()
    found = [
        (name, {entry[0]: entry[1] for entry in entries})
        for answer in answers
        for _code, _message, _kind, name, entries in answer.resources
    ]
    return [
        f"{name} {setting}"
        for name, settings in found
        for setting, needed in NEEDED.items()
        if settings.get(setting) != needed
    ]
