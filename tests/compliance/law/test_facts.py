"""What is said when an assessment differs from the one before."""

from datetime import date, timedelta
from typing import Any

import pytest

from compliance.assessment import Assessment
from compliance.domain import decide
from compliance.remembered import as_text, from_text
from contracts import compliance as said
from contracts.facts import Fact
from contracts.identity import permit_id, request_id

IDENTITY = request_id("portal-hdh", "CASE-1")
DIGEST = "0" * 64


def facts(story: Any, *days: str) -> list[list[Fact]]:
    """What is said on each of these days, one after the other."""
    before: Assessment | None = None
    told: list[list[Fact]] = []
    for day in days:
        after = story.assessment(day)
        told.append(decide(before, after, IDENTITY, DIGEST))
        before = after
    return told


def names(told: list[Fact]) -> list[str]:
    return [fact.event_type.removeprefix("guichet.").removesuffix(".v1") for fact in told]


def test_a_declaration_route_from_submission_to_permit(tell: Any) -> None:
    first, received, opined = facts(tell("F05a"), "2026-09-01", "2026-09-08", "2026-10-01")

    assert names(first) == [
        "route.determined",
        "completeness.passed",
        "deadline.started",
        "register.entry-published",
    ]
    assert names(received) == ["deadline.met", "deadline.started"]
    assert names(opined) == [
        "deadline.met",
        "request.granted",
        "permit.issued",
        "data.requested",
        "register.corrected",
    ]
    (permit,) = [fact for fact in opined if isinstance(fact, said.PermitIssued)]
    assert (permit.permit_id, permit.issued_on, permit.expires_on) == (
        permit_id(IDENTITY),
        date(2026, 10, 1),
        date(2029, 10, 1),
    )
    assert [p.ref for p in permit.persons] == ["p-pi", "p-an1"]
    (dataset,) = permit.datasets
    assert (dataset.dataset_id, dataset.dataset_class, dataset.holder, dataset.years) == (
        "snds-main",
        "snds",
        "cnam",
        (2014, 2024),
    )
    assert (permit.environment_id, permit.citation) == ("env-souverain", "CNIL:2023-082")


def test_a_committee_s_silence_is_said(tell: Any) -> None:
    *_, silent = facts(tell("F05b"), "2026-09-08", "2026-10-09")

    assert names(silent) == ["deadline.elapsed", "opinion.deemed-favourable"]
    assert isinstance(silent[1], said.OpinionDeemedFavourable)
    assert (silent[1].on, silent[1].body, silent[1].citation) == (date(2026, 10, 9), "CESREES", "D2019-536:90")


def test_a_deemed_grant_holds_from_the_day_after_the_period_even_when_it_is_seen_later(tell: Any) -> None:
    _, granted = facts(tell("F07b"), "2026-10-14", "2026-12-20")

    assert names(granted) == [
        "deadline.elapsed",
        "authorisation.deemed-granted",
        "request.granted",
        "permit.issued",
        "data.requested",
        "data.requested",
        "register.corrected",
    ]
    assert [fact.on for fact in granted if isinstance(fact, said.CaseFact)][:4] == [date(2026, 12, 15)] * 4


def test_an_authorisation_that_silence_does_not_give_is_said(tell: Any) -> None:
    _, silent = facts(tell("F07c-tacit"), "2026-10-14", "2026-12-15")

    assert names(silent) == [
        "deadline.elapsed",
        "authorisation.not-obtained",
        "request.refused",
        "register.corrected",
    ]


def test_a_refusal_is_proposed_then_confirmed(tell: Any) -> None:
    story = tell("F12").says("2026-09-10", "refusal.confirmed", by=["o-1"])
    proposed, confirmed = facts(story, "2026-09-01", "2026-09-10")

    assert names(proposed) == ["route.determined", "refusal.proposed", "register.entry-published"]
    assert isinstance(proposed[0], said.RouteDetermined)
    assert proposed[0].route is None
    assert names(confirmed) == ["request.refused", "register.corrected"]


