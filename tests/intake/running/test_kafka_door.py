"""A portal at the Kafka door: the same facts as over HTTP, and a dead letter for what nobody can act upon."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.envelope import encode
from contracts.identity import permit_id, request_id
from contracts.structured import decode_structured
from contracts.topics import CATALOGUE, PORTAL

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

Json = dict[str, Any]


@pytest.fixture
def submitted(make_dossier: Any, make_event: Any, reference: str) -> Callable[..., Json]:
    """`submitted(title="…")`: a submission under this test's reference."""
    return lambda **changes: make_event({"dossier": make_dossier(portal_reference=reference, **changes)})


@pytest.fixture
def about(make_event: Any, reference: str) -> Callable[..., Json]:
    """`about("request.withdrawn.v1", {…})`: an event about this test's request."""
    return lambda kind, data=None, **more: make_event(
        data, kind=f"guichet.{kind}", **{"subject": request_id("portal-hdh", reference)} | more
    )


def headers_of(event: Json, **replaced: bytes | None) -> list[tuple[str, bytes | None]]:
    """The headers of an event in binary mode, some replaced or, when None is given as b"", left out."""
    envelope, _ = decode_structured(json.dumps(event).encode())
    headers = [(name, replaced.get(name, value)) for name, value in encode(envelope)]
    return [(name, value) for name, value in headers if value != b""]


async def test_the_life_of_a_request_makes_the_same_facts_as_over_http(
    office: Any, submitted: Any, about: Any, reference: str
) -> None:
    request = request_id("portal-hdh", reference)
    again = submitted()
    document = {"code": "NOTICE", "version": 1, "date": "2026-09-07", "sha256": "5" * 64}
    await office.emit(
        submitted(),
        again,
        again,
        submitted(title="Another"),
        about("request.completed.v1", {"documents": [document], "set": {"requested_months": 12}}),
        submitted(revision=2, requested_months=24),
        submitted(revision=3, environment_id="env-none"),
        about("permit.results-published.v1", subject=permit_id(request)),
        about("request.withdrawn.v1"),
        about("request.withdrawn.v1"),
        key=request,
    )
    assert [kind for kind, _ in await office.said(request)] == [
        "request.accepted.v1",
        "submission.conflicted.v1",
        "request.revised.v1",
        "request.revised.v1",
        "request.rejected.v1",
        "request.notice-recorded.v1",
        "request.withdrawal-recorded.v1",
    ]


async def test_what_comes_before_its_submission_is_dealt_with_after_it_in_order(
    office: Any, submitted: Any, about: Any, reference: str
) -> None:
    request = request_id("portal-hdh", reference)
    await office.emit(
        about("request.completed.v1", {"documents": [], "set": {"requested_months": 6}}),
        about("request.completed.v1", {"documents": [], "set": {"requested_months": 7}}),
    )
    assert await office.said(request) == []
    await office.emit(about("request.withdrawn.v1"), submitted())
    facts = await office.said(request)
    assert [kind for kind, _ in facts] == [
        "request.accepted.v1",
        "request.revised.v1",
        "request.revised.v1",
        "request.withdrawal-recorded.v1",
    ]
    assert [data["set"]["requested_months"] for _, data in facts[1:3]] == [6, 7]


async def test_a_dossier_that_cannot_be_taken_in_is_rejected_with_every_problem(
    office: Any, submitted: Any, reference: str
) -> None:
    request = request_id("portal-hdh", reference)
    event = submitted(title="X", environment_id="env-none")
    again = event | {"id": submitted()["id"]}
    await office.emit(event, again, submitted())
    facts = await office.said(request)
    assert [kind for kind, _ in facts] == ["request.rejected.v1", "request.accepted.v1"]
    assert facts[0][1]["problems"] == [
        {"code": "unknown-environment", "pointer": "/dossier/environment_id"},
        {"code": "too-short", "pointer": "/dossier/title"},
    ]


