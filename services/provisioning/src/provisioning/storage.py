"""Everything provisioning asks of its own database: workspaces and their events, due steps, keys, the registry.

Locks are taken in one order: reference data (the registry), workspaces by id, their steps, then what the chassis writes
last (timers, sequences). Whoever has locked a step never waits for a workspace. A workspace is locked FOR NO KEY
UPDATE: one transaction at a time has it, while the foreign keys of rows about it do not wait. They would with FOR
UPDATE, and PostgreSQL checks them again at the second UPDATE of a row in one transaction, the keys changed or not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from asyncpg import Connection
from asyncpg.pgproto.pgproto import UUID
from pydantic import TypeAdapter

from contracts.envelope import Envelope, read_time, write_time
from provisioning.domain import Frozen, PersonNeeded, Ready, State, Unheard, evolve
from provisioning.events import Event, Step

FIRST = (Step.FREEZE, Step.CLOSE, Step.OPEN, Step.SWITCH)
"""Steps taken before all others. Persons wait for the last two: of many moves, those nearly done are finished first."""

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)


class Certificate(Protocol):
    """What is kept of a certificate: its canonical JSON, the digest of that, and the signed note, if it is signed."""

    text: str
    sha256: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace as read: the fold of its events, and the event that last changed what is wished."""

    workspace_id: str
    request_id: str
    environment_id: str | None
    state: State
    length: int
    cause: Envelope | None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A leased step: whoever holds the newest fence may act for the workspace."""

    workspace_id: str
    step: Step
    fence: int
    attempts: int


def name_of(state: State) -> str:
    """The word for a state, as lists and reports use it."""
    match state:
        case Unheard():
            return "unheard"
        case PersonNeeded():
            return "person-needed"
        case Frozen(project) | Ready(project) if project.move is not None:
            return "migrating"
        case _:
            return type(state).__name__.lower()


async def lock_workspaces(connection: Connection, requests: Mapping[str, str]) -> dict[str, Workspace]:
    """Workspaces by id for {workspace id: request id}, made where missing, locked in one order for all batches."""
    ids = sorted({UUID(i) for i in requests}, key=lambda i: i.bytes)
    await connection.execute(
        "INSERT INTO workspaces (workspace_id, request_id, state, changed_at) "
        "SELECT w, r, 'unheard', now() FROM unnest($1::uuid[], $2::uuid[]) AS t (w, r) ORDER BY w "
        "ON CONFLICT DO NOTHING",
        ids,
        [UUID(requests[str(i)]) for i in ids],
    )
    await connection.execute(
        "SELECT FROM workspaces WHERE workspace_id = ANY($1::uuid[]) ORDER BY workspace_id FOR NO KEY UPDATE",
        ids,
    )
    return await read_workspaces(connection, [str(i) for i in ids])


async def lock_workspace(connection: Connection, workspace_id: str) -> Workspace | None:
    """One workspace, locked; None when there is none."""
    await connection.execute("SELECT FROM workspaces WHERE workspace_id = $1 FOR NO KEY UPDATE", UUID(workspace_id))
    return (await read_workspaces(connection, [workspace_id])).get(workspace_id)


async def read_workspaces(connection: Connection, workspace_ids: Iterable[str]) -> dict[str, Workspace]:
    """Workspaces by id as they stand."""
    ids = [UUID(i) for i in workspace_ids]
    rows = await connection.fetch(
        "SELECT workspace_id, request_id, environment_id, cause FROM workspaces WHERE workspace_id = ANY($1::uuid[])",
        ids,
    )
    found = {
        str(row["workspace_id"]): Workspace(
            str(row["workspace_id"]),
            str(row["request_id"]),
            row["environment_id"],
            Unheard(),
            0,
            _cause(row["cause"]),
        )
        for row in rows
    }
    for row in await connection.fetch(
        "SELECT workspace_id, event FROM events WHERE workspace_id = ANY($1::uuid[]) ORDER BY workspace_id, position",
        ids,
    ):
        workspace = found[str(row["workspace_id"])]
        state = evolve(workspace.state, _EVENT.validate_json(row["event"]))
        found[workspace.workspace_id] = replace(workspace, state=state, length=workspace.length + 1)
    return found


async def append_events(
    connection: Connection,
    workspace: Workspace,
    events: Sequence[Event],
    *,
    state: State,
    environment_id: str | None,
    now: datetime,
    cause: Envelope | None,
) -> None:
    """Keep what happened to a locked workspace, and the state it led to."""
    await connection.executemany(
        "INSERT INTO events (workspace_id, position, happened_at, event) VALUES ($1, $2, $3, $4)",
        [
            (UUID(workspace.workspace_id), workspace.length + place, now, _EVENT.dump_json(event).decode())
            for place, event in enumerate(events, 1)
        ],
    )
    await connection.execute(
        "UPDATE workspaces SET state = $2, environment_id = $3, changed_at = $4, cause = coalesce($5, cause) "
        "WHERE workspace_id = $1",
        UUID(workspace.workspace_id),
        name_of(state),
        environment_id,
        now,
        _cause_text(cause),
    )


def _cause_text(cause: Envelope | None) -> str | None:
    if cause is None:
        return None
    kept = {"id": cause.id, "type": cause.type, "source": cause.source, "subject": cause.subject}
    more = {"correlation_id": cause.correlation_id, "trace_parent": cause.trace_parent}
    return json.dumps(kept | more | {"time": write_time(cause.time)})


def _cause(text: str | None) -> Envelope | None:
    if text is None:
        return None
    kept: dict[str, Any] = json.loads(text)
    return Envelope(**(kept | {"time": read_time(kept["time"])}))


async def history(connection: Connection, workspace_id: str) -> list[tuple[datetime, Event]]:
    """What happened to a workspace, in order."""
    rows = await connection.fetch(
        "SELECT happened_at, event FROM events WHERE workspace_id = $1 ORDER BY position", UUID(workspace_id)
    )
    return [(row["happened_at"], _EVENT.validate_json(row["event"])) for row in rows]


async def workspaces_with_permit(connection: Connection, state: str | None = None) -> list[str]:
    """The ids of all workspaces whose permit is known, or those in one state."""
    rows = await connection.fetch(
        "SELECT workspace_id FROM workspaces WHERE state <> 'unheard' AND ($1::text IS NULL OR state = $1) "
        "ORDER BY changed_at, workspace_id",
        state,
    )
    return [str(row["workspace_id"]) for row in rows]


async def stuck_since(connection: Connection, workspace_ids: Iterable[str]) -> dict[str, datetime]:
    """Since when these workspaces have needed a person, as far as they ever did."""
    rows = await connection.fetch(
        "SELECT workspace_id, max(happened_at) AS since FROM events "
        "WHERE workspace_id = ANY($1::uuid[]) AND event ->> 'kind' = 'stuck' GROUP BY workspace_id",
        [UUID(i) for i in workspace_ids],
    )
    return {str(row["workspace_id"]): row["since"] for row in rows}


async def deletions_due(connection: Connection, workspace_ids: Iterable[str]) -> dict[str, datetime]:
    """When closed workspaces are to be destroyed, as far as that is still to come."""
    rows = await connection.fetch(
        "SELECT subject, due_at FROM chassis.timers WHERE kind = 'deletion' AND subject = ANY($1)", list(workspace_ids)
    )
    return {row["subject"]: row["due_at"] for row in rows}


async def workspaces_that_moved(connection: Connection) -> list[str]:
    """The ids of the workspaces for which a move was ever planned."""
    rows = await connection.fetch("SELECT DISTINCT workspace_id FROM places")
    return [str(row["workspace_id"]) for row in rows]


async def workspaces_by_environment(connection: Connection) -> dict[str, int]:
    """How many workspaces that are not over each environment has."""
    rows = await connection.fetch(
        "SELECT environment_id, count(*) AS there FROM workspaces WHERE environment_id IS NOT NULL "
        "AND state NOT IN ('unheard', 'destroyed') GROUP BY environment_id"
    )
    return {row["environment_id"]: row["there"] for row in rows}


async def find_workspace(connection: Connection, text: str) -> str | None:
    """The workspace with this id, this request id, or the only one whose id or request id begins so."""
    rows = await connection.fetch(
        "SELECT workspace_id FROM workspaces WHERE state <> 'unheard' "
        "AND (starts_with(workspace_id::text, $1) OR starts_with(request_id::text, $1)) LIMIT 2",
        text.lower(),
    )
    return str(rows[0]["workspace_id"]) if len(rows) == 1 else None


async def waiting_for_a_place(connection: Connection) -> dict[str, str]:
    """{workspace id: request id} of the workspaces that need a person because no environment was found to move to."""
    rows = await connection.fetch(
        "SELECT workspace_id, request_id FROM workspaces WHERE state = 'person-needed' AND "
        "(SELECT event ->> 'step' FROM events WHERE events.workspace_id = workspaces.workspace_id "
        "AND event ->> 'kind' = 'stuck' ORDER BY position DESC LIMIT 1) = $1",
        Step.PLAN,
    )
    return {str(row["workspace_id"]): str(row["request_id"]) for row in rows}


async def live_workspaces(connection: Connection) -> dict[str, str]:
    """{workspace id: request id} of the workspaces that are not over."""
    rows = await connection.fetch(
        "SELECT workspace_id, request_id FROM workspaces WHERE state NOT IN ('unheard', 'closed', 'destroyed')"
    )
    return {str(row["workspace_id"]): str(row["request_id"]) for row in rows}


async def keep_place(connection: Connection, place: str, workspace_id: str, environment_id: str) -> None:
    """Remember under which id an environment knows a workspace that moves there."""
    await connection.execute(
        "INSERT INTO places VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", UUID(place), UUID(workspace_id), environment_id
    )


async def workspace_at(connection: Connection, place: str) -> str | None:
    """The workspace that an environment knows under this id; one that never moved has its own."""
    found = await connection.fetchval(
        "SELECT workspace_id FROM places WHERE place = $1 UNION ALL "
        "SELECT workspace_id FROM workspaces WHERE workspace_id = $1",
        UUID(place),
    )
    return None if found is None else str(found)


async def workspaces_on(connection: Connection, environment_id: str) -> dict[str, str]:
    """{workspace id: request id} of the workspaces of an environment that are not over."""
    rows = await connection.fetch(
        "SELECT workspace_id, request_id FROM workspaces WHERE environment_id = $1 "
        "AND state NOT IN ('unheard', 'closed', 'destroyed')",
        environment_id,
    )
    return {str(row["workspace_id"]): str(row["request_id"]) for row in rows}


async def at_rest(connection: Connection, destroyed_since: datetime) -> list[str]:
    """The ids of workspaces for which no step is due, those destroyed before some instant apart."""
    rows = await connection.fetch(
        "SELECT workspace_id FROM workspaces AS w WHERE state NOT IN ('unheard', 'requested', 'provisioning') "
        "AND (state <> 'destroyed' OR changed_at >= $1) "
        "AND NOT EXISTS (SELECT FROM steps AS s WHERE s.workspace_id = w.workspace_id) ORDER BY workspace_id",
        destroyed_since,
    )
    return [str(row["workspace_id"]) for row in rows]


# Steps


async def schedule(connection: Connection, workspace_id: str, step: Step | None) -> None:
    """Make `step` the one that is due, at once; a step that is due already keeps its attempts and its lease."""
    if step is None:
        await connection.execute("DELETE FROM steps WHERE workspace_id = $1", UUID(workspace_id))
        return
    # Another step waits for the lease to end: whoever holds it finds out and lets go.
    await connection.execute(
        "INSERT INTO steps (workspace_id, step) VALUES ($1, $2) ON CONFLICT (workspace_id) DO UPDATE "
        "SET step = excluded.step, since = excluded.since, attempts = 0, not_before = excluded.not_before, "
        "code = NULL, begun = false WHERE steps.step <> excluded.step",
        UUID(workspace_id),
        step.value,
    )


async def lease(connection: Connection, seconds: float) -> Ticket | None:
    """Take one due step for so many seconds; None when nothing is due. Another process takes another.

    First what takes access away, then what ends the wait of persons who were in, then whatever is due the longest.
    """
    row = await connection.fetchrow(
        "SELECT workspace_id, step FROM steps WHERE not_before <= clock_timestamp() "
        "AND (leased_until IS NULL OR leased_until < clock_timestamp()) "
        "ORDER BY array_position($1::text[], step), not_before FOR UPDATE SKIP LOCKED LIMIT 1",
        list(FIRST),
    )
    if row is None:
        return None
    taken = await connection.fetchrow(
        "UPDATE steps SET attempts = attempts + 1, leased_until = clock_timestamp() + $2, fence = nextval('fences') "
        "WHERE workspace_id = $1 RETURNING fence, attempts",
        row["workspace_id"],
        timedelta(seconds=seconds),
    )
    return Ticket(str(row["workspace_id"]), Step(row["step"]), taken["fence"], taken["attempts"])


async def renew(connection: Connection, ticket: Ticket, seconds: float) -> Step | None:
    """Hold a lease for longer, or end it where another step has become due.

    Gives the step that is due now; None when the lease is lost.
    """
    step = await connection.fetchval(
        "UPDATE steps SET leased_until = CASE WHEN step = $4 THEN clock_timestamp() + $3 END "
        "WHERE workspace_id = $1 AND fence = $2 RETURNING step",
        UUID(ticket.workspace_id),
        ticket.fence,
        timedelta(seconds=seconds),
        ticket.step.value,
    )
    return None if step is None else Step(step)


async def begin(connection: Connection, ticket: Ticket) -> bool:
    """Note that an environment is about to do a step; False when the lease is lost. Lock the workspace first."""
    status = await connection.execute(
        "UPDATE steps SET begun = true WHERE workspace_id = $1 AND fence = $2", UUID(ticket.workspace_id), ticket.fence
    )
    return bool(status == "UPDATE 1")


async def begun(connection: Connection, workspace_id: str) -> Step | None:
    """The due step, if an environment may have done something of it. Lock the workspace first."""
    step = await connection.fetchval("SELECT step FROM steps WHERE workspace_id = $1 AND begun", UUID(workspace_id))
    return None if step is None else Step(step)


async def holds(connection: Connection, ticket: Ticket) -> bool:
    """Whether a lease is still the newest. Lock the workspace first."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM steps WHERE workspace_id = $1 AND fence = $2)",
            UUID(ticket.workspace_id),
            ticket.fence,
        )
    )


