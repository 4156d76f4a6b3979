"""What an event makes of a workspace."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from provisioning.events import (
    Admitted,
    Assigned,
    CalledOff,
    Copied,
    CutOver,
    CutShort,
    Delivered,
    Drifted,
    Ended,
    Erased,
    Event,
    Examined,
    Filled,
    Froze,
    Judged,
    Kept,
    Left,
    Mended,
    Objected,
    Opened,
    Planned,
    Prepared,
    Removed,
    Retried,
    RolledBack,
    ShutDown,
    Stood,
    Stuck,
    TermsAccepted,
    TermsRequired,
    Unlocking,
    Wished,
)
from provisioning.project import Extract, Leaving, Move, Project
from provisioning.states import (
    Closed,
    Destroyed,
    Frozen,
    Open,
    PersonNeeded,
    Provisioning,
    Ready,
    Requested,
    Settled,
    State,
    Unheard,
)
from provisioning.steps import next_step

NOT_CLEARED = "ENVIRONMENT_NOT_CLEARED"


def evolve(state: State, event: Event) -> State:
    """The state after an event. Never fails: an event that means nothing here changes nothing."""
    match state:
        case Unheard():
            return _hear(state, event)
        case PersonNeeded(inner, step, code):
            if isinstance(event, Retried):
                return inner
            if isinstance(event, Stuck):
                return PersonNeeded(inner, event.step, event.code)
            after = _go_on(inner, event)
            relieved = isinstance(event, Judged) and event.clearance.cleared and code == NOT_CLEARED
            # Another step has become due, such as closing after a revocation: it must not wait for a person.
            return after if relieved or next_step(after) not in (step, None) else replace(state, inner=after)
        case _:
            if isinstance(event, Stuck):
                return PersonNeeded(state, event.step, event.code)
            return _go_on(state, event)


def _hear(state: Unheard, event: Event) -> State:
    match event:
        case Delivered(ids):
            return replace(state, delivered=state.delivered | set(ids), everything=state.everything or not ids)
        case Objected(ref):
            return replace(state, objections=state.objections | {ref})
        case TermsAccepted(ref, version):
            return replace(state, accepted=state.accepted | {(ref, version)})
        case Wished(permit):
            granted = {grant.dataset_id for grant in permit.datasets} if state.everything else set()
            return Requested(
                Project(
                    permit=permit,
                    environment_id=permit.environment_id,
                    delivered=state.delivered | granted,
                    objections=state.objections,
                    accepted=state.accepted,
                )
            )
        case _:
            return state


def _go_on(state: Settled, event: Event) -> Settled:
    project = _learn(state.project, event)
    match event:
        case Judged(clearance) if isinstance(state, Requested) and clearance.cleared:
            return Provisioning(project)
        case Assigned() if isinstance(state, Provisioning):
            return Requested(project)
        case Filled() if isinstance(state, Requested | Provisioning):
            return Ready(project)
        case Opened() if not isinstance(state, Closed | Destroyed):
            return Open(project)
        case Froze(code) if not isinstance(state, Closed | Destroyed):
            return Frozen(project, code)
        case ShutDown(code) if not isinstance(state, Destroyed):
            return Closed(project, code)
        case Erased(certificate_sha256):
            return Destroyed(project, certificate_sha256)
        case _:
            return replace(state, project=project)


def _learn(project: Project, event: Event) -> Project:
    match event:
        case Wished(permit):
            # Where it was moved to counts for more than where the permit first put it.
            here = project.environment_id if project.place else permit.environment_id or project.environment_id
            return replace(project, permit=permit, environment_id=here)
        case Stood(suspended):
            return replace(project, standing="suspended" if suspended else "active")
        case Ended(code):
            return replace(project, standing="ended", why=code)
        case Delivered(ids):
            return replace(project, delivered=project.delivered | set(ids))
        case Objected(ref):
            return replace(project, objections=project.objections | {ref})
        case Judged(clearance):
            return replace(project, clearance=clearance)
        case Assigned(environment_id):
            return replace(project, environment_id=environment_id, clearance=None)
        case Prepared():
            return replace(project, prepared=True)
        case Filled():
            return _fill(project, event)
        case Removed(refs, tables):
            new = {(table.dataset_id, table.table): table for table in tables}
            extracts = tuple(
                replace(e, tables=tuple(new.get((t.dataset_id, t.table), t) for t in e.tables))
                for e in project.extracts
            )
            return replace(project, extracts=extracts, removed=project.removed | refs)
        case Admitted(refs, until):
            return replace(project, logins=refs, logins_until=until)
        case Opened(refs):
            if project.prepared:
                return project
            # A host that we do not drive filled it and let them in by itself.
            extracts = tuple(Extract(grant, (), 0) for grant in project.permit.datasets)
            return replace(project, extracts=extracts, logins=refs, logins_until=project.permit.expires_on)
        case TermsRequired(versions):
            return replace(project, terms=versions)
        case TermsAccepted(ref, version):
            return replace(project, accepted=project.accepted | {(ref, version)})
        case Kept():
            return replace(project, delete=True)
        case Unlocking():
            return replace(project, unlocked=True)
        case Froze():
            return replace(project, unlocked=False)
        case ShutDown():
            return replace(project, unlocked=False, unsure=False)
        case CutShort():
            return replace(project, unsure=True)
        case Planned() | CalledOff() | Copied() | CutOver() | RolledBack() | Left():
            return _move(project, event)
        case Drifted(found):
            return replace(project, drift=(*project.drift, *found))
        case Mended(gone):
            left = tuple(drift for drift in project.drift if drift not in gone)
            return replace(project, drift=left, unsure=False)
        case Erased() | Stuck() | Retried() | Examined():
            return project
        case _:
            assert_never(event)


def _move(project: Project, event: Planned | CalledOff | Copied | CutOver | RolledBack | Left) -> Project:
    move = project.move
    match event:
        case Planned(clearance, code):
            number = project.moves + 1
            return replace(project, moves=number, move=Move(number, clearance.environment_id, code))
        case Left():
            return replace(project, leaving=None)
        case _ if move is None:
            return project
        case CalledOff(code):
            return replace(project, move=replace(move, called_off=code))
        case Copied():
            return replace(project, move=replace(move, copied=True))
        case RolledBack():
            return replace(project, move=None)
        case CutOver(clearance, refs, until):
            return replace(
                project,
                environment_id=move.target,
                place=move.number,
                clearance=clearance,
                logins=refs,
                logins_until=until,
                unlocked=False,
                unsure=False,
                move=None,
                leaving=Leaving(project.environment_id or "", project.place, project.tables, project.logins),
            )
        case _:
            assert_never(event)


def _fill(project: Project, filled: Filled) -> Project:
    replaced = {extract.grant.dataset_id for extract in filled.extracts} | set(filled.dropped)
    kept = tuple(extract for extract in project.extracts if extract.grant.dataset_id not in replaced)
    # Persons left out of these extracts may still stand in those that were there before.
    removed = project.removed if kept else project.removed | filled.objections
    return replace(project, extracts=(*kept, *filled.extracts), removed=removed)
