"""`guichet rules`: what the rules can say, what each code means, the page about them, and the packs they come in."""

from __future__ import annotations

from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import typer

from guichet import console

app = typer.Typer(
    name="rules",
    help="The rules: what they can say, what a code means, which cases exercise them, which pack is released.",
    no_args_is_help=True,
)

Lang = Annotated[
    Literal["fr", "en"] | None, typer.Option("--lang", help="French or English; else that of the environment.")
]
AsJson = Annotated[bool, typer.Option("--json", help="For machines, in both languages.")]
Checkout = Annotated[Path, typer.Option("--checkout", help="The checkout whose cases and page are meant.")]
HERE = Path()


@app.command("list", epilog="Example: guichet rules list --regime EU")
def list_rules(
    regime: Annotated[Literal["FR", "EU"] | None, typer.Option("--regime", help="Only this regime.")] = None,
    lang: Lang = None,
    json: AsJson = False,
) -> None:
    """List every rule: its code, its articles, how sure the law is."""
    from compliance.rulebook.rules import rules
    from guichet.language import language
    from guichet.rules_view import rule_as_json, show_list

    found = rules(regime)
    if json:
        console.show_json([rule_as_json(rule) for rule in found])
    else:
        show_list(found, console.out(), language(lang))


@app.command(epilog="Example: guichet rules explain SILENCE_GRANTS --lang fr")
def explain(
    word: Annotated[
        str,
        typer.Argument(metavar="CODE", help="A code, a route, a step, an effect; or a setting, or an article's key."),
    ],
    lang: Lang = None,
    json: AsJson = False,
) -> None:
    """Say what a code means, what to do about it, and where the law says so; or which rules an article or a setting
    stands behind.
    """
    from guichet.explaining import known_words, resolve
    from guichet.language import language

    found = resolve(word)
    if found is None:
        words = known_words()
        near = get_close_matches(word.upper(), words, n=3) or get_close_matches(word.lower(), words, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "guichet rules list names every code"
        console.fail("no rule has this code", hint)
        raise typer.Exit(1)
    if json:
        console.show_json(found.as_json())
    else:
        found.show(console.out(), language(lang))


@app.command(epilog="Example: guichet rules page --write")
def page(
    write: Annotated[bool, typer.Option("--write", help="Write docs/rules.md of the checkout.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Is the page up to date, has every rule a case?")] = False,
    checkout: Checkout = HERE,
) -> None:
    """Print, write or check the page of every rule with its articles and the cases that exercise it."""
    from guichet.rules_page import PAGE, problems, read_cases, render

    told = read_cases(checkout)
    if write:
        (checkout / PAGE).write_text(render(told), encoding="utf-8")
        console.say(str(checkout / PAGE))
    elif check:
        _report(problems(checkout, told), "the page of rules is up to date, every rule has a case")
    else:
        console.say(render(told).rstrip("\n"))


@app.command(epilog="Example: guichet rules packs --json")
def packs(json: AsJson = False) -> None:
    """Show the rule packs: since when each decides, whether it is released, its digest."""
    from guichet.rules_view import packs_as_json, show_packs

    if json:
        console.show_json(packs_as_json())
    else:
        show_packs(console.out())


@app.command(epilog="Example: guichet rules freeze --release")
def freeze(
    release: Annotated[bool, typer.Option("--release", help="Release these packs: from now on never edited.")] = False,
    on: Annotated[str | None, typer.Option("--on", help="The day of release, YYYY-MM-DD; else today.")] = None,
) -> None:
    """Record what the packs that are not yet released are made of.

    A released pack keeps its record, and a change of it is refused: it needs a new version.
    """
    from compliance.rulebook import releases

    try:
        day = date.fromisoformat(on) if on else date.today()
    except ValueError:
        console.fail("the day of release is no date", "write it as YYYY-MM-DD")
        raise typer.Exit(2) from None
    records = releases.recorded()
    releases.keep(records)
    broken = releases.broken(records)
    if not broken:
        records = releases.freeze(records, day if release else None)
        releases.path().write_text(releases.as_text(records), encoding="utf-8")
        releases.keep(records)
    _report([_broken(*each) for each in broken.items()], "\n".join(f"{n} {r.digest}" for n, r in records.items()))


@app.command(epilog="Example: guichet rules check")
def check(checkout: Checkout = HERE) -> None:
    """Check all of it: released packs as released, every code explained, every rule with a case, the page up to date.

    Exit code 0 only when all is true.
    """
    from compliance.rulebook import releases
    from compliance.rulebook.rules import rules
    from guichet.rules_page import problems, read_cases

    broken = releases.broken(releases.recorded())
    found = [_broken(*each) for each in broken.items()] + problems(checkout, read_cases(checkout))
    _report(found, f"{len(rules())} rules: packs as released, every code explained, every rule with a case")


def _broken(name: str, differing: tuple[str, ...]) -> str:
    return f"{name} is released and has changed ({', '.join(differing)}): a change needs a new pack version"


def _report(found: list[str], kept: str) -> None:
    for problem in found:
        console.fail(problem)
    if found:
        raise typer.Exit(1)
    console.say(kept)
