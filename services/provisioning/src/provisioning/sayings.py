"""What provisioning says of what happened: on guichet.workspaces, and as the host it is, on guichet.environments."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from contracts import provisioning as facts
from contracts.envelope import write_time
from contracts.facts import Fact
from contracts.hosts import DeletionCertified, WorkspaceReported
from contracts.vocabulary import Finding
from provisioning import events as e
from provisioning.domain import Open, State, project_of
from provisioning.environments import Deletion
from provisioning.project import Project
from provisioning.storage import Workspace

WHOLE = "all"


def say_of(
    event: e.Event,
    before: State,
    after: State,
    workspace_id: str,
    request_id: str,
    certificate: Certificate | None = None,
) -> list[Fact]:
    """The facts about one event that took a workspace from one state to another."""
    project = project_of(after)
    if project is None:
        return []
    ids = {"workspace_id": workspace_id, "request_id": request_id}
    place = {"environment_id": project.environment_id or ""}
    match event:
        case e.Wished(permit) if project_of(before) is None and project.environment_id is not None:
            return [facts.WorkspaceRequested(**ids, **place, permit_id=permit.permit_id, permit_version=permit.version)]
        case e.Assigned():
            permit = project.permit
            return [facts.WorkspaceRequested(**ids, **place, permit_id=permit.permit_id, permit_version=permit.version)]
        case e.Judged(clearance):
            criteria = tuple(facts.Criterion(code=c.code, citation=c.citation, met=c.met) for c in clearance.criteria)
            findings = tuple(Finding(code=c.code, citation=c.citation) for c in clearance.criteria if not c.met)
            said = facts.EnvironmentCleared if clearance.cleared else facts.EnvironmentRejected
            return [said(**ids, **place, findings=findings, criteria=criteria)]
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
        case e.Stuck(step, code):
            return [facts.WorkspacePersonNeeded(**ids, step=step.value, code=code)]
        case _:
            return []


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
    tables = tuple(
        facts.TableMade(dataset_id=t.dataset_id, table=t.table, rows=t.rows, sha256=t.sha256) for t in project.tables
    )
    return facts.WorkspaceProvisioned(**ids, **place, tables=tables, opt_out_list_version=list_version)


class Certificate:
    """The certificate of a destruction: `text` is what is kept, `sha256` its digest, `fact` what the trail is told."""

    def __init__(self, workspace: Workspace, project: Project, done: Deletion, now: datetime) -> None:
        tables, logins = project.tables, project.logins
        self.fact = facts.DeletionCertificate(
            environment_id=project.environment_id or NOWHERE,
            destroyed_at=now,
            tables=tuple(facts.TableDestroyed(dataset_id=t.dataset_id, table=t.table, rows=t.rows) for t in tables),
            logins_removed=logins,
            objects_left=done.objects_left,
            covers_backups=done.covers_backups,
        )
        whole = {
            "certificate_id": str(uuid5(NAMESPACE_URL, f"urn:guichet:certificate:{workspace.workspace_id}")),
            "workspace_id": workspace.workspace_id,
            "request_id": workspace.request_id,
            "permit_id": project.permit.permit_id,
            "permit_version": project.permit.version,
            "environment_id": self.fact.environment_id,
            "destroyed_at": write_time(now),
            "tables": [
                {"dataset_id": t.dataset_id, "table": t.table, "rows": t.rows, "sha256": t.sha256} for t in tables
            ],
            "logins_removed": list(logins),
            "pseudonym_key_destroyed": True,
            "objects_left": done.objects_left,
            "covers_backups": done.covers_backups,
            "citation": "EHDS:68(12)",
        }
        self.text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        self.sha256 = hashlib.sha256(self.text.encode()).hexdigest()


NOWHERE = "none"
"""The environment of a workspace that never had one."""
