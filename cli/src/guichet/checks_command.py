"""`guichet audit checks`: when the trail was last verified, reconciled, compared with its keys and built again."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from audit.checks import DRILLED, KEYS_COMPARED, RECONCILED, VERIFIED, WITHIN, Check, read_checks
from chassis.clock import SandboxClock
from guichet import console
from guichet.trail import connected

COMMANDS = {
    VERIFIED: "guichet audit verify",
    RECONCILED: "guichet audit reconcile",
    KEYS_COMPARED: "guichet audit keys check",
    DRILLED: "guichet audit drill",
}
"""What makes each check."""


def checks(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False) -> None:
    """List when each check of the trail was made last, and what came out, as the trail itself has it.

    Exit code 0 when each held the last time, and lately: within 26 hours, the drill within 32 days. The timers in
    deploy/systemd make them, and ask this.

    Example: guichet audit checks
    """
    now, found = asyncio.run(_read())
    if as_json:
        console.show_json({"now": now.isoformat(), "checks": [_body(check, now) for check in found]})
    else:
        for check in found:
            console.say(f"{'✗' if check.overdue(now) else '✓'} {COMMANDS[check.name]:<26}{_words(check, now)}")
    if any(check.overdue(now) for check in found):
        raise typer.Exit(1)


async def _read() -> tuple[datetime, list[Check]]:
    async with connected(None) as connection:
        return (await SandboxClock().read(connection)).astimezone(UTC), await read_checks(connection)


def _words(check: Check, now: datetime) -> str:
    if check.made_at is None:
        return "never made"
    came_out = f"{check.failures:,} failures" if check.failures else "it held"
    made = f"last made {_ago(now - check.made_at)}: {came_out}"
    if check.failures:
        made += "; it never held" if check.held_at is None else f"; held {_ago(now - check.held_at)}"
    return f"{made} (at least every {_length(WITHIN[check.name])})"


def _ago(passed: timedelta) -> str:
    return f"{_length(passed)} ago"


def _length(passed: timedelta) -> str:
    hours = int(passed.total_seconds() // 3600)
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"


def _body(check: Check, now: datetime) -> dict[str, object]:
    return {
        "check": check.name,
        "command": COMMANDS[check.name],
        "made_at": check.made_at and check.made_at.isoformat(),
        "failures": check.failures,
        "held_at": check.held_at and check.held_at.isoformat(),
        "within_hours": int(WITHIN[check.name].total_seconds() // 3600),
        "overdue": check.overdue(now),
    }
