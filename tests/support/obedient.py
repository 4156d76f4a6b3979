"""A workspace in an environment that always obeys: what is due is done, step by step, without any environment."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from provisioning import commands as ask
from provisioning import events as e
from provisioning.domain import State, decide, evolve, next_step, project_of
from provisioning.events import Step
from provisioning.project import Clearance, Extract, Grant, Permit, Person, Table
from safeguards.hosting import Criterion

DAY = date(2026, 9, 1)
MET = Criterion("HDS_MISSING", "CSP:L1111-8", True)
GRANTS = tuple(Grant(name, "1", "health", "h", ("a",), 2014, 2020) for name in ("d-1", "d-2", "d-3"))
PERSONS = tuple(Person(f"p-{n}", n != 3, True) for n in range(4))


def permit(version: int = 1, **changes: object) -> Permit:
    base = Permit("permit", version, "declaration", "FR", date(2030, 1, 1), PERSONS[:2], GRANTS[:1], "env-1")
    return replace(base, **changes)  # type: ignore[arg-type]


def clearance(met: bool = True, on: date = DAY) -> Clearance:
    return Clearance("env-1", on, (replace(MET, met=met),))


def elsewhere(met: bool = True, name: str = "env-2") -> Clearance:
    return replace(clearance(met), environment_id=name)


def run(state: State, *commands: ask.Command) -> State:
    for command in commands:
        for event in decide(state, command):
            state = evolve(state, event)
    return state


def obey(state: State, step: Step, met: bool = True) -> ask.Command:
    """What an environment that always obeys brings about."""
    project = project_of(state)
    assert project is not None
    match step:
        case Step.CLEAR:
            return ask.Judge(clearance(met))
        case Step.PREPARE:
            return ask.Record(e.Prepared())
        case Step.FILL:
            extracts = tuple(Extract(g, (Table(g.dataset_id, "t", 1, "0"),), 1) for g in project.to_fill)
            return ask.Record(e.Filled(extracts, project.to_drop, 1, 0, project.objections))
        case Step.REMOVE:
            return ask.Record(e.Removed(project.to_remove, project.tables, 1))
        case Step.ADMIT:
            return ask.Record(e.Admitted(project.entrants, project.permit.expires_on))
        case Step.OPEN:
            return ask.Record(e.Opened(project.logins))
        case Step.FREEZE:
            return ask.Record(e.Froze("PERMIT_SUSPENDED"))
        case Step.CLOSE:
            return ask.Record(e.ShutDown(project.why))
        case Step.DESTROY:
            return ask.Record(e.Erased("0" * 64))
        case Step.PLAN:
            return ask.Plan(elsewhere(), "ENVIRONMENT_NOT_CLEARED")
        case Step.COPY:
            return ask.Record(e.Copied())
        case Step.SWITCH:
            assert project.move is not None
            cleared = replace(clearance(), environment_id=project.move.target)
            return ask.Record(e.CutOver(cleared, project.entrants, project.permit.expires_on))
        case Step.UNDO:
            return ask.Record(e.RolledBack())
        case Step.LEAVE:
            return ask.Record(e.Left("0" * 64))
        case Step.REPAIR:
            return ask.Record(e.Mended(project.drift))


def settle(state: State) -> State:
    """Does every step that is due until none is left. That it ends is itself a law."""
    for _ in range(60):
        step = next_step(state)
        if step is None:
            return state
        state = run(state, obey(state, step))
    raise AssertionError("steps follow one another for ever")


def obey_all(state: State, *steps: Step) -> State:
    for step in steps:
        assert next_step(state) is step
        state = run(state, obey(state, step))
    return state
