"""`guichet workspaces`: which there are, why one waits, and the way into an open one."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from contracts.vocabulary import WorkspaceState
from guichet import certificate_keys_command, console
from guichet.stack.errors import StackError
from guichet.stack.services import desk_of
from guichet.stack.state import home_folder, load
from guichet_verify.notes import NotAKey, NotANote, read_vkey
from provisioning.certificate_keys import Period, check_in_period
from provisioning.desk import Desk
from provisioning.environments import Refused, Trouble

app = typer.Typer(no_args_is_help=True)
app.add_typer(
    certificate_keys_command.app, name="keys", help="Keys that sign certificates of destruction: list, rotate, retire."
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Workspace = Annotated[str, typer.Argument(help="Id of the workspace or of its request, or the beginning of either.")]

STATES = (*get_args(WorkspaceState), "person-needed")
REMEDIES = {
    "NOT_A_VERSION": "a version is written with letters, digits and . _ : - only",
    "UNKNOWN_WORKSPACE": "guichet workspaces list",
    "WORKSPACE_NOT_OPEN": "guichet workspaces show WORKSPACE says what it waits for",
    "PERSON_NOT_ADMITTED": "guichet workspaces show WORKSPACE names who may enter",
    "PERMIT_EXPIRED": "the permit has ended: ask for an extension before its last month next time",
    "LOGIN_NOT_OPEN": "wait for the workspace to be confirmed open: guichet workspaces show WORKSPACE",
    "UNKNOWN_ENVIRONMENT": "guichet environments list",
    "PERSON_NOT_IN_PERMIT": "guichet trace REQUEST names the persons of the permit",
    "NO_TERMS_REQUIRED": "name the version: --version VERSION",
    "NO_PERSON_NEEDED": "only a workspace that needs a person can be retried",
    "ENVIRONMENT_NAMED_BY_PERMIT": "the permit says where: retry without --environment, or guichet rehost",
    "ALREADY_BEGUN": "something was begun where it is: retry there, or guichet workspaces abandon WORKSPACE",
}


def ask(question: Callable[[Desk], Awaitable[Any]]) -> Any:
    """What the desk of provisioning answers; raises StackError with what to do when it refuses."""

    async def answer() -> Any:
        async with desk_of(load(home_folder())) as desk:
            return await question(desk)

    try:
        return asyncio.run(answer())
    except (Refused, Trouble) as refusal:
        raise StackError(refusal.code, REMEDIES.get(refusal.code, "guichet workspaces show WORKSPACE")) from None
    except (OSError, TimeoutError):
        raise StackError("the database of provisioning does not answer", "guichet up") from None


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="Only those in one state, such as open or person-needed.")] = None,
    as_json: Json = False,
) -> None:
    """Every workspace and its state.

    Example: guichet workspaces list --state person-needed
    """
    if state is not None and state not in STATES:
        raise StackError(f"no workspace is ever {state}", f"one of {', '.join(STATES)}")
    found = ask(lambda desk: desk.list_workspaces(state))
    if as_json:
        return console.show_json(found)
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for title in ("workspace", "request", "state", "environment", "until", "persons", "datasets"):
        table.add_column(title, no_wrap=title in ("workspace", "request", "until"))
    for line in found:
        waits = f" for {', '.join(line['waits_for'])}" if line["waits_for"] else ""
        waits += f" for {', '.join(line['terms_missing'])} to accept the terms" if line["terms_missing"] else ""
        needed = f" {line['step']}: {line['code']} since {line['since'][:16]}" if "code" in line else ""
        needed += f" to {line['moves_to']}" if "moves_to" in line else ""
        needed += f", deletion due {line['deletion_due'][:10]}" if "deletion_due" in line else ""
        table.add_row(
            line["workspace_id"][:13],
            line["request_id"][:13],
            f"{line['state']}{needed}{waits}",
            line["environment_id"] or "none",
            line["expires_on"],
            ", ".join(line["persons"]),
            ", ".join(line["datasets"]),
        )
    return console.out().print(table)


@app.command()
def show(workspace: Workspace, as_json: Json = False) -> None:
    """Everything about one workspace: gate, tables, step that is due, certificate, history.

    Example: guichet workspaces show 3f0c2f0a
    """
    found = ask(lambda desk: desk.show(workspace))
    if as_json:
        return console.show_json(found)
    for name in ("workspace_id", "request_id", "permit_id", "permit_version", "state", "environment_id", "expires_on"):
        console.say(f"{name.replace('_', ' '):16} {found[name]}")
    console.say(f"{'persons':16} {', '.join(found['persons']) or 'nobody'}")
    if found.get("code"):
        console.say(f"{'person needed':16} {found['step']}: {found['code']}, since {found['since']}")
    if found.get("deletion_due"):
        console.say(f"{'deletion due':16} {found['deletion_due']}")
    if found["waits_for"]:
        console.say(f"{'waits for':16} {', '.join(found['waits_for'])}")
    if found["terms_missing"]:
        console.say(f"{'terms missing':16} {', '.join(found['terms_missing'])}")
    if clearance := found["clearance"]:
        console.say(f"{'gate':16} {'cleared' if clearance['cleared'] else 'rejected'} on {clearance['on']}")
        for criterion in clearance["criteria"]:
            console.say(
                f"{'':16} {'met   ' if criterion['met'] else 'FAILED'} {criterion['code']}  {criterion['citation']}"
            )
    for table in found["tables"]:
        console.say(f"{'table':16} {table['table']}  {table['rows']} rows  {table['sha256'][:16]}")
    if step := found["step_due"]:
        console.say(
            f"{'step':16} {step['step']}, attempt {step['attempts']}{'  ' + step['code'] if step['code'] else ''}"
        )
    for output in found["outputs"]:
        console.say(f"{'output':16} {output['ref']}  {output['verdict']}  {output['code'] or ''}")
    for moved in found["certificates_of_moves"]:
        console.say(f"{'left':16} {moved['environment_id']}  {moved['certificate_id']}  {moved['destroyed_at']}")
    if certificate := found["certificate"]:
        console.say(f"{'certificate':16} {certificate['certificate_id']}  {certificate['destroyed_at']}")
        kept = ", ".join(certificate["backups"]) or ("covered" if certificate["covers_backups"] else "NOT covered")
        console.say(f"{'backups':16} {kept}")
    for entry in found["history"]:
        console.say(f"{'':16} {entry['at']}  {entry['what']}")
    return None


@app.command()
def connect(
    workspace: Workspace,
    person: Annotated[str, typer.Argument(help="Reference of the person, as in the permit.")],
    as_json: Json = False,
) -> None:
    """A connection string for one person of an open workspace, with a fresh password; earlier ones stop to work.

    Example: psql "$(guichet workspaces connect 3f0c2f0a p-pi)"
    """
    url = ask(lambda desk: desk.connect(workspace, person))
    if as_json:
        console.show_json({"url": url})
    else:
        console.say(url)


@app.command()
def certificate(
    workspace: Workspace,
    verify: Annotated[bool, typer.Option("--verify", help="Verify digest and signature of each.")] = False,
    key: Annotated[str | None, typer.Option(help="The only public key to trust (name+id+key).")] = None,
    keys: Annotated[
        Path | None, typer.Option(help="The keys to trust, as `keys list` prints them; by default this stack's.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The certificates of destruction of a workspace, and of the places that it left, with their signed notes.

    With --verify exit code 0 only when there is one and every one is signed by the key whose turn it was.

    Example: guichet workspaces certificate 3f0c2f0a --verify
    """
    if key is not None and keys is not None:
        raise StackError("one key or a file of keys, not both", "--key KEY, or --keys FILE")
    found = ask(lambda desk: desk.certificates(workspace))
    if not found:
        raise StackError("no certificate: nothing of it has been destroyed", "guichet workspaces show WORKSPACE")
    trusted = _trusted(key, keys) if verify else None
    lines = [_certificate(text, note, trusted) for text, note in found]
    if as_json:
        console.show_json(lines)
    for line in [] if as_json else lines:
        verdict = "" if trusted is None else f"  {line['refused'] or 'signed by ' + line['signed_by']}"
        console.say(f"{line['certificate_id']}  sha256 {line['sha256']}{verdict}")
        if trusted is None:
            console.say(f"{line['certificate']}\n{line['note'] or 'not signed'}")
    refused = [line for line in lines if line["refused"]]
    if refused:
        raise StackError(
            f"{len(refused)} of {len(lines)} certificates are not to be believed", "compare with the trail"
        )


