"""What an environment should have of a workspace, and where what it has differs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from provisioning.environments import Actual, names
from provisioning.project import Drift
from provisioning.states import Closed, Destroyed, Frozen, Open, Ready, Settled

PLACE_MISSING = "PLACE_MISSING"
PLACE_LEFT = "PLACE_LEFT"
TABLE_MISSING = "TABLE_MISSING"
TABLE_UNKNOWN = "TABLE_UNKNOWN"
LOGIN_MISSING = "LOGIN_MISSING"
LOGIN_UNKNOWN = "LOGIN_UNKNOWN"
LOGIN_SHUT = "LOGIN_SHUT"
LOGIN_OPEN = "LOGIN_OPEN"
LOGIN_END_WRONG = "LOGIN_END_WRONG"
SESSIONS_LEFT = "SESSIONS_LEFT"
RIGHT_MISSING = "RIGHT_MISSING"
RIGHT_BEYOND = "RIGHT_BEYOND"
KEY_MISSING = "KEY_MISSING"
KEY_LEFT = "KEY_LEFT"


@dataclass(frozen=True, slots=True)
class Desired:
    """What should be there while nothing is being changed.

    place     the id under which the environment knows the workspace
    tables    {table: dataset}; logins by name; `until` None where a sandbox's clock has moved since they were made
    """

    place: str
    there: bool
    enters: bool
    tables: dict[str, str]
    logins: frozenset[str]
    until: datetime | None


def desired(state: Settled, place: str, until: datetime | None) -> Desired | None:
    """What a workspace in this state should have; None while there is nothing to compare with yet."""
    match state:
        case Ready(project) | Open(project) | Frozen(project) | Closed(project):
            return Desired(
                place,
                True,
                isinstance(state, Open),
                {table.table: table.dataset_id for table in project.tables},
                frozenset(names.login(place, ref) for ref in project.logins),
                None if isinstance(state, Closed) else until,
            )
        case Destroyed():
            return Desired(place, False, False, {}, frozenset(), None)
        case _:
            return None


def compare(wanted: Desired, actual: Actual, *, key_there: bool) -> tuple[Drift, ...]:
    """Every difference at once, in one order; empty when the environment has exactly what it should."""
    workspace = names.schema(wanted.place)
    found: list[Drift] = []
    if not wanted.there:
        if key_there:
            found.append(Drift(KEY_LEFT, workspace))
        if actual.there or actual.sessions:
            found.append(Drift(PLACE_LEFT, workspace))
        return tuple(found)
    if wanted.tables and not key_there:
        found.append(Drift(KEY_MISSING, workspace))
    if not actual.there:
        return (*found, Drift(PLACE_MISSING, workspace))
    found += [Drift(TABLE_MISSING, table) for table in sorted(wanted.tables.keys() - actual.tables.keys())]
    found += [Drift(TABLE_UNKNOWN, table) for table in sorted(actual.tables.keys() - wanted.tables.keys())]
    there = {login.name: login for login in actual.logins}
    found += [Drift(LOGIN_MISSING, name) for name in sorted(wanted.logins - there.keys())]
    for name, login in sorted(there.items()):
        if name not in wanted.logins:
            found.append(Drift(LOGIN_UNKNOWN, name))
            continue
        if login.enters != wanted.enters:
            found.append(Drift(LOGIN_OPEN if login.enters else LOGIN_SHUT, name))
        if login.until is None or (wanted.until is not None and login.until != wanted.until):
            found.append(Drift(LOGIN_END_WRONG, name))
    if actual.sessions and not wanted.enters:
        found.append(Drift(SESSIONS_LEFT, workspace))
    found += [Drift(RIGHT_MISSING, name) for name in actual.unread if name not in there or name in wanted.logins]
    found += [Drift(RIGHT_BEYOND, name) for name in actual.beyond]
    return tuple(found)
