"""A case is judged by what was said when it was filed and known on the day; each decision can be made again."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from compliance.files import Law
from compliance.handlers import Handlers
from compliance.inputs import input_hash
from compliance.legal_settings import overridden
from compliance.reading import read_case, read_reference

CASES = Path(__file__).parents[2] / "cases"
CATALOGUE = json.loads((CASES / "catalogue.json").read_text())
ENVIRONMENTS = json.loads((CASES / "environments.json").read_text())
GRANT = {"body": "HDAB-FR", "verdict": "granted", "by": ["a-9"]}


def described(name: str, **changes: object) -> dict[str, Any]:
    return next(d for d in CATALOGUE["datasets"] if d["dataset_id"] == name) | changes


async def test_a_dataset_described_anew_leaves_the_permits_that_were_granted_on_it(desk: Any) -> None:
    await desk.on("2029-06-04")
    await desk.accept("E16b")
    await desk.tell("fee.estimated", {"amount_eur": 10, "holder_part_eur": 0})
    await desk.on("2029-08-21")
    await desk.tell("decision.issued", GRANT)
    await desk.said()

    await desk.on("2029-10-01")
    await desk.describe(described("eu-cancer-fr", holder_exempt=True))
    await desk.tell("data.delivered", {})
    assert await desk.names() == ["deadline.met", "deadline.started"]

    await desk.accept("E16b")
    said = await desk.said()
    (proposed,) = [data for name, data in said if name == "refusal.proposed"]
    assert [reason["code"] for reason in proposed["reasons"]] == ["HOLDER_EXEMPT"]


async def test_a_dataset_described_after_the_request_is_judged_by_its_first_description(desk: Any) -> None:
    await desk.on("2029-06-04")
    dossier = json.loads((CASES / "E16b.json").read_text())["dossier"]
    data = dossier["data"] | {"datasets": [dossier["data"]["datasets"][0] | {"dataset_id": "registry-new"}]}
    await desk.accept("E16b", data=data)
    assert await desk.names() == []

    await desk.on("2029-06-11")
    await desk.describe(described("eu-cancer-fr", dataset_id="registry-new"))
    await desk.on("2029-06-12")
    (route,) = [data for name, data in await desk.said() if name == "route.determined"]
    assert (route["route"], route["on"]) == ("EU_PERMIT", "2029-06-11")


async def test_what_is_dated_tomorrow_waits_for_tomorrow(desk: Any) -> None:
    await desk.on("2026-09-01")
    await desk.accept("F05a")
    await desk.tell("file.received", {"body": "CESREES"})
    await desk.said()
    await desk.tell(
        "opinion.issued",
        {"body": "CESREES", "verdict": "favourable", "by": ["m-1"]},
        at=datetime(2027, 9, 1, 8, 0, tzinfo=UTC),
    )
    assert await desk.names() == []

    await desk.on("2026-10-02")
    assert await desk.names() == ["deadline.elapsed", "opinion.deemed-favourable"]
    await desk.on("2027-09-02")
    assert await desk.names() == []


async def test_a_request_filed_tomorrow_is_looked_at_tomorrow(desk: Any) -> None:
    await desk.on("2026-09-01", "23:50")
    dossier = await desk.accept("F03")
    await desk.said()
    desk.heard = 0
    tomorrow = datetime(2026, 9, 2, 6, 0, tzinfo=UTC)
    desk.request_id = desk.request_id[:-4] + "abcd"
    await desk.tell(
        "request.accepted",
        {
            "request_id": desk.request_id,
            "portal": dossier["portal"],
            "portal_reference": dossier["portal_reference"],
            "revision": 1,
            "dossier": dossier,
            "submitted_at": tomorrow.isoformat().replace("+00:00", "Z"),
            "data_sha256": "0" * 64,
        },
    )
    assert await desk.names() == []
    await desk.on("2026-09-02", "08:00")
    assert "route.determined" in await desk.names()


async def test_every_decision_comes_out_the_same_when_it_is_made_again_whatever_was_said_since(desk: Any) -> None:
    await desk.on("2026-09-01")
    await desk.accept("F05a")
    await desk.on("2026-09-08")
    await desk.tell("file.received", {"body": "CESREES"})
    await desk.on("2026-10-01")
    await desk.tell("opinion.issued", {"body": "CESREES", "verdict": "favourable", "by": ["m-1"]})
    said = await desk.said()
    hashes = {name: data["input_hash"] for name, data in said if "input_hash" in data}
    assert hashes.keys() == {"route.determined", "request.granted", "permit.issued"}

    # Later: news about earlier days, another description, a qualification that is lost.
    await desk.on("2026-10-05")
    await desk.tell("interest.declared", {"person": "m-1"}, at=datetime(2026, 9, 20, tzinfo=UTC))
    await desk.describe(described("snds-main", **{"class": "health"}))
    await desk.tell(
        "environment.qualification-lost",
        {"environment_id": "env-souverain", "evidence": "HDS"},
        key="env-souverain",
        at=datetime(2026, 9, 25, tzinfo=UTC),
    )
    await desk.on("2026-10-06")
    assert "permit.suspended" in await desk.names()

    first, granted, *_ = made = await desk.decisions()
    assert [again.same for again in made] == [True] * len(made)
    assert (first.then.input_hash, first.then.as_of) == (hashes["route.determined"], date(2026, 9, 1))
    assert granted.then.input_hash == hashes["request.granted"] == hashes["permit.issued"]
    assert granted.then.facts == ("guichet.request.granted.v1", "guichet.permit.issued.v1")
    assert granted.then.rule_pack == "fr-2026.1"


async def test_a_decision_under_other_settings_does_not_pass_for_the_same(desk: Any) -> None:
    await desk.on("2026-09-01")
    await desk.accept("F05a")
    law = desk.handlers.law
    desk.handlers = Handlers(Law(law.permanent_bodies, overridden({"fr.urgent-days": 20})))

    (again,) = await desk.decisions()
    assert not again.same
    assert again.output_hash == again.then.output_hash


def test_the_hash_is_over_all_that_a_decision_can_rest_on() -> None:
    raw = json.loads((CASES / "N-completed-later.json").read_text())
    data = raw["dossier"]["data"] | {
        "datasets": [raw["dossier"]["data"]["datasets"][0], described("pmsi-mco") | {"years": [2016, 2024]}]
    }
    for unknown in ("title", "class", "country", "trusted_holder", "holder_exempt", "publicly_funded"):
        data["datasets"][1].pop(unknown)
    raw["history"][1]["data"]["set"] = {"data": data, "environment_id": "env-pmsi"}
    case, day = read_case(raw)

    def digest(catalogue: Any = CATALOGUE, environments: Any = ENVIRONMENTS, **settings: Any) -> str:
        return input_hash(case, day, read_reference(catalogue, environments), overridden(settings))

    def changed(entries: dict[str, Any], member: str, key: str, name: str, **changes: object) -> dict[str, Any]:
        return {**entries, member: [e | changes if e[key] == name else e for e in entries[member]]}

    plain = digest()
    assert plain == digest()
    assert plain != digest(changed(CATALOGUE, "datasets", "dataset_id", "pmsi-mco", trusted_holder=True))
    assert plain != digest(
        environments=changed(ENVIRONMENTS, "environments", "environment_id", "env-pmsi", adequacy=True)
    )
    assert plain != digest(**{"output.min-cell": 5})
    assert plain == digest(changed(CATALOGUE, "datasets", "dataset_id", "biobank-lyon", trusted_holder=False))
