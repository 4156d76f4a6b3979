"""What is decided about a workspace, from the permit to its destruction."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from provisioning import commands as ask
from provisioning.commands import Command
from provisioning.events import (
    Assigned,
    CalledOff,
    Copied,
    CutOver,
    CutShort,
    Delivered,
    Done,
    Drifted,
    Ended,
    Erased,
    Event,
    Froze,
    Judged,
    Kept,
    Left,
    Mended,
    Objected,
    Opened,
    Planned,
    Retried,
    RolledBack,
    ShutDown,
    Step,
    Stood,
    Stuck,
    TermsAccepted,
    TermsRequired,
    Unlocking,
    Wished,
)
from provisioning.evolving import NOT_CLEARED, evolve
from provisioning.project import Clearance, Drift, Permit, Project
from provisioning.states import (
    Closed,
    Destroyed,
    Frozen,
    Live,
    Open,
    PersonNeeded,
    Provisioning,
    Ready,
    Requested,
    Settled,
    State,
    Unheard,
    project_of,
    settled,
)
from provisioning.steps import next_step

__all__ = [
    "ABANDONED",
    "NOT_CLEARED",
    "NOT_COVERED",
    "SUSPENDED",
    "Closed",
    "Destroyed",
    "Frozen",
    "Live",
    "Open",
    "PersonNeeded",
    "Provisioning",
    "Ready",
    "Requested",
    "Settled",
    "State",
    "Unheard",
    "decide",
    "evolve",
    "freeze_code",
    "next_step",
    "project_of",
    "settled",
]

SUSPENDED = "PERMIT_SUSPENDED"
MOVING = "REHOSTING"
ABANDONED = "ABANDONED"
OVERDUE = "DELETION_OVERDUE"
NOT_COVERED = "NOT_IN_IMPACT_ASSESSMENT"
LEAVING_TRACES = frozenset({Step.PREPARE, Step.ADMIT, Step.FILL, Step.FREEZE, Step.REMOVE})
"""Steps whose effects stay when the step is no longer due, and that nothing which may become due instead takes back."""


def decide(state: State, command: Command) -> tuple[Event, ...]:
    """What a command brings about; empty when it has been done already or means nothing here."""
    project = project_of(state)
    match command:
        case ask.Grant(permit):
            if project is None:
                return (Wished(permit),)
            if project.standing == "ended" or not _is_news(permit, project.permit):
                return ()
            return (Wished(permit),)
        case ask.Deliver(ids):
            return _deliver(state, ids)
        case ask.Object(ref):
            known = state.objections if isinstance(state, Unheard) else project.objections if project else frozenset()
            return () if ref in known else (Objected(ref),)
        case ask.AcceptTerms(ref, version, on, sha256):
            accepted = state.accepted if isinstance(state, Unheard) else project.accepted if project else frozenset()
            return () if (ref, version) in accepted else (TermsAccepted(ref, version, on, sha256),)
        case _ if project is None or isinstance(state, Unheard):
            return ()
        case ask.Amend(version, persons, datasets):
            return decide(
                state, ask.Grant(replace(project.permit, version=version, persons=persons, datasets=datasets))
            )
        case ask.Extend(version, expires_on):
            return decide(state, ask.Grant(replace(project.permit, version=version, expires_on=expires_on)))
        case ask.Suspend():
            return (Stood(True),) if project.standing == "active" else ()
        case ask.Resume():
            return (Stood(False),) if project.standing == "suspended" else ()
        case ask.End(code, delete):
            return (*_end(project, code), *(_keep(project) if delete else ()))
        case ask.DeletionDue():
            return _keep(project) if isinstance(settled(state), Closed) else ()
        case ask.Judge(clearance):
            return _judge(state, project, clearance)
        case ask.Unlock():
            return (Unlocking(),) if next_step(state) is Step.OPEN and not project.unlocked else ()
        case ask.Notice(found):
            return _notice(state, project, found)
        case ask.LetGo(step):
            doubtful = step in LEAVING_TRACES and project.standing != "ended" and not project.unsure
            return (CutShort(step),) if doubtful else ()
        case ask.Record(Mended(gone)):
            said = _notice(state, project, tuple(drift for drift in project.drift if drift not in gone))
            return said if gone or not project.unsure else (Mended(()), *said)
        case ask.Record(done):
            return (done,) if _counts(state, project, done) else ()
        case ask.GiveUp(step, code, begun):
            if next_step(state) is not step:
                return ()
            # Whatever the person decides, what the attempts left is put right before a door opens.
            return (*(decide(state, ask.LetGo(step)) if begun else ()), Stuck(step, code))
        case ask.Report(report):
            return _report(state, project, report)
        case ask.RequireTerms(versions):
            return () if versions == project.terms or project.standing == "ended" else (TermsRequired(versions),)
        case ask.Plan(clearance, code):
            return (Planned(clearance, code),) if may_move(state, clearance) is None else ()
        case ask.CallOff(code):
            return (CalledOff(code),) if project.move is not None and not project.undoing else ()
        case ask.Examine(output):
            return () if isinstance(settled(state), Destroyed) else (output,)
        case ask.RaiseAlarm():
            return (Stuck(next_step(state) or Step.DESTROY, OVERDUE),) if _overdue(state, project) else ()
        case ask.Retry(environment_id):
            return _retry(state, project, environment_id)
        case ask.Abandon():
            if isinstance(settled(state), Destroyed):
                return ()
            return (*_end(project, ABANDONED), *_keep(project))
        case _:
            assert_never(command)


def _is_news(permit: Permit, known: Permit) -> bool:
    """A later version; or the same one with more datasets, where several bodies grant one after the other."""
    if permit.version != known.version:
        return permit.version > known.version
    return {grant.dataset_id for grant in permit.datasets} > {grant.dataset_id for grant in known.datasets}


def _deliver(state: State, ids: tuple[str, ...]) -> tuple[Event, ...]:
    project = project_of(state)
    if isinstance(state, Unheard) or project is None:
        known = isinstance(state, Unheard) and (state.everything or (bool(ids) and set(ids) <= state.delivered))
        return () if known else (Delivered(tuple(sorted(ids))),)
    named = ids or tuple(grant.dataset_id for grant in project.permit.datasets)
    new = tuple(sorted(set(named) - project.delivered))
    return (Delivered(new),) if new else ()


def _end(project: Project, code: str) -> tuple[Event, ...]:
    return () if project.standing == "ended" else (Ended(code),)


def _keep(project: Project) -> tuple[Event, ...]:
    return () if project.delete else (Kept(),)


def _judge(state: State, project: Project, clearance: Clearance) -> tuple[Event, ...]:
    inner = settled(state)
    if inner is None or isinstance(inner, Closed | Destroyed) or clearance.environment_id != project.environment_id:
        return ()
    judged: tuple[Event, ...] = () if clearance == project.clearance else (Judged(clearance),)
    waits = isinstance(state, Requested | Provisioning) and project.standing != "ended"
    if clearance.cleared or not waits:
        return judged
    return (*judged, Stuck(Step.CLEAR, NOT_CLEARED))


def _report(state: State, project: Project, report: str) -> tuple[Event, ...]:
    inner = settled(state)
    match report:
        case "open" if not isinstance(inner, Open | Closed | Destroyed) and project.may_be_open:
            return (Opened(project.entrants),)
        case "frozen" if isinstance(inner, Open):
            return (Froze(freeze_code(project)),)
        case "closed" if not isinstance(inner, Closed | Destroyed) and project.standing == "ended":
            return (ShutDown(project.why),)
        case "destroyed" if isinstance(inner, Closed):
            return (Erased(""),)
        case _:
            return ()


def _retry(state: State, project: Project, environment_id: str | None) -> tuple[Event, ...]:
    if not isinstance(state, PersonNeeded):
        return ()
    if environment_id is None:
        return (Retried(),)
    return (Assigned(environment_id), Retried()) if may_assign(project) is None else ()


def may_assign(project: Project) -> str | None:
    """Why a person cannot choose another environment for a workspace; None when it can still be made anywhere."""
    if project.permit.environment_id is not None:
        return "ENVIRONMENT_NAMED_BY_PERMIT"
    # What was begun where it is now would be left there, and nobody would look for it.
    return "ALREADY_BEGUN" if project.prepared or project.unsure else None


def freeze_code(project: Project) -> str:
    """Why the workspace is frozen: the permit first, then the environment, then a move that somebody ordered."""
    if project.standing == "suspended":
        return SUSPENDED
    return MOVING if project.cleared and project.move is not None else NOT_CLEARED


def may_move(state: State, target: Clearance) -> str | None:
    """Why a workspace cannot be moved to the environment that was looked at; None when it can."""
    inner, project = settled(state), project_of(state)
    if project is None or project.standing == "ended" or not isinstance(inner, Ready | Open | Frozen):
        return "NOTHING_TO_MOVE"
    if not project.extracts:
        return "NOTHING_TO_MOVE"
    if project.move is not None or project.leaving is not None:
        return "MOVE_UNDER_WAY"
    if target.environment_id == project.environment_id:
        return "ALREADY_THERE"
    if not project.permit.covers(target.environment_id):
        return NOT_COVERED
    return None if target.cleared else NOT_CLEARED


def _notice(state: State, project: Project, found: tuple[Drift, ...]) -> tuple[Event, ...]:
    """What is new, what is gone; a person is needed for what is left when nothing can be put right without one."""
    gone = tuple(drift for drift in project.drift if drift not in found)
    new = tuple(drift for drift in found if drift not in project.drift)
    events: tuple[Event, ...] = (*((Mended(gone),) if gone else ()), *((Drifted(new),) if new else ()))
    if found and not isinstance(state, PersonNeeded) and not any(drift.mendable for drift in found):
        return (*events, Stuck(Step.REPAIR, found[0].code))
    return events


def _counts(state: State, project: Project, done: Done) -> bool:
    """Whether what a step brought about still means something: much may have been wished while it went on."""
    match done:
        case CutOver(clearance):
            move = project.move
            if move is None or project.undoing or not move.copied:
                return False
            covered = project.permit.covers(move.target)
            return clearance.environment_id == move.target and clearance.cleared and covered
        case Copied():
            return project.move is not None
        case RolledBack():
            return project.undoing
        case Left():
            return project.leaving is not None
        case _:
            return not isinstance(settled(state), Destroyed)


def _overdue(state: State, project: Project) -> bool:
    """Whether the data should be gone and nobody has been called yet."""
    return project.delete and not isinstance(state, Destroyed | PersonNeeded)
