"""`guichet audit`: what the trail holds, and whether it holds."""

import asyncio
import sys
from typing import Annotated

import asyncpg
import httpx
import typer

from audit.report import Report
from audit.verification import verify_live
from guichet import console
from guichet.keys_command import app as keys
from guichet.replay_command import replay
from guichet.stack.errors import StackError
from guichet.stack.state import home_folder, load

app = typer.Typer(no_args_is_help=True)

app.command()(replay)
app.add_typer(keys, name="keys", help="The keys of requests: list, destroy, check.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def verify(
    database: Annotated[
        str | None, typer.Option(help="Database URL of a trail, such as a copy; that of the stack by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the whole trail from its bytes up: every leaf hashed again, tiles, heads, batches, numbers.

    Exit code 0 when everything holds, otherwise 10 plus the lowest level that fails: 12 for leaves and trees, 16 for
    events that are missing.

    Example: guichet audit verify
    """
    report = asyncio.run(_verify(database or load(home_folder()).service("audit").database_url, as_json))
    if as_json:
        console.show_json(report.body())
    else:
        _show(report)
    if not report.holds:
        raise typer.Exit(report.exit_code)


async def _verify(url: str, as_json: bool) -> Report:
    try:
        connection = await asyncpg.connect(url, timeout=10, server_settings={"jit": "off", "lock_timeout": "5s"})
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError("the database of the trail does not answer", "guichet status, or --database URL") from error
    try:
        with console.progress(quiet=as_json or not sys.stderr.isatty()) as tell:
            done = 0

            def count(leaves: int) -> None:
                nonlocal done
                done += leaves
                tell(f"{done:,} leaves hashed again")

            return await verify_live(connection, count)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
        raise StackError("that database holds no trail", "name the audit service's database") from error
    finally:
        await connection.close()


def _show(report: Report) -> None:
    console.say(
        f"{report.leaves:,} leaves in {report.logs} logs hashed again from their bytes, "
        f"{report.tiles:,} tiles, {report.batches:,} batches, {report.blobs} large records"
    )
    console.say(
        f"{report.sequences:,} numbered subjects and {report.producers:,} numbered producers looked at for holes, "
        f"{report.repeats:,} repetitions compared"
    )
    for failure in report.failures:
        console.say(f"  ✗ {failure}")
    if report.failure_count > len(report.failures):
        console.say(f"  … and {report.failure_count - len(report.failures):,} more")
    console.say("The trail holds." if report.holds else f"The trail does not hold: {report.failure_count:,} failures.")


@app.command()
def logs(as_json: Json = False) -> None:
    """List the logs of the trail: one tree for each partition of each topic, its size and its root.

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
        console.say(f"{each['origin']:<{width}}  {each['state']}  {each['size']:>9}  {each['root']}")
