"""The AsyncAPI 3.0 document: channels, who sends and who receives on each, messages with their headers."""

from __future__ import annotations

from pydantic import JsonValue

from contracts.facts import Fact
from contracts.registry import FACTS, short
from contracts.topics import TOPICS, Topic

Json = dict[str, JsonValue]

_TEXT: Json = {"type": "string"}
_COUNT: Json = {"type": "string", "pattern": "^[1-9][0-9]{0,14}$"}


def document() -> Json:
    """The whole document, from the registry of facts and the table of topics."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Guichet",
            "version": "1.0.0",
            "description": "Every event of the single window, on Kafka, as CloudEvents 1.0 in binary mode. "
            "The key of a record is the id that must stay in order.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS.values()},
        "operations": _operations(),
        "components": {
            "messages": {short(name): _message(fact) for name, fact in FACTS.items()},
            "messageTraits": {
                "envelope": {
                    "headers": _headers(),
                    "correlationId": {"location": "$message.header#/ce_correlationid"},
                    "bindings": {"kafka": {"key": _TEXT, "bindingVersion": "0.5.0"}},
                }
            },
        },
    }


def _types(topic: Topic) -> list[str]:
    return [short(name) for name, fact in FACTS.items() if fact.topic == topic.name]


def _channel(topic: Topic) -> Json:
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"Written by {topic.writer}. Key: {topic.key}. Kept at least {topic.retention.days} days.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _types(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions_production,
                "replicas": 3,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": int(topic.retention.total_seconds()) * 1000,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operations() -> Json:
    operations: Json = {}
    for topic in TOPICS.values():
        for writer in topic.writers:
            operations[f"{writer}.says.{topic.name}"] = _operation("send", topic)
        for reader in topic.readers:
            operations[f"{reader}.listens.{topic.name}"] = _operation("receive", topic)
    return operations


def _operation(action: str, topic: Topic) -> Json:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in _types(topic)],
    }


def _message(fact: type[Fact]) -> Json:
    name = short(fact.event_type)
    return {
        "name": fact.event_type,
        "title": name,
        "summary": " ".join((fact.__doc__ or "").split()),
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/envelope"}],
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./schemas/{name}.json"},
        },
    }


def _headers() -> Json:
    return {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time"],
        "properties": {
            "ce_specversion": {"const": "1.0"},
            "ce_id": {"type": "string", "format": "uuid", "description": "UUID; of version 7 where we say it."},
            "ce_type": {**_TEXT, "description": "Full type, with its version."},
            "ce_source": {**_TEXT, "description": "Who says it."},
            "ce_subject": {**_TEXT, "description": "The request, permit, workspace or other thing it is about."},
            "ce_time": {"type": "string", "format": "date-time", "description": "When; years 2000 to 2199."},
            "ce_dataschema": _TEXT,
            "ce_partitionkey": _TEXT,
            "ce_sequence": {**_COUNT, "description": "Gapless for each source and subject."},
            "ce_correlationid": {**_TEXT, "description": "Id of the story."},
            "ce_causationid": {**_TEXT, "description": "Id of the event that made this one happen."},
            "ce_producer": _TEXT,
            "ce_producerepoch": _COUNT,
            "ce_producersequence": {**_COUNT, "description": "Gapless for each producer, epoch and partition."},
            "content-type": {"type": "string", "default": "application/json"},
            "traceparent": {**_TEXT, "description": "W3C Trace Context."},
        },
    }
