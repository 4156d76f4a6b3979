"""How workspaces and environments are shown to people and machines: plain JSON, ids and codes only."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from chassis.database import Connection
from contracts.envelope import write_time
from provisioning import registry, storage
from provisioning.domain import PersonNeeded, project_of, settled
from provisioning.events import Examined
from provisioning.moves import passages
from provisioning.project import Clearance, Drift
from provisioning.storage import Workspace, name_of
from safeguards.hosting import Environment, days_of_change


async def show_all(connection: Connection, state: str | None = None) -> list[dict[str, Any]]:
    """A line for each workspace, those that changed last at the end; `state` narrows it to one state."""
    ids = await storage.workspaces_with_permit(connection, state)
    found = await storage.read_workspaces(connection, ids)
    since = await storage.stuck_since(connection, ids)
    due = await storage.deletions_due(connection, ids)
    return [_line(found[workspace_id], since.get(workspace_id), due.get(workspace_id)) for workspace_id in ids]


def _line(workspace: Workspace, stuck_since: datetime | None, deletion_due: datetime | None) -> dict[str, Any]:
    line = summary(workspace)
    if isinstance(workspace.state, PersonNeeded) and stuck_since is not None:
        line["since"] = write_time(stuck_since)
    if deletion_due is not None:
        line["deletion_due"] = write_time(deletion_due)
    return line


def summary(workspace: Workspace) -> dict[str, Any]:
    """One workspace in a line."""
    project = project_of(workspace.state)
    line: dict[str, Any] = {
        "workspace_id": workspace.workspace_id,
        "request_id": workspace.request_id,
        "state": name_of(workspace.state),
        "environment_id": workspace.environment_id,
    }
    if isinstance(workspace.state, PersonNeeded):
        line |= {"step": workspace.state.step.value, "code": workspace.state.code}
    if project is not None:
        line |= {
            "permit": project.standing,
            "expires_on": project.permit.expires_on.isoformat(),
            "persons": list(project.logins),
            "datasets": [grant.dataset_id for grant in project.permit.datasets],
            "waits_for": list(project.undelivered),
            "terms_missing": list(project.terms_missing),
        }
        if project.move is not None:
            line["moves_to"] = project.move.target
    return line


def move_line(workspace: Workspace, target: str, clearance: Clearance, obstacle: str | None) -> dict[str, Any]:
    """One workspace in the plan of a move: what would go where, and why it cannot."""
    project = project_of(workspace.state)
    tables = project.tables if project else ()
    return summary(workspace) | {
        "moves_to": target,
        "tables": len(tables),
        "rows": sum(table.rows for table in tables),
        "obstacle": obstacle,
        "criteria": [{"code": c.code, "citation": c.citation, "met": c.met} for c in clearance.criteria],
    }


async def show_moves(connection: Connection) -> list[dict[str, Any]]:
    """Every move of every workspace, oldest first, with its instants and the downtime it cost."""
    lines = []
    for workspace_id in await storage.workspaces_that_moved(connection):
        for move in passages(await storage.history(connection, workspace_id)):
            lines.append(
                {"workspace_id": workspace_id, "target": move.target, "code": move.code}
                | {
                    name: at and write_time(at)
                    for name in ("planned_at", "frozen_at", "cut_over_at", "opened_at", "left_at", "rolled_back_at")
                    for at in [getattr(move, name)]
                }
                | {"called_off": move.called_off, "downtime_seconds": move.downtime_seconds}
            )
    return sorted(lines, key=lambda line: str(line["planned_at"]))


def drift_line(workspace: Workspace, drift: Drift) -> dict[str, Any]:
    """One difference between an environment and a workspace, and who puts it right."""
    return {
        "workspace_id": workspace.workspace_id,
        "request_id": workspace.request_id,
        "environment_id": workspace.environment_id,
        "state": name_of(workspace.state),
        "code": drift.code,
        "object": drift.object,
        "repaired_by": "service" if drift.mendable else "person",
    }


async def show(connection: Connection, workspace_id: str) -> dict[str, Any] | None:
    """Everything about one workspace; None when it is not known."""
    workspace = (await storage.read_workspaces(connection, [workspace_id])).get(workspace_id)
    project = project_of(workspace.state) if workspace else None
    if workspace is None or project is None:
        return None
    step = await storage.step_row(connection, workspace_id)
    certificate = await storage.certificate(connection, workspace_id)
    inner = settled(workspace.state)
    clearance = project.clearance
    history = await storage.history(connection, workspace_id)
    happened = [{"at": write_time(at), "what": event.kind} for at, event in history]
    since = await storage.stuck_since(connection, [workspace_id])
    due = await storage.deletions_due(connection, [workspace_id])
    return _line(workspace, since.get(workspace_id), due.get(workspace_id)) | {
        "permit_id": project.permit.permit_id,
        "permit_version": project.permit.version,
        "below": name_of(inner) if inner else None,
        "clearance": clearance
        and {
            "on": clearance.on.isoformat(),
            "cleared": clearance.cleared,
            "criteria": [{"code": c.code, "citation": c.citation, "met": c.met} for c in clearance.criteria],
        },
        "tables": [
            {"dataset_id": t.dataset_id, "table": t.table, "rows": t.rows, "sha256": t.sha256} for t in project.tables
        ],
        "opt_out_list_versions": sorted({e.opt_out_list_version for e in project.extracts}),
        "step_due": step and {name: step[name] for name in ("step", "attempts", "code", "running")},
        "certificate": json.loads(certificate) if certificate else None,
        "certificates_of_moves": [
            json.loads(text) for text in await storage.certificates_of_moves(connection, workspace_id)
        ],
        "outputs": [
            {"ref": each.ref, "verdict": each.verdict, "code": each.code, "citation": each.citation}
            for _, each in history
            if isinstance(each, Examined)
        ],
        "history": happened,
    }


async def show_environments(connection: Connection, today: date) -> list[dict[str, Any]]:
    """Every environment of the registry with its evidence and what is valid today."""
    there = await storage.workspaces_by_environment(connection)
    return [
        environment_of(found, today) | {"workspaces": there.get(name, 0)}
        for name, found in (await registry.environments(connection)).items()
    ]


def environment_of(environment: Environment, today: date) -> dict[str, Any]:
    """One environment, with its evidence and what is valid today."""
    return {
        "environment_id": environment.environment_id,
        "operator": environment.operator,
        "storage_country": environment.storage_country,
        "controlling_jurisdiction": environment.controlling_jurisdiction,
        "adequacy": environment.adequacy,
        "next_change": min((d.isoformat() for d in days_of_change(environment.evidence) if d > today), default=None),
        "evidence": [
            {
                "type": proof.type,
                "issuer": proof.issuer,
                "reference": proof.reference,
                "valid_from": proof.valid_from.isoformat(),
                "valid_to": proof.valid_to.isoformat(),
                "lost_on": proof.lost_on and proof.lost_on.isoformat(),
                "valid": proof.valid_on(today),
            }
            for proof in environment.evidence
        ],
    }
