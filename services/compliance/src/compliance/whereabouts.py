"""Where the data of a request stand, as provisioning says it, and whose word it is that they are gone.

A dossier names an environment; the workspace may be asked of another, and it may move. A rule pack knows one place, the
environment that the dossier names, so what is said of places is read as that: from then on the dossier names the new.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Final

from compliance.case import Item

PLACED: Final[dict[str, str]] = {
    "workspace.requested.v1": "environment_id",
    "rehosting.cut-over.v1": "target_environment_id",
}
"""What provisioning says of a place, and the member that names it."""

COMPLETED: Final = "request.completed.v1"
CERTIFIED: Final = "deletion.certified.v1"
_HOST: Final = "host"
_SOURCE: Final = "/hosts/"


def with_host(item_type: str, data: Mapping[str, object], source: str) -> Mapping[str, object]:
    """The data of an item, and of which host it is the word where that decides whether it counts."""
    if item_type != CERTIFIED or not source.startswith(_SOURCE):
        return data
    return {**data, _HOST: source.removeprefix(_SOURCE)}


def place_of(item: Item) -> str | None:
    """The environment in which an item says that the workspace stands from now on; None when it says nothing of it."""
    return item.word(PLACED[item.type]) if item.type in PLACED else None


def last_place(items: Iterable[Item]) -> str | None:
    """The environment in which the workspace was put last; None before there was one."""
    return next((place for item in reversed(tuple(items)) if (place := place_of(item))), None)


def followed(named: str | None, items: Iterable[Item], known: Container[str] | None = None) -> Iterator[Item]:
    """A history, in order of instants, as a rule pack reads it; `named` is the environment of the dossier as filed.

    An environment that is not among the `known` ones does not count before its host has registered it. Once a
    workspace has a place, a completion that names another environment moves nothing. That the data are gone counts
    from the host where they stand: one that they have left speaks of what it had.
    """
    placed = False
    for item in sorted(items, key=attrgetter("at")):
        place = place_of(item)
        if place is not None:
            if known is None or place in known:
                placed = True
                if place != named:
                    named = place
                    yield Item(item.at, COMPLETED, {"set": {"environment_id": place}})
        elif item.type == COMPLETED and "environment_id" in _set(item):
            if placed:
                yield _naming_none(item)
            else:
                asked = _set(item)["environment_id"]
                named = asked if isinstance(asked, str) else None
                yield item
        elif item.type != CERTIFIED:
            yield item
        elif named is None or item.word(_HOST) in ("", named):
            yield Item(item.at, item.type, {name: value for name, value in item.data.items() if name != _HOST})


def _set(completion: Item) -> Mapping[str, object]:
    replaced = completion.data.get("set")
    return replaced if isinstance(replaced, Mapping) else {}


def _naming_none(completion: Item) -> Item:
    members = {name: value for name, value in _set(completion).items() if name != "environment_id"}
    return Item(completion.at, completion.type, {**completion.data, "set": members})
