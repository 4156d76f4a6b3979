"""The description of the HTTP door (OpenAPI 3.1), made from the contracts it enforces."""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue
from pydantic.json_schema import models_json_schema

from contracts.dossier import Dossier
from contracts.envelope import BATCH, JSON, STRUCTURED
from intake.answers import PROBLEM, TITLES
from intake.problems import DETAILS
from intake.public import PublicRequest
from intake.reading import HEARD, LARGEST_DATA
from intake.settings import LARGEST_BATCH, LARGEST_BODY

JsonObject = dict[str, JsonValue]

_ERRORS: Final = {
    "400": "The body is not what it says it is: JSON, UTF-8, a CloudEvent with its attributes.",
    "401": "No bearer token of a portal.",
    "403": "The source is not this portal, or the request belongs to another one.",
    "404": "No such request of this portal.",
    "409": "Another body is on file under this reference and revision, or the event id was used for something else.",
    "413": f"A body of more than {LARGEST_BODY} bytes, data of more than {LARGEST_DATA}, or more than {LARGEST_BATCH} "
    "events.",
    "415": f"Neither {JSON}, {STRUCTURED} nor {BATCH}, or not in UTF-8.",
    "422": "Everything that is wrong with the event at once; nothing of it was kept.",
    "429": "Too fast, or the office is behind; see Retry-After.",
    "503": "The office is closed for the moment; see Retry-After.",
}

OF_EVERY_SERVICE: Final = ("internal", "not-started", "unavailable")
"""Problems that the server of any service answers with."""

_WAITS: Final[JsonObject] = {
    "Retry-After": {"description": "Seconds until it is worth coming again.", "schema": {"type": "integer"}}
}


def document(release: str) -> JsonObject:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Guichet, intake",
            "version": release,
            "description": "The door for portals that do not speak Kafka. What is taken in also stands on "
            "guichet.portal, byte for byte. Sending the same thing again gets the same answer and does nothing.",
        },
        "security": [{"portal": []}],
        "paths": {
            "/events": {"post": _post_events()},
            "/requests/{request_id}": {"get": _get_request()},
            "/openapi.json": {
                "get": {
                    "summary": "This description.",
                    "operationId": "getOpenapi",
                    "security": [],
                    "responses": {"200": {"description": "OpenAPI 3.1.", "content": {JSON: {"schema": {}}}}},
                }
            },
        },
        "components": {
            "securitySchemes": {"portal": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _post_events() -> JsonObject:
    return {
        "summary": "Bring an event, or several.",
        "description": "CloudEvents 1.0: binary mode (attributes as ce- headers, the data as the body), structured, "
        "or batched. The answer is given after the event is durable. `subject` is the request id and may be left out "
        "of guichet.request.submitted.v1. An event about a request that has not been submitted yet is kept "
        "(`waiting`) and dealt with after its submission, in the order it came. In a batch every event is dealt with "
        "on its own; the answer is 207 with one result for each, in order.",
        "operationId": "postEvents",
        "requestBody": {
            "required": True,
            "content": {
                STRUCTURED: {"schema": _ref("Event")},
                BATCH: {"schema": {"type": "array", "maxItems": LARGEST_BATCH, "items": _ref("Event")}},
                JSON: {"schema": {"type": "object", "description": "The data alone, with ce- headers."}},
            },
        },
        "responses": {
            "202": {
                "description": "Durable.",
                "headers": {"Location": {"schema": {"type": "string"}}},
                "content": {JSON: {"schema": _ref("Taken")}},
            },
            "207": {"description": "One result for each event.", "content": {JSON: {"schema": _ref("Results")}}},
            **_errors("400", "401", "403", "409", "413", "415", "422", "429", "503"),
        },
    }


def _get_request() -> JsonObject:
    return {
        "summary": "The public state of a request.",
        "operationId": "getRequest",
        "parameters": [
            {"name": "request_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        ],
        "responses": {
            "200": {"description": "As far as it has come.", "content": {JSON: {"schema": _ref("PublicRequest")}}},
            **_errors("401", "404", "429", "503"),
        },
    }


def _errors(*statuses: str) -> JsonObject:
    found: JsonObject = {}
    for status in statuses:
        error: JsonObject = {
            "description": _ERRORS[status],
            "content": {PROBLEM: {"schema": _ref("Problem")}},
        }
        if status in ("429", "503"):
            error["headers"] = _WAITS
        found[status] = error
    return found


def _ref(name: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> JsonObject:
    _, generated = models_json_schema(
        [(Dossier, "validation"), (PublicRequest, "serialization")], ref_template="#/components/schemas/{model}"
    )
    text: JsonObject = {"type": "string"}
    uuid: JsonObject = {"type": "string", "format": "uuid"}
    types: list[JsonValue] = list(HEARD)
    codes: list[JsonValue] = [*sorted([*TITLES, *OF_EVERY_SERVICE])]
    problem: JsonObject = {
        "type": {"type": "string", "enum": [f"urn:guichet:problem:{code}" for code in codes]},
        "title": text,
        "status": {"type": "integer"},
        "code": {"enum": codes},
        "detail": {"type": "string", "description": "Names fields and rules, never a value."},
        "request_id": uuid,
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "pointer", "detail"],
                "properties": {
                    "code": {"type": "string", "examples": [*sorted(DETAILS)]},
                    "pointer": {"type": "string", "description": "JSON Pointer into the event's data (RFC 6901)."},
                    "detail": text,
                },
            },
        },
    }
    event_id: JsonObject = {"type": ["string", "null"], "description": "null where it could not be read."}
    return {
        **generated["$defs"],
        "Event": {
            "type": "object",
            "required": ["specversion", "id", "type", "source", "time", "data"],
            "properties": {
                "specversion": {"const": "1.0"},
                "id": {**uuid, "description": "UUIDv7, new for each event and the same when it is sent again."},
                "type": {"enum": types},
                "source": {"type": "string", "pattern": "^/portals/", "description": "/portals/ and the portal."},
                "subject": {"type": "string", "description": "The request id; permit or workspace id for theirs."},
                "time": {"type": "string", "format": "date-time"},
                "datacontenttype": {"const": JSON},
                "partitionkey": {"type": "string", "description": "The request id when the subject is another."},
                "data": {"type": "object"},
            },
        },
        "Taken": {
            "type": "object",
            "required": ["request_id", "outcome"],
            "additionalProperties": False,
            "properties": {"request_id": uuid, "outcome": {"enum": ["received", "waiting"]}},
        },
        "Problem": {"type": "object", "required": ["type", "title", "status"], "properties": problem},
        "Results": {
            "type": "object",
            "required": ["results"],
            "properties": {
                "results": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["status", "event_id"],
                        "properties": {**problem, "event_id": event_id, "outcome": {"enum": ["received", "waiting"]}},
                    },
                }
            },
        },
    }
