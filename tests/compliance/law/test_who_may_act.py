"""Who may act: one function each, no declared interest, no checker among the users."""

from typing import Any


def application(tell: Any) -> Any:
    return tell("E16b").says("2029-06-20", "fee.estimated", amount_eur=1, holder_part_eur=0)


def test_who_assessed_does_not_decide(tell: Any) -> None:
    story = application(tell).says("2029-07-01", "assessment.recorded", by=["a-1"], finding="NECESSARY")
    story.says("2029-08-01", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-2", "a-1"])
    seen = story.on("2029-08-01")
    assert (seen.outcome, seen.cited("reasons")["ACT_BY_CONFLICTED_PERSON"]) == (None, "EHDS:55(3)")

    story.says("2029-08-02", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-2"])
    assert story.on("2029-08-02").outcome == "GRANTED"


def test_an_act_set_aside_does_not_count_as_having_acted(tell: Any) -> None:
    story = application(tell).says("2029-07-01", "interest.declared", person="a-1")
    story.says("2029-07-02", "assessment.recorded", by=["a-1", "a-2"], finding="STATISTICS_SUFFICIENT")
    story.says("2029-08-01", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-2"])
    seen = story.on("2029-08-01")

    assert seen.outcome == "GRANTED"
    assert "STATISTICS_SUFFICIENT" not in seen.codes("reasons")


def test_a_later_declaration_does_not_undo_an_act(tell: Any) -> None:
    story = application(tell)
    story.says("2029-08-01", "decision.issued", body="HDAB-FR", verdict="granted", by=["a-2"])
    story.says("2029-08-01", "interest.declared", hour="10:01", person="a-2")

    assert story.on("2029-08-02").outcome == "GRANTED"
    assert "ACT_BY_CONFLICTED_PERSON" not in story.on("2029-08-02").codes("reasons")


def test_a_committee_member_with_an_interest_gives_no_opinion(tell: Any) -> None:
    story = tell("F05a").submitted("2026-09-01").says("2026-09-08", "file.received", body="CESREES")
    story.says("2026-09-09", "interest.declared", person="m-1")
    story.says("2026-10-01", "opinion.issued", body="CESREES", verdict="favourable", by=["m-1", "m-2"])

    assert story.on("2026-10-01").status == "awaiting_opinion"
    assert story.on("2026-10-01").cited("reasons")["ACT_BY_CONFLICTED_PERSON"] == "LIL:76"
    assert story.on("2026-10-09").status == "awaiting_applicant"


def test_who_gave_the_opinion_does_not_decide_for_the_authority(tell: Any) -> None:
    story = tell("F07a").submitted("2026-07-01").says("2026-07-08", "file.received", body="CESREES")
    story.says("2026-08-03", "opinion.issued", body="CESREES", verdict="favourable", by=["m-1"])
    story.says("2026-10-14", "file.received", body="CNIL")
    story.says("2026-12-01", "decision.issued", body="CNIL", verdict="refused", by=["m-1"])

    assert story.on("2026-12-15").outcome == "DEEMED_GRANTED"


def test_a_refusal_is_not_confirmed_by_whoever_prepared(tell: Any) -> None:
    story = tell("F12").says("2026-09-02", "extract.prepared", by=["o-1"])
    story.says("2026-09-03", "refusal.confirmed", by=["o-1"])

    assert story.on("2026-09-03").outcome == "REFUSAL_PROPOSED"


def test_confirming_and_deciding_are_one_function(tell: Any) -> None:
    story = tell("N-individual")
    codes = ["PROHIBITED_DETRIMENTAL_DECISION", "PROHIBITED_REIDENTIFICATION"]
    story.says("2029-06-10", "refusal.overridden", by=["o-1"], codes=codes)
    story.says("2029-06-20", "fee.estimated", amount_eur=1, holder_part_eur=0)
    story.says("2029-08-01", "decision.issued", body="HDAB-FR", verdict="granted", by=["o-1"])

    assert story.on("2029-08-01").outcome == "GRANTED"


def test_a_checker_is_not_among_the_permit_s_persons(tell: Any) -> None:
    story = tell("L1").says("2030-02-03", "output.checked", ref="out-3", verdict="released", by=["p-an1"])
    assert story.on("2030-02-03").outputs[2]["verdict"] == "in-review"
    assert story.on("2030-02-03").cited("reasons")["ACT_BY_CONFLICTED_PERSON"] == "EHDS:55(3)"

    story = tell("L1").says("2030-02-03", "permit.persons-updated", persons=[])
    story.says("2030-02-04", "output.checked", ref="out-3", verdict="released", by=["p-an1"])
    assert story.on("2030-02-04").outputs[2]["verdict"] == "released"


def test_who_decided_does_not_check(tell: Any) -> None:
    story = tell("L1").says("2030-02-03", "output.checked", ref="out-3", verdict="released", by=["a-9"])

    assert story.on("2030-02-03").outputs[2]["verdict"] == "in-review"
