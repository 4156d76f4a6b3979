"""A workspace that moves: what must hold at each step of the way, and when it is called off or its permit ends."""

from __future__ import annotations

from datetime import date

from obedient import PERSONS, clearance, elsewhere, obey, obey_all, permit, run, settle
from provisioning import commands as ask
from provisioning.domain import Destroyed, Frozen, Open, State, Unheard, next_step
from provisioning.events import Step


def moving(*done: Step) -> State:
    """An open workspace whose environment was lost, so many steps later."""
    state = run(settle(run(Unheard(), ask.Grant(permit()))), ask.Judge(clearance(False)))
    for step in done:
        assert next_step(state) is step
        state = run(state, obey(state, step))
    return state


MOVE = (Step.FREEZE, Step.PLAN, Step.COPY, Step.SWITCH, Step.OPEN, Step.LEAVE)


def test_a_workspace_that_lost_its_environment_freezes_moves_opens_again_and_only_then_leaves_the_source() -> None:
    state = moving(*MOVE)
    assert isinstance(state, Open) and next_step(state) is None
    assert (state.project.environment_id, state.project.place, state.project.moves) == ("env-2", 1, 1)
    assert (state.project.move, state.project.leaving) == (None, None)


def test_a_move_can_be_called_off_until_its_cut_over_and_the_source_opens_again() -> None:
    for count in (3, 2):
        state = run(moving(*MOVE[:count]), ask.CallOff("ORDERED"))
        assert next_step(state) is Step.UNDO
        back = settle(run(obey_all(state, Step.UNDO), ask.Judge(clearance(True, date(2026, 9, 3)))))
        assert isinstance(back, Open) and back.project.environment_id == "env-1"
    switched = moving(*MOVE[:4])
    assert run(switched, ask.CallOff("ORDERED")) == switched


def test_a_cut_over_that_was_called_off_meanwhile_does_not_happen() -> None:
    state = moving(*MOVE[:3])
    switching = obey(state, Step.SWITCH)
    assert run(run(state, ask.CallOff("TARGET_NOT_CLEARED")), switching) == run(
        state, ask.CallOff("TARGET_NOT_CLEARED")
    )
    over = run(state, ask.End("PERMIT_REVOKED"))
    assert run(over, switching) == over


def test_an_amended_impact_assessment_stops_a_move_and_closes_the_doors_where_it_led() -> None:
    only_here = ask.Grant(permit(2, covers_environments=("env-1",)))
    copied = run(moving(*MOVE[:3]), only_here)
    assert run(copied, obey(copied, Step.SWITCH)) == copied
    there = run(moving(*MOVE), only_here)
    assert isinstance(there, Open) and next_step(there) is Step.FREEZE
    shut = run(there, obey(there, Step.FREEZE))
    assert isinstance(shut, Frozen) and next_step(shut) is Step.PLAN
    again = run(shut, ask.Grant(permit(3, covers_environments=("env-1", "env-2"))))
    assert isinstance(settle(again), Open)


def test_a_permit_that_ends_during_a_move_takes_the_copy_away_before_the_data_are_destroyed() -> None:
    state = run(moving(*MOVE[:3]), ask.End("PERMIT_EXPIRED", delete=True))
    gone = obey_all(state, Step.CLOSE, Step.UNDO, Step.DESTROY)
    assert isinstance(gone, Destroyed) and gone.project.environment_id == "env-1"


def test_a_permit_that_ends_after_the_cut_over_has_both_places_destroyed() -> None:
    state = run(moving(*MOVE[:4]), ask.End("PERMIT_REVOKED", delete=True))
    gone = obey_all(state, Step.CLOSE, Step.LEAVE, Step.DESTROY)
    assert isinstance(gone, Destroyed) and gone.project.environment_id == "env-2"


def test_a_suspended_workspace_moves_too_and_stays_shut() -> None:
    state = settle(run(moving(*MOVE[:2]), ask.Suspend()))
    assert isinstance(state, Frozen) and state.project.environment_id == "env-2" and state.project.leaving is None
    assert isinstance(settle(run(state, ask.Resume())), Open)


def test_nothing_moves_to_an_environment_that_is_not_cleared_or_that_the_impact_assessment_does_not_cover() -> None:
    state = settle(run(Unheard(), ask.Grant(permit(covers_environments=("env-1", "env-3")))))
    assert run(state, ask.Plan(elsewhere(), "ORDERED")) == state
    assert run(state, ask.Plan(elsewhere(False, "env-3"), "ORDERED")) == state
    moved = settle(run(state, ask.Plan(elsewhere(True, "env-3"), "ORDERED")))
    assert isinstance(moved, Open) and moved.project.environment_id == "env-3"


def test_an_amendment_after_a_move_leaves_the_workspace_where_it_is() -> None:
    state = settle(run(moving(*MOVE), ask.Grant(permit(2, persons=PERSONS[1:3]))))
    assert isinstance(state, Open) and state.project.environment_id == "env-2"
    assert state.project.logins == ("p-1", "p-2")
