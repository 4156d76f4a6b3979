"""A portal at the HTTP door: what it brings, what it is answered, what then stands on the topics."""

import asyncio
import json
import select
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.envelope import decode
from contracts.identity import permit_id, request_id
from contracts.topics import PORTAL

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

Json = dict[str, Any]
MakeDossier = Callable[..., Json]


@pytest.fixture
def submitted(make_dossier: MakeDossier, make_event: Callable[..., Json], reference: str) -> Callable[..., Json]:
    """`submitted(title="…")`: a submission under this test's reference."""
    return lambda **changes: make_event({"dossier": make_dossier(portal_reference=reference, **changes)})


@pytest.fixture
def about(make_event: Callable[..., Json], reference: str) -> Callable[..., Json]:
    """`about("request.withdrawn.v1", {…})`: an event about this test's request."""
    return lambda kind, data=None, **more: make_event(
        data, kind=f"guichet.{kind}", **{"subject": request_id("portal-hdh", reference)} | more
    )


async def test_a_submission_is_answered_with_its_request_and_said(office: Any, submitted: Any, reference: str) -> None:
    answer = await office.post(submitted())
    request = request_id("portal-hdh", reference)
    assert (answer.status_code, answer.json()) == (202, {"request_id": request, "outcome": "received"})
    assert answer.headers["location"] == f"/requests/{request}"
    [(kind, data)] = await office.said(request)
    assert kind == "request.accepted.v1"
    assert (data["portal"], data["portal_reference"], data["revision"]) == ("portal-hdh", reference, 1)


async def test_what_comes_by_http_also_stands_on_the_topic_byte_for_byte(
    office: Any, submitted: Any, reference: str
) -> None:
    event = submitted(title="Des données à l’échelle")
    data = json.dumps(event["data"], indent=1, ensure_ascii=False)
    body = json.dumps(event | {"data": None}, ensure_ascii=False).replace('"data": null', f'"data" : {data}')
    assert (await office.post(body.encode())).status_code == 202
    await office.quiet()
    request = request_id("portal-hdh", reference)
    [record] = [found for found in await office.records(PORTAL) if found.key == request.encode()]
    envelope, kept = decode(record.headers, record.value)
    assert kept == data.encode()
    assert (envelope.id, envelope.source, envelope.subject) == (event["id"], event["source"], request)
    assert [kind for kind, _ in await office.said(request)] == ["request.accepted.v1"]


async def test_binary_mode_is_read_too(office: Any, submitted: Any, reference: str) -> None:
    event = submitted()
    names = ("specversion", "id", "type", "source", "time")
    headers = {f"ce-{name}": event[name] for name in names} | {
        "authorization": "Bearer token-of-hdh",
        "content-type": "application/json; charset=utf-8",
    }
    answer = await office.client.post("/events", content=json.dumps(event["data"]), headers=headers)
    assert answer.status_code == 202
    assert answer.json()["request_id"] == request_id("portal-hdh", reference)


async def test_the_subject_of_a_submission_may_be_left_out(office: Any, submitted: Any, reference: str) -> None:
    event = submitted()
    del event["subject"]
    assert (await office.post(event)).json()["request_id"] == request_id("portal-hdh", reference)
    assert (await office.post([event])).json()["results"][0]["request_id"] == request_id("portal-hdh", reference)


async def test_fifty_at_once_make_one_request_fifty_equal_answers_and_one_fact(
    office: Any, submitted: Any, reference: str
) -> None:
    events = [submitted() for _ in range(25)]
    answers = await asyncio.gather(*(office.post(event) for event in [*events, *events]))
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    request = request_id("portal-hdh", reference)
    assert [kind for kind, _ in await office.said(request)] == ["request.accepted.v1"]


async def test_a_changed_body_is_a_conflict_said_once(office: Any, submitted: Any, reference: str) -> None:
    assert (await office.post(submitted())).status_code == 202
    other = submitted(title="Another title")
    answers = await asyncio.gather(*(office.post(event) for event in [other, other, submitted(title="Another title")]))
    assert [answer.status_code for answer in answers] == [409] * 3
    assert {answer.json()["code"] for answer in answers} == {"conflict"}
    facts = await office.said(request_id("portal-hdh", reference))
    assert [kind for kind, _ in facts] == ["request.accepted.v1", "submission.conflicted.v1"]


