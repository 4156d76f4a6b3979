"""What a rule pack is made of, as one fingerprint: equal data and equal functions, equal digest, on any machine."""

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from importlib.resources import files

from compliance.legal_settings import SETTINGS, Setting
from compliance.packs import RulePack
from compliance.periods import STEPS
from compliance.rulebook.rules import rules
from compliance.rules.documents import COLUMNS

BESIDE = frozenset({"problems", "shown"})
"""Naming what is wrong with an input, and printing what was decided, decide nothing."""

OF_ONE_REGIME: dict[str, str] = {
    **dict.fromkeys(("authority", "french", "opinions", "seizure"), "FR"),
    **dict.fromkeys(("european", "tally"), "EU"),
}
"""Modules that only one regime runs; whatever else an assessment needs belongs to both."""

SAFEGUARDS = ("hosting", "outputs")

SETTINGS_OF: dict[str, tuple[str, ...]] = {
    "FR": ("fr.", "output.", "calendar."),
    "EU": ("eu.", "output.", "calendar.", "fr.sren-31-scope"),
}


def parts(pack: RulePack) -> dict[str, str]:
    """SHA-256, lower-case hex, of each part of a pack: its rules with codes and citations in their order, the documents
    by route, the steps, the settings, and the source of each module that decides."""
    settings = [setting for name, setting in SETTINGS.items() if name.startswith(SETTINGS_OF[pack.regime])]
    columns = {route: needed for route, needed in COLUMNS.items() if route.startswith(f"{pack.regime}_")}
    steps = {rule.code for rule in rules(pack.regime) if rule.kind == "step"}
    data: dict[str, object] = {
        "scope": [pack.name, pack.regime, pack.since],
        "rules": [[rule.kind, rule.name, rule.citations] for rule in rules(pack.regime)],
        "documents": columns,
        "steps": [[asdict(step), step.arithmetic.value] for name, step in STEPS.items() if name in steps],
        "settings": [_setting(setting) for setting in settings],
    }
    sources = {f"source of {module}": _hash(code) for module, code in code_of_pack(pack.regime).items()}
    return {name: _hash(_canonical(value)) for name, value in data.items()} | sources


@cache
def code_of_pack(regime: str) -> Mapping[str, str]:
    """The code that decides in a regime, by module: `compliance/permit`, `safeguards/hosting`."""
    modules = [("compliance", name) for name in deciding(regime)] + [("safeguards", name) for name in SAFEGUARDS]
    return {f"{package}/{name}": code_of(_source(package, name)) for package, name in modules}


@cache
def deciding(regime: str) -> tuple[str, ...]:
    """The modules of compliance whose functions decide in a regime: all that an assessment needs, directly or not."""
    found = {"assessment"}
    waiting = ["assessment"]
    while waiting:
        for name in _imported(_source("compliance", waiting.pop())):
            if name not in found and name not in BESIDE:
                found.add(name)
                waiting.append(name)
    return tuple(sorted(name for name in found if OF_ONE_REGIME.get(name, regime) == regime))


def _imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "compliance":
            path = str(node.module).split(".")[1:]
            for name in ("/".join(path), *("/".join((*path, alias.name)) for alias in node.names)):
                if name and (files("compliance") / f"{name}.py").is_file():
                    yield name


def digest(of: Mapping[str, str]) -> str:
    """One fingerprint of all parts."""
    return _hash(_canonical(sorted(of.items())))


def _setting(setting: Setting) -> list[object]:
    return [setting.name, setting.confidence, [[version.since, version.value] for version in setting.versions]]


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _source(package: str, module: str) -> str:
    return (files(package) / f"{module}.py").read_text(encoding="utf-8")


def code_of(source: str) -> str:
    """A module's code without comments, docstrings, blank lines and trailing space: what explains does not decide.

    Worked on the text itself, since trees are printed differently by each version of Python.
    """
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    explained = {row for first, last in _docstrings(ast.parse(source)) for row in range(first, last + 1)}
    return "\n".join(line.rstrip() for row, line in enumerate(lines, 1) if row not in explained and line.strip())


def _docstrings(tree: ast.Module) -> Iterable[tuple[int, int]]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                yield statement.lineno, statement.end_lineno or statement.lineno
