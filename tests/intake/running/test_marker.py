"""A marker in every free text, and in all that is wrong, is in no answer, log, metric or detail of a dead letter."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from contracts.envelope import encode
from contracts.identity import request_id
from contracts.structured import decode_structured
from contracts.topics import PORTAL, REQUESTS

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

MARKER = "Zanzibar-7731"
COMPLETED = "guichet.request.completed.v1"
Json = dict[str, Any]


def marked(make_dossier: Callable[..., Json], reference: str, **changes: Any) -> Json:
    """A good dossier with the marker in every member that takes free text."""
    return make_dossier(
        portal_reference=reference,
        title=f"Title {MARKER}",
        **{
            "applicant.organisation": f"Organisation {MARKER}",
            "purpose.public_interest_statement": f"Statement {MARKER}",
            "purpose.summary_fr": f"Résumé {MARKER}",
            "data.includes_opted_out": {"requested": True, "basis": f"Basis {MARKER}"},
        },
        **changes,
    )


def spoiled(dossier: Json) -> list[Json]:
    """The dossier with the marker as the value, the item or the name of a member, everywhere in turn."""
    found = []
    for name, value in dossier.items():
        if name in ("portal", "portal_reference", "revision"):
            continue
        for wrong in (f"{MARKER}\u0000", [MARKER], {MARKER: MARKER}):
            found.append(dossier | {name: wrong})
        if isinstance(value, dict):
            found += [dossier | {name: value | {inner: {MARKER: MARKER}}} for inner in value]
            found.append(dossier | {name: value | {f"{MARKER} said so": 1}})
    return found


async def test_a_marker_in_free_text_appears_nowhere(
    office: Any, make_event: Callable[..., Json], make_dossier: Callable[..., Json], reference: str
) -> None:
    dossier = marked(make_dossier, reference)
    request = request_id("portal-hdh", reference)
    answers = [await office.post(make_event({"dossier": dossier}))]
    assert answers[0].status_code == 202
    answers.append(await office.post(make_event({"dossier": dossier | {"title": f"Other {MARKER}"}})))
    assert answers[1].status_code == 409
    everything = spoiled(dossier | {"revision": 2})
    events = [make_event({"dossier": wrong}) for wrong in everything]
    for start in range(0, len(events), 50):
        answers.append(await office.post(events[start : start + 50]))
        assert answers[-1].status_code == 207
        assert {result["status"] for result in answers[-1].json()["results"]} == {422}
    for body in (
        make_event({"dossier": dossier}, id=MARKER),
        make_event({"dossier": dossier}, type=MARKER),
        make_event({"dossier": dossier}, source=f"/portals/{MARKER}"),
        make_event({"dossier": dossier}, time=MARKER),
        make_event({"dossier": dossier} | {MARKER: MARKER}, subject=MARKER),
        make_event({"dossier": dossier}, **{MARKER.lower().replace("-", ""): MARKER, MARKER: MARKER}),
        make_event(
            {"documents": [MARKER], "set": {MARKER: MARKER}}, kind="guichet.request.completed.v1", subject=request
        ),
        make_event({"documents": [], "set": {"title": [MARKER]}}, kind="guichet.request.completed.v1", subject=request),
        make_event({"choice": MARKER}, kind="guichet.request.authority-chosen.v1", subject=request),
        json.dumps({"x": MARKER})[:-1].encode(),
        MARKER.encode(),
    ):
        answers.append(await office.post(body, media="application/cloudevents+json"))
        assert answers[-1].status_code >= 400
    answers.append(await office.client.post(f"/events?{MARKER}", content=MARKER, headers={"authorization": MARKER}))
    answers.append(await office.get(f"/requests/{MARKER}"))
    for answer in answers:
        assert MARKER not in answer.text
        assert MARKER not in str(answer.headers)

    await _poison_the_topic(office, make_event, dossier, reference)
    assert MARKER not in (await office.client.get("/metrics")).text
    assert MARKER not in (await office.client.get("/status")).text
    assert MARKER not in office.log.read_text()
    for letter in await office.letters():
        assert MARKER not in f"{letter['code']} {letter['detail']}"
    for record in await office.records(REQUESTS):
        if b"guichet.request.rejected.v1" in dict(record.headers).values():
            assert MARKER.encode() not in record.value


async def _poison_the_topic(office: Any, make_event: Callable[..., Json], dossier: Json, reference: str) -> None:
    before = len(await office.letters())
    envelope, _ = decode_structured(json.dumps(make_event({"dossier": dossier})).encode())
    for number, value in enumerate(
        (
            MARKER.encode(),
            json.dumps({"dossier": MARKER}).encode(),
            json.dumps({"dossier": {"portal": MARKER, "title": MARKER}}).encode(),
            json.dumps({"dossier": dossier | {"portal_reference": [MARKER]}}).encode(),
        )
    ):
        headers = [(name, text) for name, text in encode(envelope) if name != "ce_id"]
        headers.append(("ce_id", make_event()["id"].encode()))
        await office.send(PORTAL, f"{reference}-{number}", headers, value)
    await office.send(PORTAL, f"{reference}-5", [("ce_type", MARKER.encode())], b"{}")
    await office.emit(make_event({"dossier": dossier | {"revision": 5, "title": [MARKER], "kind": MARKER}}))
    await office.quiet()
    assert len(await office.letters()) == before + 5
