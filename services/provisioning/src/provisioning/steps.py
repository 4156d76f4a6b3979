"""The one step that is due for a workspace, from its state alone."""

from __future__ import annotations

from typing import assert_never

from provisioning.events import Step
from provisioning.project import Move, Project
from provisioning.states import (
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
)


def next_step(state: State) -> Step | None:
    """The one thing to do now, None when there is nothing or something is awaited.

    What takes access away comes before what gives it.
    """
    match state:
        case Unheard() | PersonNeeded():
            return None
        case Destroyed(project):
            return _repair(project)
        case Closed(project):
            if project.move is not None:
                return Step.UNDO
            if project.leaving is not None:
                return Step.LEAVE
            return Step.DESTROY if project.delete else _repair(project)
        case _ if state.project.standing == "ended":
            return Step.CLOSE
        case Requested(project):
            return Step.CLEAR if project.active else None
        case Provisioning(project):
            if not project.active:
                return None
            if not project.cleared or project.unjudged:
                return Step.CLEAR
            if not project.prepared:
                return Step.PREPARE
            return None if project.undelivered else Step.FILL
        case Open(project):
            return _while_open(project)
        case Ready(project) | Frozen(project):
            return _while_shut(project)
        case _:
            assert_never(state)


def _while_open(project: Project) -> Step | None:
    if project.active and project.cleared and project.undoing:
        return Step.UNDO
    if not project.may_be_open:
        return Step.FREEZE
    if project.logins_differ:
        return Step.ADMIT
    if project.leaving is not None:
        return Step.LEAVE
    return Step.CLEAR if project.unjudged else _difference(project) or _repair(project)


def _while_shut(project: Project) -> Step | None:
    # A worker that died, or lost its lease, while opening may have let persons in without a word.
    if project.unlocked and not project.may_be_open:
        return Step.FREEZE
    if project.move is not None:
        return _moving(project, project.move)
    if project.may_be_open:
        return Step.CLEAR if project.unjudged else _difference(project) or _repair(project) or _opening(project)
    if project.leaving is not None:
        return Step.LEAVE
    if project.extracts and project.clearance is not None and not project.cleared:
        return Step.PLAN
    return Step.REMOVE if project.to_remove else _repair(project)


def _opening(project: Project) -> Step | None:
    """Nothing is opened for nobody: where only the terms keep everybody out, their acceptance is awaited."""
    return None if project.terms_missing and not project.entrants else Step.OPEN


def _repair(project: Project) -> Step | None:
    """What a sweep found and what is safe to put right."""
    return Step.REPAIR if project.mendable else None


def _moving(project: Project, move: Move) -> Step:
    if project.undoing:
        return Step.UNDO
    return Step.SWITCH if move.copied else Step.COPY


def _difference(project: Project) -> Step | None:
    """What separates the workspace from the current version of its permit."""
    if project.logins_differ:
        return Step.ADMIT
    if project.to_remove:
        return Step.REMOVE
    return Step.FILL if project.to_fill or project.to_drop else None
