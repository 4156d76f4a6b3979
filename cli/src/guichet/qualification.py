"""`guichet environments qualify` and `disqualify`: what a host states about its own evidence."""

import asyncio
import json
from collections.abc import Container
from typing import Annotated, Any, get_args

import typer
from pydantic import ValidationError

from contracts import vocabulary
from contracts.envelope import Unreadable
from contracts.facts import Fact
from contracts.hosts import EnvironmentQualificationLost, EnvironmentQualified, EvidenceItem
from guichet import console
from guichet.publishing import Event, clock_now, publish, stated
from guichet.stack.errors import StackError
from guichet.stack.quiet import wait_quiet
from guichet.stack.services import desk_of
from guichet.stack.state import StackState, home_folder, load
from provisioning.registry import local_day

Environment = Annotated[str, typer.Argument(help="The environment's id.")]
Evidence = Annotated[str, typer.Argument(help="HDS, SECNUMCLOUD, SNDS_HOMOLOGATION or SPE_73.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def qualify(
    environment: Environment,
    evidence: Evidence,
    valid_to: Annotated[str, typer.Option("--to", help="Last day, YYYY-MM-DD.")],
    valid_from: Annotated[str | None, typer.Option("--from", help="First day; today when absent.")] = None,
    issuer: Annotated[str, typer.Option(help="Who issued it.")] = "operator",
    reference: Annotated[str, typer.Option(help="Its number.")] = "unnumbered",
    as_json: Json = False,
) -> None:
    """State that an environment obtained or renewed a qualification.

    Example: guichet environments qualify env-clinique SECNUMCLOUD --to 2030-12-31
    """
    asyncio.run(_qualify(environment, evidence, valid_from, valid_to, issuer, reference, as_json))


async def _qualify(
    environment: str, evidence: str, first: str | None, last: str, issuer: str, reference: str, as_json: bool
) -> None:
    state = load(home_folder())
    now = await clock_now(state)
    given = {
        "type": evidence,
        "issuer": issuer,
        "reference": reference,
        "valid_from": first or local_day(now).isoformat(),
        "valid_to": last,
    }
    problems = _strangeness(await _environments(state), environment)
    try:
        item = EvidenceItem.model_validate_json(json.dumps(given))
    except ValidationError as error:
        raise _refused([*problems, *(_problem(str(fault["loc"][0])) for fault in error.errors())]) from None
    if item.valid_to < item.valid_from:
        problems.append("--to: before the first day")
    if problems:
        raise _refused(problems)
    await _state(EnvironmentQualified(environment_id=environment, evidence=item), environment, as_json)


def disqualify(environment: Environment, evidence: Evidence, as_json: Json = False) -> None:
    """State that an environment no longer holds a qualification; its workspaces freeze.

    Example: guichet environments disqualify env-transition SECNUMCLOUD
    """
    asyncio.run(_disqualify(environment, evidence, as_json))


async def _disqualify(environment: str, evidence: str, as_json: bool) -> None:
    state = load(home_folder())
    known = await _environments(state)
    problems = _strangeness(known, environment)
    try:
        fact = EnvironmentQualificationLost.model_validate({"environment_id": environment, "evidence": evidence})
    except ValidationError:
        raise _refused([*problems, _problem("type")]) from None
    if not problems and evidence not in {proof["type"] for proof in known[environment] if not proof["lost_on"]}:
        problems.append(f"{environment} has no {evidence} to lose")
    if problems:
        raise _refused(problems)
    await _state(fact, environment, as_json)


async def _environments(state: StackState) -> dict[str, list[dict[str, Any]]]:
    """{environment id: its evidence} as the registry has them."""
    async with desk_of(state) as desk:
        return {line["environment_id"]: line["evidence"] for line in await desk.list_environments()}


def _strangeness(known: Container[str], environment: str) -> list[str]:
    return [] if environment in known else [f"there is no environment {environment}"]


def _problem(member: str) -> str:
    match member:
        case "type":
            return f"the evidence: one of {', '.join(get_args(vocabulary.Evidence))}"
        case "valid_from" | "valid_to":
            return f"--{member.removeprefix('valid_')}: a day is written YYYY-MM-DD"
        case _:
            return f"--{member}: letters, digits and . _ : - only, 64 at most"


def _refused(problems: list[str]) -> StackError:
    return StackError("; ".join(problems), "guichet environments list; guichet environments qualify --help")


async def _state(fact: Fact, environment: str, as_json: bool) -> None:
    state = load(home_folder())
    try:
        event: Event = stated(
            fact, source=f"/hosts/{environment}", subject=environment, time=await clock_now(state), key=environment
        )
    except Unreadable as unreadable:
        raise StackError(str(unreadable), "name a registered environment") from None
    await publish(state, [event])
    await wait_quiet(state)
    if as_json:
        console.show_json({"id": event.envelope.id, "type": event.envelope.type, "environment_id": environment})
    else:
        console.say(f"{event.envelope.id}  {event.envelope.type}  {environment}")


def mount(app: typer.Typer) -> None:
    """Adds both verbs to the application of `guichet environments`."""
    app.command("qualify")(qualify)
    app.command("disqualify")(disqualify)