def test_an_override_determines_the_route(tell: Any) -> None:
    story = tell("F12").says("2026-09-08", "refusal.overridden", by=["o-1"], codes=["PROHIBITED_INSURANCE"])
    _, overridden = facts(story, "2026-09-01", "2026-09-08")

    assert names(overridden) == [
        "route.determined",
        "completeness.passed",
        "deadline.started",
        "register.corrected",
    ]


def test_a_lapse_is_said_once(tell: Any) -> None:
    first, lapsed, later = facts(tell("E16a"), "2029-06-04", "2029-07-03", "2029-09-01")

    assert names(first) == [
        "route.determined",
        "completeness.failed",
        "deadline.started",
        "register.entry-published",
    ]
    assert names(lapsed) == ["deadline.elapsed", "request.lapsed", "register.corrected"]
    assert later == []


def test_an_extension_tells_both_due_days(tell: Any) -> None:
    story = tell("E16b").says("2029-06-20", "period.extended", step="permit_decision", reasons_given=True)
    _, extended = facts(story, "2029-06-04", "2029-06-20")

    assert names(extended) == ["deadline.extended"]
    assert isinstance(extended[0], said.DeadlineExtended)
    assert (extended[0].previous_due, extended[0].due) == (date(2029, 9, 4), date(2029, 12, 4))


def test_an_overdue_decision_and_overdue_duties_are_said(tell: Any) -> None:
    _, overdue = facts(tell("E16b"), "2029-06-04", "2029-09-05")
    assert names(overdue) == ["deadline.elapsed", "duty.overdue"]
    assert isinstance(overdue[1], said.DutyOverdue)
    assert (overdue[1].duty, overdue[1].code, overdue[1].citation) == (
        "permit_decision",
        "DECISION_OVERDUE",
        "EHDS:68(4)",
    )

    _, undelivered = facts(tell("E14"), "2029-09-03", "2029-12-04")
    assert [f.code for f in undelivered if isinstance(f, said.DutyOverdue)] == ["HOLDER_IN_DEFAULT"]


def test_a_withdrawal_stops_what_runs(tell: Any) -> None:
    _, withdrawn = facts(tell("N-FR-withdrawn"), "2026-07-08", "2026-07-20")

    assert names(withdrawn) == ["deadline.stopped", "request.closed", "register.corrected"]


def test_a_second_grant_amends_the_permit_and_asks_its_holder(tell: Any) -> None:
    _, first, second = facts(tell("E20a"), "2029-08-20", "2029-08-21", "2029-09-03")

    assert "permit.issued" in names(first)
    assert "request.granted" not in names(first)
    (amended,) = [fact for fact in second if isinstance(fact, said.PermitAmended)]
    assert (amended.datasets_added, amended.datasets_removed, amended.version) == (("eu-cancer-fr",), (), 1)
    assert [f.holder for f in second if isinstance(f, said.DataRequested)] == ["registre-fr"]


def test_a_change_of_persons_is_a_difference(tell: Any) -> None:
    _, changed = facts(tell("N-persons"), "2029-11-05", "2030-01-08")
    (amended,) = [fact for fact in changed if isinstance(fact, said.PermitAmended)]

    assert (amended.persons_added, amended.persons_removed, amended.version) == (("p-new",), ("p-an1",), 2)
    assert [p.ref for p in amended.persons] == ["p-pi", "p-new"]


def test_a_permit_s_states_are_said(tell: Any) -> None:
    story = tell("L3").says("2030-03-20", "resumption.ordered").says("2030-04-01", "revocation.ordered", by=["a-9"])
    _, suspended, resumed, revoked = facts(story, "2029-11-05", "2030-03-04", "2030-03-20", "2030-04-01")

    assert "permit.suspended" in names(suspended)
    assert {f.code for f in suspended if isinstance(f, said.NoncomplianceFound)} == {"SHARED_ACCESS"}
    assert "permit.resumed" in names(resumed)
    assert "permit.revoked" in names(revoked)


