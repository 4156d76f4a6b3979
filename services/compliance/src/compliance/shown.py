"""An assessment as JSON, member by member, as officers and portals read it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compliance.assessment import Assessment, EnvironmentView, PermitView


def shown(assessment: Assessment) -> dict[str, object]:
    """The whole output of `guichet assess`."""
    return {
        "case_id": assessment.case_id,
        "regime": assessment.regime,
        "as_of": assessment.as_of.isoformat(),
        "rule_pack": assessment.rule_pack,
        "route": assessment.route,
        "alternatives": [alternative._asdict() for alternative in assessment.alternatives],
        "status": assessment.status,
        "outcome": assessment.outcome,
        "start_allowed": assessment.start_allowed,
        "reasons": [finding.as_json() for finding in assessment.reasons],
        "missing": [finding.as_json() for finding in assessment.missing],
        "deadlines": [
            {
                "step": deadline.step,
                "starts": deadline.starts.isoformat(),
                "due": deadline.due.isoformat(),
                "silence": deadline.silence,
                "state": deadline.state,
                "extended": deadline.extended,
            }
            for deadline in assessment.deadlines
        ],
        "conditions": [finding.as_json() for finding in assessment.conditions],
        "actions": [finding.as_json() for finding in assessment.actions],
        "datasets": [{"dataset_id": dataset_id, "decision": decision} for dataset_id, decision in assessment.datasets],
        "environment": _environment(assessment.environment),
        "permit": _permit(assessment.permit),
        "opt_outs": [{"ref": o.ref, "effect": o.effect, "citation": o.citation} for o in assessment.opt_outs],
        "outputs": [
            {"ref": o.ref, "verdict": o.verdict, "code": o.code, "citation": o.citation} for o in assessment.outputs
        ],
        "register": {
            "application_due": assessment.register.application_due.isoformat(),
            "decision_due": _day(assessment.register.decision_due),
            "decision_kind": assessment.register.decision_kind,
        },
    }


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _environment(environment: EnvironmentView | None) -> dict[str, object] | None:
    if environment is None:
        return None
    return {
        "id": environment.environment_id,
        "cleared": environment.cleared,
        "findings": [finding.as_json() for finding in environment.findings],
    }


def _permit(permit: PermitView | None) -> dict[str, object] | None:
    if permit is None:
        return None
    extension = permit.extension
    return {
        "kind": permit.kind,
        "status": permit.status,
        "version": permit.version,
        "issued_on": permit.issued_on.isoformat(),
        "expires_on": permit.expires_on.isoformat(),
        "months": permit.months,
        "persons": list(permit.persons),
        "datasets": list(permit.datasets),
        "form": permit.form,
        "includes_opted_out": permit.includes_opted_out,
        "extension": None if extension is None else {"status": extension.status, "code": extension.code},
        "excluded_until": _day(permit.excluded_until),
    }
