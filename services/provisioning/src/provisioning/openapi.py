"""What a provisioner offers and what it may report, as OpenAPI 3.1, made from the models that enforce it."""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue
from pydantic.json_schema import models_json_schema

from contracts.facts import Shape
from provisioning import reports
from provisioning.environments import http_wire as wire
from provisioning.environments.http_client import JSON, ROWS
from provisioning.environments.http_rows import BODY_BYTES

JsonObject = dict[str, JsonValue]
VERSION: Final = "1.0"
"""Of the interface: members may be added; anything else is another version, at another base address."""
PROBLEM: Final = "application/problem+json"

_ID: Final[JsonObject] = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
    "description": "The workspace.",
}
_TABLE: Final[JsonObject] = {
    "name": "table",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,127}$"},
}
_MODELS: Final[tuple[type[Shape], ...]] = (
    wire.Place, wire.Upload, wire.Removal, wire.Admission, wire.Password, wire.Door, wire.Rights, wire.TableFound,
    wire.Status, wire.Columns, wire.Destroyed, wire.Entered, wire.Seen, wire.Report, wire.Trouble,
)  # fmt: skip


def document() -> JsonObject:
    """The whole description."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "A provisioner for Guichet",
            "version": VERSION,
            "description": "What a hosting environment offers so that Guichet can open, close and destroy workspaces "
            "there. docs/provisioner.md explains signatures, fences, rows and manifests.",
        },
        "servers": [{"url": "https://provisioner.example/guichet/v1"}],
        "security": [{"signature": []}],
        "paths": _paths(),
        "webhooks": {"report": {"post": _report()}},
        "components": {
            "securitySchemes": {
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Signature",
                    "description": "HTTP Message Signatures (RFC 9421), HMAC-SHA256, with Signature-Input and "
                    "Content-Digest (RFC 9530). Answers are signed too.",
                },
                "password": {"type": "http", "scheme": "basic", "description": "A login and its password."},
                "session": {"type": "http", "scheme": "bearer", "description": "The token of a session."},
            },
            "parameters": {
                "fence": {
                    "name": "Guichet-Fence",
                    "in": "header",
                    "required": True,
                    "schema": {"type": "integer", "minimum": 0},
                    "description": "Smaller than one seen for this workspace: 409 `superseded`, and nothing is done.",
                },
                "key": {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "required": True,
                    "schema": {"type": "string", "maxLength": 200},
                    "description": "workspace:step:occasion, the same for every attempt at one order.",
                },
            },
            "schemas": schemas["$defs"],
        },
    }


def _paths() -> JsonObject:
    place = "/workspaces/{id}"
    table = f"{place}/tables/{{table}}"
    login: JsonObject = {
        "name": "login",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^ws_[0-9a-f]{16}_[0-9a-z]{1,16}$"},
    }
    return {
        place: {
            "parameters": [_ID],
            "get": _call("getWorkspace", "What is really there.", answer=wire.Status),
            "put": _order("prepare", "Make an empty place, closed to everybody.", wire.Place, wire.Status, later=True),
            "delete": _order(
                "destroy",
                "Destroy everything, look for what is left, and say so; 200 also where nothing was.",
                None,
                wire.Destroyed,
                later=True,
            ),
        },
        f"{place}/access": {
            "parameters": [_ID],
            "put": _order(
                "turn", "Let the logins in, or keep them out and end sessions.", wire.Door, wire.Status, later=True
            ),
        },
        f"{place}/restore": {
            "parameters": [_ID],
            "post": _order(
                "restore", "Put rights back to what was ordered; let nobody in.", wire.Rights, wire.Status, later=True
            ),
        },
        f"{place}/logins": {
            "parameters": [_ID],
            "put": _order(
                "admit", "Exactly these logins; sessions of others end.", wire.Admission, wire.Status, later=True
            ),
        },
        f"{place}/logins/{{login}}/password": {
            "parameters": [_ID, login],
            "put": _password(),
        },
        f"{place}/uploads/{{upload}}/{{chunk}}": {
            "parameters": [_ID, _path("upload", "string"), _path("chunk", "integer")],
            "put": _upload(),
        },
        table: {
            "parameters": [_ID, _TABLE],
            "get": _call("getTable", "A table with its columns, counted and hashed anew.", answer=wire.Columns),
            "put": _order(
                "load", "The chunks of an upload become this table.", wire.Upload, wire.TableFound, later=True
            ),
            "delete": _order("drop", "Take the table away; 200 or 404 where there is none.", None, None),
        },
        f"{table}/removals": {
            "parameters": [_ID, _TABLE],
            "post": _order("remove", "Rows whose first value is one of these go.", wire.Removal, None),
        },
        f"{table}/rows": {
            "parameters": [
                _ID,
                _TABLE,
                {"name": "from", "in": "query", "required": True, "schema": {"type": "string", "pattern": "^[0-9]+$"}},
            ],
            "get": _rows(),
        },
        f"{place}/sessions": {
            "parameters": [_ID],
            "post": {
                "summary": "Come in as a person does. No signature.",
                "operationId": "enter",
                "security": [{"password": []}],
                "responses": {
                    "201": _body("In.", wire.Entered),
                    "401": {"description": "Not let in: wrong, over, or the door is shut. Also 403."},
                },
            },
        },
        f"{place}/sessions/current": {
            "parameters": [_ID],
            "get": {
                "summary": "What this session can read, counted by reading it. No signature.",
                "operationId": "look",
                "security": [{"session": []}],
                "responses": {"200": _body("This is seen.", wire.Seen), "401": {"description": "The session is over."}},
            },
        },
    }


def _path(name: str, kind: str) -> JsonObject:
    return {"name": name, "in": "path", "required": True, "schema": {"type": kind}}


def _body(description: str, model: type[Shape] | None) -> JsonObject:
    schema: JsonObject = {"type": "object"}
    if model is not None:
        schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _problems(*statuses: str) -> JsonObject:
    why = {
        "401": "Not signed with a shared key, not for this, not from now, or seen before.",
        "404": "Nothing of this name is there.",
        "409": "`superseded` by a newer fence, or `login-not-open`.",
        "422": f"Trying again cannot help: {', '.join(sorted(wire.REFUSALS))}. A person is told.",
        "503": "Not now; Retry-After says when. Also 429, 500, 502, 504: all are tried again.",
    }
    schema: JsonObject = {"$ref": f"#/components/schemas/{wire.Trouble.__name__}"}
    return {status: {"description": why[status], "content": {PROBLEM: {"schema": schema}}} for status in statuses}


def _call(name: str, summary: str, *, answer: type[Shape]) -> JsonObject:
    return {
        "summary": summary,
        "operationId": name,
        "responses": {"200": _body("As it is now.", answer), **_problems("401", "404", "503")},
    }


def _order(
    name: str, summary: str, body: type[Shape] | None, answer: type[Shape] | None, *, later: bool = False
) -> JsonObject:
    responses: JsonObject = {"200": _body("Done, or done before.", answer)}
    if later:
        responses["202"] = _body(
            "Accepted: `working`. Guichet asks again until it is done or its patience ends.", answer
        )
    return {
        "summary": summary,
        "operationId": name,
        "parameters": [{"$ref": "#/components/parameters/fence"}, {"$ref": "#/components/parameters/key"}],
        **({} if body is None else {"requestBody": {"required": True, **_body("", body)}}),
        "responses": {**responses, **_problems("401", "404", "409", "422", "503")},
    }


def _password() -> JsonObject:
    found = _order("setPassword", "What a password is checked against; null takes it away.", wire.Password, None)
    # Without an order it is for a person, and only for a login that is let in.
    optional: list[JsonValue] = [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}
        for name in ("Guichet-Fence", "Idempotency-Key")
    ]
    return {**found, "parameters": optional}


def _upload() -> JsonObject:
    found = _order("upload", f"A part of a table, about {BODY_BYTES} bytes; kept until a load uses it.", None, None)
    return {**found, "requestBody": {"required": True, "content": {ROWS: {"schema": {"type": "string"}}}}}


def _rows() -> JsonObject:
    return {
        "summary": "A page of rows, in any order that does not change between pages.",
        "operationId": "readRows",
        "responses": {
            "200": {
                "description": "Lines. `Guichet-Next`, which the signature covers, says where the next page begins.",
                "headers": {"Guichet-Next": {"schema": {"type": "string", "pattern": "^[0-9]+$"}}},
                "content": {ROWS: {"schema": {"type": "string"}}},
            },
            **_problems("401", "404", "503"),
        },
    }


def _report() -> JsonObject:
    codes: list[JsonValue] = [*sorted(reports.TITLES)]
    return {
        "summary": "Tell Guichet what became of a workspace: `POST /environments/{environment}/reports` there.",
        "description": "Signed with the tag guichet-report. Sending the same report again changes nothing.",
        "requestBody": {"required": True, **_body("", wire.Report)},
        "responses": {
            "202": {"description": "On the record."},
            "200": {"description": "It was on the record before."},
            "4XX": {
                "description": "A problem (RFC 9457); at 422 with every problem at once.",
                "content": {PROBLEM: {"schema": {"type": "object", "properties": {"code": {"enum": codes}}}}},
            },
        },
    }
