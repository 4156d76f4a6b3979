"""What the running service says of a permit from its application to its end: each fact once, on its day, with its
article, whether somebody said something or only time went by."""

from __future__ import annotations

from typing import Any

Fact = tuple[str, dict[str, Any]]
P_PI = {
    "ref": "p-pi",
    "role": "principal_investigator",
    "organisation": "proteo",
    "habilitated": True,
    "confidentiality_signed": True,
}
P_NEW = {**P_PI, "ref": "p-new", "role": "analyst"}
GRANT = {"body": "HDAB-FR", "verdict": "granted", "by": ["a-9"]}


def dated(said: list[Fact]) -> list[tuple[str, str]]:
    return [(name, data["on"]) for name, data in said if not name.startswith(("deadline.", "register."))]


async def granted(desk: Any) -> None:
    """An EU permit for 36 months, issued on 14 September 2029, delivered on 5 November, opened on the 20th."""
    await desk.on("2029-06-04")
    await desk.accept("N-persons")
    await desk.on("2029-08-20")
    await desk.tell("fee.estimated", {"amount_eur": 14000, "holder_part_eur": 3000})
    await desk.on("2029-09-14")
    await desk.tell("decision.issued", GRANT)
    await desk.on("2029-11-05")
    await desk.tell("data.delivered", {"dataset_ids": ["biobank-lyon"]})
    await desk.on("2029-11-20")
    await desk.tell("workspace.reported", {"state": "open"})


async def test_a_permit_is_issued_changed_extended_and_ends_on_its_day(desk: Any) -> None:
    await granted(desk)
    assert dated(await desk.said()) == [
        ("route.determined", "2029-06-04"),
        ("completeness.passed", "2029-06-04"),
        ("duty.overdue", "2029-09-05"),
        ("request.granted", "2029-09-14"),
        ("permit.issued", "2029-09-14"),
        ("data.requested", "2029-09-14"),
    ]

    await desk.on("2030-01-07")
    await desk.notice("permit.persons-updated", {"persons": [P_PI, P_NEW]})
    (amended,) = [data for name, data in await desk.said() if name == "permit.amended"]
    assert (amended["version"], amended["persons_added"], amended["persons_removed"]) == (2, ["p-new"], ["p-an1"])

    await desk.on("2030-02-04")
    change = {"add_datasets": ["biobank-lille"], "remove_datasets": []}
    await desk.notice("permit.amendment-requested", change)
    assert await desk.names() == []
    await desk.tell("amendment.decided", {**change, "verdict": "granted", "by": ["a-9"]})
    amended, requested = [data for name, data in await desk.said() if name in ("permit.amended", "data.requested")]
    assert (amended["version"], amended["datasets_added"], amended["datasets_removed"]) == (3, ["biobank-lille"], [])
    assert (requested["holder"], requested["dataset_ids"]) == ("biobank-lille", ["biobank-lille"])

    await desk.on("2032-08-14")
    await desk.notice("permit.extension-requested", {"months": 24, "documents": True})
    await desk.on("2032-09-01")
    await desk.tell("extension.decided", {"verdict": "granted", "by": ["a-9"]})
    (extended,) = [data for name, data in await desk.said() if name == "permit.extended"]
    assert (extended["version"], extended["expires_on"], extended["months"]) == (4, "2034-09-14", 60)
    await desk.on("2033-01-10")
    await desk.notice("permit.extension-requested", {"months": 12, "documents": True})
    (refused,) = [data for name, data in await desk.said() if name == "extension.refused"]
    assert (refused["code"], refused["citation"]) == ("EXTENSION_ALREADY_GRANTED", "EHDS:68(12)")

    await desk.on("2034-09-14", "23:59")
    assert await desk.names() == []
    await desk.on("2034-09-15", "00:00")
    assert ("permit.expired", "2034-09-15") in dated(await desk.said())
    await desk.on("2035-03-15")
    (overdue,) = [data for name, data in await desk.said() if name == "duty.overdue"]
    assert (overdue["duty"], overdue["due"], overdue["code"]) == ("deletion", "2035-03-14", "DELETE_DATA_NOW")
    assert overdue["citation"] == "EHDS:68(12)"
    await desk.tell("deletion.certified", {"scope": "all"})
    await desk.notice("permit.results-published", {})
    assert dated(await desk.said()) == [("permit.closed", "2035-03-15")]
    await desk.on("2040-01-01")
    assert await desk.names() == []


