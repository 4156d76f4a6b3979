"""`guichet submit`: dossiers through the intake door, as a portal sends them."""

import asyncio
from typing import Annotated, Any

import typer

from guichet import console
from guichet.publishing import clock_now
from guichet.reading import objects
from guichet.stack.state import home_folder, load
from guichet.submitting import Answer, wait_for
from guichet.submitting import submit as send


def submit(
    files: Annotated[list[str], typer.Argument(help="Dossiers: JSON, NDJSON, or - for standard input.")],
    wait: Annotated[
        str | None,
        typer.Option(help="Wait for a status (decided), an outcome (GRANTED), permit:active or workspace:open."),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Send dossiers through the intake door; prints the request ids.

    Sending the same dossier again gives the same request. Exit code 0 only when every dossier was accepted, and with
    --wait only when every request reached that state.

    Example: guichet submit dossier.json --wait decided
    """
    asyncio.run(_submit(files, wait, timeout, as_json))


async def _submit(files: list[str], wait: str | None, timeout: float, as_json: bool) -> None:
    state = load(home_folder())
    answers = await send(state, objects(files), await clock_now(state))
    refused = [each for each in answers if not each.taken]
    shown: list[dict[str, Any]] = []
    if not as_json:
        for each in answers:
            _tell(each)
    if wait and not refused:
        with console.progress(quiet=as_json) as tell:
            tell(f"waiting for {wait}")
            shown = await wait_for(state, answers, wait, timeout)
    if as_json:
        console.show_json([_as_json(each, shown[n] if shown else None) for n, each in enumerate(answers)])
    if refused:
        raise typer.Exit(1)


def _tell(answer: Answer) -> None:
    console.say(f"{answer.request_id}  {answer.verdict}  {answer.portal_reference}")
    for problem in answer.problems:
        words = " ".join(str(problem[key]) for key in ("pointer", "code", "detail") if problem.get(key))
        console.say(f"    {words}")


def _as_json(answer: Answer, shown: dict[str, Any] | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "request_id": answer.request_id,
        "portal": answer.portal,
        "portal_reference": answer.portal_reference,
        "verdict": answer.verdict,
        "problems": list(answer.problems),
    }
    return found | ({"state": shown} if shown else {})
