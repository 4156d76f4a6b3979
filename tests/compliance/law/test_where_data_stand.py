"""Where the workspace stands decides which host must be qualified, and whose word ends the duty to delete."""

from typing import Any

import pytest

from compliance.problems import CaseError

FIRST, SECOND, UNQUALIFIED = "env-souverain", "env-pmsi", "env-clinique"
LOST = {"environment_id": FIRST, "evidence": "SNDS_HOMOLOGATION"}


def moved(story: Any, day: str, to: str, source: str = FIRST) -> Any:
    return story.says(day, "rehosting.cut-over", source_environment_id=source, target_environment_id=to)


def permitted(tell: Any) -> Any:
    """A French start that is allowed on 1 October 2026, in the first environment."""
    story = tell("N-lost")
    story.raw["history"] = story.raw["history"][:3]
    return story


def test_a_permit_that_moved_away_from_a_host_that_lost_its_qualification_may_start_again(tell: Any) -> None:
    story = permitted(tell).says("2027-01-20", "environment.qualification-lost", **LOST)
    seen = story.on("2027-01-20")
    assert (seen.start_allowed, seen.environment["id"], "FREEZE_AND_REHOST" in seen.codes("actions")) == (
        False,
        FIRST,
        True,
    )

    seen = moved(story, "2027-01-21", SECOND).on("2027-01-21")
    assert (seen.start_allowed, seen.environment) == (True, {"id": SECOND, "cleared": True, "findings": []})
    assert "FREEZE_AND_REHOST" not in seen.codes("actions")
    assert "SNDS_HOMOLOGATION_MISSING" not in seen.codes("reasons")
    assert seen.permit["version"] == 1, "a move changes no permit"


def test_what_is_seen_on_a_day_before_the_move_stays_as_it_was(tell: Any) -> None:
    story = moved(permitted(tell), "2027-01-21", SECOND)

    assert story.on("2027-01-20").environment["id"] == FIRST


def test_a_permit_that_moved_follows_the_evidence_of_its_new_host_and_no_other(tell: Any) -> None:
    story = moved(permitted(tell), "2027-01-21", SECOND)
    assert story.says("2027-02-01", "environment.qualification-lost", **LOST).on("2027-02-01").start_allowed

    story.says("2027-02-02", "environment.qualification-lost", environment_id=SECOND, evidence="HDS")
    seen = story.on("2027-02-02")
    assert (seen.start_allowed, seen.codes("actions")) == (False, ["FREEZE_AND_REHOST"])


def test_a_workspace_that_was_asked_of_another_host_than_the_dossier_names_is_judged_there(tell: Any) -> None:
    story = permitted(tell)
    asked = {"permit_version": 1, "environment_id": UNQUALIFIED}
    assert not story.says("2026-10-01", "workspace.requested", hour="11:00", **asked).on("2026-10-01").start_allowed


def test_a_dossier_that_names_no_environment_gets_the_one_its_workspace_was_asked_of(tell: Any) -> None:
    story = permitted(tell).but(environment_id=None)
    assert "ENVIRONMENT_TO_BE_CLEARED" in story.on("2026-10-02").codes("conditions")

    seen = story.says("2026-10-05", "workspace.requested", environment_id=SECOND).on("2026-10-05")
    assert (seen.environment["id"], seen.start_allowed) == (SECOND, True)
    assert "ENVIRONMENT_TO_BE_CLEARED" not in seen.codes("conditions")


def test_an_applicant_moves_no_workspace_by_naming_another_environment(tell: Any) -> None:
    story = permitted(tell).says("2026-10-01", "workspace.requested", hour="11:00", environment_id=FIRST)
    story.says("2026-11-02", "request.completed", documents=[], set={"environment_id": UNQUALIFIED})
    assert story.on("2026-11-02").environment["id"] == FIRST

    assert moved(story, "2026-11-03", SECOND).on("2026-11-03").environment["id"] == SECOND
    assert moved(story, "2026-11-04", FIRST, SECOND).on("2026-11-04").environment["id"] == FIRST


def test_an_applicant_may_take_back_a_choice_of_environment_until_there_is_a_workspace(tell: Any) -> None:
    story = permitted(tell).says("2026-09-02", "request.completed", documents=[], set={"environment_id": None})
    assert story.on("2026-10-02").environment is None

    story.says("2026-10-05", "workspace.requested", environment_id=FIRST)
    assert story.on("2026-10-05").environment["id"] == FIRST


def test_an_environment_that_nobody_registered_is_named_in_a_case_file(tell: Any) -> None:
    with pytest.raises(CaseError) as refused:
        moved(permitted(tell), "2026-11-03", "env-nowhere").on("2026-11-03")
    assert [problem.code for problem in refused.value.problems] == ["unknown-environment"]


def test_a_workspace_that_stands_where_its_dossier_says_adds_nothing_to_its_history(tell: Any) -> None:
    story = tell("N-L6-closed")
    (certified,) = [item for item in story.raw["history"] if item["type"] == "deletion.certified.v1"]
    before = story.case("2033-01-01").history
    home = story.raw["dossier"]["environment_id"]
    story.says("2029-11-06", "workspace.requested", environment_id=home)
    certified["source"] = f"/hosts/{home}"

    assert story.case("2033-01-01").history == before


def test_what_is_said_late_counts_at_its_instant(tell: Any) -> None:
    """A portal's date may lie before a move that was recorded first."""
    story = moved(permitted(tell), "2026-11-03", SECOND)
    story.says("2026-11-02", "request.completed", documents=[], set={"environment_id": UNQUALIFIED})

    assert story.on("2026-11-02").environment["id"] == UNQUALIFIED
    assert story.on("2026-11-03").environment["id"] == SECOND


@pytest.mark.parametrize(
    ("source", "closes"), [(None, True), (f"/hosts/{SECOND}", True), (f"/hosts/{FIRST}", False), ("/hosts/x", False)]
)
def test_only_the_host_where_the_data_stand_ends_the_duty_to_delete_them(
    tell: Any, source: str | None, closes: bool
) -> None:
    story = tell("N-L6-closed")
    story.raw["dossier"]["environment_id"] = SECOND
    (certified,) = [item for item in story.raw["history"] if item["type"] == "deletion.certified.v1"]
    if source is not None:
        certified["source"] = source
    last = story.raw["history"][-1]["at"][:10]

    assert (story.on(last).permit["status"] == "closed") is closes


def test_the_host_that_data_have_left_does_not_say_that_they_are_gone(tell: Any) -> None:
    story = tell("N-L6-closed")
    at = next(place for place, item in enumerate(story.raw["history"]) if item["type"] == "deletion.certified.v1")
    certified, rest = story.raw["history"][at], story.raw["history"][at + 1 :]
    day = certified["at"][:10]
    last = story.raw["history"][-1]["at"][:10]
    story.raw["history"] = story.raw["history"][:at]
    home = story.raw["dossier"]["environment_id"]
    moved(story, day, SECOND, home).raw["history"][-1]["at"] = f"{day}T00:00:01+02:00"
    story.raw["history"] += [{**certified, "source": f"/hosts/{home}"}, *rest]
    assert story.on(last).permit["status"] != "closed"

    story.raw["history"].append({**certified, "source": f"/hosts/{SECOND}"})
    assert story.on(last).permit["status"] == "closed"
