"""Laws that hold for every case: over random dossiers, histories and days."""

import json
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from compliance.assessment import Assessment, assess, next_change
from compliance.case import Case, Item
from compliance.domain import decide
from compliance.inputs import input_hash
from compliance.reading import read_case, read_reference
from contracts.compliance import AuthorisationDeemedGranted
from contracts.identity import request_id

CASES = Path(__file__).parents[2] / "cases"
PARIS = ZoneInfo("Europe/Paris")
DAY = timedelta(days=1)
RAW = {
    file.stem: raw
    for file in sorted(CASES.glob("*.json"))
    if isinstance(raw := json.loads(file.read_text()), dict) and "expect" in raw
}
REFERENCE = read_reference(
    json.loads((CASES / "catalogue.json").read_text()), json.loads((CASES / "environments.json").read_text())
)
BASES = {name: read_case(raw)[0] for name, raw in RAW.items()}
POSITIVE = {"START_ALLOWED", "GRANTED", "DEEMED_GRANTED", "PARTIALLY_GRANTED"}
EXPRESS = ("favourable", "favourable_with_recommendations")
PERSONS = ["a-1", "a-2", "m-1", "p-pi", "o-1"]
BODIES = ["CNIL", "HDH", "CESREES", "CPP", "CSE", "HDAB-FR", "HDAB-FI", "HDAB-DE"]
CODES = ["PROTOCOL", "NOTICE", "DPIA", "TOOLS", "ETHICS", "SUMMARY", "SECURITY"]
EXTENDABLE = ["committee_opinion", "authority_decision", "permit_decision", "holder_delivery", "access", "deletion"]
DATASETS = ["eu-cancer-fr", "biobank-lyon", "retina-fr", "wellness-app", "snds-main"]


def document(chance: Random) -> dict[str, Any]:
    return {
        "code": chance.choice(CODES),
        "version": chance.randint(2, 4),
        "date": "2026-01-01",
        "sha256": "2" * 64,
        "language": "fr",
        "covers_environments": ["env-souverain", "env-clinique"],
    }


def members(chance: Random) -> dict[str, Any]:
    formality = chance.choice(
        [None, {"reference": "R", "date": "2026-09-20"}, {"reference": "R", "date": "2031-01-01"}]
    )
    changes = {
        "conformity_declared": formality,
        "directory_registered": formality,
        "requested_months": chance.randint(1, 200),
    }
    return {name: value for name, value in changes.items() if chance.random() < 0.3}


def act(chance: Random) -> tuple[str, dict[str, Any]]:
    """Something somebody could say, sensible or not."""
    pick = chance.choice
    by = chance.sample(PERSONS, chance.randint(1, 2))
    decided = {"verdict": pick(["granted", "refused"]), "by": by}
    item_type, data = pick(
        [
            ("file.received", {"body": pick(["CESREES", "CNIL"]), "urgent": pick([True, False])}),
            ("file.received", {"body": pick(["CESREES", "CNIL"])}),
            (
                "opinion.issued",
                {"body": pick(BODIES), "verdict": pick([*EXPRESS, "reserved", "unfavourable"]), "by": by},
            ),
            ("opinion.issued", {"body": "CESREES", "verdict": pick([*EXPRESS, "reserved"]), "by": by}),
            ("decision.issued", {"body": pick(BODIES), **decided}),
            ("decision.issued", {"body": "HDAB-FR", **decided, "months": chance.randint(1, 150)}),
            ("decision.issued", {"body": "CNIL", **decided}),
            ("request.authority-chosen", {"choice": pick(["seize", "stop"])}),
            ("request.completed", {"documents": [document(chance)], "set": members(chance)}),
            ("request.withdrawn", {}),
            ("request.conversion-agreed", {}),
            ("completeness.objected", {"items": [pick([*CODES, "LAB_OR_DEMO"])]}),
            ("period.extended", {"step": pick(EXTENDABLE), "reasons_given": pick([True, False])}),
            ("interest.declared", {"person": pick(PERSONS)}),
            ("assessment.recorded", {"by": by, "finding": pick(["STATISTICS_SUFFICIENT", "NECESSARY"])}),
            ("request.forwarded", {"holder": "biobank-lyon"}),
            ("holder-assessment.submitted", {"holder": "biobank-lyon", "proposal": pick(["grant", "refuse"])}),
            ("refusal.confirmed", {"by": by}),
            ("refusal.overridden", {"by": by, "codes": ["PROHIBITED_INSURANCE", "STATISTICS_SUFFICIENT"]}),
            ("fee.estimated", {"amount_eur": 10, "holder_part_eur": pick([0, 5])}),
            ("fee.agreed", {}),
            ("answer.provided", {}),
            ("permit.persons-updated", {"persons": []}),
            ("amendment.decided", {**decided, "add_datasets": [pick(DATASETS)], "remove_datasets": [pick(DATASETS)]}),
            ("permit.extension-requested", {"months": chance.randint(1, 130), "documents": pick([True, False])}),
            ("extension.decided", decided),
            ("permit.processing-completed", {}),
            ("permit.results-published", {}),
            ("suspension.ordered", {}),
            ("resumption.ordered", {}),
            ("revocation.ordered", {"by": by}),
            ("exclusion.ordered", {"until": "2037-01-01"}),
            ("incident.reported", {"kind": pick(["SHARED_ACCESS", "PROHIBITED_USE"])}),
            ("views.submitted", {}),
            ("data.delivered", {}),
            ("workspace.reported", {"state": "open"}),
            ("deletion.certified", {"scope": "all"}),
            (
                "output.requested",
                {"ref": "o", "kind": "aggregate_table", "min_cell": chance.randint(0, 20), "personal": False},
            ),
            ("output.requested", {"ref": "o", "kind": pick(["row_level", "figure"]), "personal": pick([True, False])}),
            ("output.checked", {"ref": "o", "verdict": "released", "by": by}),
            ("optout.recorded", {"ref": "x", "list_version": 1}),
            ("optout.reversed", {"ref": "x", "list_version": 2}),
            ("objection.received", {"ref": "x"}),
            ("environment.qualification-lost", {"environment_id": "env-souverain", "evidence": "HDS"}),
            ("never.heard-of", {}),
        ]
    )
    return f"{item_type}.v1", data