async def test_the_same_submission_through_both_doors_is_one(office: Any, submitted: Any, reference: str) -> None:
    event = submitted()
    await office.emit(event)
    assert (await office.post(event)).status_code == 202
    await office.emit(event, submitted())
    assert (await office.post(submitted())).status_code == 202
    assert [kind for kind, _ in await office.said(request_id("portal-hdh", reference))] == ["request.accepted.v1"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"ce_id": b""}, "missing-header"),
        ({"ce_type": b"\xff\xfe"}, "not-utf8"),
        ({"ce_source": None}, "null-header"),
        ({"ce_type": b"guichet.request.invented.v1"}, "unknown-type"),
        ({"ce_type": b"guichet.request.submitted.v9"}, "unknown-version"),
        ({"ce_type": b"guichet.opinion.issued.v1"}, "wrong-topic"),
        ({"ce_type": b"guichet.dataset.described.v1"}, "wrong-topic"),
        ({"ce_source": b"/authorities/HDH"}, "foreign-source"),
        ({"ce_source": b"/portals/portal-other"}, "foreign-source"),
        ({"ce_source": b"/portals/a/b"}, "foreign-source"),
        ({"ce_subject": b"9f0c5f52-58a0-4b4e-8a37-3f0f1d1f0000"}, "subject-mismatch"),
        ({"ce_time": b"9999-12-31T00:00:00Z"}, "time-out-of-range"),
        ({"ce_time": (datetime.now(UTC) + timedelta(hours=2)).isoformat().encode()}, "clock-skew"),
    ],
)
async def test_an_envelope_that_cannot_be_true_becomes_a_dead_letter_and_others_go_on(
    office: Any, submitted: Any, about: Any, reference: str, headers: dict[str, bytes | None], code: str
) -> None:
    event = submitted()
    await office.send(PORTAL, f"bad-{reference}", headers_of(event, **headers), json.dumps(event["data"]).encode())
    await office.emit(submitted())
    assert [kind for kind, _ in await office.said(request_id("portal-hdh", reference))] == ["request.accepted.v1"]
    letters = [letter["code"] for letter in await office.letters() if letter["key"] == f"bad-{reference}".encode()]
    assert letters == [code]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "null-value"),
        (b"{", "not-json"),
        (b"\xff", "not-utf8"),
        (b"[]", "invalid-data"),
        (b'{"dossier": {}}', "invalid-data"),
        (b'{"dossier": {"portal": "portal-hdh", "portal_reference": "r", "revision": "one"}}', "invalid-data"),
        (b'{"dossier": {}, "dossier": {}}', "invalid-data"),
        (b'{"dossier": {"title": "' + b"x" * 200_000 + b'"}}', "too-large"),
    ],
)
async def test_data_that_identify_no_request_become_a_dead_letter(
    office: Any, submitted: Any, reference: str, value: bytes | None, code: str
) -> None:
    await office.send(PORTAL, f"bad-{reference}", headers_of(submitted()), value)
    await office.quiet()
    letters = [letter for letter in await office.letters() if letter["key"] == f"bad-{reference}".encode()]
    assert [letter["code"] for letter in letters] == [code]
    assert "one" not in letters[0]["detail"]


async def test_a_bad_event_makes_its_own_request_wait_and_no_other(
    office: Any, submitted: Any, about: Any, make_event: Any, make_dossier: Any, reference: str
) -> None:
    other = f"{reference}-other"
    await office.emit(
        submitted(),
        about("request.authority-chosen.v1", {"choice": "perhaps"}),
        about("request.withdrawn.v1"),
        make_event({"dossier": make_dossier(portal_reference=other)}),
    )
    assert len(await office.said(request_id("portal-hdh", other))) == 1
    assert [kind for kind, _ in await office.said(request_id("portal-hdh", reference))] == ["request.accepted.v1"]


async def test_another_portal_cannot_touch_a_request(office: Any, submitted: Any, about: Any, reference: str) -> None:
    request = request_id("portal-hdh", reference)
    stranger = about("request.withdrawn.v1", source="/portals/portal-other")
    await office.emit(submitted(), stranger, key=request)
    assert [kind for kind, _ in await office.said(request)] == ["request.accepted.v1"]
    assert [letter["code"] for letter in await office.letters() if letter["event_id"] == stranger["id"]] == [
        "foreign-source"
    ]


async def test_what_a_stranger_said_before_the_submission_never_counts(
    office: Any, submitted: Any, about: Any, reference: str
) -> None:
    request = request_id("portal-hdh", reference)
    await office.emit(about("request.withdrawn.v1", source="/portals/portal-other"))
    await office.quiet()
    await office.emit(submitted())
    assert [kind for kind, _ in await office.said(request)] == ["request.accepted.v1"]
    kept = await office.fetch("SELECT portal FROM intake.waiting WHERE request_id = $1::text::uuid", request)
    assert [row["portal"] for row in kept] == ["portal-other"]


async def test_a_dataset_may_be_named_from_its_description_until_its_withdrawal(
    office: Any, submitted: Any, describe: Any, make_event: Any, reference: str
) -> None:
    name = f"dataset-{reference}"
    wanted = {"data.datasets.0.dataset_id": name, "data.datasets.0.version": "7"}
    assert (await office.post(submitted(**wanted))).status_code == 422
    await office.emit(describe(name, "7"), topic=CATALOGUE)
    await office.quiet()
    assert (await office.post(submitted(**wanted))).status_code == 202
    withdrawn = make_event(
        {"dataset_id": name}, kind="guichet.dataset.withdrawn.v1", source="/holders/cnam", subject=name
    )
    await office.emit(withdrawn, topic=CATALOGUE)
    await office.quiet()
    assert (await office.post(submitted(**wanted))).status_code == 202, "what is on file is not asked about again"
    assert (await office.post(submitted(revision=2, **wanted))).json()["problems"][0]["code"] == "unknown-dataset"