async def test_duties_that_nobody_does_are_alarms_on_the_day_after(desk: Any) -> None:
    await desk.on("2029-06-04")
    await desk.accept("N-persons")
    await desk.on("2029-09-05")
    (late,) = [data for name, data in await desk.said() if name == "duty.overdue"]
    assert (late["duty"], late["on"], late["code"], late["citation"]) == (
        "permit_decision",
        "2029-09-05",
        "DECISION_OVERDUE",
        "EHDS:68(4)",
    )
    await desk.tell("fee.estimated", {"amount_eur": 10, "holder_part_eur": 0})
    await desk.on("2029-09-14")
    await desk.tell("decision.issued", GRANT)
    await desk.on("2029-12-15")
    await desk.tell("data.delivered", {})
    await desk.on("2035-01-01")

    alarms = [(d["duty"], d["on"], d["code"]) for name, d in await desk.said() if name == "duty.overdue"]
    assert alarms == [
        ("holder_delivery", "2029-12-15", "HOLDER_IN_DEFAULT"),
        ("access", "2030-02-16", "ACCESS_OVERDUE"),
        ("deletion", "2033-03-15", "DELETE_DATA_NOW"),
        ("results", "2034-03-15", "RESULTS_OVERDUE"),
    ]


async def test_an_incident_suspends_is_heard_and_ends_in_a_revocation(desk: Any) -> None:
    await granted(desk)
    await desk.said()
    await desk.on("2030-03-04")
    await desk.tell("incident.reported", {"kind": "REIDENTIFICATION_ATTEMPT"})
    said = await desk.said()
    assert dated(said) == [("permit.suspended", "2030-03-04"), ("noncompliance.found", "2030-03-04")]
    suspended, found = [data for name, data in said if not name.startswith("deadline.")]
    assert {"code": "REIDENTIFICATION_ATTEMPT", "citation": "EHDS:61(3)"} in suspended["reasons"]
    assert (found["code"], found["citation"]) == ("REIDENTIFICATION_ATTEMPT", "EHDS:61(3)")

    await desk.on("2030-03-18")
    await desk.tell("views.submitted", {})
    assert await desk.names() == ["deadline.met"]
    await desk.on("2030-04-30")
    await desk.tell("revocation.ordered", {"by": ["a-9"]})
    assert dated(await desk.said()) == [("permit.revoked", "2030-04-30")]
    await desk.on("2030-05-06")
    await desk.tell("exclusion.ordered", {"until": "2036-12-31"})
    await desk.tell("resumption.ordered", {})
    assert dated(await desk.said()) == [("applicant.excluded", "2030-05-06")]


async def test_bodies_that_grant_one_after_the_other_widen_one_permit(desk: Any) -> None:
    await desk.on("2029-06-04")
    await desk.accept("E20a")
    await desk.tell("fee.estimated", {"amount_eur": 10, "holder_part_eur": 0})
    await desk.on("2029-08-21")
    await desk.tell("decision.issued", {"body": "HDAB-FI", "verdict": "granted", "by": ["fi-1"]})
    (issued,) = [data for name, data in await desk.said() if name == "permit.issued"]
    assert [dataset["dataset_id"] for dataset in issued["datasets"]] == ["eu-cancer-fi"]

    await desk.on("2029-09-03")
    await desk.tell("decision.issued", GRANT)
    said = await desk.said()
    (amended,) = [data for name, data in said if name == "permit.amended"]
    assert (amended["version"], amended["datasets_added"]) == (1, ["eu-cancer-fr"])
    assert [data["dataset_ids"] for name, data in said if name == "data.requested"] == [["eu-cancer-fr"]]

    await desk.on("2029-09-04")
    await desk.tell("decision.issued", {"body": "HDAB-DE", "verdict": "refused", "by": ["de-1"]})
    (decided,) = [data for name, data in await desk.said() if name == "request.granted"]
    assert decided["outcome"] == "PARTIALLY_GRANTED"
    assert {"code": "AUTHORITY_REFUSED", "citation": "EHDS:68(9)", "subject": "eu-cancer-de"} in decided["reasons"]


async def declared(desk: Any) -> None:
    """A French study that may start on 1 October 2026, for three years."""
    await desk.on("2026-09-01")
    await desk.accept("F05a")
    await desk.on("2026-09-08")
    await desk.tell("file.received", {"body": "CESREES"})
    await desk.on("2026-10-01")
    await desk.tell("opinion.issued", {"body": "CESREES", "verdict": "favourable", "by": ["m-1"]})
    assert "permit.issued" in await desk.names()


