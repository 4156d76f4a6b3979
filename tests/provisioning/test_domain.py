"""Laws of a workspace, whatever happens to it and in whatever order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from obedient import GRANTS, PERSONS, clearance, elsewhere, obey, permit, run, settle
from provisioning import commands as ask
from provisioning import events as e
from provisioning.domain import (
    Closed,
    Destroyed,
    Frozen,
    Open,
    PersonNeeded,
    Provisioning,
    Ready,
    Requested,
    State,
    Unheard,
    decide,
    evolve,
    next_step,
    project_of,
    settled,
)
from provisioning.events import Step
from provisioning.project import Extract, Permit, Project

laws = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
permits = st.builds(
    permit,
    version=st.integers(1, 6),
    persons=st.lists(st.sampled_from(PERSONS), max_size=4, unique=True).map(tuple),
    datasets=st.lists(st.sampled_from(GRANTS), min_size=1, max_size=3, unique=True).map(tuple),
    expires_on=st.dates(date(2027, 1, 1), date(2030, 1, 1)),
    regime=st.sampled_from(["FR", "EU"]),
    kind=st.sampled_from(["declaration", "data-permit"]),
)
commands = st.one_of(
    st.builds(ask.Grant, permits),
    st.builds(ask.Extend, st.integers(1, 6), st.dates(date(2027, 1, 1), date(2031, 1, 1))),
    st.just(ask.Suspend()),
    st.just(ask.Resume()),
    st.builds(ask.End, st.sampled_from(["PERMIT_REVOKED", "PERMIT_EXPIRED"]), st.booleans()),
    st.builds(ask.Deliver, st.lists(st.sampled_from(["d-1", "d-2", "d-3"]), unique=True).map(tuple)),
    st.builds(ask.Object, st.sampled_from(["x", "y"])),
    st.builds(ask.Judge, st.builds(clearance, st.booleans())),
    st.builds(ask.GiveUp, st.sampled_from(list(Step)), st.just("STEP_TIMED_OUT"), st.booleans()),
    st.builds(ask.Report, st.sampled_from(["open", "frozen", "closed", "destroyed"])),
    st.builds(ask.Judge, st.builds(elsewhere, st.booleans())),
    st.builds(ask.Plan, st.builds(elsewhere, st.booleans(), st.sampled_from(["env-1", "env-2"])), st.just("ORDERED")),
    st.just(ask.CallOff("ORDERED")),
    st.just(ask.DeletionDue()),
    st.just(ask.RaiseAlarm()),
    st.just(ask.Unlock()),
    st.builds(ask.LetGo, st.sampled_from(list(Step))),
    st.builds(ask.RequireTerms, st.sampled_from([(), ("cgu-1",), ("cgu-1", "cgu-2"), ("cgu-2",)])),
    st.builds(
        ask.AcceptTerms,
        st.sampled_from(["p-0", "p-1", "p-2"]),
        st.sampled_from(["cgu-1", "cgu-2"]),
        st.just(date(2026, 9, 1)),
    ),
    st.builds(ask.Retry, st.sampled_from([None, "env-1"])),
    st.just(ask.Abandon()),
    # The environment's turn: whatever is due is done.
    st.none(),
)
stories = st.lists(commands, max_size=25)


def tell(state: State, command: ask.Command | None) -> State:
    if command is not None:
        return run(state, command)
    step = next_step(state)
    return state if step is None else run(state, obey(state, step))


def after(story: list[ask.Command | None]) -> State:
    state: State = Unheard()
    for command in story:
        state = tell(state, command)
    return state


@laws
@given(stories, commands.filter(lambda c: c is not None and not isinstance(c, ask.Retry | ask.GiveUp)))
def test_a_command_said_twice_changes_nothing_the_second_time(story: list[ask.Command], command: ask.Command) -> None:
    once = run(after(story), command)
    assert run(once, command) == once


@laws
@given(stories)
def test_a_person_without_a_login_in_the_permit_never_gets_one_by_an_obedient_environment(
    story: list[ask.Command],
) -> None:
    state = settle(after(story))
    project = project_of(state)
    if project is not None and isinstance(state, Open):
        assert set(project.logins) == set(project.entrants)
        assert not set(project.logins) & set(project.terms_missing)
        assert all(p.may_enter for p in project.permit.persons if p.ref in project.logins)


@laws
@given(stories)
def test_access_is_taken_before_anything_else_is_done(story: list[ask.Command]) -> None:
    state = after(story)
    project = project_of(state)
    if project is None or isinstance(state, PersonNeeded):
        return
    if project.standing == "ended" and not isinstance(state, Closed | Destroyed):
        assert next_step(state) is Step.CLOSE
    elif isinstance(state, Open) and not project.may_be_open:
        held = project.undoing and project.active and project.cleared
        assert next_step(state) is (Step.UNDO if held else Step.FREEZE)


@laws
@given(stories)
def test_doors_that_may_be_open_are_shut_when_the_permit_or_the_gate_does_not_allow_it(
    story: list[ask.Command],
) -> None:
    state = after(story)
    project = project_of(state)
    if project is None or not project.unlocked or isinstance(settled(state), Closed | Destroyed):
        return
    if project.active and project.cleared:
        return
    wanted = Step.CLOSE if project.standing == "ended" else Step.FREEZE
    assert (state.step if isinstance(state, PersonNeeded) else next_step(state)) is wanted


@laws
@given(stories)
def test_every_story_settles_where_the_permit_wants_it(story: list[ask.Command]) -> None:
    state = settle(after(story))
    project = project_of(state)
    if isinstance(state, PersonNeeded) or project is None:
        return
    if project.standing == "ended":
        assert isinstance(state, Destroyed if project.delete else Closed)
    elif project.standing == "suspended" or not project.cleared:
        assert not isinstance(state, Open)
    elif project.undelivered and not project.extracts:
        assert isinstance(state, Provisioning)
    elif project.terms_missing and not project.entrants:
        assert not project.logins
    else:
        assert isinstance(state, Open)
        assert not project.logins_differ
        assert not project.to_drop
        assert {x.grant for x in project.extracts} >= {
            g for g in project.permit.datasets if g.dataset_id not in project.undelivered
        }


@laws
@given(stories)
def test_need_of_a_person_never_holds_up_the_end_of_access(story: list[ask.Command]) -> None:
    state = run(after(story), ask.End("PERMIT_REVOKED"))
    if isinstance(state, PersonNeeded) and not isinstance(settled(state), Closed | Destroyed):
        assert state.step is Step.CLOSE


@laws
@given(stories)
def test_nothing_happens_any_more_to_a_destroyed_workspace(story: list[ask.Command]) -> None:
    gone = settle(run(after(story), ask.Grant(permit(9)), ask.Abandon(), ask.Retry()))
    assert isinstance(settled(gone), Destroyed)
    assert isinstance(settled(settle(run(gone, ask.Resume(), ask.Grant(permit(10)), ask.Deliver(())))), Destroyed)


@laws
@given(
    stories, st.sampled_from([e.Prepared(), e.Retried(), e.Kept(), e.Opened(()), e.Erased(""), e.Stuck(Step.OPEN, "X")])
)
def test_no_event_can_break_a_state(story: list[ask.Command], event: e.Event) -> None:
    next_step(evolve(after(story), event))


@laws
@given(permits, permits)
def test_a_change_there_and_back_is_empty(one: Permit, other: Permit) -> None:
    first = settle(
        run(Unheard(), ask.Deliver(()), ask.Grant(replace(one, version=1)), ask.Deliver(("d-1", "d-2", "d-3")))
    )
    there = settle(run(first, ask.Grant(replace(other, version=2)), ask.Deliver(("d-1", "d-2", "d-3"))))
    back = settle(run(there, ask.Grant(replace(one, version=3))))
    before, after_ = project_of(first), project_of(back)
    assert before is not None and after_ is not None
    assert set(before.logins) == set(after_.logins)
    assert {x.grant for x in before.extracts} == {x.grant for x in after_.extracts}


def test_a_french_permit_is_filled_at_once_and_a_data_permit_when_delivered() -> None:
    french = settle(run(Unheard(), ask.Grant(permit())))
    assert isinstance(french, Open)
    european = settle(run(Unheard(), ask.Grant(permit(kind="data-permit", regime="EU"))))
    assert isinstance(european, Provisioning)
    assert isinstance(settle(run(european, ask.Deliver(("d-1",)))), Open)


def test_an_environment_rejected_at_the_door_opens_when_it_is_cleared_on_another_day() -> None:
    state = run(Unheard(), ask.Grant(permit()), ask.Judge(clearance(False)))
    assert isinstance(state, PersonNeeded) and isinstance(state.inner, Requested)
    assert isinstance(settle(run(state, ask.Judge(clearance(True, date(2026, 9, 2))))), Open)


def test_a_workspace_rejected_just_before_opening_stays_ready() -> None:
    state: State = run(Unheard(), ask.Grant(permit()))
    while next_step(state) is not Step.OPEN:
        step = next_step(state)
        assert step is not None
        state = run(state, obey(state, step))
    state = run(state, ask.Judge(clearance(False, date(2026, 9, 2))))
    assert isinstance(state, Ready) and next_step(state) is Step.PLAN
    stuck = run(state, ask.GiveUp(Step.PLAN, "NO_CLEARED_ENVIRONMENT"))
    assert isinstance(stuck, PersonNeeded) and isinstance(stuck.inner, Ready) and next_step(stuck) is None
    assert isinstance(settle(run(stuck, ask.Judge(clearance(True, date(2026, 9, 3))))), Open)


def test_a_workspace_opened_too_late_by_its_environment_is_frozen_at_once() -> None:
    state = settle(run(Unheard(), ask.Grant(permit())))
    state = settle(run(state, ask.Suspend()))
    assert isinstance(state, Frozen)
    late = run(state, ask.Record(e.Opened(("p-0",))))
    assert next_step(late) is Step.FREEZE


def test_an_opening_that_nobody_recorded_is_shut_when_the_permit_is_suspended_again() -> None:
    frozen = settle(run(Unheard(), ask.Grant(permit()), ask.Suspend()))
    state = settle(run(frozen, ask.Resume()))
    assert isinstance(state, Open)
    state = run(settle(run(state, ask.Suspend())), ask.Resume())
    assert isinstance(state, Frozen) and next_step(state) is Step.OPEN
    lost = run(state, ask.Unlock(), ask.Suspend())
    assert next_step(lost) is Step.FREEZE
    assert next_step(settle(lost)) is None


@pytest.mark.parametrize("step", [Step.ADMIT, Step.FILL, Step.FREEZE, Step.REMOVE])
def test_what_a_step_that_was_cut_short_left_is_put_right_before_a_door_opens(step: Step) -> None:
    opened = settle(run(Unheard(), ask.Grant(permit())))
    shut = settle(run(opened, ask.Suspend()))
    for state, again in ((opened, Open), (shut, Frozen)):
        unsure = run(state, ask.LetGo(step))
        assert next_step(unsure) is Step.REPAIR
        assert isinstance(settle(unsure), again)
    assert next_step(run(shut, ask.LetGo(step), ask.Resume())) is Step.REPAIR
    ended = run(opened, ask.LetGo(step), ask.End("PERMIT_REVOKED"))
    assert next_step(ended) is Step.CLOSE and next_step(run(ended, obey(ended, Step.CLOSE))) is None


def test_what_a_step_that_was_given_up_left_is_put_right_once_it_is_no_longer_due() -> None:
    opened = settle(run(Unheard(), ask.Grant(permit())))
    stuck = run(opened, ask.Suspend(), ask.GiveUp(Step.FREEZE, "ATTEMPTS_EXHAUSTED", True))
    assert isinstance(stuck, PersonNeeded) and next_step(stuck) is None
    assert next_step(run(stuck, ask.Resume())) is Step.REPAIR
    retried = run(stuck, ask.Retry())
    assert next_step(retried) is Step.FREEZE
    assert next_step(run(retried, obey(retried, Step.FREEZE))) is Step.REPAIR
    assert next_step(run(retried, ask.Resume())) is Step.REPAIR
    assert next_step(run(stuck, ask.Abandon())) is Step.CLOSE


def test_a_retry_where_the_gate_said_no_asks_the_gate_again() -> None:
    made = run(Unheard(), ask.Grant(permit()), ask.Judge(clearance()), ask.Record(e.Prepared()))
    stuck = run(made, ask.Judge(clearance(False, date(2026, 9, 2))))
    assert isinstance(stuck, PersonNeeded) and isinstance(stuck.inner, Provisioning)
    assert next_step(run(stuck, ask.Retry())) is Step.CLEAR


def test_a_workspace_of_which_nothing_was_begun_is_made_in_the_environment_that_a_person_chooses() -> None:
    cleared = run(Unheard(), ask.Grant(permit(environment_id=None)), ask.GiveUp(Step.CLEAR, "X"), ask.Retry("env-1"))
    stuck = run(cleared, ask.Judge(clearance()), ask.GiveUp(Step.PREPARE, "NO_ADAPTER_FOR_ENVIRONMENT"))
    there = run(stuck, ask.Retry("env-2"))
    assert isinstance(there, Requested) and there.project.environment_id == "env-2"
    assert next_step(there) is Step.CLEAR
    begun = run(stuck, ask.Retry(), ask.GiveUp(Step.PREPARE, "STEP_TIMED_OUT", True))
    assert run(begun, ask.Retry("env-2")) == begun


def test_a_step_that_leaves_nothing_behind_casts_no_doubt() -> None:
    opened = settle(run(Unheard(), ask.Grant(permit())))
    assert next_step(run(opened, ask.LetGo(Step.PLAN), ask.LetGo(Step.OPEN))) is None


def test_a_workspace_that_was_never_opened_is_not_frozen() -> None:
    state: State = run(Unheard(), ask.Grant(permit()))
    while next_step(state) is not Step.OPEN:
        step = next_step(state)
        assert step is not None
        state = run(state, obey(state, step))
    assert next_step(run(state, ask.Suspend())) is None


def test_an_objection_that_comes_during_an_extraction_is_not_forgotten() -> None:
    state = settle(run(Unheard(), ask.Grant(permit())))
    state = run(state, ask.Grant(permit(2, datasets=GRANTS[:2])))
    assert next_step(state) is Step.FILL
    # The extraction began before the objection and left the person out of the new dataset only.
    filling = ask.Record(e.Filled((Extract(GRANTS[1], (), 1),), (), 1, 0, frozenset({"x"})))
    state = run(state, ask.Object("x"), filling)
    assert next_step(state) is Step.REMOVE


def test_the_questions_of_a_project_are_answered_from_its_permit() -> None:
    project = Project(permit(kind="data-permit", datasets=GRANTS), "env-1", delivered=frozenset({"d-2"}))
    assert project.undelivered == ("d-1", "d-3")
    assert [grant.dataset_id for grant in project.to_fill] == ["d-2"]
    assert Permit.entrants.fget is not None and permit(persons=PERSONS).entrants == ("p-0", "p-1", "p-2")


def test_a_class_that_the_gate_was_not_asked_about_is_judged_before_anything_is_extracted() -> None:
    state = run(Unheard(), ask.Grant(permit()), ask.Judge(replace(clearance(), classes=frozenset({"health"}))))
    state = settle(state)
    snds = replace(GRANTS[1], dataset_class="snds")
    assert next_step(run(state, ask.Grant(permit(2, datasets=(GRANTS[0], snds))))) is Step.CLEAR


def test_a_person_is_called_when_a_closed_workspace_is_not_destroyed_in_time() -> None:
    closed = settle(run(Unheard(), ask.Grant(permit()), ask.Judge(clearance()), ask.End("PERMIT_EXPIRED")))
    assert run(closed, ask.RaiseAlarm()) == closed
    overdue = run(closed, ask.DeletionDue(), ask.RaiseAlarm())
    assert isinstance(overdue, PersonNeeded) and overdue.code == "DELETION_OVERDUE"
    assert isinstance(settle(run(overdue, ask.Retry())), Destroyed)


def test_another_body_s_grant_widens_the_same_version_and_nothing_narrows_it() -> None:
    one, both = permit(), permit(datasets=GRANTS[:2])
    state = run(Unheard(), ask.Grant(one), ask.Amend(1, PERSONS[:2], GRANTS[:2]))
    project = project_of(state)
    assert project is not None
    assert project.permit == both

    assert decide(state, ask.Grant(one)) == ()
    assert decide(state, ask.Grant(both)) == ()
    assert decide(state, ask.Amend(1, PERSONS[:2], GRANTS[2:])) == ()
