"""`guichet environments qualify` and `disqualify`: what a host states about its own evidence."""

import asyncio
from datetime import date
from typing import Annotated

import typer
from pydantic import ValidationError

from contracts.envelope import Unreadable
from contracts.facts import Fact
from contracts.hosts import EnvironmentQualificationLost, EnvironmentQualified, EvidenceItem
from guichet import console
from guichet.publishing import Event, clock_now, publish, stated
from guichet.stack.errors import StackError
from guichet.stack.quiet import wait_quiet
from guichet.stack.state import home_folder, load

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
    now = await clock_now(load(home_folder()))
    try:
        item = EvidenceItem.model_validate(
            {
                "type": evidence,
                "issuer": issuer,
                "reference": reference,
                "valid_from": date.fromisoformat(first) if first else now.date(),
                "valid_to": date.fromisoformat(last),
            }
        )
        fact = EnvironmentQualified(environment_id=environment, evidence=item)
    except (ValidationError, ValueError):
        raise StackError("no such evidence, date or name", "guichet environments qualify --help") from None
    await _state(fact, environment, as_json)


def disqualify(environment: Environment, evidence: Evidence, as_json: Json = False) -> None:
    """State that an environment no longer holds a qualification; its workspaces freeze.

    Example: guichet environments disqualify env-transition SECNUMCLOUD
    """
    try:
        fact = EnvironmentQualificationLost.model_validate({"environment_id": environment, "evidence": evidence})
    except ValidationError:
        raise StackError("no such evidence or name", "guichet environments disqualify --help") from None
    asyncio.run(_state(fact, environment, as_json))


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
