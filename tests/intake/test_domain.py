"""Given what was noted, when a portal brings something, then this is answered and noted."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import portals
from contracts.facts import Fact
from intake.commands import Command, Submit
from intake.domain import (
    Answer,
    Conflict,
    Foreign,
    Received,
    TurnedAway,
    Waiting,
    decide,
    evolve,
)
from intake.files import (
    NOTHING,
    Accepted,
    Closed,
    Conflicted,
    Noted,
    Open,
    Rejected,
    Revised,
    State,
    Unheard,
    Withdrawn,
)
from intake.problems import Problem
from intake.reading import read_addition, read_submission, submit
from intake.references import Known

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
KNOWN = Known(
    {"snds-main": frozenset({"2026.1"}), "pmsi-mco": frozenset({"2025.2"})}, frozenset({"env-souverain", "env-other"})
)
NEW_DOCUMENT = {"code": "NOTICE", "version": 1, "date": "2026-09-07", "sha256": "5" * 64}

Make = Callable[..., Command]


@pytest.fixture(scope="module")
def submitting(submission: Callable[..., bytes]) -> Make:
    """`submitting(title="…")`: the command that a portal's submission amounts to."""

    def make(**changes: Any) -> Command:
        data = submission(**changes)
        command = submit(read_submission(data), data, NOON)
        assert command is not None
        return command

    return make


def adding(kind: type[Fact], data: Any, *, portal: str = "portal-hdh", said_at: datetime = NOON) -> Command:
    command = read_addition(kind, portal, json.dumps(data).encode(), said_at)
    assert not isinstance(command, tuple)
    return command


def completing(documents: Any = (), changes: Any = None, **context: Any) -> Command:
    return adding(portals.RequestCompleted, {"documents": list(documents), "set": changes or {}}, **context)


def bring(state: State, *commands: Command, known: Known = KNOWN) -> tuple[State, list[Answer], list[object]]:
    answers: list[Answer] = []
    steps: list[object] = []
    for command in commands:
        decision = decide(state, command, known)
        state = reduce(evolve, decision.steps, state)
        answers.append(decision.answer)
        steps += decision.steps
    return state, answers, steps


def test_a_first_dossier_is_accepted_as_it_came(submitting: Make) -> None:
    command = submitting()
    assert isinstance(command, Submit)
    state, answers, steps = bring(NOTHING, command)
    assert isinstance(state, Open)
    assert answers == [Received()]
    assert [type(step) for step in steps] == [Accepted]
    assert state.file.latest.data_sha256 == command.data_sha256
    assert state.file.dossier == command.dossier


def test_the_same_dossier_again_gets_the_same_answer_and_nothing_more(submitting: Make) -> None:
    _, answers, steps = bring(NOTHING, submitting(), submitting(), submitting())
    assert answers == [Received()] * 3
    assert len(steps) == 1


def test_the_same_dossier_written_differently_is_the_same_dossier(
    submission: Callable[..., bytes], submitting: Make
) -> None:
    data = json.dumps(json.loads(submission()), indent=3, sort_keys=True).encode()
    again = submit(read_submission(data), data, NOON)
    assert again is not None
    _, answers, steps = bring(NOTHING, submitting(), again)
    assert answers == [Received(), Received()]
    assert len(steps) == 1


def test_another_body_under_the_same_key_is_a_conflict_said_once_and_overwrites_nothing(submitting: Make) -> None:
    first, other = submitting(), submitting(title="Something else")
    state, answers, steps = bring(NOTHING, first, other, other)
    assert answers == [Received(), Conflict(), Conflict()]
    assert isinstance(first, Submit)
    assert isinstance(other, Submit)
    assert steps[1:] == [Conflicted(1, first.data_sha256, other.data_sha256)]
    assert isinstance(state, Open)
    assert state.file.dossier == first.dossier


def test_a_third_body_is_a_conflict_of_its_own(submitting: Make) -> None:
    _, _, steps = bring(NOTHING, submitting(), submitting(title="Second"), submitting(title="Third"))
    assert [type(step) for step in steps] == [Accepted, Conflicted, Conflicted]


def test_a_higher_revision_says_what_changed_and_which_documents_are_new(submitting: Make) -> None:
    later = submitting(revision=2, requested_months=48, documents=[NEW_DOCUMENT])
    state, answers, steps = bring(NOTHING, submitting(), later)
    revised = steps[1]
    assert answers[-1] == Received()
    assert isinstance(revised, Revised)
    assert (revised.revision, revised.changes) == (2, {"requested_months": 48})
    assert [document.code for document in revised.documents] == ["NOTICE"]
    assert isinstance(state, Open)
    assert [document.code for document in state.file.dossier.documents] == ["PROTOCOL", "SUMMARY", "NOTICE"]
    assert state.file.latest.revision == 2


