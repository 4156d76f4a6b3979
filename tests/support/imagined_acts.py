"""Imagined acts: what anybody could say about a dossier, sensible or not, and who says it."""

from __future__ import annotations

from datetime import date
from random import Random

from imagined_dossiers import DOCUMENTS, EXPRESS, VERDICTS, Json, document

EXTENDABLE = ("committee_opinion", "authority_decision", "permit_decision", "permit_decision_accelerated")
STEPS = (*EXTENDABLE, "holder_delivery", "completion", "hearing", "secretariat_transmission", "no_such_step")
FUNCTIONS = {
    "opinion.issued.v1": "opine",
    "assessment.recorded.v1": "assess",
    "decision.issued.v1": "decide",
    "refusal.confirmed.v1": "decide",
    "refusal.overridden.v1": "decide",
    "amendment.decided.v1": "decide",
    "extension.decided.v1": "decide",
    "extract.prepared.v1": "prepare",
    "output.checked.v1": "check",
}
"""In which function an act is done."""

SOMETHING = "827c4e18-f3b3-5593-bc0f-827c64b4523e"


def said_by(chance: Random, item_type: str, data: Json, honest: bool, number: int) -> Json:
    function = FUNCTIONS.get(item_type)
    if function is None and item_type != "revocation.ordered.v1":
        return data
    if honest:
        return {**data, "by": [f"{function}-{number}"]}
    pool = [f"{function}-1", f"{function}-2", "anybody-1", "anybody-2", "p-1"]
    return {**data, "by": sorted(chance.sample(pool, chance.randint(1, 2)))}


def usual_acts(chance: Random, dossier: Json, europe: bool) -> list[tuple[str, Json]]:
    """What usually happens, some of it left out."""
    favourable = {"verdict": chance.choice((*EXPRESS, *VERDICTS))}
    decided = {"verdict": chance.choice(("granted", "granted", "refused"))}
    if europe:
        usual: list[tuple[str, Json]] = [
            ("request.completed.v1", _completion(chance)),
            ("fee.estimated.v1", {"amount_eur": 10, "holder_part_eur": chance.choice((0, 5))}),
            ("request.forwarded.v1", {"holder": chance.choice(("holder-1", "holder-2"))}),
            ("holder-assessment.submitted.v1", {"holder": "holder-1", "proposal": chance.choice(("grant", "refuse"))}),
            ("decision.issued.v1", {"body": "HDAB-FR", **decided}),
            ("decision.issued.v1", {"body": "HDAB-DE", "verdict": "granted"}),
            ("decision.issued.v1", {"body": "HDAB-FI", **decided}),
            ("data.delivered.v1", {}),
            ("workspace.reported.v1", {"state": "open"}),
            ("answer.provided.v1", {}),
        ]
    elif dossier["research_type"].startswith("riph"):
        usual = [
            ("opinion.issued.v1", {"body": "CPP", **favourable}),
            ("file.received.v1", {"body": "CNIL"}),
            ("period.extended.v1", {"step": "authority_decision", "reasons_given": chance.random() < 0.8}),
            *([("decision.issued.v1", {"body": "CNIL", **decided})] if chance.random() < 0.4 else []),
        ]
    else:
        usual = [
            ("file.received.v1", {"body": "CESREES", "urgent": chance.random() < 0.2}),
            ("opinion.issued.v1", {"body": chance.choice(("CESREES", "CESREES", "CSE")), **favourable}),
            ("request.authority-chosen.v1", {"choice": chance.choice(("seize", "seize", "seize", "stop"))}),
            ("file.received.v1", {"body": "CNIL"}),
            ("period.extended.v1", {"step": "authority_decision", "reasons_given": chance.random() < 0.8}),
            *([("decision.issued.v1", {"body": "CNIL", **decided})] if chance.random() < 0.4 else []),
            *([("decision.issued.v1", {"body": "HDH", **decided})] if chance.random() < 0.4 else []),
        ]
    return [act for act in usual if chance.random() < 0.8]


def _completion(chance: Random) -> Json:
    codes = chance.sample(DOCUMENTS, chance.choice((1, 4, 23)))
    return {"documents": [document(chance, code, date(2025, 1, 1)) for code in sorted(codes)], "set": {}}


def any_act(chance: Random, dossier: Json, catalogue: Json) -> tuple[str, Json]:
    """Something somebody could say, of every type a case file may hold."""
    pick = chance.choice
    datasets = [entry["dataset_id"] for entry in catalogue["datasets"]]
    item_type, data = pick(_acts(chance, datasets, [d["dataset_id"] for d in dossier["data"]["datasets"]]))
    return f"{item_type}.v1", data