def told(seed: int) -> tuple[Case, date]:
    """A case of the files with its history, told further at random, and a day to look from."""
    chance = Random(seed)
    base = BASES[chance.choice(sorted(BASES))]
    begins, first = base.history[0].on, base.history[0].at
    kept = base.history[: chance.randint(1, len(base.history))]
    reach = chance.choice([40, 150, 900])
    more = []
    for _ in range(chance.randint(0, 9)):
        item_type, data = act(chance)
        on = begins + timedelta(days=chance.randint(0, reach))
        at = datetime.combine(on, time(chance.randint(0, 23)), PARIS)
        if at > first:
            more.append(Item(at, item_type, data))
    case = Case(base.id, base.dossier, (*kept, *more), base.settings)
    return case, begins + timedelta(days=chance.randint(0, reach + 300))


stories = st.integers(0, 2**48).map(told)
examples = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def seen(case: Case, day: date) -> Assessment:
    return assess(case, day, REFERENCE)


@given(stories)
@examples
def test_every_reason_missing_item_condition_and_action_has_an_article(story: tuple[Case, date]) -> None:
    shown = seen(*story)

    for found in (*shown.reasons, *shown.missing, *shown.conditions, *shown.actions, *shown.alternatives):
        assert found.code and found.citation
    if shown.outcome in ("REFUSED", "REFUSAL_PROPOSED", "NOT_AUTHORISED", "BLOCKED", "LAPSED"):
        assert shown.reasons
    if shown.outcome == "REFUSED":
        assert shown.register.decision_kind == "refusal"


@given(stories)
@examples
def test_the_ehds_never_deems_and_a_deemed_grant_has_an_express_favourable_opinion_and_a_whole_period(
    story: tuple[Case, date],
) -> None:
    case, day = story
    shown = seen(case, day)
    if shown.regime == "EU":
        assert shown.outcome not in ("DEEMED_GRANTED", "NOT_AUTHORISED")
        assert all(deadline.silence in ("none", "lapse", "authority-may-set-fee") for deadline in shown.deadlines)
    if shown.outcome == "DEEMED_GRANTED":
        (period,) = [d for d in shown.deadlines if d.step == "authority_decision"]
        assert (period.state, period.silence) == ("elapsed", "deemed-granted")
        assert day > period.due
        assert shown.permit is not None and shown.permit.issued_on == period.due + DAY
        known = case.known_on(day)
        in_documents = any(d.code == "PRIOR_OPINIONS" for d in case.dossier.documents)
        assert (
            in_documents
            or case.dossier.creates_warehouse
            or any(i.type == "opinion.issued.v1" and i.data["verdict"] in EXPRESS for i in known)
        )


@given(stories)
@examples
def test_what_is_seen_on_a_day_never_depends_on_what_comes_after_it(story: tuple[Case, date]) -> None:
    case, day = story
    known = Case(case.id, case.dossier, case.known_on(day), case.settings)

    assert seen(known, day) == seen(case, day)


@given(stories, st.randoms(use_true_random=False))
@examples
def test_repeated_messages_and_the_order_of_arrival_change_nothing(story: tuple[Case, date], chance: Any) -> None:
    case, day = story
    instants = [item.at for item in case.history]
    assume(len(set(instants)) == len(instants))
    shuffled = [*case.history, *case.history]
    chance.shuffle(shuffled)

    assert seen(Case(case.id, case.dossier, tuple(shuffled), case.settings), day) == seen(case, day)