def test_each_revision_can_be_repeated(submitting: Make) -> None:
    first, second = submitting(), submitting(revision=2, requested_months=48)
    _, answers, steps = bring(NOTHING, first, second, first, second)
    assert answers == [Received()] * 4
    assert len(steps) == 2


def test_a_revision_that_comes_after_a_higher_one_is_a_conflict(submitting: Make) -> None:
    _, answers, _ = bring(NOTHING, submitting(revision=3), submitting(revision=2))
    assert answers == [Received(), Conflict()]


def test_a_repeat_is_recognised_after_a_completion_changed_the_dossier(submitting: Make) -> None:
    _, answers, steps = bring(NOTHING, submitting(), completing([], {"requested_months": 12}), submitting())
    assert answers == [Received()] * 3
    assert len(steps) == 2


def test_a_completion_adds_documents_and_replaces_members(submitting: Make) -> None:
    state, answers, steps = bring(NOTHING, submitting(), completing([NEW_DOCUMENT], {"environment_id": "env-other"}))
    revised = steps[1]
    assert answers[-1] == Received()
    assert isinstance(revised, Revised)
    assert (revised.revision, revised.changes) == (1, {"environment_id": "env-other"})
    assert isinstance(state, Open)
    assert state.file.dossier.environment_id == "env-other"
    assert [document.code for document in state.file.dossier.documents] == ["PROTOCOL", "SUMMARY", "NOTICE"]


def test_the_same_completion_counts_once_and_again_when_said_later(submitting: Make) -> None:
    now, later = completing([NEW_DOCUMENT]), completing([NEW_DOCUMENT], said_at=NOON + timedelta(days=1))
    _, _, steps = bring(NOTHING, submitting(), now, now, later)
    assert [type(step) for step in steps] == [Accepted, Revised, Revised]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"portal": "portal-other"}, Problem("member-fixed", "/set/portal")),
        ({"documents": []}, Problem("member-fixed", "/set/documents")),
        ({"no_such": 1}, Problem("unknown-member", "/set/no_such")),
        ({"requested_months": "long"}, Problem("wrong-type", "/set/requested_months")),
        ({"environment_id": "env-none"}, Problem("unknown-environment", "/set/environment_id")),
        (
            {"conformity_declared": {"reference": "r", "date": "9999-01-01"}},
            Problem("date-out-of-range", "/set/conformity_declared/date"),
        ),
    ],
)
def test_a_completion_that_breaks_the_dossier_is_turned_away(
    submitting: Make, changes: dict[str, object], expected: Problem
) -> None:
    before, _, _ = bring(NOTHING, submitting())
    state, answers, steps = bring(before, completing([], changes))
    assert answers == [TurnedAway((expected,))]
    assert [type(step) for step in steps] == [Rejected]
    assert isinstance(state, Open)
    assert isinstance(before, Open)
    assert state.file.dossier == before.file.dossier


def test_what_was_on_file_is_not_asked_about_again(submitting: Make) -> None:
    withdrawn = Known({}, KNOWN.environments)
    state, _, _ = bring(NOTHING, submitting())
    _, answers, _ = bring(state, completing([], {"requested_months": 12}), submitting(), known=withdrawn)
    assert answers == [Received(), Received()]


def test_every_unknown_reference_is_named(submitting: Make) -> None:
    command = submitting(environment_id="env-none", **{"data.datasets.0.dataset_id": "nowhere", "revision": 4})
    _, answers, steps = bring(NOTHING, command, command)
    assert answers[0] == TurnedAway(
        (
            Problem("unknown-dataset", "/dossier/data/datasets/0/dataset_id"),
            Problem("unknown-environment", "/dossier/environment_id"),
        )
    )
    assert [type(step) for step in steps] == [Rejected]


def test_a_version_that_nobody_described_is_named(submitting: Make) -> None:
    _, answers, _ = bring(NOTHING, submitting(**{"data.datasets.0.version": "1999.9"}))
    assert answers == [TurnedAway((Problem("unknown-dataset-version", "/dossier/data/datasets/0/version"),))]


def test_a_rejected_dossier_takes_no_key(submitting: Make) -> None:
    state, answers, _ = bring(NOTHING, submitting(environment_id="env-none"), submitting())
    assert isinstance(answers[0], TurnedAway)
    assert answers[1] == Received()
    assert isinstance(state, Open)


