"""`guichet audit export, prove, checkpoint`: what an auditor takes away, and `verify BUNDLE`: what he makes of it."""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx
import typer

from audit.accesses import BUNDLE
from audit.exporting import NotExported, Plan, Wanted, plan, stream
from audit.holdings import TrailBroken
from audit.proving import TilesMissing
from guichet import console
from guichet.replay.instants import NoSuchVector, read_sizes
from guichet.stack.errors import StackError
from guichet.stack.state import home_folder, load
from guichet.stack.watchers import policy_file
from guichet.trail import at_one_moment, record_access
from guichet_verify.__main__ import WRONG_CALL, Unreadable, lines, read_asked
from guichet_verify.bundle import MAX_BYTES
from guichet_verify.checkpoints import Checkpoint, read_checkpoint
from guichet_verify.manifest import ALL, LOG, SUBJECT
from guichet_verify.notes import NOTE_LIMIT, NotANote, read_note
from guichet_verify.verification import Asked, verify_bundle

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="The file to write.")]


def export(
    output: Output,
    request: Annotated[str | None, typer.Option(help="All about a request: its permit and workspace too.")] = None,
    subject: Annotated[str | None, typer.Option(help="All about a subject, such as a permit or a data set.")] = None,
    log: Annotated[str | None, typer.Option(help="One log, by its origin.")] = None,
    between: Annotated[str | None, typer.Option("--range", help="Leaves A:B of that log, widened to tiles.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every log.")] = False,
    as_of: Annotated[str | None, typer.Option(help="As of an instant, such as 2026-11-24T10:00:00Z.")] = None,
    since: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint that is held: proves that the log extends it.")
    ] = None,
    stamped: Annotated[
        bool, typer.Option("--stamped", help="At sizes that a timestamp authority has stamped.")
    ] = False,
    sizes: Annotated[
        Path | None, typer.Option(help='At these signed sizes: a file {"sizes": {origin: size}}, as replay prints it.')
    ] = None,
    database: Annotated[str | None, typer.Option(help="Database URL of a trail; that of the stack by default.")] = None,
    as_json: Json = False,
) -> None:
    """Write a bundle that an auditor verifies offline, without trusting this installation.

    Example: guichet audit export --request 5f0c7f4e-6c1e-5a44-9d7e-2f1f6a3b9c10 -o story.auditbundle
    """
    chosen = [each for each in (request, subject, log) if each is not None]
    if len(chosen) + everything != 1 or (between is not None and log is None):
        raise typer.BadParameter("name one of --request, --subject, --log (perhaps with --range) and --all")
    kind = ALL if everything else LOG if log is not None else SUBJECT
    held = {checkpoint.origin: checkpoint.size for checkpoint in map(_held, since or [])}
    if sizes is not None and (as_of is not None or stamped):
        raise typer.BadParameter("--sizes says it all: neither --as-of nor --stamped beside it")
    given = None if sizes is None else _sizes(sizes)
    wanted = Wanted(kind, chosen[0] if chosen else None, _range(between), _instant(as_of), held, stamped, given)
    decided = asyncio.run(_export(wanted, output, database, as_json))
    for gap in decided.gaps:
        console.fail(f"not complete: {gap}", "guichet audit verify says where events are missing")
    reached = [{"origin": log.origin, "size": log.size} for log in decided.logs]
    if as_json:
        complete = decided.manifest.scope.complete
        body = {"file": str(output), "leaves": decided.leaves, "complete": complete, "logs": reached}
        console.show_json(body | {"dropped": list(decided.dropped)})
        return
    console.say(f"{decided.leaves:,} leaves of {len(reached)} logs in {output} ({output.stat().st_size:,} bytes)")
    for origin in decided.dropped:
        console.say(f"  without {origin}: its records were dropped when their retention was over")
    for size in reached if kind != ALL else ():
        console.say(f"  {size['origin']} at size {size['size']}")
    console.say(f"guichet-verify {output} --policy FILE")


async def _export(wanted: Wanted, output: Path, database: str | None, quiet: bool) -> Plan:
    partial = output.with_name(f"{output.name}.partial")
    try:
        async with at_one_moment(database) as connection:
            decided = await plan(connection, wanted)
            await record_access(database, BUNDLE, wanted.value, decided.digest)
            with console.counted(decided.leaves, "leaves written", quiet=quiet) as tell, partial.open("wb") as file:
                async for piece in stream(connection, decided, tell):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
        partial.replace(output)
    except NotExported as error:
        raise StackError(str(error), "guichet audit logs shows what is recorded and signed") from error
    except (TrailBroken, TilesMissing) as error:
        raise StackError(f"the trail does not hold: {error}", "guichet audit verify") from error
    finally:
        partial.unlink(missing_ok=True)
    return decided


