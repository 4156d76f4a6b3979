"""What `guichet status` says: addresses, processes, readiness, lag, outbox age, memory."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil
from rich.table import Table

from guichet.stack.quiet import client, statuses
from guichet.stack.state import StackState

Report = dict[str, Any]
"""The JSON of `status --json`."""


def _memory(pid: int | None) -> int:
    """Resident bytes of a process and its children; memory that processes share is counted once (PSS)."""
    if pid is None:
        return 0
    try:
        top = psutil.Process(pid)
        family = [top, *top.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for each in family:
        try:
            total += int(each.memory_full_info().pss)
        except (psutil.Error, AttributeError):
            total += _resident(each)
    return total


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


async def report(home: Path, state: StackState) -> Report:
    """Looks at every process and asks every service; nothing in it is remembered from earlier."""
    async with client() as asking:
        found = await statuses(state, asking)
        troubled = await _troubled(state, asking)
    processes = [
        {"name": each.name, "pid": each.pid, "alive": each.alive(), "rss": await asyncio.to_thread(_memory, each.pid)}
        for each in state.processes()
    ]
    running = [each for each in processes if each["alive"]]
    answers = {name: [found[url] for url in service.urls()] for name, service in state.services.items()}
    services = {
        name: _service(state, name, [each for each in answers[name] if each is not None]) for name in state.services
    }
    expected = (
        len(state.brokers) + 1 + sum(len(each.instances) for each in state.services.values()) + len(state.watchers)
    )
    ready = len([each for each in running if each["name"] != "supervisor"]) >= expected and all(
        each["ready"] for each in services.values()
    )
    return {
        "home": str(home),
        "ready": ready and bool(services) and not troubled,
        "sandbox": state.sandbox,
        "now": min(
            (str(each["now"]) for group in answers.values() for each in group if each and "now" in each), default=None
        ),
        "kafka": state.kafka,
        "postgres": f"{state.postgres.host}:{state.postgres.port}",
        "http": {name: service.url for name, service in state.services.items()},
        "watchers": {name: each.url for name, each in state.watchers.items()},
        "troubled": troubled,
        "services": services,
        "processes": processes,
        "supervised": any(each["name"] == "supervisor" for each in running),
        "rss_total": sum(int(str(each["rss"])) for each in running),
    }


async def _troubled(state: StackState, asking: httpx.AsyncClient) -> dict[str, str]:
    """The logs that the signer does not sign, each with why; none from a signer that does not answer."""
    if "signer" not in state.watchers:
        return {}
    try:
        logs = (await asking.get(f"{state.watchers['signer'].url}/readyz")).json()["logs"]
        return {str(origin): f"{each['state']}: {each['reason']}" for origin, each in sorted(logs.items())}
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _service(state: StackState, name: str, answers: Sequence[Mapping[str, Any]]) -> Report:
    service = state.services[name]
    counted = ("lag_total", "outbox", "timers_due", "pending", "dead_letters", "blocked_keys")
    return {
        "urls": service.urls(),
        "pids": service.pids,
        "ready": len(answers) == len(service.instances) and all(bool(each["ready"]) for each in answers),
        # Each process sees the same database, so the largest answer is the freshest fear, not a sum.
        **{key: max((int(each.get(key) or 0) for each in answers), default=None) for key in counted},
        "outbox_age_seconds": max((float(each.get("outbox_age_seconds") or 0) for each in answers), default=None),
    }


def table(found: Report) -> Table:
    """The report for people."""
    shown = Table(title=f"Guichet at {found['home']}", title_justify="left", box=None, header_style="bold")
    for heading in ("", "where", "pid", "state", "lag", "outbox", "dead letters", "MiB"):
        shown.add_column(
            heading, justify="right" if heading in ("pid", "lag", "outbox", "dead letters", "MiB") else "left"
        )
    for process in found["processes"]:
        name = str(process["name"])
        service = found["services"].get(name.rpartition("-")[0] or name) or found["services"].get(name)
        where = found["postgres"] if name == "postgres" else found["kafka"] if name.startswith("kafka") else ""
        where = where or found["watchers"].get(name, "")
        counts = ["", "", ""]
        if service:
            where = found["http"].get(name, "")
            counts = [str(service["lag_total"]), str(service["outbox"]), str(service["dead_letters"])]
        fine = service["ready"] if service else not (name == "signer" and found["troubled"])
        state = "stopped" if not process["alive"] else "running" if fine else "not ready"
        colour = {"running": "green", "not ready": "yellow", "stopped": "red"}[state]
        memory = str(int(process["rss"]) >> 20)
        shown.add_row(name, where, str(process["pid"]), f"[{colour}]{state}[/]", *counts, memory)
    standing = "ready" if found["ready"] else "not ready"
    shown.caption = f"{standing}, clock {found['now'] or 'unknown'}, {int(found['rss_total']) >> 20} MiB in all"
    shown.caption_justify = "left"
    return shown
