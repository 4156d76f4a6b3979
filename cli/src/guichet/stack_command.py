"""`guichet up`, `down`, `status`, `logs` and `doctor`."""

import asyncio
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from guichet import console
from guichet.stack import jars, kafka, services
from guichet.stack.doctor import examine
from guichet.stack.errors import StackError
from guichet.stack.report import report, table
from guichet.stack.stack import Stack
from guichet.stack.state import SERVICES, WATCHERS, StackState, home_folder, load
from guichet.stack.supervisor import supervise

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def read_instant(text: str) -> datetime:
    """An RFC 3339 instant, or a date, meaning its first moment in UTC; raises typer.BadParameter."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("write an instant such as 2026-01-05T08:00:00Z, or a date") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Leave it running and return.")] = False,
    brokers: Annotated[int, typer.Option(help="Kafka brokers of a new stack: 1 or 3.", min=1, max=5)] = 1,
    replicas: Annotated[int, typer.Option(help="Processes for each service (audit has one).", min=1, max=8)] = 1,
    sandbox_start: Annotated[str | None, typer.Option(help="First instant of a new stack's sandbox clock.")] = None,
    as_json: Json = False,
) -> None:
    """Start the embedded stack: real Apache Kafka, real PostgreSQL, four services, signer, witness.

    What runs already is left alone, what was killed is started again. State lives in $GUICHET_HOME (default .guichet).

    Example: guichet up --detach --sandbox-start 2026-01-05
    """
    start = read_instant(sandbox_start) if sandbox_start else None
    asyncio.run(_up(detach, brokers, replicas, start, as_json))


async def _up(detach: bool, brokers: int, replicas: int, start: datetime | None, as_json: bool) -> None:
    home = home_folder()
    with console.progress() as tell:
        stack = Stack(home, brokers=brokers, replicas=replicas, tell=tell)
        state = await stack.up(sandbox_start=start)
        watched = bool(state.supervisor and state.supervisor.process("supervisor").alive())
        if detach:
            state = await stack.supervise()
    await _show(state, as_json)
    if detach:
        return
    if watched:
        console.say("Already running in the background. Stop it with: guichet down")
        return
    console.say("Running. Ctrl-C stops it.")
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await supervise(home, stopping)
    with console.progress() as tell:
        await _down(tell)


def down(as_json: Json = False) -> None:
    """Stop the stack and leave no process behind; the data stay.

    Example: guichet down
    """
    with console.progress(quiet=as_json) as tell:
        asyncio.run(_down(tell))
    if as_json:
        console.show_json({"down": True})
    else:
        console.say("Down.")


async def _down(tell: Callable[[str], None]) -> None:
    left = await Stack(home_folder(), tell=tell).down()
    if left:
        raise StackError(f"still running: {', '.join(left)}", "end these processes by their pid")


async def _show(state: StackState, as_json: bool) -> bool:
    found = await report(home_folder(), state)
    if as_json:
        console.show_json(found)
    else:
        console.out().print(table(found))
        for origin, why in found["troubled"].items():
            console.fail(f"{origin} is not signed: {why}", "guichet audit verify; docs/restore.md")
    return bool(found["ready"])


def status(as_json: Json = False) -> None:
    """What runs, where it answers, how far behind it is, how much memory it takes.

    Exit code 0 only when every process runs, every service is ready, and the signer refuses to sign no log.

    Example: guichet status --json
    """
    if not asyncio.run(_show(load(home_folder()), as_json)):
        raise StackError("the stack is not ready", "guichet up, or guichet doctor")


def logs(
    service: Annotated[str, typer.Argument(help=f"{', '.join(SERVICES + WATCHERS)}, kafka-1, postgres or supervisor.")],
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines; 0 for all.", min=0)] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is added.")] = False,
) -> None:
    """Print the log of one service.

    Example: guichet logs compliance --follow
    """
    home = home_folder()
    file = services.log_of(home, service)
    if not file.is_file():
        known = sorted(path.stem for path in (home / "logs").glob("*.log"))
        raise StackError(f"there is no log of {service}", f"one of {', '.join(known)}" if known else "guichet up")
    text = file.read_text("utf-8", "replace").splitlines()
    for line in text[-lines:] if lines else text:
        console.say(line)
    if follow:
        asyncio.run(_follow(service))


async def _follow(service: str) -> None:
    with services.log_of(home_folder(), service).open(encoding="utf-8", errors="replace") as file:
        file.seek(0, 2)
        while True:
            line = file.readline()
            if line:
                console.say(line.rstrip("\n"))
            else:
                await asyncio.sleep(0.2)


def doctor(
    fetch: Annotated[bool, typer.Option("--fetch", help="Fetch Kafka first, if it is not there yet.")] = False,
    as_json: Json = False,
) -> None:
    """Say what is wrong with this machine or this stack, and the remedy.

    Exit code 0 only when nothing is wrong.

    Example: guichet doctor
    """
    if fetch:
        with console.progress(as_json) as tell:
            asyncio.run(kafka.link(jars.classpath(tell), tell))
    checks = asyncio.run(examine(home_folder()))
    if as_json:
        console.show_json(
            [{"check": each.name, "ok": each.ok, "found": each.found, "remedy": each.remedy} for each in checks]
        )
    else:
        for each in checks:
            mark = "[green]✓[/]" if each.ok else "[red]✗[/]"
            console.out().print(f"{mark} {each.name}: {each.found}" + ("" if each.ok else f"\n    → {each.remedy}"))
    if not all(each.ok for each in checks):
        raise typer.Exit(1)
