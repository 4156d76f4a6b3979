"""The golden samples: for each type one event with every member, one with the required members only.

Never edited. When a type gains an optional member, `full-2.json` stands beside `full.json`, and both are read for ever.
"""

import json
from pathlib import Path

from contracts.registry import FACTS, PREFIX, short
from contracts.structured import decode_structured

FOLDER = Path(__file__).parent / "samples"
KINDS = ("full", "required")


def full_type(name: str) -> str:
    """The full type of a name given with or without its prefix; raises KeyError when there is no such type."""
    found = name if name.startswith(PREFIX) else PREFIX + name
    if found not in FACTS:
        raise KeyError(found)
    return found


def paths(name: str, kind: str) -> list[Path]:
    """The samples of a type and kind, oldest first."""
    return sorted((FOLDER / short(full_type(name))).glob(f"{kind}*.json"), key=lambda path: (len(path.stem), path.stem))


def sample(name: str, kind: str = "full") -> bytes:
    """The newest sample as structured CloudEvents JSON; raises KeyError for an unknown type or one without sample."""
    found = paths(name, kind)
    if not found:
        raise KeyError(f"{name}/{kind}")
    return found[-1].read_bytes()


def missing() -> list[str]:
    """What should be shown and is not: samples that are not there, members that no full sample has."""
    found = []
    for name, fact in FACTS.items():
        absent = [kind for kind in KINDS if not paths(name, kind)]
        found += [f"{short(name)}/{kind} is missing" for kind in absent]
        if "full" not in absent:
            shown = json.loads(decode_structured(sample(name))[1])
            members = {field.alias or member for member, field in fact.model_fields.items()}
            found += [f"{short(name)}/full lacks {member}" for member in sorted(members - set(shown))]
    return found


def surplus() -> list[str]:
    """Samples of types nobody publishes."""
    known = {short(name) for name in FACTS}
    return sorted(f"{folder.name} is no type" for folder in FOLDER.iterdir() if folder.name not in known)
