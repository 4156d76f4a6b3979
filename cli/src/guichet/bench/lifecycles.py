"""Lifecycles a second: dossiers in at the HTTP door, permits out, everything in the trail, on a whole stack."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guichet.bench.assessments import cost_of_one
from guichet.bench.spending import resident, spent
from guichet.demo.scenario import load_scenario
from guichet.publishing import clock_now
from guichet.stack.errors import StackError
from guichet.stack.quiet import client, wait_quiet
from guichet.stack.report import report
from guichet.stack.stack import Stack
from guichet.stack.state import StackState
from guichet.submitting import public_state, stands, submit


def _dossiers(count: int, name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Dossiers that may start at once and name no host, so that no workspace is built."""
    scenario = load_scenario()
    example = {**scenario.dossiers["asthma"], "environment_id": None}
    return [(name, {**example, "portal_reference": f"{name}-{number}"}) for number in range(count)]


async def _round(state: StackState, count: int, name: str) -> float:
    dossiers = _dossiers(count, name)
    now = await clock_now(state)
    start = time.perf_counter()
    answers = await submit(state, dossiers, now)
    await wait_quiet(state, 300)
    seconds = time.perf_counter() - start
    refused = [each for each in answers if not each.taken]
    if refused:
        raise StackError(f"{len(refused)} of {count} dossiers were refused", "report it")
    async with client(10) as asking:
        for answer in answers[:: max(1, count // 20)]:
            shown = await public_state(asking, state, answer.request_id, answer.portal) or {}
            if not stands(shown, "permit:active"):
                raise StackError(f"request {answer.request_id} has no permit", "guichet trace tells how far it came")
    return count / seconds


async def lifecycles(home: Path, count: int = 300, rounds: int = 3) -> dict[str, Any]:
    """Brings a stack up, measures `rounds` after one to warm up, and takes it down; also start times and memory.

    `assessment_share` is the processor time of what a lifecycle asks of the rules over that of all processes of the
    stack for a lifecycle; `rss_mib_of` the memory of each service before and after the rounds.
    """
    scenario = load_scenario()
    stack = Stack(home)
    start = time.perf_counter()
    state = await stack.up(sandbox_start=scenario.start)
    cold = time.perf_counter() - start
    try:
        await _round(state, 50, "warm")
        held, before = resident(state), spent(state)
        rates = [await _round(state, count, f"round-{number}") for number in range(rounds)]
        each = (spent(state) - before) / (count * rounds)
        memory, kept = (await report(home, state))["rss_total"], resident(state)
    finally:
        await stack.down()
    try:
        start = time.perf_counter()
        await stack.up()
        warm = time.perf_counter() - start
    finally:
        await stack.down()
    rates.sort()
    return {
        "lifecycles_per_second": round(rates[len(rates) // 2], 1),
        "lifecycles_rounds": [round(rate, 1) for rate in rates],
        "lifecycle_cpu_ms": round(each * 1000, 2),
        "assessment_share": round(cost_of_one() / each, 4),
        "up_new_seconds": round(cold, 1),
        "up_again_seconds": round(warm, 1),
        "rss_mib": int(memory) >> 20,
        "rss_mib_of": {name: [held[name], kept.get(name, 0)] for name in held},
    }


if __name__ == "__main__":
    import json
    import sys

    sys.stdout.write(json.dumps(asyncio.run(lifecycles(Path(sys.argv[1])))) + "\n")
