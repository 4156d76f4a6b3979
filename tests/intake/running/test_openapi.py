"""The description of the door agrees with the door."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from contracts.identity import request_id
from intake.answers import TITLES
from intake.openapi import OF_EVERY_SERVICE, document

Json = dict[str, Any]
DOCUMENT = document("test")


def validate(value: Any, schema: Json) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def test_every_schema_is_one_and_every_reference_leads_somewhere() -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            found = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return found + [each for inner in value.values() for each in references(inner)]
        return [each for inner in value for each in references(inner)] if isinstance(value, list) else []

    schemas: Any = DOCUMENT["components"]["schemas"]  # type: ignore[index,call-overload]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    for reference in references(DOCUMENT):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference


def test_every_kind_of_problem_has_a_title_in_the_description() -> None:
    problem: Any = DOCUMENT["components"]["schemas"]["Problem"]  # type: ignore[index,call-overload]
    assert set(problem["properties"]["code"]["enum"]) == {*TITLES, *OF_EVERY_SERVICE}


@pytest.mark.kafka
@pytest.mark.postgres
async def test_every_answer_is_as_described(
    office: Any, make_event: Callable[..., Json], make_dossier: Callable[..., Json], reference: str
) -> None:
    assert (await office.client.get("/openapi.json")).json()["paths"] == DOCUMENT["paths"]
    event = make_event({"dossier": make_dossier(portal_reference=reference)})
    bodies: list[Any] = [
        event,
        make_event({"dossier": make_dossier(portal_reference=reference, title="Another")}),
        make_event({"dossier": make_dossier(portal_reference=reference, revision=2, title="X")}),
        [event, {}, make_event({"dossier": make_dossier(title="X")})],
        b"{",
        event | {"source": "/portals/portal-other"},
        b" " * 1_100_000,
    ]
    answers = list(await asyncio.gather(*(office.post(body) for body in bodies[:1])))
    answers += [await office.post(body) for body in bodies[1:]]
    answers.append(await office.post(b"x", media="text/plain"))
    answers.append(await office.client.post("/events", content=b"{}"))
    assert [answer.status_code for answer in answers] == [202, 409, 422, 207, 400, 403, 413, 415, 401]
    described: Any = DOCUMENT["paths"]["/events"]["post"]["responses"]  # type: ignore[index,call-overload]
    for answer in answers:
        [(media, content)] = described[str(answer.status_code)]["content"].items()
        assert answer.headers["content-type"] == media
        validate(answer.json(), content["schema"])
    seen = await office.get(f"/requests/{request_id('portal-hdh', reference)}")
    described = DOCUMENT["paths"]["/requests/{request_id}"]["get"]["responses"]  # type: ignore[index,call-overload]
    validate(seen.json(), described["200"]["content"]["application/json"]["schema"])
    missing = await office.get("/requests/x")
    validate(missing.json(), described["404"]["content"]["application/problem+json"]["schema"])
