"""Every verb, those of groups too, says what it does and shows how it is run."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from guichet.__main__ import VERBS, build


def verbs(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The words of each command below a group, or of one that is no group."""
    below = getattr(command, "commands", None)
    if below is None:
        yield words
    for name, each in (below or {}).items():
        yield from verbs(each, (*words, name))


def all_verbs() -> list[tuple[str, ...]]:
    applications: dict[str, Any] = {name: typer.main.get_command(build(name)) for name in VERBS}
    return [words for name, app in applications.items() for words in verbs(app.commands[name], (name,))]


def test_the_overview_names_every_verb() -> None:
    shown = CliRunner().invoke(build(None), ["--help"])
    assert shown.exit_code == 0
    assert [name for name in VERBS if f" {name} " not in shown.output] == []


@pytest.mark.parametrize("words", all_verbs(), ids=" ".join)
def test_a_verb_explains_itself_with_an_example(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(build(words[0]), [*words, "--help"])
    assert shown.exit_code == 0
    assert "Example: " in shown.output
