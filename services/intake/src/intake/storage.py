"""What intake keeps: every statement it sends to its database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from asyncpg.pgproto.pgproto import UUID
from pydantic import Field, TypeAdapter

from chassis.database import Connection
from contracts.identity import permit_id, workspace_id
from intake.files import Step
from intake.public import Progress
from intake.references import Known

_STEP: Final[TypeAdapter[Step]] = TypeAdapter(Annotated[Step, Field(discriminator="kind")])


@dataclass(frozen=True, slots=True)
class WaitingEvent:
    """An event about a request that is not there yet; `event` is a structured CloudEvent."""

    request_id: str
    portal: str
    event_id: str
    event: bytes
    heard_at: datetime


async def lock_requests(connection: Connection, request_ids: Iterable[str]) -> dict[str, list[Step]]:
    """What was noted about each request, in order; the requests stay locked until the transaction ends.

    Locks are taken in the order of the ids, so that two batches cannot wait for each other.
    """
    ids = _uuids(request_ids)
    await connection.execute(
        """
        INSERT INTO requests (request_id, permit_id, workspace_id)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) ON CONFLICT (request_id) DO NOTHING
        """,
        ids,
        [UUID(permit_id(str(each))) for each in ids],
        [UUID(workspace_id(str(each))) for each in ids],
    )
    await connection.execute(
        "SELECT 1 FROM requests WHERE request_id = ANY($1::uuid[]) ORDER BY request_id FOR UPDATE", ids
    )
    return await read_steps(connection, request_ids)


async def read_steps(connection: Connection, request_ids: Iterable[str]) -> dict[str, list[Step]]:
    """What was noted about each request, in order, without a lock; an empty list where nothing was."""
    found: dict[str, list[Step]] = {request_id: [] for request_id in request_ids}
    rows = await connection.fetch(
        "SELECT request_id, body FROM steps WHERE request_id = ANY($1::uuid[]) ORDER BY request_id, position",
        _uuids(found),
    )
    for row in rows:
        found[str(row["request_id"])].append(_STEP.validate_json(row["body"]))
    return found


async def append_steps(connection: Connection, steps: Sequence[tuple[str, int, Step]]) -> None:
    """Note steps, each with its request and its position, counted from 1."""
    if steps:
        await connection.execute(
            "INSERT INTO steps (request_id, position, body) SELECT * FROM unnest($1::uuid[], $2::int[], $3::json[])",
            [UUID(request_id) for request_id, _, _ in steps],
            [position for _, position, _ in steps],
            [_STEP.dump_json(step, by_alias=True).decode() for _, _, step in steps],
        )


async def requests_of(connection: Connection, subjects: Iterable[str]) -> dict[str, str]:
    """The request of each permit or workspace among the subjects; others are left out."""
    rows = await connection.fetch(
        """
        SELECT permit_id AS subject, request_id FROM requests WHERE permit_id = ANY($1::uuid[])
        UNION ALL
        SELECT workspace_id, request_id FROM requests WHERE workspace_id = ANY($1::uuid[])
        """,
        _uuids(subjects),
    )
    return {str(row["subject"]): str(row["request_id"]) for row in rows}


async def read_waiting(connection: Connection, request_ids: Iterable[str]) -> list[WaitingEvent]:
    """The events that wait for one of these requests, in the order they came."""
    rows = await connection.fetch(
        """
        SELECT request_id, portal, event_id, event, heard_at FROM waiting
        WHERE request_id = ANY($1::uuid[]) ORDER BY id
        """,
        _uuids(request_ids),
    )
    return [
        WaitingEvent(str(row["request_id"]), row["portal"], str(row["event_id"]), bytes(row["event"]), row["heard_at"])
        for row in rows
    ]


async def add_waiting(connection: Connection, events: Sequence[WaitingEvent]) -> None:
    """Let events wait, in this order; one that waits already is not added again."""
    for event in events:
        await connection.execute(
            """
            INSERT INTO waiting (request_id, portal, event_id, event, heard_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (request_id, portal, event_id) DO NOTHING
            """,
            UUID(event.request_id),
            event.portal,
            UUID(event.event_id),
            event.event,
            event.heard_at,
        )


async def count_waiting(connection: Connection, request_id: str) -> int:
    """How many events wait for a request."""
    return int(await connection.fetchval("SELECT count(*) FROM waiting WHERE request_id = $1", UUID(request_id)))


async def end_waiting(connection: Connection, served: Sequence[tuple[str, str, str]]) -> None:
    """Events that waited, given as (request, portal, event id), wait no more."""
    if served:
        await connection.execute(
            """
            DELETE FROM waiting USING unnest($1::uuid[], $2::text[], $3::uuid[]) AS served(request_id, portal, event_id)
            WHERE (waiting.request_id, waiting.portal, waiting.event_id)
                = (served.request_id, served.portal, served.event_id)
            """,
            [UUID(request_id) for request_id, _, _ in served],
            [portal for _, portal, _ in served],
            [UUID(event_id) for _, _, event_id in served],
        )


async def read_known(connection: Connection, dataset_ids: Iterable[str], environment_ids: Iterable[str]) -> Known:
    """What is known of these datasets and environments."""
    datasets, environments = list(dataset_ids), list(environment_ids)
    versions: defaultdict[str, set[str]] = defaultdict(set)
    if datasets:
        rows = await connection.fetch(
            "SELECT dataset_id, version FROM dataset_versions WHERE dataset_id = ANY($1::text[])", datasets
        )
        for row in rows:
            versions[row["dataset_id"]].add(row["version"])
    registered: frozenset[str] = frozenset()
    if environments:
        rows = await connection.fetch(
            "SELECT environment_id FROM environments WHERE environment_id = ANY($1::text[])", environments
        )
        registered = frozenset(row["environment_id"] for row in rows)
    return Known({dataset: frozenset(found) for dataset, found in versions.items()}, registered)


async def describe_dataset(connection: Connection, dataset_id: str, version: str) -> None:
    """Remember a version of a dataset that a holder described."""
    await connection.execute(
        "INSERT INTO dataset_versions (dataset_id, version) VALUES ($1, $2) ON CONFLICT DO NOTHING", dataset_id, version
    )


async def withdraw_dataset(connection: Connection, dataset_id: str) -> None:
    """Forget a dataset that is no longer offered; a later description brings it back."""
    await connection.execute("DELETE FROM dataset_versions WHERE dataset_id = $1", dataset_id)


async def register_environment(connection: Connection, environment_id: str) -> None:
    """Remember an environment that presented itself."""
    await connection.execute(
        "INSERT INTO environments (environment_id) VALUES ($1) ON CONFLICT DO NOTHING", environment_id
    )


async def lock_progress(connection: Connection, request_ids: Iterable[str]) -> dict[str, Progress]:
    """How far these requests have come, locked in the order of their ids and made where missing."""
    ids = _uuids(request_ids)
    await connection.execute(
        "INSERT INTO progress (request_id, body) SELECT id, $2 FROM unnest($1::uuid[]) AS t(id) ON CONFLICT DO NOTHING",
        ids,
        Progress().model_dump_json(),
    )
    rows = await connection.fetch(
        "SELECT request_id, body FROM progress WHERE request_id = ANY($1::uuid[]) ORDER BY request_id FOR UPDATE", ids
    )
    return {str(row["request_id"]): Progress.model_validate_json(row["body"]) for row in rows}


async def read_progress(connection: Connection, request_id: str) -> Progress:
    """How far a request has come, without a lock."""
    body = await connection.fetchval("SELECT body FROM progress WHERE request_id = $1", UUID(request_id))
    return Progress() if body is None else Progress.model_validate_json(body)


async def write_progress(connection: Connection, progress: Mapping[str, Progress]) -> None:
    """Remember how far requests have come."""
    await connection.execute(
        """
        UPDATE progress SET body = new.body FROM unnest($1::uuid[], $2::json[]) AS new(request_id, body)
        WHERE progress.request_id = new.request_id
        """,
        [UUID(each) for each in progress],
        [each.model_dump_json() for each in progress.values()],
    )


def _uuids(texts: Iterable[str]) -> list[UUID]:
    return sorted({UUID(text) for text in texts}, key=lambda each: each.bytes)