async def finish(connection: Connection, ticket: Ticket) -> bool:
    """End a lease and its step; False when someone has a newer lease, whose word counts. Lock the workspace first."""
    status = await connection.execute(
        "DELETE FROM steps WHERE workspace_id = $1 AND fence = $2", UUID(ticket.workspace_id), ticket.fence
    )
    return bool(status == "DELETE 1")


async def put_off(connection: Connection, ticket: Ticket, seconds: float, code: str | None) -> None:
    """End a lease after a failure: the step is due again in so many seconds, unless another has become due."""
    await connection.execute(
        "UPDATE steps SET leased_until = NULL, "
        "not_before = CASE WHEN step = $3 THEN clock_timestamp() + $4 ELSE not_before END, "
        "code = CASE WHEN step = $3 THEN $5 ELSE code END WHERE workspace_id = $1 AND fence = $2",
        UUID(ticket.workspace_id),
        ticket.fence,
        ticket.step.value,
        timedelta(seconds=seconds),
        code,
    )


async def steps_left(connection: Connection) -> int:
    """How many workspaces have a step to be done."""
    return int(await connection.fetchval("SELECT count(*) FROM steps"))


async def step_row(connection: Connection, workspace_id: str) -> dict[str, Any] | None:
    """The due step of a workspace with its attempts, for people."""
    row = await connection.fetchrow(
        "SELECT step, attempts, code, since, leased_until > clock_timestamp() AS running "
        "FROM steps WHERE workspace_id = $1",
        UUID(workspace_id),
    )
    return None if row is None else dict(row)