async def test_the_life_of_a_request_is_passed_on_in_order(
    office: Any, submitted: Any, about: Any, reference: str
) -> None:
    request = request_id("portal-hdh", reference)
    document = {"code": "NOTICE", "version": 1, "date": "2026-09-07", "sha256": "5" * 64}
    events = [
        submitted(),
        about("request.completed.v1", {"documents": [document], "set": {"requested_months": 12}}),
        submitted(revision=2, requested_months=24),
        about("output.requested.v1", {"ref": "o-1", "kind": "figure", "personal": False}),
        about("permit.results-published.v1", subject=permit_id(request)),
        about("request.withdrawn.v1"),
        about("request.withdrawn.v1"),
    ]
    for event in events:
        answer = await office.post(event)
        assert (answer.status_code, answer.json()["request_id"]) == (202, request)
    facts = await office.said(request)
    assert [kind for kind, _ in facts] == [
        "request.accepted.v1",
        "request.revised.v1",
        "request.revised.v1",
        "request.notice-recorded.v1",
        "request.notice-recorded.v1",
        "request.withdrawal-recorded.v1",
    ]
    assert [data["revision"] for kind, data in facts if kind == "request.revised.v1"] == [1, 2]
    assert facts[2][1]["set"] == {"requested_months": 24}
    assert [data["notice"] for kind, data in facts if "notice" in kind] == [
        "output.requested.v1",
        "permit.results-published.v1",
    ]
    assert (await office.get(f"/requests/{request}")).json()["withdrawn"] is True
    assert (await office.post(submitted(revision=3))).json()["problems"][0]["code"] == "request-withdrawn"


async def test_an_event_for_a_request_still_to_come_waits_and_is_then_dealt_with(
    office: Any, submitted: Any, about: Any, reference: str
) -> None:
    request = request_id("portal-hdh", reference)
    early = about("request.completed.v1", {"documents": [], "set": {"requested_months": 6}})
    for _ in range(2):
        assert (await office.post(early)).json() == {"request_id": request, "outcome": "waiting"}
    assert (await office.post(about("request.withdrawn.v1"))).json()["outcome"] == "waiting"
    assert (await office.get(f"/requests/{request}")).status_code == 404
    assert await office.said(request) == []
    assert (await office.post(submitted())).status_code == 202
    assert [kind for kind, _ in await office.said(request)] == [
        "request.accepted.v1",
        "request.revised.v1",
        "request.withdrawal-recorded.v1",
    ]
    assert (await office.post(early)).json() == {"request_id": request, "outcome": "received"}


async def test_every_problem_is_named_at_once_with_its_place_and_no_value(
    office: Any, submitted: Any, reference: str
) -> None:
    event = submitted(
        title="X",
        requested_months="a while",
        environment_id="env-secret",
        **{
            "data.datasets.0.dataset_id": "dataset-secret",
            "documents.0.date": "9999-12-31",
            "applicant.country": "secretland",
            "purpose.ehds_purposes": ["e", "e"],
        },
    )
    event["data"]["dossier"]["secret_member"] = "secret value"
    del event["data"]["dossier"]["kind"]
    answer = await office.post(event)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [(problem["code"], problem["pointer"]) for problem in answer.json()["problems"]] == [
        ("wrong-form", "/dossier/applicant/country"),
        ("unknown-dataset", "/dossier/data/datasets/0/dataset_id"),
        ("date-out-of-range", "/dossier/documents/0/date"),
        ("unknown-environment", "/dossier/environment_id"),
        ("missing-member", "/dossier/kind"),
        ("repeated-item", "/dossier/purpose/ehds_purposes"),
        ("wrong-type", "/dossier/requested_months"),
        ("unknown-member", "/dossier/secret_member"),
        ("too-short", "/dossier/title"),
    ]
    assert "secret" not in answer.text.replace("secret_member", "")
    request = request_id("portal-hdh", reference)
    assert await office.said(request) == []
    assert await office.fetch("SELECT 1 FROM intake.requests WHERE request_id = $1::text::uuid", request) == []


