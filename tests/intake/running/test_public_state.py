"""What a portal sees of its request, from what compliance and provisioning have said."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from contracts.identity import permit_id, request_id, workspace_id
from contracts.registry import FACTS
from contracts.topics import DECISIONS, WORKSPACES
from intake.public import FOLLOWED, Progress, follow

Json = dict[str, Any]
REQUEST = request_id("portal-hdh", "seen")
REASON = {"code": "ROUTE_APPLIES", "citation": "LIL:66"}
DEADLINE = {
    "step": "opinion",
    "starts": "2026-09-08",
    "due": "2026-10-08",
    "silence": "favourable",
    "state": "running",
    "extended": False,
    "citation": "D2019-536:90",
}
DECIDED = {
    "outcome": "GRANTED",
    "reasons": [REASON],
    "conditions": [],
    "datasets": [],
    "rule_pack": "fr-2026.1",
    "input_hash": "0" * 64,
}
DECISIONS_MADE: list[tuple[str, Json]] = [
    (
        "route.determined.v1",
        {
            "regime": "FR",
            "rule_pack": "fr-2026.1",
            "route": "FR_STANDARD",
            "citation": "LIL:66",
            "alternatives": [],
            "reasons": [],
            "input_hash": "0" * 64,
        },
    ),
    ("completeness.failed.v1", {"missing": [{"code": "DPIA", "citation": "GDPR:35"}]}),
    ("completeness.passed.v1", {"complete_on": "2026-09-08"}),
    ("deadline.started.v1", DEADLINE),
    ("deadline.extended.v1", DEADLINE | {"due": "2026-11-08", "previous_due": "2026-10-08", "extended": True}),
    ("deadline.met.v1", DEADLINE | {"due": "2026-11-08", "state": "met", "extended": True, "late": False}),
    ("deadline.started.v1", DEADLINE | {"step": "authority"}),
    ("refusal.proposed.v1", {"reasons": [REASON]}),
    ("request.granted.v1", DECIDED),
    (
        "permit.issued.v1",
        {
            "permit_id": permit_id(REQUEST),
            "kind": "authorisation",
            "version": 1,
            "regime": "FR",
            "rule_pack": "fr-2026.1",
            "input_hash": "0" * 64,
            "issued_on": "2026-11-02",
            "expires_on": "2028-11-02",
            "months": 24,
            "persons": [],
            "datasets": [
                {
                    "dataset_id": "snds-main",
                    "version": "2026.1",
                    "source": "SNDS_MAIN",
                    "class": "snds",
                    "holder": "cnam",
                    "categories": ["a"],
                    "years": [2014, 2024],
                }
            ],
            "form": "pseudonymised",
            "includes_opted_out": False,
            "full_birth_date": False,
            "crosses_potential_identifiers": False,
            "environment_id": "env-souverain",
            "state_body": False,
            "conditions": [],
            "citation": "LIL:66",
        },
    ),
    ("permit.extended.v1", {"permit_id": permit_id(REQUEST), "version": 2, "expires_on": "2030-11-02", "months": 48}),
    ("permit.suspended.v1", {"permit_id": permit_id(REQUEST), "reasons": [REASON]}),
]
WORKSPACE: Json = {"workspace_id": workspace_id(REQUEST), "request_id": REQUEST, "environment_id": "env-souverain"}
WORKSPACE_MADE: list[tuple[str, Json]] = [
    ("workspace.requested.v1", {"permit_id": permit_id(REQUEST), "permit_version": 1}),
    ("workspace.provisioned.v1", {"tables": [], "opt_out_list_version": 3}),
    ("workspace.opened.v1", {"persons": ["p-pi"]}),
    ("output.returned.v1", {"ref": "o-1", "code": "CELL_BELOW_THRESHOLD"}),
    ("output.released.v1", {"ref": "o-1", "code": None}),
    ("workspace.frozen.v1", {"code": "SUSPENDED"}),
]


def fact_of(kind: str, data: Json, common: Json) -> Any:
    return FACTS[f"guichet.{kind}"].read(json.dumps(common | data))


def seen(events: list[tuple[str, Json]], common: Json, progress: Progress | None = None) -> Progress:
    progress = progress or Progress()
    for kind, data in events:
        progress = follow(progress, fact_of(kind, data, common))
    return progress


def test_a_portal_follows_its_request_to_the_permit() -> None:
    common = {"request_id": REQUEST, "on": "2026-11-02"}
    progress = seen(DECISIONS_MADE, common)
    assert (progress.regime, progress.route, progress.citation) == ("FR", "FR_STANDARD", "LIL:66")
    assert (progress.status, progress.outcome, progress.missing) == ("decided", "GRANTED", ())
    assert [(deadline.step, deadline.state, str(deadline.due)) for deadline in progress.deadlines] == [
        ("opinion", "met", "2026-11-08"),
        ("authority", "running", "2026-10-08"),
    ]
    assert progress.permit is not None
    assert (progress.permit.status, progress.permit.version, progress.permit.months) == ("suspended", 2, 48)


def test_what_is_missing_is_shown_until_it_is_there() -> None:
    common = {"request_id": REQUEST, "on": "2026-11-02"}
    progress = seen(DECISIONS_MADE[:2], common)
    assert progress.status == "incomplete"
    assert [item.code for item in progress.missing] == ["DPIA"]


@pytest.mark.parametrize(
    ("kind", "data", "status", "outcome"),
    [
        ("request.lapsed.v1", {"reasons": []}, "lapsed", "LAPSED"),
        ("request.converted.v1", {}, "converted", "CONVERTED"),
        ("request.closed.v1", {"outcome": "WITHDRAWN", "reasons": []}, "closed", "WITHDRAWN"),
        ("request.refused.v1", DECIDED | {"outcome": "REFUSED"}, "decided", "REFUSED"),
    ],
)
def test_the_end_of_a_request_is_shown_and_stays(kind: str, data: Json, status: str, outcome: str) -> None:
    common = {"request_id": REQUEST, "on": "2026-11-02"}
    progress = seen([(kind, data), ("completeness.passed.v1", {"complete_on": "2026-09-08"})], common)
    assert (progress.status, progress.outcome) == (status, outcome)


def test_a_portal_follows_its_workspace() -> None:
    progress = seen(WORKSPACE_MADE, WORKSPACE)
    assert progress.workspace is not None
    assert (progress.workspace.state, progress.workspace.code) == ("frozen", "SUSPENDED")
    assert [(output.ref, output.verdict) for output in progress.outputs] == [("o-1", "released")]


def test_every_followed_fact_changes_something_or_is_about_what_is_not_there_yet() -> None:
    assert {kind.event_type for kind in FOLLOWED} <= set(FACTS)
    assert all(kind.topic in (DECISIONS, WORKSPACES) for kind in FOLLOWED)


@pytest.mark.kafka
@pytest.mark.postgres
async def test_a_portal_sees_what_the_others_said(
    office: Any, make_event: Callable[..., Json], make_dossier: Callable[..., Json], reference: str
) -> None:
    request = request_id("portal-hdh", reference)
    assert (await office.post(make_event({"dossier": make_dossier(portal_reference=reference)}))).status_code == 202
    first = (await office.get(f"/requests/{request}")).json()
    assert (first["revision"], first["withdrawn"], first["progress"]["status"]) == (1, False, "received")
    for topic, source, common, events in (
        (DECISIONS, "/guichet/compliance", {"request_id": request, "on": "2026-11-02"}, DECISIONS_MADE),
        (WORKSPACES, "/guichet/provisioning", WORKSPACE | {"request_id": request}, WORKSPACE_MADE),
    ):
        said = [
            make_event(common | data, kind=f"guichet.{kind}", source=source, subject=request) for kind, data in events
        ]
        await office.emit(*said, topic=topic, key=request)
    await office.quiet()
    progress = (await office.get(f"/requests/{request}")).json()["progress"]
    assert (progress["route"], progress["outcome"]) == ("FR_STANDARD", "GRANTED")
    assert (progress["permit"]["status"], progress["workspace"]["state"]) == ("suspended", "frozen")
