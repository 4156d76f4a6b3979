"""Released rule packs: what each was made of on the day of its release, recorded beside this module, never edited."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path

from compliance.packs import PACKS, RulePack
from compliance.released import newest
from compliance.rulebook.digest import code_of_pack, digest, parts
from compliance.rulebook.kept import archive_of, fingerprints, path_of

FILE = "packs.json"
CHOICE = "source of compliance/packs"
"""Which pack decides when is not a part of any: each records its own days as its scope."""


@dataclass(frozen=True, slots=True)
class Record:
    """What was recorded of a pack; `released` is None while it may still change."""

    released: date | None
    digest: str
    parts: Mapping[str, str]


def recorded(text: str | None = None) -> dict[str, Record]:
    """The records by pack; from the text of a file of records where one is given."""
    raw = json.loads(text if text is not None else (files("compliance.rulebook") / FILE).read_text(encoding="utf-8"))
    return {
        name: Record(date.fromisoformat(each["released"]) if each["released"] else None, each["digest"], each["parts"])
        for name, each in raw.items()
    }


def changed(pack: RulePack, records: Mapping[str, Record]) -> tuple[str, ...]:
    """The parts in which a pack differs from its record, one that was never recorded in all of them."""
    now = parts(pack)
    then = records[pack.name].parts if pack.name in records else {}
    return tuple(name for name in sorted({*now, *then} - {CHOICE}) if now.get(name) != then.get(name))


def lost(pack: RulePack, records: Mapping[str, Record]) -> tuple[str, ...]:
    """The sources of a released pack that are not kept as they were recorded."""
    sources = {name: was for name, was in records[pack.name].parts.items() if name.startswith("source of ")}
    kept = fingerprints(pack.name)
    if not kept:
        return ("code",)
    return tuple(name for name in sorted({*sources, *kept} - {CHOICE}) if kept.get(name) != sources.get(name))


def broken(records: Mapping[str, Record]) -> dict[str, tuple[str, ...]]:
    """Released packs that are no longer what was released, with the parts that differ: of the newest of a regime, what
    this program does; of every one, what was kept of it."""
    found: dict[str, tuple[str, ...]] = {}
    for pack in PACKS:
        if _is_released(pack, records):
            differing = changed(pack, records) if pack == newest(pack.regime) else ()
            if differing := differing or tuple(f"kept {name}" for name in lost(pack, records)):
                found[pack.name] = differing
    return found


def freeze(records: Mapping[str, Record], release: date | None, packs: Iterable[RulePack] = PACKS) -> dict[str, Record]:
    """The records with every pack that is not released as it is now; released from that day on where one is given.

    A released pack keeps its record: what it decided can be decided again to the same bytes.
    """
    frozen = dict(records)
    for pack in packs:
        if not _is_released(pack, records):
            made_of = parts(pack)
            frozen[pack.name] = Record(release, digest(made_of), made_of)
    return frozen


def keep(records: Mapping[str, Record]) -> list[Path]:
    """Keep the code of each released pack that this program still is and that is not kept yet; where."""
    made = []
    for pack in PACKS:
        if _is_released(pack, records) and not changed(pack, records) and not path_of(pack.name).exists():
            path_of(pack.name).parent.mkdir(exist_ok=True)
            path_of(pack.name).write_bytes(archive_of(code_of_pack(pack.regime)))
            made.append(path_of(pack.name))
    return made


def _is_released(pack: RulePack, records: Mapping[str, Record]) -> bool:
    return pack.name in records and records[pack.name].released is not None


def as_text(records: Mapping[str, Record]) -> str:
    """The file of records."""
    shown = {
        name: {
            "released": record.released and record.released.isoformat(),
            "digest": record.digest,
            "parts": dict(record.parts),
        }
        for name, record in records.items()
    }
    return json.dumps(shown, indent=1, ensure_ascii=False) + "\n"


def path() -> Path:
    """Where the records are in a checkout."""
    return Path(__file__).with_name(FILE)
