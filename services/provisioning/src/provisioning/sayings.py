"""What provisioning says of what happened: on guichet.workspaces, and as the host it is, on guichet.environments."""

from __future__ import annotations

from contracts import provisioning as facts
from contracts.facts import Fact
from contracts.hosts import DeletionCertified, WorkspaceReported
from contracts.vocabulary import Finding
from provisioning import events as e
from provisioning.certificate import Certificate
from provisioning.domain import Open, State, project_of
from provisioning.project import Clearance, Project

WHOLE = "all"


def say_of(
    event: e.Event,
    before: State,
    after: State,
    workspace_id: str,
    request_id: str,
    certificate: Certificate | None = None,
    downtime: float | None = None,
) -> list[Fact]:
    """The facts about one event that took a workspace from one state to another."""
    project = project_of(after)
    ids = {"workspace_id": workspace_id, "request_id": request_id}
    if isinstance(event, e.TermsAccepted):
        # Also before there is a permit.
        shown = {"sha256": event.sha256} if event.sha256 else {}
        return [facts.TermsAccepted(**ids, person=event.ref, terms=event.version, on=event.on, **shown)]
    if project is None:
        return []
    place = {"environment_id": project.environment_id or ""}
    match event:
        case e.Wished(permit) if project_of(before) is None and project.environment_id is not None:
            return [facts.WorkspaceRequested(**ids, **place, permit_id=permit.permit_id, permit_version=permit.version)]
        case e.Assigned():
            permit = project.permit
            return [facts.WorkspaceRequested(**ids, **place, permit_id=permit.permit_id, permit_version=permit.version)]
        case e.Judged(clearance):
            return [_judged(ids, clearance)]
        case e.Filled():
            filtered = facts.OptoutFilterApplied(
                **ids, list_version=event.opt_out_list_version, excluded=event.excluded
            )
            return [filtered, _provisioned(ids, place, project, event.opt_out_list_version)]
        case e.Removed():
            filtered = facts.OptoutFilterApplied(
                **ids, list_version=event.opt_out_list_version, excluded=len(event.refs)
            )
            return [filtered, _provisioned(ids, place, project, event.opt_out_list_version)]
        case e.Opened():
            return [facts.WorkspaceOpened(**ids, **place, persons=project.logins)]
        case e.Admitted() if isinstance(after, Open):
            return [facts.WorkspaceOpened(**ids, **place, persons=project.logins)]
        case e.Froze(code):
            return [facts.WorkspaceFrozen(**ids, **place, code=code)]
        case e.ShutDown(code) if project.environment_id is not None:
            return [facts.WorkspaceClosed(**ids, **place, code=code)]
        case e.Erased() if certificate is not None:
            return [facts.WorkspaceDestroyed(**ids, certificate=certificate.fact)]
        case e.Planned() | e.CutOver() | e.RolledBack() | e.Left():
            return _say_of_move(event, before, ids, certificate, downtime)
        case e.Examined():
            return [_examined(ids, event)]
        case e.Drifted(found):
            return [facts.DriftFound(**ids, code=drift.code, object=drift.object) for drift in found]
        case e.Mended(gone):
            return [facts.DriftRepaired(**ids, code=drift.code, object=drift.object) for drift in gone]
        case e.Stuck(step, code):
            return [facts.WorkspacePersonNeeded(**ids, step=step.value, code=code)]
        case _:
            return []


def _judged(ids: dict[str, str], clearance: Clearance) -> Fact:
    criteria = tuple(facts.Criterion(code=c.code, citation=c.citation, met=c.met) for c in clearance.criteria)
    findings = tuple(Finding(code=c.code, citation=c.citation) for c in clearance.criteria if not c.met)
    said = facts.EnvironmentCleared if clearance.cleared else facts.EnvironmentRejected
    return said(**ids, environment_id=clearance.environment_id, findings=findings, criteria=criteria)


def _say_of_move(
    event: e.Planned | e.CutOver | e.RolledBack | e.Left,
    before: State,
    ids: dict[str, str],
    certificate: Certificate | None,
    downtime: float | None,
) -> list[Fact]:
    project = project_of(before)
    if project is None:
        return []
    here, move = project.environment_id or "", project.move
    match event:
        case e.Planned(clearance, code):
            places = {"source_environment_id": here, "target_environment_id": clearance.environment_id}
            return [_judged(ids, clearance), facts.RehostingPlanned(**ids, **places, code=code)]
        case e.Left() if project.leaving is not None and certificate is not None:
            places = {"source_environment_id": project.leaving.environment_id, "target_environment_id": here}
            seconds = None if downtime is None else max(0, round(downtime))
            return [facts.RehostingCompleted(**ids, **places, certificate=certificate.fact, downtime_seconds=seconds)]
        case e.CutOver() if move is not None:
            places = {"source_environment_id": here, "target_environment_id": move.target}
            return [facts.RehostingCutOver(**ids, **places, tables=_made(project))]
        case e.RolledBack() if move is not None:
            places = {"source_environment_id": here, "target_environment_id": move.target}
            return [facts.RehostingRolledBack(**ids, **places, code=move.called_off or project.why)]
        case _:
            return []


def _examined(ids: dict[str, str], event: e.Examined) -> Fact:
    said = {"released": facts.OutputReleased, "returned": facts.OutputReturned, "rejected": facts.OutputRejected}
    return said[event.verdict](**ids, ref=event.ref, code=event.code, citation=event.citation, cells=event.cells)


def report_of(event: e.Event) -> Fact | None:
    """What the host of the workspace reports of the same event, if anything."""
    match event:
        case e.Opened():
            return WorkspaceReported(state="open")
        case e.Froze():
            return WorkspaceReported(state="frozen")
        case e.ShutDown():
            return WorkspaceReported(state="closed")
        case e.Erased():
            return DeletionCertified(scope=WHOLE)
        case _:
            return None


def _provisioned(ids: dict[str, str], place: dict[str, str], project: Project, list_version: int) -> Fact:
    return facts.WorkspaceProvisioned(**ids, **place, tables=_made(project), opt_out_list_version=list_version)


def _made(project: Project) -> tuple[facts.TableMade, ...]:
    return tuple(
        facts.TableMade(dataset_id=t.dataset_id, table=t.table, rows=t.rows, sha256=t.sha256) for t in project.tables
    )
