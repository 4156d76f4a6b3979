"""`guichet environments`: the registry of hosting environments and what each can prove today."""

from typing import Annotated

import typer

from guichet import console
from guichet.stack.errors import StackError
from guichet.workspaces_command import ask

app = typer.Typer(no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Every environment with the evidence that is valid today.

    Example: guichet environments list
    """
    found = ask(lambda desk: desk.list_environments())
    if as_json:
        return console.show_json(found)
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for title in ("environment", "storage", "control", "valid today", "not valid", "next change", "workspaces"):
        table.add_column(title)
    for line in found:
        valid = [proof["type"] for proof in line["evidence"] if proof["valid"]]
        other = [proof["type"] for proof in line["evidence"] if not proof["valid"] and proof["type"] not in valid]
        table.add_row(
            line["environment_id"],
            line["storage_country"],
            line["controlling_jurisdiction"],
            ", ".join(valid),
            ", ".join(other),
            line["next_change"] or "",
            str(line["workspaces"]),
        )
    return console.out().print(table)


@app.command()
def show(
    environment: Annotated[str, typer.Argument(help="The environment's id.")],
    as_json: Json = False,
) -> None:
    """One environment with each piece of evidence and its dates.

    Example: guichet environments show env-souverain
    """
    found = [line for line in ask(lambda desk: desk.list_environments()) if line["environment_id"] == environment]
    if not found:
        raise StackError(f"there is no environment {environment}", "guichet environments list")
    line = found[0]
    if as_json:
        return console.show_json(line)
    for name in (
        *("environment_id", "operator", "storage_country", "controlling_jurisdiction", "adequacy"),
        *("workspaces", "next_change"),
    ):
        console.say(f"{name.replace('_', ' '):24} {line[name]}")
    for proof in line["evidence"]:
        lost = f", lost on {proof['lost_on']}" if proof["lost_on"] else ""
        console.say(
            f"{'valid' if proof['valid'] else 'not valid':24} {proof['type']}  {proof['issuer']} {proof['reference']}  "
            f"{proof['valid_from']} to {proof['valid_to']}{lost}"
        )
    return None