@given(stories)
@examples
def test_nothing_changes_by_itself_before_the_next_change(story: tuple[Case, date]) -> None:
    case, day = story
    known = Case(case.id, case.dossier, case.known_on(day), case.settings)
    shown = seen(known, day)
    change = next_change(known, shown, day)
    last = day + timedelta(days=2000) if change is None else change - DAY
    assert change is None or change > day

    for later in {day + (last - day) * n // 8 for n in range(1, 9)}:
        assert not seen(known, later).differs_from(shown), (day, later, change)


@given(stories)
@examples
def test_one_extension_at_most_and_none_shortens(story: tuple[Case, date]) -> None:
    case, day = story
    shown = seen(case, day)
    plain = Case(case.id, case.dossier, tuple(i for i in case.history if i.type != "period.extended.v1"), case.settings)
    without = {(d.step, d.starts): d.due for d in seen(plain, day).deadlines}

    for deadline in shown.deadlines:
        assert deadline.due >= without.get((deadline.step, deadline.starts), deadline.due)
    if shown.permit is not None:
        granted = [i for i in case.known_on(day) if i.type == "extension.decided.v1"]
        assert shown.permit.version <= 1 + len(granted) + sum(
            i.type in ("permit.persons-updated.v1", "amendment.decided.v1") for i in case.known_on(day)
        )


@given(stories)
@examples
def test_nobody_acts_in_two_functions_or_with_a_declared_interest(story: tuple[Case, date]) -> None:
    case, day = story
    declared = {i.data["person"] for i in case.known_on(day) if i.type == "interest.declared.v1"}
    everywhere = tuple(
        Item(case.history[0].at, "interest.declared.v1", {"person": person}) for person in sorted(declared)
    )
    barred = Case(case.id, case.dossier, (case.history[0], *everywhere, *case.history[1:]), case.settings)
    never = tuple(i for i in case.history if not declared.intersection(i.words("by")))
    without = Case(case.id, case.dossier, never, case.settings)

    left, right = seen(barred, day), seen(without, day)
    assert (left.outcome, left.datasets, left.permit, left.outputs) == (
        right.outcome,
        right.datasets,
        right.permit,
        right.outputs,
    )


@given(stories)
@examples
def test_no_output_with_persons_or_a_small_cell_is_released(story: tuple[Case, date]) -> None:
    case, day = story
    asked = [i for i in case.known_on(day) if i.type == "output.requested.v1"]
    for output in seen(case, day).outputs:
        if output.verdict == "released":
            last = asked[-1].data
            assert not last["personal"]
            assert last["kind"] != "row_level"
            assert last["kind"] != "aggregate_table" or int(str(last["min_cell"])) >= 11


@given(stories)
@examples
def test_deciding_twice_says_nothing_and_a_grant_is_said_when_it_is_seen(story: tuple[Case, date]) -> None:
    case, day = story
    shown = seen(case, day)
    identity, digest = request_id("portal-hdh", case.id), input_hash(case, day, REFERENCE)

    facts = decide(None, shown, identity, digest)
    assert decide(shown, shown, identity, digest) == []
    assert facts == decide(None, shown, identity, digest)
    assert all(type(fact).read(fact.wire()) == fact for fact in facts)
    assert any(isinstance(f, AuthorisationDeemedGranted) for f in facts) is (shown.outcome == "DEEMED_GRANTED")


@given(stories)
@examples
def test_replay_ends_where_live_did(story: tuple[Case, date]) -> None:
    """Live: assessed after each item and on each day a timer fires. Replay: assessed once. The same end."""
    case, day = story
    submission = case.history[0]
    today = submission.on
    live: Assessment | None = None
    said: list[Item] = []
    waiting = [item for item in case.history if item.on <= day]
    steps = 0
    while True:
        while waiting and waiting[0].on <= today:
            said.append(waiting.pop(0))
            live = seen(Case(case.id, case.dossier, tuple(said), case.settings), today)
        assert live is not None
        live = seen(Case(case.id, case.dossier, tuple(said), case.settings), today)
        days = [d for d in (live.next_change, waiting[0].on if waiting else None) if d is not None and d <= day]
        if not days:
            break
        today = min(days)
        steps += 1
        assert steps < 200

    assert not live.differs_from(seen(case, day))


@pytest.mark.parametrize("name", sorted(RAW))
def test_the_fingerprint_of_a_case_depends_on_what_is_known_and_nothing_else(name: str) -> None:
    case, day = read_case(RAW[name])

    digest = input_hash(case, day, REFERENCE)
    later = Item(datetime.combine(day + DAY, time(12), PARIS), "request.withdrawn.v1", {})
    told = Case(case.id, case.dossier, (*case.history, later), case.settings)
    assert input_hash(told, day, REFERENCE) == digest
    assert input_hash(told, day + DAY, REFERENCE) != digest