def _acts(chance: Random, datasets: list[str], asked: list[str]) -> list[tuple[str, Json]]:
    place: Json = {"workspace_id": SOMETHING, "request_id": SOMETHING}
    moved = {**place, "source_environment_id": "env-0", "tables": []}
    pick = chance.choice
    verdict = pick(("granted", "granted", "refused"))
    members = {
        "requested_months": chance.randint(1, 200),
        "conformity_declared": pick((None, {"reference": "R-2", "date": "2026-09-20"})),
        "directory_registered": {"reference": "R-2", "date": "2025-09-20"},
        "environment_id": pick((None, "env-0", "env-1")),
    }
    evidence = {
        "type": "HDS",
        "issuer": "i",
        "reference": "HDS-9",
        "valid_from": "2025-01-01",
        "valid_to": "2044-01-01",
    }
    person = {
        "ref": f"p-{chance.randint(1, 9)}",
        "role": "analyst",
        "organisation": "university",
        "habilitated": chance.random() < 0.8,
        "confidentiality_signed": True,
    }
    return [
        # portals
        ("request.completed", _completion(chance)),
        ("request.completed", {"documents": [], "set": dict(chance.sample(sorted(members.items()), 2))}),
        ("request.withdrawn", {}),
        ("request.authority-chosen", {"choice": pick(("seize", "stop"))}),
        ("request.conversion-agreed", {}),
        ("permit.persons-updated", {"persons": [person]}),
        (
            "permit.amendment-requested",
            {"add_datasets": chance.sample(datasets, 1), "remove_datasets": [], "months": chance.randint(1, 12)},
        ),
        ("permit.extension-requested", {"months": chance.randint(1, 130), "documents": chance.random() < 0.8}),
        ("permit.processing-completed", {}),
        ("permit.results-published", {}),
        (
            "output.requested",
            {
                "ref": f"o-{chance.randint(1, 2)}",
                "kind": pick(("aggregate_table", "row_level", "figure", "model")),
                "min_cell": chance.randint(0, 20),
                "personal": chance.random() < 0.3,
            },
        ),
        ("finding.reported", {}),
        ("appeal.lodged", {}),
        # authorities, committees, officers
        ("file.received", {"body": pick(("CESREES", "CNIL")), "urgent": chance.random() < 0.3}),
        ("completeness.objected", {"items": chance.sample(DOCUMENTS, 1)}),
        ("completeness.objected", {"items": [pick(("LAB_OR_DEMO", "PERSONS", "CONFORMITY_DECLARATION"))]}),
        ("period.extended", {"step": pick(STEPS), "reasons_given": chance.random() < 0.8}),
        ("period.extended", {"step": pick(EXTENDABLE), "reasons_given": chance.random() < 0.8}),
        ("opinion.issued", {"body": pick(("CESREES", "CPP", "CSE")), "verdict": pick(VERDICTS)}),
        ("interest.declared", {"person": pick(("anybody-1", "opine-1", "decide-1"))}),
        ("assessment.recorded", {"finding": pick(("STATISTICS_SUFFICIENT", "NECESSARY"))}),
        ("request.forwarded", {"holder": pick(("holder-1", "holder-2"))}),
        ("decision.issued", {"body": pick(("CNIL", "HDH")), "verdict": verdict}),
        ("decision.issued", {"body": pick(("HDAB-FR", "HDAB-DE", "HDAB-FI")), "verdict": verdict}),
        (
            "decision.issued",
            {
                "body": "HDAB-FR",
                "verdict": verdict,
                "datasets": chance.sample(asked, 1),
                "months": chance.randint(1, 150),
            },
        ),
        ("refusal.confirmed", {}),
        ("refusal.overridden", {"codes": ["PROHIBITED_INSURANCE", "STATISTICS_SUFFICIENT", "NO_PUBLIC_INTEREST"]}),
        ("fee.estimated", {"amount_eur": 100, "holder_part_eur": pick((0, 40))}),
        ("fee.agreed", {}),
        ("answer.provided", {}),
        (
            "amendment.decided",
            {
                "verdict": verdict,
                "add_datasets": chance.sample(datasets, chance.randint(0, 2)),
                "remove_datasets": chance.sample(datasets, chance.randint(0, 1)),
            },
        ),
        ("extension.decided", {"verdict": verdict}),
        ("suspension.ordered", {}),
        ("resumption.ordered", {}),
        ("revocation.ordered", {}),
        ("exclusion.ordered", {"until": pick(("2030-01-01", "2045-01-01"))}),
        ("views.submitted", {}),
        ("extract.prepared", {}),
        ("output.checked", {"ref": f"o-{chance.randint(1, 2)}", "verdict": pick(("released", "returned", "rejected"))}),
        # holders
        ("data.delivered", pick(({}, {"dataset_ids": asked[:1]}))),
        (
            "holder-assessment.submitted",
            {"holder": pick(("holder-1", "holder-2")), "proposal": pick(("grant", "refuse"))},
        ),
        # persons' services
        ("optout.recorded", {"ref": "x", "list_version": 1}),
        ("optout.reversed", {"ref": "x", "list_version": 2}),
        ("objection.received", {"ref": "x"}),
        # hosts
        ("environment.qualification-lost", {"environment_id": "env-0", "evidence": pick(("HDS", "SPE_73"))}),
        ("environment.qualified", {"environment_id": "env-1", "evidence": evidence}),
        ("workspace.reported", {"state": pick(("open", "frozen", "closed"))}),
        ("incident.reported", {"kind": pick(("SHARED_ACCESS", "REIDENTIFICATION_ATTEMPT", "PROHIBITED_USE"))}),
        ("deletion.certified", {"scope": "all"}),
        # provisioning
        ("workspace.requested", {**place, "permit_id": SOMETHING, "permit_version": 1, "environment_id": "env-0"}),
        ("rehosting.cut-over", {**moved, "target_environment_id": pick(("env-1", "env-2"))}),
    ]