def test_a_dossier_rejected_for_a_dataset_is_accepted_once_it_is_described(submitting: Make) -> None:
    state, answers, _ = bring(NOTHING, submitting(), known=Known({}, KNOWN.environments))
    assert isinstance(answers[0], TurnedAway)
    _, answers, _ = bring(state, submitting())
    assert answers == [Received()]


def test_a_withdrawal_is_recorded_once_and_ends_the_filing_of_dossiers(submitting: Make) -> None:
    withdrawal = adding(portals.RequestWithdrawn, {})
    again = adding(portals.RequestWithdrawn, {}, said_at=NOON + timedelta(days=1))
    state, answers, steps = bring(
        NOTHING, submitting(), withdrawal, withdrawal, again, submitting(revision=2), completing([NEW_DOCUMENT])
    )
    assert isinstance(state, Closed)
    assert answers[1:4] == [Received()] * 3
    assert answers[4:] == [TurnedAway((Problem("request-withdrawn", ""),))] * 2
    assert [type(step) for step in steps] == [Accepted, Withdrawn, Rejected, Rejected]


def test_a_notice_is_passed_on_with_its_own_words_and_no_others(submitting: Make) -> None:
    notice = adding(
        portals.OutputRequested, {"ref": "o-1", "kind": "figure", "personal": False, "who": "nobody's business"}
    )
    _, answers, steps = bring(NOTHING, submitting(), notice, notice)
    assert answers[-2:] == [Received(), Received()]
    assert steps[1:] == [Noted("output.requested.v1", {"ref": "o-1", "kind": "figure", "personal": False}, NOON)]


def test_a_notice_about_a_withdrawn_request_is_passed_on(submitting: Make) -> None:
    _, answers, _ = bring(
        NOTHING, submitting(), adding(portals.RequestWithdrawn, {}), adding(portals.PermitResultsPublished, {})
    )
    assert answers == [Received()] * 3


def test_an_amendment_that_asks_for_an_unknown_dataset_is_turned_away(submitting: Make) -> None:
    notice = adding(portals.PermitAmendmentRequested, {"add_datasets": ["pmsi-mco", "nowhere"]})
    _, answers, _ = bring(NOTHING, submitting(), notice)
    assert answers[-1] == TurnedAway((Problem("unknown-dataset", "/add_datasets/1"),))


def test_what_comes_before_its_submission_waits() -> None:
    commands = (completing([NEW_DOCUMENT]), adding(portals.RequestWithdrawn, {}), adding(portals.AppealLodged, {}))
    state, answers, steps = bring(NOTHING, *commands)
    assert (state, answers, steps) == (NOTHING, [Waiting()] * 3, [])


def test_another_portal_may_say_nothing_about_a_request(submitting: Make) -> None:
    stranger = adding(portals.RequestWithdrawn, {}, portal="portal-other")
    state, answers, steps = bring(NOTHING, submitting(), stranger)
    assert answers[-1] == Foreign()
    assert isinstance(state, Open)
    assert len(steps) == 1


@given(data=st.data())
def test_deciding_twice_equals_deciding_once(submitting: Make, data: st.DataObject) -> None:
    commands = [data.draw(st.sampled_from(_everything(submitting))) for _ in range(data.draw(st.integers(1, 12)))]
    state: State = NOTHING
    for command in commands:
        once, first, _ = bring(state, command)
        twice, second, nothing = bring(once, command)
        assert (twice, nothing) == (once, [])
        assert second == first
        state = once


@given(data=st.data())
def test_evolve_takes_any_step_in_any_state(submitting: Make, data: st.DataObject) -> None:
    _, _, steps = bring(NOTHING, *_everything(submitting), submitting(revision=9))
    state: State = NOTHING
    for step in data.draw(st.lists(st.sampled_from(steps), max_size=12)):
        state = evolve(state, step)  # type: ignore[arg-type]  # `bring` gives steps
        assert isinstance(state, Unheard | Open | Closed)


def _everything(submitting: Make) -> list[Command]:
    return [
        submitting(),
        submitting(title="Another body"),
        submitting(revision=2, requested_months=48),
        submitting(revision=2, requested_months=49),
        submitting(revision=3, environment_id="env-none"),
        completing([NEW_DOCUMENT]),
        completing([], {"requested_months": 12}),
        completing([], {"portal": "x"}),
        adding(portals.RequestWithdrawn, {}),
        adding(portals.AppealLodged, {}),
        adding(portals.PermitAmendmentRequested, {"add_datasets": ["nowhere"]}),
        adding(portals.RequestWithdrawn, {}, portal="portal-other"),
    ]