# Keys and certificates


async def pseudonym_key(connection: Connection, workspace_id: str, fresh: bytes) -> bytes:
    """The key of a project: the one it has, else `fresh`, kept from now on."""
    await connection.execute(
        "INSERT INTO pseudonym_keys VALUES ($1, $2) ON CONFLICT DO NOTHING", UUID(workspace_id), fresh
    )
    return bytes(
        await connection.fetchval("SELECT key FROM pseudonym_keys WHERE workspace_id = $1", UUID(workspace_id))
    )


async def has_key(connection: Connection, workspace_id: str) -> bool:
    """Whether a project has its key."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pseudonym_keys WHERE workspace_id = $1)", UUID(workspace_id)
        )
    )


async def destroy_key(connection: Connection, workspace_id: str) -> None:
    """The key is gone: nobody can make this project's pseudonyms again."""
    await connection.execute("DELETE FROM pseudonym_keys WHERE workspace_id = $1", UUID(workspace_id))


async def keep_certificate(
    connection: Connection, workspace_id: str, certificate: Certificate, place: int | None = None
) -> None:
    """Keep the certificate of a workspace, or of the `place` that it left; the first one stays."""
    await connection.execute(
        "INSERT INTO certificates (workspace_id, certificate, sha256, note, place) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT DO NOTHING",
        UUID(workspace_id),
        certificate.text,
        certificate.sha256,
        certificate.note,
        -1 if place is None else place,
    )


