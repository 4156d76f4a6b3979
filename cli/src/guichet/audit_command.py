"""`guichet audit`: what the trail holds, and whether it holds."""

import asyncio
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import httpx
import typer

from audit.anchors import Anchor
from audit.checkpoints import check_checkpoints
from audit.checks import VERIFIED
from audit.report import Report
from audit.verification import verify_live
from guichet import console
from guichet.bundles_command import brought_by, checkpoint, export, prove, verify_file
from guichet.checks_command import checks
from guichet.epochs_command import app as epochs
from guichet.held import Held, ask, trusted_keys
from guichet.keys_command import app as keys
from guichet.log_keys_command import policy, retire, rotate, signing
from guichet.reconcile_command import reconcile
from guichet.replay_command import replay
from guichet.restore_command import backup, break_, drill, rebuild, restore
from guichet.stack.errors import StackError
from guichet.stack.state import home_folder, load
from guichet.trail import connected, record_check
from guichet_verify.__main__ import WRONG_CALL, Unreadable
from guichet_verify.verification import Asked

BROUGHT = "checkpoint that was brought"

app = typer.Typer(no_args_is_help=True)

app.command()(replay)
app.add_typer(
    keys, name="keys", help="Keys of requests (list, destroy, check) and of logs (policy, signing, rotate, retire)."
)
for of_log_keys in (policy, signing, rotate, retire):
    keys.command()(of_log_keys)
app.add_typer(epochs, name="epoch", help="Epochs of logs: open the next ones, drop those that were kept long enough.")
app.command()(backup)
app.command()(restore)
app.command()(rebuild)
app.command()(drill)
app.command()(reconcile)
app.command()(checks)
app.command("break")(break_)
app.command()(export)
app.command()(prove)
app.command()(checkpoint)


class Level(StrEnum):
    """What a bundle can be asked, as an option takes it."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"
    L5 = "L5"
    L6 = "L6"
    L7 = "L7"


Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def verify(
    bundle: Annotated[Path | None, typer.Argument(help="A bundle to verify; the live trail when left out.")] = None,
    database: Annotated[
        str | None, typer.Option(help="Database URL of a trail, such as a copy; that of the stack by default.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Whom you trust: a tlog-policy file; the stack's own.")] = None,
    held: Annotated[list[Path] | None, typer.Option(help="A checkpoint you hold from before.")] = None,
    require: Annotated[
        list[Level] | None, typer.Option(help="Fail unless this level was asked and holds, for a bundle.")
    ] = None,
    tsa: Annotated[Path | None, typer.Option(help="Certificates of a timestamp authority, for a bundle.")] = None,
    max_bytes: Annotated[int | None, typer.Option(help="Most bytes to unpack of a bundle (64 GiB).")] = None,
    allow_published_keys: Annotated[
        bool, typer.Option(help="Accept keys that anyone can sign with; for published test data only.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check the whole trail from its bytes up: every leaf hashed again, tiles, heads, batches, numbers. Or a bundle.

    The live trail is held against what signer and witness hold, and neither may be silent, and against each checkpoint
    that you bring; a copy against these alone. Exit code 0 when everything holds, 2 for a file that cannot be used,
    otherwise 10 plus the lowest level that fails: 11 for a checkpoint that nobody signed, 12 for leaves and trees, 13
    for a trail set back or forked, 16 for events that are missing. A bundle is verified as `guichet-verify` does it,
    without the stack.

    Example: guichet audit verify story.auditbundle --policy policy --held checkpoint
    """
    if bundle is not None:
        required = [level.value for level in require or []]
        raise typer.Exit(
            verify_file(bundle, policy, held or [], required, tsa, max_bytes, allow_published_keys, as_json)
        )
    if require or tsa is not None or max_bytes is not None:
        raise typer.BadParameter("--require, --tsa and --max-bytes are asked of a bundle: of a trail everything is")
    try:
        brought = brought_by(policy, held or [], allow_published_keys)
    except (Unreadable, OSError) as error:
        console.fail(f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error))
        raise typer.Exit(WRONG_CALL) from None
    report = asyncio.run(_verify(database, brought, as_json))
    if as_json:
        console.show_json(report.body())
    else:
        _show(report)
    if not report.holds:
        raise typer.Exit(report.exit_code)


async def _verify(database: str | None, brought: Asked | None, as_json: bool) -> Report:
    home = home_folder()
    # Before the trail is looked at: what is signed meanwhile is more than what is seen. A copy is as old as it is.
    held = await ask(home, load(home)) if database is None else Held((), ())
    keys = brought.policy.logs if brought else trusted_keys(home) if database is None else []
    anchors = [*held.anchors, *(Anchor(BROUGHT, each) for each in (brought.held if brought else ()))]
    async with connected(database) as connection:
        with console.progress(quiet=as_json or not sys.stderr.isatty()) as tell:
            done = 0

            def count(leaves: int) -> None:
                nonlocal done
                done += leaves
                tell(f"{done:,} leaves hashed again")

            report = await verify_live(connection, count, anchors, keys)
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await check_checkpoints(connection, report, keys)
            for each in held.silent:
                report.fail("L3", None, None, f"not-held: {each}")
    if database is None:
        await record_check(VERIFIED, report.failure_count)
    return report


def _show(report: Report) -> None:
    console.say(
        f"{report.leaves:,} leaves in {report.logs} logs hashed again from their bytes, "
        f"{report.tiles:,} tiles, {report.batches:,} batches, {report.blobs} large records"
    )
    console.say(
        f"{report.sequences:,} numbered subjects and {report.producers:,} numbered producers looked at for holes, "
        f"{report.repeats:,} repetitions compared"
    )
    if report.dropped:
        console.say(
            f"{report.dropped:,} logs were dropped when their retention was over: their trees are there, no record"
        )
    for failure in report.failures:
        console.say(f"  ✗ {failure}")
    if report.failure_count > len(report.failures):
        console.say(f"  … and {report.failure_count - len(report.failures):,} more")
    console.say("The trail holds." if report.holds else f"The trail does not hold: {report.failure_count:,} failures.")


@app.command()
def logs(as_json: Json = False) -> None:
    """List the logs of the trail: one tree for each partition of each topic, its size, the size signed, its root.

    Example: guichet audit logs
    """
    try:
        response = httpx.get(f"{load(home_folder()).service('audit').url}/logs", timeout=10)
        response.raise_for_status()
    except httpx.HTTPError as error:
        raise StackError("the audit service does not answer", "guichet status") from error
    if as_json:
        console.show_json(response.json())
        return
    found = response.json()["logs"]
    width = max((len(each["origin"]) for each in found), default=0)
    for each in found:
        signed = "-" if each["signed_size"] is None else each["signed_size"]
        console.say(f"{each['origin']:<{width}}  {each['state']}  {each['size']:>9}  {signed:>9}  {each['root']}")
