"""`guichet rehost`: moves the workspaces of one environment to another, and says for how long nobody could enter."""

import time
from typing import Annotated, Any

import typer

from guichet import console
from guichet.stack.errors import StackError
from guichet.workspaces_command import ask

LOOK_SECONDS = 0.5


def rehost(
    source: Annotated[str, typer.Option("--from", help="The environment that the workspaces leave.")],
    target: Annotated[str, typer.Option("--to", help="The environment that takes them.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would move, and what could not.")] = False,
    roll_back: Annotated[bool, typer.Option("--roll-back", help="Call off the moves not yet cut over.")] = False,
    wait: Annotated[int, typer.Option(help="Seconds to wait for the last move; 0 leaves at once.")] = 600,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Freeze, copy, verify, switch logins, open again and destroy the source, for each workspace that may move.

    The gate is asked about the target for every dataset class of each permit, and the impact assessment must cover it.
    Exit code 0 only when every workspace was moved (with --dry-run: can be moved; with --roll-back: stays).

    Example: guichet rehost --from env-transition --to env-souverain --dry-run
    """
    if roll_back:
        return _roll_back(source, target, wait, as_json)
    lines = ask(lambda desk: desk.rehost(source, target, dry_run=dry_run))
    obstacles = [line for line in lines if line["obstacle"]]
    if not as_json:
        _show_plan(lines)
    if dry_run or not wait:
        if as_json:
            console.show_json(lines)
    else:
        moved = _follow({line["workspace_id"] for line in lines if not line["obstacle"]}, target, wait)
        console.show_json(moved) if as_json else _show_moves(moved)
    if obstacles:
        remedy = "the line of each says what is missing: guichet environments show " + target
        raise StackError(f"{len(obstacles)} of {len(lines)} workspaces cannot move", remedy)
    return None


def _roll_back(source: str, target: str, wait: int, as_json: bool) -> None:
    lines = ask(lambda desk: desk.call_off(source, target))
    staying = {line["workspace_id"] for line in lines}
    deadline = time.monotonic() + wait
    while staying and time.monotonic() < deadline:
        moving = {line["workspace_id"] for line in ask(lambda desk: desk.list_workspaces()) if "moves_to" in line}
        staying &= moving
        time.sleep(LOOK_SECONDS if staying else 0)
    if as_json:
        console.show_json(lines)
    else:
        console.say(f"{len(lines)} moves called off")
    if staying:
        raise StackError(f"{len(staying)} copies are not gone yet", "guichet workspaces list --state person-needed")


def _follow(moving: set[str], target: str, seconds: float) -> list[dict[str, Any]]:
    """The last move of each workspace, when all are over."""
    deadline = time.monotonic() + seconds
    while True:
        latest = {m["workspace_id"]: m for m in ask(lambda desk: desk.list_moves()) if m["workspace_id"] in moving}
        left = [name for name, move in latest.items() if not move["left_at"] and not move["rolled_back_at"]]
        if not left:
            break
        needed = {line["workspace_id"] for line in ask(lambda desk: desk.list_workspaces("person-needed"))}
        if set(left) <= needed or time.monotonic() > deadline:
            raise StackError(f"{len(left)} moves are not over", "guichet workspaces list --state person-needed")
        time.sleep(LOOK_SECONDS)
    back = [name for name, move in latest.items() if move["rolled_back_at"]]
    if back:
        raise StackError(f"{len(back)} moves were rolled back", f"guichet environments show {target}")
    return list(latest.values())


def _show_plan(lines: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for title in ("workspace", "state", "tables", "rows", "to", "can move"):
        table.add_column(title, justify="right" if title in ("tables", "rows") else "left")
    for line in lines:
        lacks = ", ".join(f"{c['code']} {c['citation']}" for c in line["criteria"] if not c["met"])
        answer = "yes" if not line["obstacle"] else f"no: {line['obstacle']}" + (f" ({lacks})" if lacks else "")
        table.add_row(
            line["workspace_id"][:13],
            line["state"],
            str(line["tables"]),
            f"{line['rows']:,}",
            line["moves_to"],
            answer,
        )
    console.out().print(table)


def _show_moves(moves: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for title in ("workspace", "frozen", "cut over", "open again", "source destroyed", "nobody in for"):
        table.add_column(title, justify="right" if title == "nobody in for" else "left")
    for move in moves:
        seconds = move["downtime_seconds"]
        table.add_row(
            move["workspace_id"][:13],
            *((move[name] or "")[11:19] for name in ("frozen_at", "cut_over_at", "opened_at", "left_at")),
            "" if seconds is None else f"{seconds:.1f} s",
        )
    console.out().print(table)
