"""Reading what a person names on the command line: files of JSON or NDJSON, or `-` for standard input."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from guichet.stack.errors import StackError

JsonObject = dict[str, object]


def _text(name: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return raw.decode("utf-8")
    except OSError as error:
        raise StackError(f"{name} cannot be read ({error.strerror})", "name a file, or - for standard input") from None
    except UnicodeDecodeError:
        raise StackError(f"{name} is not UTF-8", "save it as UTF-8") from None


def _objects(name: str, text: str) -> list[JsonObject]:
    try:
        whole: object = json.loads(text)
    except ValueError:
        whole = _lines(name, text)
    found: list[JsonObject] = []
    for number, item in enumerate(whole if isinstance(whole, list) else [whole], 1):
        if not isinstance(item, dict):
            raise StackError(f"{name}: item {number} is not a JSON object", "see the example of --help")
        found.append(item)
    return found


def _lines(name: str, text: str) -> list[object]:
    found: list[object] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found.append(json.loads(line))
            except ValueError:
                raise StackError(
                    f"{name}: line {number} is not JSON", "give one JSON document, or one a line"
                ) from None
    return found


def objects(names: Iterable[str]) -> list[tuple[str, JsonObject]]:
    """Every JSON object in the named files, each with `file:number`; raises StackError when one holds anything else."""
    found = [(f"{name}:{n}", item) for name in names for n, item in enumerate(_objects(name, _text(name)), 1)]
    if not found:
        raise StackError("there is nothing to send", "give at least one JSON object")
    return found