def _held(path: Path) -> Checkpoint:
    try:
        with path.open("rb") as file:
            return read_checkpoint(read_note(file.read(NOTE_LIMIT + 1)).text)
    except (NotANote, ValueError) as error:
        raise typer.BadParameter(f"{path} is no checkpoint: {error}") from error
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from error


def _sizes(path: Path) -> dict[str, int]:
    try:
        asked = read_sizes(path)
    except (NoSuchVector, OSError) as error:
        raise typer.BadParameter(f"--sizes: {error}") from error
    given = {origin: size for origin, size in asked.items() if isinstance(size, int) and not isinstance(size, bool)}
    if wrong := sorted(asked.keys() - given.keys()):
        raise typer.BadParameter(f"--sizes: no whole number: {', '.join(wrong)}")
    return given


def _range(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, _, end = text.partition(":")
    if not (first.isdecimal() and end.isdecimal()):
        raise typer.BadParameter("--range is A:B, such as 0:1000")
    return int(first), int(end)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("--as-of is an instant, such as 2026-11-24T10:00:00Z") from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def prove(
    event: Annotated[str, typer.Argument(help="The id of an event.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file, instead of standard output.")] = None,
) -> None:
    """Prove that an event is in the trail: a C2SP tlog-proof that needs nothing beside it but a policy.

    Example: guichet audit prove 0199f0c0-0000-7000-8000-000000000001 -o event.tlog-proof
    """
    _write(_ask("/proof/inclusion", event_id=event), output)


def checkpoint(
    origin: Annotated[str | None, typer.Argument(help="The origin of a log; all logs when left out.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file, instead of standard output.")] = None,
) -> None:
    """Show the newest signed checkpoint of a log. Keep it: whatever is shown later has to extend it.

    Example: guichet audit checkpoint guichet.example/audit/trail/guichet.requests/3/1 -o held
    """
    if origin is not None:
        return _write(_ask(f"/{origin}/checkpoint"), output)
    signed = [log["origin"] for log in httpx.Response.json(_ask("/logs"))["logs"] if log["signed_size"] is not None]
    for each in signed:
        console.say(_ask(f"/{each}/checkpoint").text)
    if not signed:
        raise StackError("no checkpoint was signed yet", "guichet status shows whether the signer runs")
    return None


def _ask(path: str, **query: str) -> httpx.Response:
    try:
        response = httpx.get(f"{load(home_folder()).service('audit').url}{path}", params=query, timeout=10)
    except httpx.HTTPError as error:
        raise StackError("the audit service does not answer", "guichet status") from error
    if response.status_code == httpx.codes.NOT_FOUND:
        raise StackError(response.json()["title"], "guichet audit logs shows what is recorded and signed")
    if response.is_error:
        raise StackError(f"the audit service answers {response.status_code}", "guichet status")
    return response


def _write(response: httpx.Response, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(response.text)
        return
    output.write_bytes(response.content)
    console.say(f"{len(response.content)} bytes in {output}")


def brought_by(policy: Path | None, held: Sequence[Path], allow_published: bool) -> Asked | None:
    """Whom somebody trusts and what he holds from before, each checkpoint signed by a key that he trusts; None when he
    brings neither. Raises Unreadable, or OSError."""
    if policy is None and not held:
        return None
    return read_asked(policy or policy_file(home_folder()), held, [], None, MAX_BYTES, allow_published, None)


def verify_file(
    bundle: Path,
    policy: Path | None,
    held: list[Path],
    required: list[str],
    authority: Path | None,
    max_bytes: int | None,
    allow_published: bool,
    as_json: bool,
) -> int:
    """Verifies a bundle as `guichet-verify` does; returns the exit code."""
    own = policy_file(home_folder())
    if policy is None and not own.is_file():
        console.fail("a bundle is verified under a policy", "say whom you trust: --policy FILE")
        return WRONG_CALL
    if policy is None:
        console.fail("no --policy: the stack's own keys are trusted", "an auditor brings his own")
    try:
        with console.counted(None, "leaves checked", quiet=as_json) as tell:
            asked = read_asked(policy or own, held, required, authority, max_bytes or MAX_BYTES, allow_published, tell)
            report = verify_bundle(bundle, asked)
    except (Unreadable, OSError) as error:
        console.fail(f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error))
        return WRONG_CALL
    if as_json:
        console.show_json(report.body())
    else:
        console.say("\n".join(lines(report)))
    return report.exit_code