async def certificate(connection: Connection, workspace_id: str) -> str | None:
    """The certificate of a destroyed workspace."""
    found: str | None = await connection.fetchval(
        "SELECT certificate FROM certificates WHERE workspace_id = $1 AND place = -1", UUID(workspace_id)
    )
    return found


async def certificates(connection: Connection, workspace_id: str) -> list[tuple[str, str | None]]:
    """Every certificate of a workspace byte for byte with its signed note, those of the places that it left first."""
    rows = await connection.fetch(
        "SELECT certificate, note FROM certificates WHERE workspace_id = $1 ORDER BY place < 0, place",
        UUID(workspace_id),
    )
    return [(row["certificate"], row["note"]) for row in rows]


async def certificates_of_moves(connection: Connection, workspace_id: str) -> list[str]:
    """The certificates of the places that a workspace left, in order."""
    rows = await connection.fetch(
        "SELECT certificate FROM certificates WHERE workspace_id = $1 AND place >= 0 ORDER BY place", UUID(workspace_id)
    )
    return [row["certificate"] for row in rows]


async def note_password(connection: Connection, workspace_id: str, ref: str, now: datetime) -> None:
    """Remember that a person got a password, never which."""
    await connection.execute("INSERT INTO passwords_set VALUES ($1, $2, $3)", UUID(workspace_id), ref, now)
