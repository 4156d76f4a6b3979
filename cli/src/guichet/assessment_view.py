"""An assessment for people: what was decided, why, what is missing, what runs, what is left to do."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from compliance.assessment import Assessment, PermitView
from compliance.coded import Finding
from compliance.periods import STEPS

if TYPE_CHECKING:
    from rich.console import Console

    from guichet.case_files import PeriodAnswer


def show(assessment: Assessment, console: "Console") -> None:
    """Print an assessment with the article behind each line."""
    console.print(f"[bold]{assessment.case_id}[/] as of {assessment.as_of} under {assessment.rule_pack}")
    route = f"{assessment.route} ({assessment.citation})" if assessment.route else "none: stopped before any route"
    console.print(f"Route    {route}")
    console.print(f"Status   {assessment.status}")
    console.print(f"Outcome  {assessment.outcome or 'none yet'}")
    console.print(f"May start  {'yes' if assessment.start_allowed else 'no'}")
    if assessment.permit is not None:
        _permit(assessment.permit, console)
    _findings("Reasons", assessment.reasons, console)
    _findings("Missing", assessment.missing, console)
    _deadlines(assessment, console)
    _findings("Conditions", assessment.conditions, console)
    _findings("To do", assessment.actions, console)
    _table(
        "Routes left aside",
        ("Route", "Condition that fails", "Article"),
        ((a.route, a.code, a.citation) for a in assessment.alternatives),
        console,
    )
    _table("Datasets", ("Dataset", "Decision"), assessment.datasets, console)
    _table(
        "Opt-outs",
        ("Person", "Effect", "Article"),
        ((o.ref, o.effect, o.citation) for o in assessment.opt_outs),
        console,
    )
    _table(
        "Outputs",
        ("Output", "Verdict", "Code", "Article"),
        ((o.ref, o.verdict, o.code or "", o.citation) for o in assessment.outputs),
        console,
    )
    register = assessment.register
    decision = f", decision ({register.decision_kind})" if register.decision_kind else ""
    due = f" by {register.decision_due}" if register.decision_due else ""
    console.print(f"Public register: application by {register.application_due}{decision}{due}")
    if assessment.next_change is not None:
        console.print(f"Nothing changes by itself before {assessment.next_change}")


def show_periods(periods: "Iterable[PeriodAnswer]", console: "Console") -> None:
    """Print computed periods with their articles."""
    _table(
        "Deadlines",
        ("Id", "Step", "From", "Extended", "Due", "Article"),
        (
            (p.id, p.step, p.start.isoformat(), "yes" if p.extended else "", p.due.isoformat(), STEPS[p.step].citation)
            for p in periods
        ),
        console,
    )


def _permit(permit: PermitView, console: "Console") -> None:
    console.print(
        f"Permit   {permit.kind}, {permit.status}, version {permit.version}, "
        f"{permit.issued_on} to {permit.expires_on} ({permit.months} months)"
    )


def _findings(title: str, findings: tuple[Finding, ...], console: "Console") -> None:
    about = any(finding.subject for finding in findings)
    columns = ("Code", "Article", "About") if about else ("Code", "Article")
    _table(title, columns, ((f.code, f.citation, f.subject or "")[: len(columns)] for f in findings), console)


def _deadlines(assessment: Assessment, console: "Console") -> None:
    _table(
        "Deadlines",
        ("Step", "From", "Due", "State", "Silence", "Article"),
        (
            (d.step, str(d.starts), str(d.due), d.state + (", extended" if d.extended else ""), d.silence, d.citation)
            for d in assessment.deadlines
        ),
        console,
    )


def _table(title: str, columns: Iterable[str], rows: Iterable[tuple[str, ...]], console: "Console") -> None:
    listed = list(rows)
    if not listed:
        return
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in listed:
        table.add_row(*row)
    console.print(table)
