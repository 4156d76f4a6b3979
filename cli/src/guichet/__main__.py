"""The `guichet` command: finds the module of the verb that was asked for, and imports no other."""

import asyncio
import importlib
import sys
from dataclasses import dataclass
from typing import Any

import typer

from guichet import console
from guichet.stack.errors import StackError


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb lives: `attribute` of `module`, a function or a Typer application; and what help says of it."""

    module: str
    attribute: str
    help: str
    panel: str = "Requests"


STACK = "The embedded stack"
TRAIL = "The trail"
LANGUAGE = "Rules and contracts"

VERBS = {
    "up": Verb("guichet.stack_command", "up", "Start the embedded stack: Kafka, PostgreSQL, four services.", STACK),
    "down": Verb("guichet.stack_command", "down", "Stop the stack and leave no process behind.", STACK),
    "status": Verb("guichet.stack_command", "status", "What runs, where, how far behind, how much memory.", STACK),
    "logs": Verb("guichet.stack_command", "logs", "The log of one service.", STACK),
    "doctor": Verb("guichet.stack_command", "doctor", "What is wrong with this machine or stack.", STACK),
    "clock": Verb("guichet.clock_command", "app", "The sandbox clock: now, advance, set.", STACK),
    "demo": Verb("guichet.demo_command", "demo", "The whole story in under two minutes.", STACK),
    "bench": Verb("guichet.bench_command", "bench", "Ratios and rates, measured on this machine.", STACK),
    "submit": Verb("guichet.submit_command", "submit", "Send dossiers through the intake door."),
    "emit": Verb("guichet.emit_command", "emit", "Publish events of authorities, holders, persons, hosts, portals."),
    "workspaces": Verb("guichet.workspaces_command", "app", "Workspaces: list, show, connect, retry, abandon."),
    "environments": Verb("guichet.environments_command", "app", "Hosting environments: list, qualify, certify."),
    "rehost": Verb("guichet.rehost_command", "rehost", "Move the workspaces of one environment to another."),
    "dead-letters": Verb("guichet.dead_letters_command", "app", "Records set aside: list, show, redrive, discard."),
    "trace": Verb("guichet.trace_command", "trace", "The story of a request, cause by cause.", TRAIL),
    "audit": Verb("guichet.audit_command", "app", "Verify the trail.", TRAIL),
    "witness": Verb("guichet.witness_command", "witness", "A second reader that cosigns what it read.", TRAIL),
    "assess": Verb("guichet.assess_command", "assess", "What the law says about a case; no stack needed.", LANGUAGE),
    "deadlines": Verb("guichet.assess_command", "deadlines", "Period arithmetic alone; no stack needed.", LANGUAGE),
    "rules": Verb("guichet.rules_command", "app", "The rules: list, explain, page, packs, freeze, check.", LANGUAGE),
    "contracts": Verb("guichet.contracts_command", "app", "The published language: check, docs, sample.", LANGUAGE),
}


def _mount(app: typer.Typer, name: str, verb: Verb) -> None:
    found: Any = getattr(importlib.import_module(verb.module), verb.attribute)
    if name == "environments":
        for verbs in ("guichet.qualification", "guichet.certify_command"):
            importlib.import_module(verbs).mount(found)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name, help=verb.help, rich_help_panel=verb.panel)
    else:
        passing = {"allow_extra_args": True, "ignore_unknown_options": True} if name == "witness" else {}
        app.command(name, rich_help_panel=verb.panel, context_settings=passing)(found)


def _mention(app: typer.Typer, name: str, verb: Verb) -> None:
    app.command(name, help=verb.help, rich_help_panel=verb.panel)(lambda: None)


def build(asked: str | None) -> typer.Typer:
    """The application with the asked verb whole and the others by name; with none asked, all by name."""
    app = typer.Typer(
        name="guichet",
        help="The single window through which a request to use health data travels.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(lambda: None)
    for name, verb in VERBS.items():
        (_mount if name == asked else _mention)(app, name, verb)
    return app


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and leaves with its exit code: 0 only when what was asked is true."""
    given = sys.argv[1:] if arguments is None else arguments
    asked = next((word for word in given if not word.startswith("-")), None)
    try:
        build(asked)(args=given)
    except StackError as error:
        console.fail(error.problem, error.remedy)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(0)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)


if __name__ == "__main__":
    main()