def team(habilitated: bool) -> dict[str, Any]:
    return {"persons": [P_PI | {"organisation": "univ-ouest"}, P_NEW | {"habilitated": habilitated}]}


async def test_a_person_without_habilitation_holds_a_permit_back_and_its_habilitation_gives_it_again(desk: Any) -> None:
    await declared(desk)
    await desk.on("2026-11-02")
    await desk.notice("permit.persons-updated", team(habilitated=False))
    assert dated(await desk.said()) == [("request.closed", "2026-11-02"), ("permit.suspended", "2026-11-02")]

    await desk.on("2026-11-09")
    await desk.notice("permit.persons-updated", team(habilitated=True))
    said = await desk.said()
    assert dated(said) == [
        ("request.granted", "2026-11-09"),
        ("permit.amended", "2026-11-09"),
        ("permit.resumed", "2026-11-09"),
    ]
    (amended,) = [data for name, data in said if name == "permit.amended"]
    assert (amended["version"], amended["persons_added"]) == (3, ["p-new"])


async def test_a_permit_that_is_held_back_ends_on_its_last_day_all_the_same(desk: Any) -> None:
    await declared(desk)
    await desk.on("2026-11-02")
    await desk.notice("permit.persons-updated", team(habilitated=False))
    await desk.said()

    await desk.on("2029-10-01", "23:59")
    assert await desk.names() == []
    await desk.on("2029-10-02")
    assert dated(await desk.said()) == [("permit.expired", "2029-10-02")]
    await desk.on("2033-01-01")
    assert await desk.names() == []


async def test_a_withdrawal_says_what_it_costs(desk: Any) -> None:
    await desk.on("2029-06-04")
    await desk.accept("E14")
    await desk.said()
    await desk.on("2029-06-20")
    await desk.tell("request.withdrawal-recorded", {"request_id": desk.request_id, "said_at": "2029-06-20T08:00:00Z"})

    (closed,) = [data for name, data in await desk.said() if name == "request.closed"]
    assert closed["outcome"] == "WITHDRAWN"
    assert {"code": "ONLY_COSTS_INCURRED", "citation": "EHDS:62(5)"} in closed["reasons"]


async def test_the_same_again_is_said_again(desk: Any) -> None:
    await granted(desk)
    for day in ("2030-03-04", "2030-05-06"):
        await desk.on(day)
        await desk.said()
        await desk.tell("incident.reported", {"kind": "SHARED_ACCESS"})
        said = await desk.said()
        assert dated(said) == [("permit.suspended", day), ("noncompliance.found", day)]
        (suspended,) = [data for name, data in said if name == "permit.suspended"]
        assert {"code": "SHARED_ACCESS", "citation": "EHDS:61(2)"} in suspended["reasons"]
        await desk.tell("resumption.ordered", {})
        assert ("permit.resumed", day) in dated(await desk.said())

    await desk.on("2030-06-03")
    await desk.tell("interest.declared", {"person": "r-1"})
    await desk.notice("output.requested", {"ref": "out-1", "kind": "model", "min_cell": 0, "personal": False})
    await desk.said()
    for hour in ("11:00", "12:00"):
        await desk.on("2030-06-03", hour)
        await desk.tell("output.checked", {"ref": "out-1", "verdict": "released", "by": ["r-1"]})
        (found,) = [data for name, data in await desk.said() if name == "noncompliance.found"]
        assert (found["code"], found["citation"]) == ("ACT_BY_CONFLICTED_PERSON", "EHDS:55(3)")


async def test_a_grant_that_does_not_count_is_not_lost_in_silence(desk: Any) -> None:
    await desk.on("2029-06-04")
    await desk.accept("E14")
    await desk.on("2029-09-03")
    await desk.said()
    await desk.tell("decision.issued", GRANT)
    ((name, found),) = await desk.said()
    assert (name, found["code"], found["citation"]) == ("noncompliance.found", "NO_FEE_ESTIMATE", "EHDS:62(5)")

    await desk.tell("fee.estimated", {"amount_eur": 10, "holder_part_eur": 0})
    await desk.on("2029-09-04")
    await desk.tell("decision.issued", GRANT)
    assert [name for name, _ in dated(await desk.said())] == ["request.granted", "permit.issued"] + [
        "data.requested"
    ] * 2
