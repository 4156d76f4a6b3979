"""Imagined worlds: a catalogue, hosts, a dossier that takes any of the routes, and what anybody could say about it.

`worlds()` is a Hypothesis strategy. A world is drawn from a few whole numbers, so that a failing one shrinks to few
acts; everything it holds is legal on the wire, sensible or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from compliance.case import Case, Item
from compliance.reading import read_case, read_reference
from compliance.reference import Reference

Json = dict[str, Any]
PARIS = ZoneInfo("Europe/Paris")
EHDS_DAY = date(2029, 3, 26)
SNDS = ("SNDS_MAIN", "SNDS_SAMPLE", "PMSI_ATIH")
SOURCES = (*SNDS, "OWN_PATIENTS", "EDS", "COHORT", "REGISTRY", "IMAGING")
EXPRESS = ("favourable", "favourable_with_recommendations")
VERDICTS = (*EXPRESS, "reserved", "unfavourable")
_CODES = (
    "PROTOCOL SUMMARY DATA_SCOPE DPIA NOTICE DOI_FUNDING LEGAL_BASIS SECURITY RETENTION_RESULTS LAB_COMMITMENT "
    "LINKAGE_CIRCUIT PRIOR_OPINIONS INTENDED_USE PSEUDONYMISATION_JUSTIFICATION OWN_DATASETS SAFEGUARDS "
    "PERIOD_JUSTIFICATION ACCESS_FREQUENCY TOOLS ETHICS OPT_OUT_JUSTIFICATION GDPR_COMPLIANCE STATISTICAL_CONTENT"
)
DOCUMENTS = _CODES.split()
USES = ("EPIDEMIOLOGY", "TEACHING", "DRUG_SAFETY")
FORBIDDEN_USES = ("INSURANCE_EXCLUSION_OR_PREMIUM", "JOB_OFFER", "REIDENTIFICATION", "PROMOTION_TO_PROFESSIONALS")
KINDS = ("university", "hospital", "hospital_federation", "health_product_industry", "insurer", "public_body")
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


@dataclass(frozen=True)
class World:
    """A case that was imagined, as JSON and as read, with the reference data it refers to and a day to look from."""

    raw: Json
    catalogue: Json
    environments: Json
    day: date

    def __repr__(self) -> str:
        told = "".join(f"\n  {i.on} {i.at:%H} {i.type} {dict(i.data)}" for i in self.case.history)
        datasets = [dataset["dataset_id"] for dataset in self.raw["dossier"]["data"]["datasets"]]
        return f"World on {self.day}, {datasets}:{told}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    @cached_property
    def reference(self) -> Reference:
        return read_reference(self.catalogue, self.environments)

    @cached_property
    def case(self) -> Case:
        return read_case({**self.raw, "as_of": self.day.isoformat()})[0]

    def telling(self, history: tuple[Item, ...]) -> Case:
        """The same case with another history."""
        return replace(self.case, history=history)

    def with_item(self, at: datetime, item_type: str, **data: Any) -> Case:
        """The same case, one thing more said."""
        return self.telling((*self.case.history, Item(at, item_type, data)))


def at(day: date, hour: int = 12) -> datetime:
    """An hour of a day in Paris."""
    return datetime.combine(day, time(hour), PARIS)


@st.composite
def worlds(
    draw: st.DrawFn,
    honest: bool = False,
    regime: str | None = None,
    acts: int = 12,
    silent: bool = False,
    granted: bool = False,
) -> World:
    """Worlds. In `honest` ones every act is somebody's own, so that nobody is in two functions or has an interest;
    in `silent` ones the French authority has a complete file and has said nothing for long; in `granted` ones there
    is most often a permit."""
    chance = Random(draw(st.integers(0, 2**32)))
    said = draw(st.lists(st.integers(0, 2**32), max_size=acts))
    europe = chance.random() < 0.5 if regime is None else regime == "EU"
    if granted and europe:
        return _granted(chance, [Random(seed) for seed in said])
    if silent or granted:
        return _silent(chance, [Random(seed) for seed in said])
    return _world(chance, [Random(seed) for seed in said], europe, honest)


def _silent(chance: Random, said: list[Random]) -> World:
    submitted = _submitted(chance, False)
    catalogue, environments = _catalogue(chance), _environments(chance)
    dossier = _dossier(chance, catalogue, environments, submitted, False, _standard(chance))
    dossier["documents"] = [document(chance, code, submitted) for code in DOCUMENTS if code != "PRIOR_OPINIONS"]
    for each in dossier["documents"]:
        each |= {"language": "fr"} if each["code"] == "SUMMARY" else {}
    if dossier["research_type"] == "riph2" and chance.random() < 0.5:
        dossier["documents"].append(document(chance, "PRIOR_OPINIONS", submitted))
    day, history = submitted, [(at(submitted, 8), "request.submitted.v1", {})]
    favourable = {"verdict": chance.choice((*EXPRESS, *VERDICTS))}
    spine: list[tuple[str, Json, tuple[int, ...]]] = [
        ("file.received.v1", {"body": "CESREES", "urgent": chance.random() < 0.2}, (0, 5, 20)),
        ("opinion.issued.v1", {"body": chance.choice(("CESREES", "CPP")), **favourable}, (3, 20, 29, 32, 45)),
        ("request.authority-chosen.v1", {"choice": "seize"}, (1, 20)),
        ("file.received.v1", {"body": "CNIL"}, (0, 1, 30)),
        ("period.extended.v1", {"step": "authority_decision", "reasons_given": chance.random() < 0.8}, (1, 55, 70)),
        ("decision.issued.v1", {"body": "CNIL", "verdict": chance.choice(("granted", "refused"))}, (150, 400)),
    ]
    left_out = {1} if chance.random() < 0.15 else set()
    left_out |= {number for number in (4, 5) if chance.random() < 0.5}
    for number, (item_type, data, delays) in enumerate(spine):
        day += timedelta(days=chance.choice(delays) + (35 if number == 3 and 1 in left_out else 0))
        if number not in left_out:
            history.append((at(day, 9 + number), item_type, data))
    for each in said:
        on = submitted + timedelta(days=each.randint(0, 500))
        silence_breakers = ("decision.issued.v1", "request.withdrawn.v1", "completeness.objected.v1")
        item_type, data = _anything(each, dossier, catalogue)
        if item_type not in silence_breakers:
            history.append((at(on, each.randint(0, 23)), item_type, data))
    return _told(history, dossier, catalogue, environments, day + timedelta(days=chance.choice((65, 125, 500))), chance)


def _granted(chance: Random, said: list[Random]) -> World:
    submitted = _submitted(chance, True)
    catalogue, environments = _catalogue(chance), _environments(chance)
    dossier = _dossier(chance, catalogue, environments, submitted, True, {"sources": chance.sample(SOURCES, 3)})
    dossier["documents"] = [document(chance, code, submitted) for code in DOCUMENTS if code != "PRIOR_OPINIONS"]
    first, decided = at(submitted, 8), submitted + timedelta(days=chance.randint(2, 80))
    history: list[tuple[datetime, str, Json]] = [
        (first, "request.submitted.v1", {}),
        (first, "fee.estimated.v1", {"amount_eur": 10, "holder_part_eur": 0}),
    ]
    for hour, body in enumerate(("HDAB-FR", "HDAB-DE", "HDAB-FI")):
        verdict = "granted" if chance.random() < 0.9 else "refused"
        history.append((at(decided, 9 + hour), "decision.issued.v1", {"body": body, "verdict": verdict}))
    for item_type, data in (
        ("permit.extension-requested.v1", {"months": chance.randint(1, 60), "documents": True}),
        ("extension.decided.v1", {"verdict": chance.choice(("granted", "granted", "refused"))}),
    ):
        history.append((at(decided + timedelta(days=len(history))), item_type, data))
    for each in said:
        item_type, data = _anything(each, dossier, catalogue)
        if item_type not in ("request.withdrawn.v1", "revocation.ordered.v1"):
            history.append((at(decided + timedelta(days=each.randint(0, 700)), each.randint(0, 23)), item_type, data))
    return _told(history, dossier, catalogue, environments, decided + timedelta(days=chance.randint(0, 600)), chance)


def _standard(chance: Random) -> Json:
    return chance.choice(
        (
            {"sources": ["SNDS_MAIN", "COHORT"]},
            {"sources": ["REGISTRY", "IMAGING"], "research_type": "none"},
            {"sources": ["SNDS_MAIN"], "research_type": "riph2"},
            {"sources": ["SNDS_MAIN"], "creates_warehouse": True, "research_type": "none"},
        )
    )


def _told(
    history: list[tuple[datetime, str, Json]],
    dossier: Json,
    catalogue: Json,
    environments: Json,
    day: date,
    chance: Random,
    honest: bool = True,
) -> World:
    first = history[0][0]
    events = [
        {"at": when.isoformat(), "type": item_type, "data": _by(chance, item_type, data, honest, number)}
        for number, (when, item_type, data) in enumerate(history)
        if when >= first and not (honest and item_type == "interest.declared.v1")
    ]
    raw: Json = {"id": "imagined", "dossier": dossier, "history": events}
    return World(raw, catalogue, environments, day)


def _world(chance: Random, said: list[Random], europe: bool, honest: bool) -> World:
    submitted = _submitted(chance, europe)
    catalogue, environments = _catalogue(chance), _environments(chance)
    dossier = _dossier(chance, catalogue, environments, submitted, europe)
    first = at(submitted, chance.randint(0, 22))
    history: list[tuple[datetime, str, Json]] = [(first, "request.submitted.v1", {})]
    spine = _spine(chance, dossier, europe)
    day = submitted
    for item_type, data in spine:
        day += timedelta(days=chance.choice((0, 1, 3, 7, 12, 25, 40)))
        history.append((at(day, chance.randint(0, 23)), item_type, data))
    reach = max(30, (day - submitted).days) + chance.choice((20, 120, 900))
    for each in said:
        on = submitted + timedelta(days=each.randint(0, reach))
        item_type, data = _anything(each, dossier, catalogue)
        history.append((at(on, each.randint(0, 23)), item_type, data))
    day = submitted + timedelta(days=chance.randint(0, reach + 120))
    return _told(history, dossier, catalogue, environments, day, chance, honest)


def _submitted(chance: Random, europe: bool) -> date:
    if europe:
        return EHDS_DAY + timedelta(days=chance.choice((0, 1, 729, 730, chance.randint(0, 4000))))
    return EHDS_DAY - timedelta(days=chance.choice((1, 1037, 1036, chance.randint(1, 1700))))


def _by(chance: Random, item_type: str, data: Json, honest: bool, number: int) -> Json:
    function = FUNCTIONS.get(item_type)
    if function is None and item_type != "revocation.ordered.v1":
        return data
    if honest:
        return {**data, "by": [f"{function}-{number}"]}
    pool = [f"{function}-1", f"{function}-2", "anybody-1", "anybody-2", "p-1"]
    return {**data, "by": sorted(chance.sample(pool, chance.randint(1, 2)))}


def _catalogue(chance: Random) -> Json:
    datasets = []
    for number, source in enumerate((*SOURCES, *chance.choices(SOURCES, k=3))):
        trusted = source not in SNDS and chance.random() < 0.5
        datasets.append(
            {
                "dataset_id": f"d-{number}",
                "title": f"Dataset {number}",
                "version": "1",
                "holder": f"holder-{chance.randint(1, 2)}" if trusted else f"holder-{number + 3}",
                "trusted_holder": trusted,
                "holder_exempt": chance.random() < 0.06,
                "country": "FR" if source in SNDS else chance.choice(("FR", "FR", "DE", "FI")),
                "source": source,
                "categories": sorted(chance.sample("abcdefghijklmnopq", chance.randint(1, 3))),
                "class": "snds" if source in SNDS else "health",
            }
        )
    body = {"organisation_id": "listed", "point": "1", "sources": list(chance.sample(SNDS, 2)), "max_depth_years": 10}
    return {"datasets": datasets, "permanent_bodies": [body]}


def _environments(chance: Random) -> Json:
    return {
        "environments": [
            {
                "environment_id": f"env-{number}",
                "operator": "Somebody",
                "storage_country": chance.choice(("FR", "DE", "US")) if number else "FR",
                "controlling_jurisdiction": chance.choice(("FR", "US")) if number else "FR",
                "adequacy": chance.random() < 0.5,
                "evidence": [
                    {
                        "type": proof,
                        "issuer": "issuer",
                        "reference": f"{proof}-{number}",
                        "valid_from": "2024-01-01",
                        "valid_to": "2045-12-31" if chance.random() < 0.8 else f"{chance.randint(2025, 2036)}-06-30",
                    }
                    for proof in ("HDS", "SECNUMCLOUD", "SNDS_HOMOLOGATION", "SPE_73")
                    if not number or chance.random() < 0.7
                ],
            }
            for number in range(3)
        ]
    }


def _shape(chance: Random, europe: bool) -> Json:
    """What leads to one of the routes: sources and members of a dossier by path."""
    lab = {"ref": "lab-1", "committed_2017_07_17": True, "independent": True, "last_audit": "2028-02-29"}
    main, hospital = {"sources": ["SNDS_MAIN"], "lab": lab}, {"sources": ["PMSI_ATIH"]}
    if europe:
        public = {"applicant.public_sector_body": True, "applicant.public_health_mandate": True}
        return chance.choice(
            (
                {},
                {"sources": ["COHORT"]},
                {"sources": ["COHORT", "IMAGING"]},
                {**public, "purpose.ehds_purposes": ["a", "b"]},
                {"kind": "statistics_request", "data.form": "statistics"},
                {"data.form": "anonymised"},
            )
        )
    return chance.choice(
        (
            {
                "sources": ["OWN_PATIENTS"],
                "exclusive_internal_use": True,
                "role": "care_team",
                "research_type": chance.choice(("none", "rniph")),
            },
            {
                "sources": ["PMSI_ATIH"],
                "applicant.organisation_id": "listed",
                "purpose.within_statutory_mission": True,
                "first_year": 2022,
            },
            {"series": True, "sources": ["COHORT"]},
            {"research_type": "riph1", "information.mode": "consent", "sources": ["COHORT"]},
            {"research_type": "riph3", "information.mode": "non_opposition", "sources": ["EDS"]},
            {**hospital, "applicant.kind": "hospital"},
            {
                **hospital,
                "lab": lab,
                "applicant.kind": "health_product_industry",
                "purpose.presumed_public_interest": True,
            },
            {**main, "applicant.public_interest_mission": True, "legal_basis.gdpr6": "6(1)(e)"},
            {**main, "legal_basis.gdpr6": "6(1)(f)"},
            {"sources": ["SNDS_SAMPLE"]},
            {"sources": ["COHORT"], "information.mode": "individual"},
            {"sources": ["EDS"], "information.mode": "individual"},
            {
                "sources": ["EDS"],
                "creates_warehouse": True,
                "applicant.public_interest_mission": True,
                "research_type": "none",
            },
            {"sources": ["SNDS_MAIN", "COHORT"]},
            {"sources": ["SNDS_MAIN"], "creates_warehouse": True},
            {"sources": ["SNDS_MAIN"], "research_type": "riph2"},
            {"sources": ["REGISTRY", "EDS"]},
        )
    )


def _dossier(
    chance: Random, catalogue: Json, environments: Json, submitted: date, europe: bool, plain: Json | None = None
) -> Json:
    shape = _shape(chance, europe) if plain is None else plain
    role, sources = shape.pop("role", "analyst"), shape.pop("sources", None)
    first_year, series = shape.pop("first_year", chance.choice((2020, 2016))), shape.pop("series", False)
    entries = [d for d in catalogue["datasets"] if sources is None or d["source"] in sources]
    if sources is None or len(entries) > 2:
        entries = chance.sample(entries, chance.randint(1, 3))
    organisation = shape.get("applicant.organisation_id", "university")
    persons = chance.randint(0, 3) if chance.random() < 0.2 else 2
    environment = chance.choice((None, "env-0", "env-0", "env-0", "env-1", "env-2"))
    linkage = {"with": ["COHORT"], "uses_nir": False, "trusted_third_party": None, "circuit": "probabilistic"}
    dossier: Json = {
        "kind": "access_application",
        "title": "An imagined study",
        "portal": "portal-1",
        "portal_reference": "P-1",
        "revision": 1,
        "applicant": {
            "organisation": "An organisation",
            "organisation_id": organisation,
            "kind": "university",
            "country": "FR",
            "public_interest_mission": chance.random() < 0.3,
            "public_sector_body": chance.random() < 0.3,
            "public_health_mandate": False,
            "state_body": chance.random() < 0.2,
            "mandate": None,
        },
        "purpose": {
            "ehds_purposes": sorted(chance.sample(("d", "e", "f"), chance.randint(1, 2))),
            "intended_use": sorted(chance.sample(USES, chance.randint(1, 2))),
            "public_interest_statement": "Better care.",
            "presumed_public_interest": False,
            "within_statutory_mission": False,
            "summary_fr": "Résumé.",
        },
        "research_type": "rniph",
        "information": {"mode": "general"},
        "exclusive_internal_use": False,
        "creates_warehouse": False,
        "data": {
            "datasets": [
                {name: entry[name] for name in ("dataset_id", "version", "source", "holder", "categories")}
                | {"years": [first_year, 2024]}
                for entry in entries
            ],
            "form": "pseudonymised",
            "linkage": None,
            "crosses_potential_identifiers": False,
            "full_birth_date": False,
            "reuses_earlier_extract": False,
            "includes_opted_out": {"requested": False, "basis": None},
        },
        "series": _series(chance) if series else None,
        "requested_months": chance.choice((1, 12, 36, 36, 120, 121)),
        "persons": [
            {
                "ref": f"p-{number}",
                "role": "principal_investigator" if not number else role,
                "organisation": organisation,
                "habilitated": chance.random() < 0.9,
                "confidentiality_signed": chance.random() < 0.95,
            }
            for number in range(persons)
        ],
        "lab": None,
        "legal_basis": {"gdpr6": "6(1)(e)", "gdpr9": "9(2)(j)"},
        "documents": _documents(chance, submitted),
        "environment_id": environment,
        "transfers_outside_eu": [],
        "conformity_declared": _formality(chance, submitted),
        "directory_registered": _formality(chance, submitted),
    }
    for path, value in shape.items():
        _put(dossier, path, value)
    departures: dict[str, Callable[[], Any]] = {
        "applicant.kind": lambda: chance.choice(
            (*KINDS, "union_institution", "law_enforcement", "financial_institution")
        ),
        "applicant.country": lambda: chance.choice(("DE", "CH", "US")),
        "applicant.public_interest_mission": lambda: chance.random() < 0.5,
        "applicant.public_health_mandate": lambda: True,
        "applicant.mandate": lambda: {"from": "ministry", "reference": "M-1", "date": "2024-01-01"},
        "purpose.ehds_purposes": lambda: sorted(chance.sample("abcdef", chance.randint(1, 3))),
        "purpose.intended_use": lambda: sorted(chance.sample((*USES, *FORBIDDEN_USES), chance.randint(1, 3))),
        "purpose.public_interest_statement": lambda: chance.choice((None, "", " ")),
        "purpose.presumed_public_interest": lambda: chance.random() < 0.5,
        "purpose.within_statutory_mission": lambda: chance.random() < 0.5,
        "research_type": lambda: chance.choice(("none", "rniph", "riph1", "riph2", "riph3")),
        "information.mode": lambda: chance.choice(("consent", "non_opposition", "individual", "exception_justified")),
        "exclusive_internal_use": lambda: chance.random() < 0.5,
        "creates_warehouse": lambda: True,
        "data.form": lambda: chance.choice(("statistics", "anonymised", "pseudonymised")),
        "data.linkage": lambda: {
            **linkage,
            "with": sorted(chance.sample(("SNDS_MAIN", "COHORT", "OWN_DATASET"), chance.randint(1, 2))),
            "uses_nir": chance.random() < 0.5,
            "circuit": chance.choice(("nir", "indirect_deterministic", "probabilistic")),
        },
        "data.crosses_potential_identifiers": lambda: True,
        "data.full_birth_date": lambda: True,
        "data.reuses_earlier_extract": lambda: True,
        "data.includes_opted_out": lambda: {"requested": True, "basis": None},
        "series": lambda: _series(chance),
        "lab": lambda: {
            "ref": "lab-1",
            "committed_2017_07_17": chance.random() < 0.8,
            "independent": chance.random() < 0.8,
            "last_audit": chance.choice((None, _days_before(submitted, 1095), _days_before(submitted, 1097))),
        },
        "legal_basis.gdpr6": lambda: chance.choice(("6(1)(a)", "6(1)(e)", "6(1)(f)")),
        "legal_basis.gdpr9": lambda: "9(2)(a)",
        "transfers_outside_eu": lambda: [
            {"country": "US", "kind": chance.choice(("personal", "non_personal")), "adequacy_decision": False}
        ],
    }
    how_many = chance.choice((0, 0, 0, 1, 1, 2, 4)) if plain is None else 0
    for path in chance.sample(sorted(departures), how_many):
        _put(dossier, path, departures[path]())
    return dossier


def _put(dossier: Json, path: str, value: Any) -> None:
    *folders, last = path.split(".")
    for folder in folders:
        dossier = dossier[folder]
    dossier[last] = value


def _days_before(day: date, days: int) -> str:
    return (day - timedelta(days=days)).isoformat()


def _series(chance: Random) -> Json:
    differing = chance.choice((None, None, "ehds_purpose", "categories", "recipients"))
    one = {"ehds_purpose": "e", "categories": ["a", "d"], "recipients": ["r-1", "r-2"]}
    other = {"ehds_purpose": "d", "categories": ["a"], "recipients": ["r-1"]}
    second = {**one, "categories": ["d", "a"]} if differing is None else {**one, differing: other[differing]}
    return {"processings": [{"ref": "1", **one}, {"ref": "2", **second}]}


def _formality(chance: Random, submitted: date) -> Json | None:
    if chance.random() < 0.3:
        return None
    return {"reference": "R-1", "date": (submitted + timedelta(days=chance.choice((-9, -1, 0, 30)))).isoformat()}


def document(chance: Random, code: str, submitted: date) -> Json:
    """A document as a portal names it."""
    made: Json = {"code": code, "version": chance.randint(1, 3), "date": "2024-01-02", "sha256": "0" * 64}
    if code == "SUMMARY":
        made["language"] = "fr" if chance.random() < 0.95 else "en"
    if code == "DPIA":
        made["covers_environments"] = ["env-0", "env-1", "env-2"]
    if code == "PRIOR_OPINIONS":
        on = submitted + timedelta(days=chance.choice((-40, -1, 0, 20)))
        made["opinion"] = {
            "body": chance.choice(("CPP", "CSE")),
            "verdict": chance.choice((*EXPRESS, *VERDICTS)),
            "date": on.isoformat(),
        }
    return made


def _documents(chance: Random, submitted: date) -> list[Json]:
    left_out = set(chance.sample(DOCUMENTS, chance.choice((0, 0, 0, 1, 1, 2, 5))))
    left_out |= {"PRIOR_OPINIONS"} if chance.random() < 0.4 else set()
    return [document(chance, code, submitted) for code in DOCUMENTS if code not in left_out]


def _spine(chance: Random, dossier: Json, europe: bool) -> list[tuple[str, Json]]:
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


def _anything(chance: Random, dossier: Json, catalogue: Json) -> tuple[str, Json]:
    """Something somebody could say, of every type a case file may hold."""
    pick = chance.choice
    datasets = [entry["dataset_id"] for entry in catalogue["datasets"]]
    item_type, data = pick(_acts(chance, datasets, [d["dataset_id"] for d in dossier["data"]["datasets"]]))
    return f"{item_type}.v1", data


def _acts(chance: Random, datasets: list[str], asked: list[str]) -> list[tuple[str, Json]]:
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
    ]
