"""A replay for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guichet import console
from guichet.replay.policy import moved_periods

Body = Mapping[str, Any]


def show(body: Body) -> None:
    """Print what was rebuilt, emitted or decided again."""
    vector = body["vector"]
    then = {
        "now": "all that is recorded",
        "sizes": "the sizes given",
        "published": "what had been published",
        "token": "what a timestamp authority had stamped",
    }
    leaves = sum(vector["sizes"].values())
    console.say(f"Then: {then[vector['basis']]}, {leaves:,} leaves in {len(vector['sizes'])} trees")
    for origin, size in vector["sizes"].items():
        console.say(f"  {origin} {size}")
    for origin in body["dropped"]:
        console.say(f"  {origin}: its records were dropped when their retention was over, and are in no replay")
    if "emitted" in body:
        console.say(f"{body['emitted']['records']:,} records said again on {body['emitted']['topic']}")
        return
    console.say(f"{body['events']:,} events read again, upcasters {body['upcasters'][:12]}, assessed on {body['day']}")
    if "rules" in body:
        _show_differences(body["rules"])
    elif body["requests"]:
        _show_requests(body["requests"])
    for each in body["not_read"]:
        console.say(f"  not read: {each['topic']}/{each['partition']}/{each['offset']} {each['code']}")
    console.say(f"State {body['state_sha256']}")


def _show_requests(requests: Body) -> None:
    from rich.table import Table

    table = Table("Request", "Portal's reference", "Route", "Status", "Outcome", "Permit", "Workspace", box=None)
    for request_id, found in requests.items():
        assessment, public = found["assessment"] or {}, found["public"]
        table.add_row(
            request_id,
            found["portal_reference"],
            assessment.get("route") or "–",
            assessment.get("status") or ", ".join(found["not_assessed"]),
            assessment.get("outcome") or "–",
            (assessment.get("permit") or {}).get("status", "–"),
            (public["workspace"] or {}).get("state", "–"),
        )
    console.out().print(table)


def _show_differences(found: Body) -> None:
    for difference in found["differences"]:
        console.say(f"{difference['request_id']}  by {', '.join(difference['rules'])}")
        for name, sides in difference["differs"].items():
            if name == "deadlines":
                for step, before, after in moved_periods(sides["recorded"], sides["draft"]):
                    console.say(f"    {step}: due {before or 'never'} → {after or 'never'}")
            else:
                console.say(f"    {name}: {_plain(sides['recorded'])} → {_plain(sides['draft'])}")
    moved = found["moved"]
    based = "" if found["draft"] == found["based_on"] else f" (based on {found['based_on']})"
    console.say(
        f"{found['decided']} requests decided again by {found['draft']}{based}: "
        f"{moved['requests']} differ; {moved['routes']} routes, {moved['outcomes']} outcomes, "
        f"{moved['due_dates']} due dates move"
    )
    if found["under_another_regime"]:
        console.say(f"{found['under_another_regime']} requests are of another regime")
    for request_id in found["not_assessed"]:
        console.say(f"  not decided: {request_id}")


def _plain(value: object) -> str:
    """Codes where there are some, the value where it is one."""
    if isinstance(value, list):
        named = [str(each.get("code", each)) if isinstance(each, dict) else str(each) for each in value]
        return ", ".join(named) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items() if not isinstance(each, list | dict))
    return "none" if value is None else str(value)
