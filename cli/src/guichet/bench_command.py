"""`guichet bench`: ratios and rates, measured on the embedded stack of this machine; a report, never a verdict."""

import asyncio
import shutil
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from guichet import console
from guichet.stack.state import new_home


class Part(StrEnum):
    """What is measured."""

    ALL = "all"
    EXTRACTION = "extraction"
    TRAIL = "trail"


def bench(
    part: Annotated[Part, typer.Argument(help="Everything, an extraction, or the trail alone.")] = Part.ALL,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="One short round of each; a look, not a figure.")] = False,
    bundle_events: Annotated[int, typer.Option(min=1_000, help="Events of the bundle that is verified.")] = 1_000_000,
    rows: Annotated[int, typer.Option(min=1_000, help="Rows of the extraction.")] = 10_000_000,
) -> None:
    """Measure this machine: assessments a second, a hop and the trail against bare loops, lifecycles, start, memory.

    Ratios come from one run on one broker and one database. Nothing is asserted.

    Example: guichet bench --json
    """
    with console.progress(quiet=as_json) as tell:
        found = asyncio.run(
            _extract(rows, tell)
            if part is Part.EXTRACTION
            else _trail(quick, tell)
            if part is Part.TRAIL
            else _measure(quick, 20_000 if quick else bundle_events, tell)
        )
    if as_json:
        console.show_json(found)
        return
    for name, value in found.items():
        console.say(f"{name:24} {value}")


async def _extract(rows: int, tell: Callable[[str], None]) -> dict[str, Any]:
    from guichet.bench.extraction import extraction_ratio

    console.cancel_when_terminated()
    return await _in_a_folder(lambda home: extraction_ratio(home, rows, tell))


async def _trail(quick: bool, tell: Callable[[str], None]) -> dict[str, Any]:
    from guichet.bench.trail import audit_ratio

    console.cancel_when_terminated()
    tell("the trail against a bare COPY")
    return await _in_a_folder(lambda home: audit_ratio(home, 10_000 if quick else 30_000, 1 if quick else 3))


async def _measure(quick: bool, bundle_events: int, tell: Callable[[str], None]) -> dict[str, Any]:
    from guichet.bench.assessments import assessments
    from guichet.bench.bundle import verification
    from guichet.bench.lifecycles import lifecycles
    from guichet.bench.ratio import hop_ratio
    from guichet.bench.trail import audit_ratio

    console.cancel_when_terminated()
    count, rounds = (10_000, 1) if quick else (30_000, 3)
    tell("assessments on one core")
    found = assessments(0.2 if quick else 1.0, rounds if quick else 5)
    tell("one hop against the bare loop")
    found |= await _in_a_folder(lambda home: hop_ratio(home, count, rounds))
    tell("the trail against a bare COPY")
    found |= await _in_a_folder(lambda home: audit_ratio(home, count, rounds))
    tell("lifecycles through four services")
    found |= await _in_a_folder(lambda home: lifecycles(home, 100 if quick else 300, rounds))
    tell("a bundle verified offline")
    found |= await _in_a_folder(lambda home: asyncio.to_thread(verification, home, bundle_events))
    found["lifecycles_per_bare_event"] = round(found["lifecycles_per_second"] / found["bare_per_second"], 5)
    return found


async def _in_a_folder(measure: Callable[[Path], Any]) -> dict[str, Any]:
    home = new_home("bench")
    try:
        measured: dict[str, Any] = await measure(home)
        return measured
    finally:
        shutil.rmtree(home, ignore_errors=True)
