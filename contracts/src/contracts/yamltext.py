"""A small YAML writer: block style, every text quoted as JSON does, so that each scalar is also a YAML 1.2 scalar."""

import json
import re

from pydantic import JsonValue

_PLAIN = re.compile(r"[A-Za-z$][A-Za-z0-9_$-]*").fullmatch
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


def to_yaml(node: JsonValue) -> str:
    """A document in YAML, members in their order."""
    return "\n".join(_lines(node, 0)) + "\n"


def _key(name: str) -> str:
    return name if _PLAIN(name) is not None and name.lower() not in _WORDS else json.dumps(name, ensure_ascii=False)


def _scalar(node: JsonValue) -> str | None:
    """The node on one line, or None when it needs lines of its own."""
    return None if isinstance(node, dict | list) and node else json.dumps(node, ensure_ascii=False)


def _lines(node: JsonValue, depth: int) -> list[str]:
    indent = "  " * depth
    lines: list[str] = []
    if isinstance(node, dict) and node:
        for name, value in node.items():
            scalar = _scalar(value)
            if scalar is not None:
                lines.append(f"{indent}{_key(name)}: {scalar}")
            else:
                lines += [f"{indent}{_key(name)}:", *_lines(value, depth + 1)]
    elif isinstance(node, list) and node:
        for value in node:
            scalar = _scalar(value)
            if scalar is not None:
                lines.append(f"{indent}- {scalar}")
            else:
                first, *rest = _lines(value, depth + 1)
                lines += [f"{indent}- {first.lstrip()}", *rest]
    else:
        lines.append(f"{indent}{json.dumps(node, ensure_ascii=False)}")
    return lines
