"""Everything compliance asks of its database: cases, what was said about them, and reference data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from asyncpg import Connection
from asyncpg.pgproto.pgproto import UUID


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as stored: `dossier` and `assessment` are JSON texts, absent before acceptance and first assessment."""

    request_id: str
    dossier: str | None
    environment_id: str | None
    assessment: str | None
    assessed_on: date | None


@dataclass(frozen=True, slots=True)
class Said:
    """One thing said about a request or an environment: when, its short type, its data as JSON text."""

    said_at: datetime
    type: str
    data: str


@dataclass(frozen=True, slots=True)
class DescriptionRow:
    """One description of a dataset (JSON text), from when it holds."""

    position: int
    dataset_id: str
    described_at: datetime
    description: str


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision and what it rests on: how many things had been said, and by position what holders and hosts said."""

    request_id: str
    as_of: date
    facts: tuple[str, ...]
    rule_pack: str
    input_hash: str
    output_hash: str
    said: int
    descriptions: tuple[int, ...]
    hosts: tuple[int, ...]


_CASE = "SELECT request_id, dossier, environment_id, assessment, assessed_on FROM cases"


async def lock_cases(connection: Connection, request_ids: Iterable[str]) -> dict[str, CaseRow]:
    """The cases of these requests, made where missing, locked in the order of their ids: no two batches deadlock."""
    ids = sorted({UUID(i) for i in request_ids}, key=lambda i: i.bytes)
    await connection.execute(
        "INSERT INTO cases (request_id) SELECT id FROM unnest($1::uuid[]) AS t(id) ORDER BY id ON CONFLICT DO NOTHING",
        ids,
    )
    rows = await connection.fetch(f"{_CASE} WHERE request_id = ANY($1::uuid[]) ORDER BY request_id FOR UPDATE", ids)
    return {str(row["request_id"]): _case(row) for row in rows}


async def lock_case(connection: Connection, request_id: str) -> CaseRow | None:
    """The case of a request, locked; None when nothing was ever said about it."""
    row = await connection.fetchrow(f"{_CASE} WHERE request_id = $1 FOR UPDATE", UUID(request_id))
    return _case(row) if row else None


async def read_case(connection: Connection, request_id: str) -> CaseRow | None:
    """The case of a request as it stands, not locked."""
    row = await connection.fetchrow(f"{_CASE} WHERE request_id = $1", UUID(request_id))
    return _case(row) if row else None


def _case(row: Mapping[str, object]) -> CaseRow:
    return CaseRow(
        request_id=str(row["request_id"]),
        dossier=row["dossier"],  # type: ignore[arg-type]  # asyncpg is untyped
        environment_id=row["environment_id"],  # type: ignore[arg-type]  # asyncpg is untyped
        assessment=row["assessment"],  # type: ignore[arg-type]  # asyncpg is untyped
        assessed_on=row["assessed_on"],  # type: ignore[arg-type]  # asyncpg is untyped
    )


async def add_items(connection: Connection, items: Sequence[tuple[str, str, Said]]) -> None:
    """Keep what was said: (request id, event id, what). An event that is there already is not added again."""
    await connection.execute(
        "INSERT INTO items (request_id, event_id, said_at, type, data) "
        "SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[]) "
        "ON CONFLICT (event_id) DO NOTHING",
        [UUID(request) for request, _, _ in items],
        [UUID(event) for _, event, _ in items],
        [said.said_at for _, _, said in items],
        [said.type for _, _, said in items],
        [said.data for _, _, said in items],
    )


async def items_of(connection: Connection, request_ids: Iterable[str]) -> dict[str, list[Said]]:
    """What was said about each request, in the order it was said, ties in the order it arrived."""
    rows = await connection.fetch(
        "SELECT request_id, said_at, type, data FROM items WHERE request_id = ANY($1::uuid[]) "
        "ORDER BY said_at, position",
        [UUID(i) for i in request_ids],
    )
    items: dict[str, list[Said]] = {}
    for row in rows:
        items.setdefault(str(row["request_id"]), []).append(Said(row["said_at"], row["type"], row["data"]))
    return items


async def items_as_heard(connection: Connection, request_id: str) -> list[Said]:
    """What was said about one request, in the order in which it arrived."""
    rows = await connection.fetch(
        "SELECT said_at, type, data FROM items WHERE request_id = $1 ORDER BY position", UUID(request_id)
    )
    return [Said(row["said_at"], row["type"], row["data"]) for row in rows]


async def add_decision(connection: Connection, row: DecisionRow) -> None:
    """One more decision on a request."""
    await connection.execute(
        "INSERT INTO decisions "
        "(request_id, as_of, facts, rule_pack, input_hash, output_hash, said, descriptions, hosts) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        UUID(row.request_id),
        row.as_of,
        list(row.facts),
        row.rule_pack,
        row.input_hash,
        row.output_hash,
        row.said,
        list(row.descriptions),
        list(row.hosts),
    )


async def decisions(connection: Connection, request_id: str) -> list[DecisionRow]:
    """The decisions on a request, oldest first."""
    rows = await connection.fetch(
        "SELECT as_of, facts, rule_pack, input_hash, output_hash, said, descriptions, hosts FROM decisions "
        "WHERE request_id = $1 ORDER BY position",
        UUID(request_id),
    )
    return [
        DecisionRow(
            request_id=request_id,
            as_of=row["as_of"],
            facts=tuple(row["facts"]),
            rule_pack=row["rule_pack"],
            input_hash=row["input_hash"],
            output_hash=row["output_hash"],
            said=row["said"],
            descriptions=tuple(row["descriptions"]),
            hosts=tuple(row["hosts"]),
        )
        for row in rows
    ]


async def save_dossier(connection: Connection, request_id: str, dossier: str, environment_id: str | None) -> None:
    """The dossier as accepted. A second acceptance changes nothing."""
    await connection.execute(
        "UPDATE cases SET dossier = $2, environment_id = $3 WHERE request_id = $1 AND dossier IS NULL",
        UUID(request_id),
        dossier,
        environment_id,
    )


async def save_environment(connection: Connection, request_id: str, environment_id: str | None) -> None:
    """The environment that the request now names, so that news of that environment finds it."""
    await connection.execute(
        "UPDATE cases SET environment_id = $2 WHERE request_id = $1 AND environment_id IS DISTINCT FROM $2",
        UUID(request_id),
        environment_id,
    )


async def save_assessment(connection: Connection, request_id: str, assessment: str, assessed_on: date) -> None:
    """The assessment whose facts are published in this transaction."""
    await connection.execute(
        "UPDATE cases SET assessment = $2, assessed_on = $3 WHERE request_id = $1",
        UUID(request_id),
        assessment,
        assessed_on,
    )


async def describe_dataset(connection: Connection, dataset_id: str, description: str, at: datetime) -> None:
    """One more description of a dataset; the same instant again changes nothing."""
    await connection.execute(
        "INSERT INTO descriptions (dataset_id, description, described_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        dataset_id,
        description,
        at,
    )


async def withdraw_dataset(connection: Connection, dataset_id: str, at: datetime) -> None:
    """A withdrawn dataset stays known: requests that name it were made when it was there."""
    await connection.execute(
        "UPDATE descriptions SET withdrawn_at = $2 WHERE dataset_id = $1 AND described_at <= $2", dataset_id, at
    )


async def add_environment_event(connection: Connection, environment_id: str, event_id: str, said: Said) -> None:
    """A registration, evidence gained or evidence lost."""
    await connection.execute(
        "INSERT INTO environment_events (event_id, environment_id, said_at, type, data) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (event_id) DO NOTHING",
        UUID(event_id),
        environment_id,
        said.said_at,
        said.type,
        said.data,
    )


async def requests_of_environments(connection: Connection, environment_ids: Iterable[str]) -> list[str]:
    """The requests that name one of these environments."""
    rows = await connection.fetch(
        "SELECT request_id FROM cases WHERE environment_id = ANY($1) ORDER BY 1", sorted(set(environment_ids))
    )
    return [str(row["request_id"]) for row in rows]


async def requests_never_assessed(connection: Connection) -> list[str]:
    """The requests whose dossier names something that is not known yet."""
    rows = await connection.fetch(
        "SELECT request_id FROM cases WHERE dossier IS NOT NULL AND assessment IS NULL ORDER BY 1"
    )
    return [str(row["request_id"]) for row in rows]


async def descriptions(connection: Connection, dataset_ids: Iterable[str]) -> list[DescriptionRow]:
    """Every description of these datasets, in the order in which they were given."""
    rows = await connection.fetch(
        "SELECT position, dataset_id, described_at, description FROM descriptions WHERE dataset_id = ANY($1) "
        "ORDER BY described_at, position",
        sorted(set(dataset_ids)),
    )
    return [DescriptionRow(**row) for row in rows]


async def last_description(connection: Connection, dataset_id: str) -> DescriptionRow | None:
    """The newest description of a dataset; None when there is none, or the dataset was withdrawn since."""
    row = await connection.fetchrow(
        "SELECT position, dataset_id, described_at, description, withdrawn_at FROM descriptions WHERE dataset_id = $1 "
        "ORDER BY described_at DESC, position DESC LIMIT 1",
        dataset_id,
    )
    if row is None or row["withdrawn_at"] is not None:
        return None
    return DescriptionRow(row["position"], row["dataset_id"], row["described_at"], row["description"])


async def environment_events(connection: Connection, environment_ids: Iterable[str]) -> list[tuple[int, Said]]:
    """All that was said of these environments, in the order it was said, each with its position."""
    rows = await connection.fetch(
        "SELECT position, said_at, type, data FROM environment_events WHERE environment_id = ANY($1) "
        "ORDER BY said_at, position",
        sorted(set(environment_ids)),
    )
    return [(row["position"], Said(row["said_at"], row["type"], row["data"])) for row in rows]


async def add_optout(connection: Connection, event_id: str, said: Said) -> None:
    """An opposition recorded or reversed."""
    await connection.execute(
        "INSERT INTO optouts (event_id, said_at, type, data) VALUES ($1, $2, $3, $4) ON CONFLICT (event_id) DO NOTHING",
        UUID(event_id),
        said.said_at,
        said.type,
        said.data,
    )


async def optouts(connection: Connection) -> list[Said]:
    """Every opposition recorded or reversed, in the order it was said."""
    rows = await connection.fetch("SELECT said_at, type, data FROM optouts ORDER BY said_at, position")
    return [Said(row["said_at"], row["type"], row["data"]) for row in rows]
