"""The golden samples: for each type one event with every member, one with the required members only.

Never edited; added to.
"""

from pathlib import Path

from contracts.registry import FACTS, PREFIX, short

FOLDER = Path(__file__).parent / "samples"
KINDS = ("full", "required")


def full_type(name: str) -> str:
    """The full type of a name given with or without its prefix; raises KeyError when there is no such type."""
    found = name if name.startswith(PREFIX) else PREFIX + name
    if found not in FACTS:
        raise KeyError(found)
    return found


def path(name: str, kind: str = "full") -> Path:
    """Where the sample of a type stands."""
    return FOLDER / short(full_type(name)) / f"{kind}.json"


def sample(name: str, kind: str = "full") -> bytes:
    """A sample as structured CloudEvents JSON; raises KeyError for an unknown type, FileNotFoundError when it has
    none."""
    return path(name, kind).read_bytes()


def missing() -> list[str]:
    """The samples that should be there and are not, as `type/kind`."""
    return [f"{short(name)}/{kind}" for name in FACTS for kind in KINDS if not path(name, kind).is_file()]


def surplus() -> list[str]:
    """Samples of types nobody publishes."""
    known = {short(name) for name in FACTS}
    return sorted(folder.name for folder in FOLDER.iterdir() if folder.name not in known)