async def test_a_dossier_that_was_refused_may_come_again_corrected(office: Any, submitted: Any) -> None:
    event = submitted()
    wrong = json.loads(json.dumps(event))
    wrong["data"]["dossier"]["title"] = "X"
    assert (await office.post(wrong)).status_code == 422
    assert (await office.post(event)).status_code == 202


async def test_each_event_of_a_batch_has_an_answer_of_its_own(
    office: Any, submitted: Any, about: Any, make_event: Any, make_dossier: Any, reference: str
) -> None:
    stranger = make_event({"dossier": make_dossier(portal="portal-other")}, source="/portals/portal-other")
    batch = [
        submitted(),
        {"specversion": "1.0"},
        submitted(title="Another"),
        "not an event",
        submitted(revision=2, title="X"),
        stranger,
        make_event({}, kind="guichet.no.such.v1", subject=reference),
        about("request.withdrawn.v1"),
    ]
    answer = await office.post(batch)
    assert answer.status_code == 207
    assert [result["status"] for result in answer.json()["results"]] == [202, 400, 409, 400, 422, 403, 422, 202]
    assert answer.json()["results"][0]["event_id"] == batch[0]["id"]
    assert [kind for kind, _ in await office.said(request_id("portal-hdh", reference))] == [
        "request.accepted.v1",
        "submission.conflicted.v1",
        "request.withdrawal-recorded.v1",
    ]


async def test_an_event_id_used_for_something_else_is_refused(
    office: Any, submitted: Any, about: Any, reference: str
) -> None:
    first = submitted()
    assert (await office.post(first)).status_code == 202
    reused = about("request.withdrawn.v1", id=first["id"])
    answer = await office.post(reused)
    assert (answer.status_code, answer.json()["code"]) == (409, "event-id-reused")
    assert len(await office.said(request_id("portal-hdh", reference))) == 1
    changed = first | {"data": submitted(title="Changed under the same id")["data"]}
    assert (await office.post(changed)).json()["code"] == "conflict"
    assert [kind for kind, _ in await office.said(request_id("portal-hdh", reference))] == [
        "request.accepted.v1",
        "submission.conflicted.v1",
    ]


async def test_only_its_portal_sees_and_touches_a_request(
    office: Any, submitted: Any, about: Any, reference: str
) -> None:
    request = request_id("portal-hdh", reference)
    assert (await office.post(submitted())).status_code == 202
    assert (await office.get(f"/requests/{request}")).status_code == 200
    assert (await office.get(f"/requests/{request}", portal="portal-other")).status_code == 404
    foreign = about("request.withdrawn.v1", source="/portals/portal-other")
    assert (await office.post(foreign, portal="portal-other")).status_code == 403
    assert (await office.post(about("request.withdrawn.v1"), portal="portal-other")).status_code == 403
    assert len(await office.said(request)) == 1


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic token-of-hdh", "Bearer", "Bearer é"])
async def test_a_stranger_is_not_let_in(office: Any, submitted: Any, authorization: str | None) -> None:
    headers = {"content-type": "application/cloudevents+json"}
    if authorization is not None:
        headers["authorization"] = authorization  # type: ignore[assignment]
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    answer = await office.client.post("/events", content=json.dumps(submitted()), headers=raw)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert (await office.client.get("/requests/x")).status_code == 401