def test_a_permit_expires_on_the_day_after_its_last_and_closes(tell: Any) -> None:
    _, expired, closed = facts(tell("N-L6-closed"), "2029-10-01", "2030-02-10", "2030-08-01")

    (fact,) = [f for f in expired if isinstance(f, said.PermitExpired)]
    assert fact.on == date(2030, 2, 1)
    assert "permit.closed" in names(closed)


def test_an_extension_of_a_permit_is_said_or_its_refusal(tell: Any) -> None:
    _, refused = facts(tell("E20c"), "2032-08-24", "2032-08-26")
    assert [f.code for f in refused if isinstance(f, said.ExtensionRefused)] == ["EXTENSION_LATE"]

    story = tell("E20c")
    story.raw["history"].pop()
    story.says("2032-07-01", "permit.extension-requested", months=12, documents=True)
    story.says("2032-08-01", "extension.decided", verdict="granted", by=["a-9"])
    _, extended = facts(story, "2032-07-01", "2032-08-01")
    (fact,) = [f for f in extended if isinstance(f, said.PermitExtended)]
    assert (fact.expires_on, fact.months, fact.version) == (date(2033, 9, 14), 48, 2)
    assert not [f for f in extended if isinstance(f, said.PermitAmended)]


def test_a_gate_that_no_longer_holds_for_its_persons_suspends(tell: Any) -> None:
    story = tell("F05a")
    persons = [{**person, "habilitated": False} for person in story.raw["dossier"]["persons"]]
    story.says("2026-11-02", "permit.persons-updated", persons=persons)
    _, blocked = facts(story, "2026-10-01", "2026-11-02")

    assert names(blocked) == ["request.closed", "permit.suspended", "register.corrected"]


@pytest.mark.parametrize("name", ["E14", "F05a", "F07b", "L1", "L2-fr-central", "E20c", "F12", "N-L6-closed"])
def test_an_assessment_is_remembered_whole(tell: Any, name: str) -> None:
    story = tell(name)
    day = (date.fromisoformat(story.raw["history"][-1]["at"][:10]) + timedelta(days=1)).isoformat()
    shown = story.assessment(day)

    assert from_text(as_text(shown)) == shown
    assert decide(from_text(as_text(shown)), shown, IDENTITY, DIGEST) == []


def test_an_output_is_said_when_a_rule_judges_it_and_again_when_a_person_does(tell: Any) -> None:
    story = tell("F05a")
    cells = [{"name": "age-80", "persons": 10}, {"name": "age-70", "persons": 400}]
    table = {"kind": "aggregate_table", "personal": False}
    story.says("2026-11-02", "output.requested", ref="small", **table, min_cell=50, cells=cells)
    story.says("2026-11-02", "output.requested", ref="large", **table, min_cell=400)
    story.says("2026-11-03", "output.checked", ref="large", verdict="released", by=["p-pi"])
    story.says("2026-11-04", "output.checked", ref="large", verdict="released", by=["reviewer-1"])
    told = facts(story, "2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05")
    outputs = [[f for f in day if isinstance(f, said.OutputAssessed)] for day in told]
    assert [[(o.ref, o.verdict, o.code, o.cells) for o in day] for day in outputs] == [
        [],
        [("small", "returned", "CELL_BELOW_THRESHOLD", ("age-80",)), ("large", "in-review", None, ())],
        # Someone of the project is not heard.
        [],
        [("large", "released", None, ())],
        [],
    ]
    assert {(o.threshold, o.citation) for day in outputs for o in day} == {(11, "SNDS-REF:4.5")}


def test_a_permit_says_which_environments_the_impact_assessment_covers(tell: Any) -> None:
    (*_, opined) = facts(tell("F05a"), "2026-09-01", "2026-09-08", "2026-10-01")
    (permit,) = [fact for fact in opined if isinstance(fact, said.PermitIssued)]
    assert permit.covers_environments == ("env-souverain",)


def test_a_lapse_is_dated_the_day_after_the_four_weeks_also_when_it_is_seen_later(tell: Any) -> None:
    _, lapsed = facts(tell("E16a"), "2029-06-04", "2029-07-20")

    (fact,) = [fact for fact in lapsed if isinstance(fact, said.RequestLapsed)]
    assert fact.on == date(2029, 7, 3)
