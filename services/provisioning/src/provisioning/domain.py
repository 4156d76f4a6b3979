"""A workspace from the permit to its destruction: its states, what is decided, and the next step to take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from provisioning import commands as ask
from provisioning.commands import Command
from provisioning.events import (
    Admitted,
    Assigned,
    Delivered,
    Done,
    Ended,
    Erased,
    Event,
    Filled,
    Froze,
    Judged,
    Kept,
    Objected,
    Opened,
    Prepared,
    Removed,
    Retried,
    ShutDown,
    Step,
    Stood,
    Stuck,
    Unlocking,
    Wished,
)
from provisioning.project import Clearance, Extract, Project

NOT_CLEARED = "ENVIRONMENT_NOT_CLEARED"
SUSPENDED = "PERMIT_SUSPENDED"
ABANDONED = "ABANDONED"


@dataclass(frozen=True, slots=True)
class Unheard:
    """No permit yet; a delivery or an objection may already have arrived. `everything` = all that will be granted."""

    delivered: frozenset[str] = frozenset()
    everything: bool = False
    objections: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Requested:
    """A permit asks for a workspace; no environment has been cleared for it."""

    project: Project


@dataclass(frozen=True, slots=True)
class Provisioning:
    """The environment was cleared; the workspace is being made and filled."""

    project: Project


@dataclass(frozen=True, slots=True)
class Ready:
    """Filled, and nobody can enter yet."""

    project: Project


@dataclass(frozen=True, slots=True)
class Open:
    """Confirmed open by a probe."""

    project: Project


@dataclass(frozen=True, slots=True)
class Frozen:
    """Nobody can enter; everything is kept."""

    project: Project
    code: str


@dataclass(frozen=True, slots=True)
class Closed:
    """Confirmed gone for those who had a login; the data wait for their deletion."""

    project: Project
    code: str


@dataclass(frozen=True, slots=True)
class Destroyed:
    """Nothing is left but the certificate."""

    project: Project
    certificate_sha256: str


Live: TypeAlias = Requested | Provisioning | Ready | Open | Frozen
Settled: TypeAlias = Live | Closed | Destroyed


@dataclass(frozen=True, slots=True)
class PersonNeeded:
    """A step could not be done. What was wished meanwhile is kept; another step that becomes due goes on."""

    inner: Settled
    step: Step
    code: str


State: TypeAlias = Unheard | Settled | PersonNeeded


def project_of(state: State) -> Project | None:
    """The project of a workspace whose permit is known."""
    match state:
        case Unheard():
            return None
        case PersonNeeded(inner):
            return inner.project
        case _:
            return state.project


def settled(state: State) -> Settled | None:
    """The state below the need for a person."""
    match state:
        case Unheard():
            return None
        case PersonNeeded(inner):
            return inner
        case _:
            return state


def next_step(state: State) -> Step | None:
    """The one thing to do now, None when there is nothing or something is awaited.

    What takes access away comes before what gives it.
    """
    match state:
        case Unheard() | PersonNeeded() | Destroyed():
            return None
        case Closed(project):
            return Step.DESTROY if project.delete else None
        case _ if state.project.standing == "ended":
            return Step.CLOSE
        case Requested(project):
            return Step.CLEAR if project.active else None
        case Provisioning(project):
            if not project.active or not project.cleared:
                return None
            if not project.prepared:
                return Step.PREPARE
            return None if project.undelivered else Step.FILL
        case Ready(project):
            # A worker that died, or lost its lease, while opening may have let persons in without a word.
            if project.unlocked and not (project.active and project.cleared):
                return Step.FREEZE
            return (_difference(project) or Step.OPEN) if project.active else None
        case Open(project):
            return _difference(project) if project.active and project.cleared else Step.FREEZE
        case Frozen(project):
            if project.active and project.cleared:
                return _difference(project) or Step.OPEN
            if project.unlocked:
                return Step.FREEZE
            return Step.REMOVE if project.to_remove else None
        case _:
            assert_never(state)


def _difference(project: Project) -> Step | None:
    """What separates the workspace from the current version of its permit."""
    if project.logins_differ:
        return Step.ADMIT
    if project.to_remove:
        return Step.REMOVE
    return Step.FILL if project.to_fill or project.to_drop else None


def decide(state: State, command: Command) -> tuple[Event, ...]:
    """What a command brings about; empty when it has been done already or means nothing here."""
    project = project_of(state)
    match command:
        case ask.Grant(permit):
            if project is None:
                return (Wished(permit),)
            if project.standing == "ended" or permit.version <= project.permit.version:
                return ()
            return (Wished(permit),)
        case ask.Deliver(ids):
            return _deliver(state, ids)
        case ask.Object(ref):
            known = state.objections if isinstance(state, Unheard) else project.objections if project else frozenset()
            return () if ref in known else (Objected(ref),)
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
        case ask.Record(done):
            return () if isinstance(settled(state), Destroyed) else (done,)
        case ask.GiveUp(step, code):
            return (Stuck(step, code),) if next_step(state) is step else ()
        case ask.Report(report):
            return _report(state, project, report)
        case ask.Retry(environment_id):
            return _retry(state, project, environment_id)
        case ask.Abandon():
            if isinstance(settled(state), Destroyed):
                return ()
            return (*_end(project, ABANDONED), *_keep(project))
        case _:
            assert_never(command)


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
    waits = isinstance(state, Requested | Provisioning | Ready) and project.standing != "ended"
    if clearance.cleared or not waits or next_step(_go_on(inner, Judged(clearance))) is Step.FREEZE:
        return judged
    return (*judged, Stuck(Step.CLEAR if isinstance(inner, Requested) else Step.OPEN, NOT_CLEARED))


def _report(state: State, project: Project, report: str) -> tuple[Event, ...]:
    inner = settled(state)
    match report:
        case "open" if not isinstance(inner, Open | Closed | Destroyed) and project.active and project.cleared:
            return (Opened(project.permit.entrants),)
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
    if environment_id is not None and project.permit.environment_id is None and not project.prepared:
        return (Assigned(environment_id), Retried())
    return (Retried(),)


def freeze_code(project: Project) -> str:
    """Why the workspace is frozen: the permit first, then the environment."""
    return SUSPENDED if project.standing == "suspended" else NOT_CLEARED


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
        case Wished(permit):
            granted = {grant.dataset_id for grant in permit.datasets} if state.everything else set()
            return Requested(
                Project(
                    permit=permit,
                    environment_id=permit.environment_id,
                    delivered=state.delivered | granted,
                    objections=state.objections,
                )
            )
        case _:
            return state


def _go_on(state: Settled, event: Event) -> Settled:
    project = _learn(state.project, event)
    match event:
        case Judged(clearance) if isinstance(state, Requested) and clearance.cleared:
            return Provisioning(project)
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
            environment = permit.environment_id or project.environment_id
            return replace(project, permit=permit, environment_id=environment)
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
        case Kept():
            return replace(project, delete=True)
        case Unlocking():
            return replace(project, unlocked=True)
        case Froze() | ShutDown():
            return replace(project, unlocked=False)
        case Erased() | Stuck() | Retried():
            return project
        case _:
            assert_never(event)


def _fill(project: Project, filled: Filled) -> Project:
    replaced = {extract.grant.dataset_id for extract in filled.extracts} | set(filled.dropped)
    kept = tuple(extract for extract in project.extracts if extract.grant.dataset_id not in replaced)
    # Persons left out of these extracts may still stand in those that were there before.
    removed = project.removed if kept else project.removed | filled.objections
    return replace(project, extracts=(*kept, *filled.extracts), removed=removed)


def done_by(done: Done) -> Step:
    """The step that an accomplishment ends."""
    match done:
        case Prepared():
            return Step.PREPARE
        case Filled():
            return Step.FILL
        case Removed():
            return Step.REMOVE
        case Admitted():
            return Step.ADMIT
        case Opened():
            return Step.OPEN
        case Froze():
            return Step.FREEZE
        case ShutDown():
            return Step.CLOSE
        case Erased():
            return Step.DESTROY
        case _:
            assert_never(done)