NEXT_HOUR = (datetime.now(UTC) + timedelta(hours=1)).isoformat()


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (lambda event: b"{", 400, "not-json"),
        (lambda event: b"\xff\xfe", 400, "not-utf8"),
        (lambda event: b"[]", 400, "not-json"),
        (lambda event: json.dumps(event).replace('"data":', '"data": 1, "data":').encode(), 400, "invalid-data"),
        (lambda event: event | {"data": None}, 400, "null-value"),
        (lambda event: event | {"id": None}, 400, "missing-header"),
        (lambda event: event | {"id": "seven"}, 400, "invalid-id"),
        (lambda event: event | {"time": "yesterday"}, 400, "invalid-time"),
        (lambda event: event | {"specversion": "2.0"}, 400, "unsupported-specversion"),
        (lambda event: event | {"time": "9999-12-31T00:00:00Z"}, 422, "time-out-of-range"),
        (lambda event: event | {"time": NEXT_HOUR}, 422, "clock-skew"),
        (lambda event: event | {"type": "guichet.request.invented.v1"}, 422, "unknown-type"),
        (lambda event: event | {"type": "guichet.request.submitted.v9"}, 422, "unknown-version"),
        (lambda event: event | {"type": "guichet.opinion.issued.v1"}, 422, "wrong-topic"),
        (lambda event: event | {"subject": str(event["id"])}, 422, "subject-mismatch"),
        (lambda event: event | {"data": {}}, 422, "missing-member"),
        (lambda event: event | {"data": {"dossier": []}}, 422, "wrong-type"),
        (lambda event: event | {"data": [1]}, 400, "not-json"),
    ],
)
async def test_bad_input_gets_a_named_error(
    office: Any, submitted: Any, change: Callable[[Json], Any], status: int, code: str
) -> None:
    answer = await office.post(change(submitted()), media="application/cloudevents+json")
    assert (answer.status_code, answer.json()["problems"][0]["code"]) == (status, code)


@pytest.mark.parametrize("name", ["env\u0000", "env\ud83d", "x" * 10_000, "", "é"])
async def test_a_name_that_nobody_can_have_is_not_looked_for(office: Any, submitted: Any, name: str) -> None:
    answer = await office.post(submitted(environment_id=name, **{"data.datasets.0.dataset_id": name}))
    assert answer.status_code == 422
    assert {"unknown-dataset", "unknown-environment"} <= {each["code"] for each in answer.json()["problems"]}


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "application/json; charset=latin-1", ""])
async def test_other_media_types_are_not_read(office: Any, submitted: Any, media: str) -> None:
    headers = {"authorization": "Bearer token-of-hdh", "content-type": media}
    answer = await office.client.post("/events", content=json.dumps(submitted()), headers=headers)
    assert answer.status_code == 415


async def test_a_source_that_is_not_the_portals_own_is_refused(office: Any, submitted: Any, make_dossier: Any) -> None:
    for event in (
        submitted(portal="portal-other"),
        submitted() | {"source": "/portals/portal-other"},
        submitted() | {"source": "/guichet/intake"},
        submitted() | {"source": "/portals/"},
    ):
        assert (await office.post(event)).status_code == 403


async def test_data_over_the_limit_is_refused(office: Any, submitted: Any) -> None:
    event = submitted(**{"purpose.summary_fr": "x" * 200_000})
    assert (await office.post(event)).status_code == 413
    assert (await office.post(b" " * 1_100_000)).status_code == 413
    assert (await office.post([submitted()] * 101)).json()["code"] == "batch-too-large"


async def test_a_body_without_end_is_given_up_before_it_ends(office: Any) -> None:
    def send_until_answered() -> tuple[int, bytes]:
        with socket.create_connection((office.client.base_url.host, office.client.base_url.port), timeout=30) as sender:
            sender.sendall(
                b"POST /events HTTP/1.1\r\nHost: intake\r\nAuthorization: Bearer token-of-hdh\r\n"
                b"Content-Type: application/cloudevents+json\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            for sent in range(10_000):
                if select.select([sender], [], [], 0)[0]:
                    return sent, sender.recv(4096)
                try:
                    sender.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
                except (BrokenPipeError, ConnectionResetError):
                    return sent, sender.recv(4096)  # Shut while we were still sending; the answer came before.
            return sent, b""

    sent, answer = await asyncio.to_thread(send_until_answered)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert sent < 1000


@pytest.mark.parametrize("name", ["x", "\ud83d", "00000000-0000-0000-0000-000000000000", "%00"])
async def test_an_unknown_request_is_not_found(office: Any, name: str) -> None:
    path = "/requests/" + name.encode("utf-8", "replace").decode()
    assert (await office.get(path)).status_code == 404