def _trusted(key: str | None, file: Path | None) -> tuple[Period, ...]:
    if key is None:
        return certificate_keys_command.known(file)
    try:
        return (Period(read_vkey(key), None, None),)
    except NotAKey as error:
        raise StackError(f"not a key: {error}", "a public key is written name+id+key") from None


def _certificate(text: str, note: str | None, trusted: tuple[Period, ...] | None) -> dict[str, Any]:
    signed_by = refused = None
    if trusted is not None:
        try:
            if note is None:
                raise NotANote("not signed")
            signed_by = check_in_period(text, note, trusted)
        except NotANote as error:
            refused = str(error)
    return {
        "certificate_id": json.loads(text)["certificate_id"],
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "certificate": text,
        "note": note,
        "signed_by": signed_by,
        "refused": refused,
    }


@app.command("accept-terms")
def accept_terms(
    workspace: Workspace,
    person: Annotated[str, typer.Argument(help="Reference of the person, as in the permit.")],
    version: Annotated[str | None, typer.Option(help="The version accepted; by default the one required now.")] = None,
    as_json: Json = False,
) -> None:
    """Put on record that a person accepted the terms of use; where they are required, nobody enters before.

    Example: guichet workspaces accept-terms 3f0c2f0a p-an1
    """
    _tell(ask(lambda desk: desk.accept_terms(workspace, person, version)), as_json)


@app.command()
def drift(as_json: Json = False) -> None:
    """Compare every environment with what its workspaces should have, now. Exit code 1 when something differs.

    The service then puts right what is safe; for the rest a person is needed. Workspaces being changed are left out.

    Example: guichet workspaces drift --json
    """
    found = ask(lambda desk: desk.drift())
    if as_json:
        console.show_json(found)
    elif not found:
        console.say("every environment has what it should")
    for line in [] if as_json else found:
        console.say(
            f"{line['workspace_id'][:13]}  {line['environment_id']}  {line['code']}  {line['object']}"
            f"  repaired by: {line['repaired_by']}"
        )
    if found:
        raise typer.Exit(1)


@app.command()
def retry(
    workspace: Workspace,
    environment: Annotated[str | None, typer.Option(help="The environment, where the permit names none.")] = None,
    as_json: Json = False,
) -> None:
    """Try a step again that needed a person.

    Example: guichet workspaces retry 3f0c2f0a --environment env-souverain
    """
    _tell(ask(lambda desk: desk.retry(workspace, environment)), as_json)


@app.command()
def abandon(workspace: Workspace, as_json: Json = False) -> None:
    """Give a workspace up: whatever was made is closed and destroyed.

    Example: guichet workspaces abandon 3f0c2f0a
    """
    _tell(ask(lambda desk: desk.abandon(workspace)), as_json)


def _tell(line: dict[str, Any], as_json: bool) -> None:
    if as_json:
        console.show_json(line)
    else:
        console.say(f"{line['workspace_id']}  {line['state']}")
